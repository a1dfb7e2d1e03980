//! `vestibule tenant …`: the dev tenant alone, and what tests of a team ask of it.

mod fault;
mod run;

use super::Global;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Run(run::Args),
    Fault(fault::Args),
}

pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Run(args) => run::run(global, args),
        Command::Fault(args) => fault::run(global, args),
    }
}
