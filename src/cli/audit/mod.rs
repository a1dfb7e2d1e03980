//! `vestibule audit …`: the audit log.

mod list;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use super::Global;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    List(list::Args),
    Verify(verify::Args),
}

pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(args) => list::run(global, args).map(|()| ExitCode::SUCCESS),
        Command::Verify(args) => verify::run(global, args),
    }
}
