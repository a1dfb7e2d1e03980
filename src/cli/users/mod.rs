//! `vestibule users …`: one file for each subcommand.

mod user_ref;
mod list;
mod show;
mod create;
mod roles;
mod block;
mod link;
mod erase;
mod import;
pub(super) mod records;
mod csv_records;
mod json_records;
pub(super) mod format;

pub(super) use csv_records::NoKeyColumn;
pub(super) use user_ref::{NoSuchUser, UserRef};

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use super::Global;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Settings, Store, StoreError};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    List(list::Args),
    Show(show::Args),
    Create(create::Args),
    Roles(roles::Args),
    /// Block a user at both APIs and revoke their tokens.
    Block(block::Args),
    /// Unblock a user. Tokens from before the block stay revoked.
    Unblock(block::Args),
    /// Link an Auth0 id to a user, and print all of theirs. You vouch that both are the same person.
    Link(link::Args),
    /// Unlink an Auth0 id from a user and revoke its tokens.
    Unlink(link::Args),
    Erase(erase::Args),
    Export(show::ExportArgs),
    Import(import::Args),
}

pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(args) => list::run(global, args)?,
        Command::Show(args) => show::run(global, args)?,
        Command::Create(args) => create::run(global, args)?,
        Command::Roles(args) => roles::run(global, args)?,
        Command::Block(args) => block::run(global, args, true)?,
        Command::Unblock(args) => block::run(global, args, false)?,
        Command::Link(args) => link::run(global, args, true)?,
        Command::Unlink(args) => link::run(global, args, false)?,
        Command::Erase(args) => erase::run(global, args)?,
        Command::Export(args) => show::export(global, args)?,
        Command::Import(args) => return import::run(global, args),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `action` on the existing database. When it returns, what it changed applies in every running server.
pub(super) fn with_store<T>(
    global: &Global,
    action: impl FnOnce(&Store, &Config) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    with_opened(global.config()?, Store::open_existing, action)
}

type Open = fn(&Settings, Clock) -> Result<Store, StoreError>;

fn with_opened<T>(
    config: Config,
    open: Open,
    action: impl FnOnce(&Store, &Config) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let store = open(&config.store, Clock::system())
        .with_context(|| format!("cannot open the database {}", config.store.path.display()))?;
    let outcome = action(&store, &config);
    store.wait_until_known();
    let closed = store.close();
    let outcome = outcome?;
    closed.context("the change is committed, but the database was not closed cleanly")?;
    Ok(outcome)
}
