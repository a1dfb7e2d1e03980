//! The executable: picks the exit code and prints the error chain; nothing else.

use std::process::ExitCode;

use vestibule::cli;

fn main() -> ExitCode {
    match cli::run(std::env::args_os()) {
        Ok(code) => code,
        Err(error) => {
            cli::complain(&error);
            cli::exit_code(&error)
        }
    }
}
