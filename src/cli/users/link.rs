//! `vestibule users link` and `unlink`.

use super::super::{Global, out};
use super::{UserRef, with_store};
use crate::store::Actor;
use crate::user::Auth0Id;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// User: our id (a UUID), an Auth0 id or an email.
    #[arg(value_name = "USER")]
    user: UserRef,
    /// Auth0 id, as Auth0's dashboard shows it: auth0|….
    #[arg(value_name = "AUTH0_ID")]
    auth0_id: Auth0Id,
}

pub(super) fn run(global: &Global, args: &Args, link: bool) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let id = args.user.find(store)?.id;
        if link {
            store.link_identity(id, &args.auth0_id, &Actor::Cli)?;
        } else {
            store.unlink_identity(id, &args.auth0_id, &Actor::Cli)?;
        }
        for identity in store.identities(id)? {
            out::line(out::plain(identity.auth0_id.as_str()))?;
        }
        Ok(())
    })
}
