//! `vestibule users block` and `unblock`.

use super::super::{Global, out};
use super::{UserRef, with_store};
use crate::store::Actor;
use crate::user::Status;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// User: our id (a UUID), an Auth0 id or an email.
    #[arg(value_name = "USER")]
    user: UserRef,
    /// Propagate to Auth0 too, even if `store.block_at_auth0` is off. The running server does it, with retries.
    #[arg(long)]
    at_auth0: bool,
}

pub(super) fn run(global: &Global, args: &Args, blocked: bool) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.user.find(store)?;
        let status = if blocked { Status::Blocked } else { Status::Active };
        let user = if args.at_auth0 {
            store.set_status_also_at_auth0(user.id, status, &Actor::Cli)?
        } else {
            store.set_status(user.id, status, &Actor::Cli)?
        };
        out::line(format_args!("{} is {}", user.id, user.status.as_str()))?;
        let (waiting, _) = store.pending_deliveries()?;
        if waiting > 0 {
            out::line(format_args!("{waiting} pending at Auth0; the running server propagates them"))?;
        }
        Ok(())
    })
}
