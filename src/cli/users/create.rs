//! `vestibule users create`: a row for a user before their first login.

use super::super::{Global, out};
use super::with_opened;
use crate::store::{Actor, NewUser, Store};
use crate::user::{Auth0Id, Email, NAME_MAX, Person, is_valid_name};

/// Create a user before their first login, and print the id.
///
/// Without `--auth0-id`, the first login with this email, verified, becomes this user.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Email address.
    #[arg(long, value_name = "EMAIL", required_unless_present = "auth0_id")]
    email: Option<Email>,
    /// Mark the email as verified.
    #[arg(long, requires = "email")]
    verified: bool,
    /// Auth0 id, if known.
    #[arg(long, value_name = "ID")]
    auth0_id: Option<Auth0Id>,
    /// Full name.
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// Role; repeatable.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
}

fn name(text: &str) -> Result<String, String> {
    if is_valid_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("a name has at most {NAME_MAX} characters, and no control or invisible ones"))
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    with_opened(global.config_to_create()?, Store::open, |store, config| {
        if !args.roles.is_empty() {
            config.claims.roles_from.ensure_set_here().map_err(anyhow::Error::msg)?;
        }
        let expected = NewUser {
            auth0_id: args.auth0_id.clone(),
            email: args.email.clone(),
            email_verified: args.verified,
            person: Person { name: args.name.clone(), ..Person::default() },
            roles: args.roles.clone(),
        };
        let user = store.create(&expected, &Actor::Cli)?;
        out::line(user.id)?;
        super::roles::note_unknown_roles(config, &user.roles)
    })
}
