//! `vestibule users …`: the people in the database. One file per subcommand.

mod who;
mod list;
mod show;
mod create;
mod roles;
mod block;
mod erase;
mod export;
mod import;
mod records;

pub(super) use who::{NoSuchUser, UserRef};

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use super::Global;
use crate::clock::Clock;
use crate::config::{self, Config, PRODUCTION};
use crate::store::{Settings, Store, StoreError};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Lists users in the order they came.
    List(list::Args),
    /// Shows one user: the row, the identities, the accepted terms.
    Show(show::Args),
    /// Makes a row for somebody who has not come yet, and prints its id.
    Create(create::Args),
    /// Shows or changes a user's roles. A change revokes their tokens, which carry the old ones.
    Roles(roles::Args),
    /// Turns a user away from now on, and revokes their tokens.
    Block(block::Args),
    /// Lets a user in again. Tokens from before stay revoked.
    Unblock(block::Args),
    /// Forgets a person for good. What stays is a tombstone, which keeps them from being made anew.
    Erase(erase::Args),
    /// Prints everything we hold about one person, as JSON.
    Export(export::Args),
    /// Adds and updates users from an export of Auth0's, its bulk-import JSON, or CSV.
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
        Command::Erase(args) => erase::run(global, args)?,
        Command::Export(args) => export::run(global, args)?,
        Command::Import(args) => return import::run(global, args),
    }
    Ok(ExitCode::SUCCESS)
}

/// Does something with the database, which must be there, and which a server may have open too: it notices what changes
/// within a second.
pub(super) fn with_store<T>(
    global: &Global,
    act: impl FnOnce(&Store, &Config) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    with_opened(global, Store::open_existing, act)
}

/// The same for what may be the first thing that is done: the database is made and migrated as needed.
fn with_new_store<T>(
    global: &Global,
    act: impl FnOnce(&Store, &Config) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    with_opened(global, Store::open, act)
}

fn with_opened<T>(
    global: &Global,
    open: fn(&Settings, Clock) -> Result<Store, StoreError>,
    act: impl FnOnce(&Store, &Config) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let config = config::load(global.sources(PRODUCTION))?;
    let store = open(&config.store, Clock::system())
        .with_context(|| format!("the database {} can not be opened", config.store.path.display()))?;
    let outcome = act(&store, &config);
    // What was done is committed; closing only tidies up.
    let closed = store.close();
    let outcome = outcome?;
    closed.context("the change is made, but the database could not be closed cleanly")?;
    Ok(outcome)
}
