//! `vestibule users export`: everything we hold about one person. That it was given out is in the trail.

use super::super::{Global, out};
use super::{UserRef, with_store};
use crate::store::Actor;

/// Whose.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Our id, an Auth0 id or an email.
    #[arg(value_name = "WHO")]
    who: UserRef,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.who.find(store)?;
        let export = store.export(user.id, &Actor::Cli)?;
        // serde_json escapes control characters, so nothing in it can speak to the terminal.
        out::line(serde_json::to_string_pretty(&export)?)?;
        Ok(())
    })
}
