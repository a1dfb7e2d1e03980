//! `vestibule users export`: all data about one user. The audit log records the export.

use super::super::{Global, out};
use super::{UserRef, with_store};
use crate::store::Actor;

/// Print all data about one user as JSON. The audit log records the export.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// User: our id (a UUID), an Auth0 id or an email.
    #[arg(value_name = "USER")]
    user: UserRef,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.user.find(store)?;
        let export = store.export(user.id, &Actor::Cli)?;
        // serde_json escapes control characters, so the terminal cannot interpret any.
        out::line(serde_json::to_string_pretty(&export)?)?;
        Ok(())
    })
}
