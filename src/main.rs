//! The executable: the ready-made schemas behind both doors. Arguments and exit codes belong to `cli`.

use std::process::ExitCode;

use vestibule::Vestibule;

fn main() -> ExitCode {
    vestibule::main(Vestibule::default())
}
