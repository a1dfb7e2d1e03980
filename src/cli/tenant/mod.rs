//! `vestibule tenant …`: the dev tenant alone, and what tests of a team ask of it.

mod fault;
mod run;
mod state;

use super::Global;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Run(run::Args),
    Fault(fault::Args),
    Reset(state::ResetArgs),
    Export(state::ExportArgs),
    Import(state::ImportArgs),
}

pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Run(args) => run::run(global, args),
        Command::Fault(args) => fault::run(global, args),
        Command::Reset(args) => state::reset(global, args),
        Command::Export(args) => state::export(global, args),
        Command::Import(args) => state::import(global, args),
    }
}
