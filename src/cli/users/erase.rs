//! `vestibule users erase`: for good.

use anyhow::ensure;

use super::super::{Global, out};
use super::{Who, with_store};
use crate::store::Actor;
use crate::user::Status;

/// Whom.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Our id, an Auth0 id or an email.
    #[arg(value_name = "WHO")]
    who: Who,
    /// Without it nothing is erased.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.who.find(store)?;
        ensure!(
            args.yes,
            "nothing was erased: erasing {} can not be undone; add --yes if they are meant (`users show` tells who it \
             is, `users export` what would be lost)",
            user.id
        );
        let user = store.set_status(user.id, Status::Erased, &Actor::Cli)?;
        out::line(format_args!("{} is {}", user.id, user.status.as_str()))?;
        Ok(())
    })
}
