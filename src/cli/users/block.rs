//! `vestibule users block` and `unblock`.

use super::super::{Global, out};
use super::{UserRef, with_store};
use crate::store::Actor;
use crate::user::Status;

/// Whom, and where.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Our id, an Auth0 id or an email.
    #[arg(value_name = "WHO")]
    who: UserRef,
    /// At Auth0 too, whatever `store.block_at_auth0` says. The running server tells Auth0, and tries until it knows.
    #[arg(long)]
    at_auth0: bool,
}

pub(super) fn run(global: &Global, args: &Args, blocked: bool) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.who.find(store)?;
        let status = if blocked { Status::Blocked } else { Status::Active };
        let user = if args.at_auth0 {
            store.set_status_also_at_auth0(user.id, status, &Actor::Cli)?
        } else {
            store.set_status(user.id, status, &Actor::Cli)?
        };
        out::line(format_args!("{} is {}", user.id, user.status.as_str()))?;
        let (waiting, _) = store.pending_deliveries()?;
        if waiting > 0 {
            out::line(format_args!("Auth0 is yet to be told of {waiting} by the running server"))?;
        }
        Ok(())
    })
}
