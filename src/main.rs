//! The executable: our own schemas behind the doors. What it does and how it ends is `cli`'s.

use std::process::ExitCode;

use vestibule::app::Vestibule;
use vestibule::cli;

fn main() -> ExitCode {
    cli::main(Vestibule::default())
}
