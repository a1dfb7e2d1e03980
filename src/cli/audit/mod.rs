//! `vestibule audit …`: who changed what.

mod list;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use super::Global;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Lists the trail, the newest line first.
    List(list::Args),
    /// Checks the hash chain and names the first line that was tampered with (exit code 65).
    Verify(verify::Args),
}

pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(args) => list::run(global, args).map(|()| ExitCode::SUCCESS),
        Command::Verify(args) => verify::run(global, args),
    }
}
