//! `vestibule tenant …`: the dev tenant alone, what tests of a team ask of it, and deployments to tenants.

mod convert;
mod fault;
mod npm;
mod run;
mod state;
mod types;
mod deploy_config;
mod login;
mod test;
mod deploy;
mod deployments;
pub(super) mod plan_text;

use std::path::Path;
use std::process::ExitCode;

use super::{Global, samples};
use crate::config::{self, Config, DEVELOPMENT};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Run(run::Args),
    Test(test::Args),
    Login(login::Args),
    Fault(fault::Args),
    Npm(npm::Args),
    Reset(state::ResetArgs),
    Export(state::ExportArgs),
    Import(state::ImportArgs),
    Convert(convert::Args),
    Types(types::Args),
    Plan(deploy::PlanArgs),
    Apply(deploy::ApplyArgs),
    Rollback(deploy::RollbackArgs),
    Drift(deploy::DriftArgs),
    Deployments(deployments::Args),
}

/// The configuration of a command that reads a bundle: the one at `bundle`, else the configured one or the samples.
///
/// With a bundle given, no sample and no state folder is written.
fn load(global: &Global, bundle: Option<&Path>) -> anyhow::Result<Config> {
    let mut config = config::load(config::Sources { tenant: true, ..global.sources(DEVELOPMENT) })?;
    match bundle {
        Some(bundle) => config.tenant.bundle = bundle.to_owned(),
        None => samples::complete_here(&mut config)?,
    }
    Ok(config)
}

pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(global, args)?,
        Command::Test(args) => test::run(global, args)?,
        Command::Login(args) => login::run(global, args)?,
        Command::Fault(args) => fault::run(global, args)?,
        Command::Npm(args) => npm::run(global, args)?,
        Command::Reset(args) => state::reset(global, args)?,
        Command::Export(args) => state::export(global, args)?,
        Command::Import(args) => state::import(global, args)?,
        Command::Convert(args) => convert::run(global, args)?,
        Command::Types(args) => types::run(global, args)?,
        Command::Plan(args) => return deploy::plan(global, args),
        Command::Apply(args) => return deploy::apply(global, args),
        Command::Rollback(args) => return deploy::rollback(global, args),
        Command::Drift(args) => return deploy::drift(global, args),
        Command::Deployments(args) => deployments::run(global, args)?,
    }
    Ok(ExitCode::SUCCESS)
}
