//! `vestibule token`: an access token, from a running dev tenant or by a machine's own credentials.

use anyhow::{Context, bail};

use super::frontend::{Client, frontend};
use super::http_client::{HttpClient, is_connection_error};
use super::{Global, out};
use crate::app::DevTenant;
use crate::auth0::{Auth0, Auth0Error};
use crate::bundle::TestUser;
use crate::clock::Clock;
use crate::config::{self, Config, DEVELOPMENT};
use crate::telemetry::Secret;

/// Prints an access token.
///
/// With `--as EMAIL` a person of the bundle logs in at the running dev tenant. With `--client ID` a machine of the
/// bundle does. With neither, the configured client (`auth0.client_id`) gets a token for itself from the configured
/// tenant (`auth0.issuer`), whichever that is.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A person of the dev tenant, by email.
    #[arg(long = "as", value_name = "EMAIL", conflicts_with = "client")]
    person: Option<String>,
    /// A machine client of the dev tenant, by its id.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// The door the token is for [default: public for a person, internal for a machine of the bundle, the tenant's
    /// Management API for the configured client].
    #[arg(long, value_name = "DOOR", conflicts_with = "audience")]
    door: Option<Door>,
    /// The API the token is for, by its identifier.
    #[arg(long, value_name = "URL")]
    audience: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Door {
    Public,
    Internal,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    // Only the dev tenant has the bundle's people and machines.
    let tenant = args.person.is_some() || args.client.is_some();
    let config = config::load(config::Sources { tenant, ..global.sources(DEVELOPMENT) })?;
    let audience = audience(&config, args);
    let token = match (&args.person, &args.client) {
        (None, None) => {
            let auth0 = Auth0::new(&config.auth0, Clock::system())?;
            let token = auth0.client_token(&audience).map_err(|error| {
                let no_grant = matches!(error, Auth0Error::Status { status: 403, .. });
                let hint =
                    if no_grant { "; does its client have a grant for that API (client-grant)?" } else { "" };
                anyhow::Error::new(error).context(format!("no token for {audience}{hint}"))
            })?;
            token.access_token
        }
        (person, client) => from_dev_tenant(&config, &audience, person.as_deref(), client.as_deref())?,
    };
    out::line(token)?;
    Ok(())
}

fn audience(config: &Config, args: &Args) -> String {
    match (&args.audience, args.door) {
        (Some(audience), _) => audience.clone(),
        (None, Some(Door::Internal)) => config.internal.audience.clone(),
        (None, Some(Door::Public)) => config.public.audience.clone(),
        (None, None) if args.person.is_some() => config.public.audience.clone(),
        (None, None) if args.client.is_some() => config.internal.audience.clone(),
        (None, None) => format!("{}api/v2/", config.auth0.issuer),
    }
}

/// Passwords and secrets of the dev tenant stand in its bundle.
fn from_dev_tenant(
    config: &Config,
    audience: &str,
    person: Option<&str>,
    client: Option<&str>,
) -> anyhow::Result<String> {
    let wire = HttpClient::new();
    let issuer = &config.auth0.issuer;
    let bundle = DevTenant::bundle(config, issuer, config.internal.listen)?;
    let asked = if let Some(email) = person {
        // As the tenant does: the case of an email means nothing.
        let is_meant = |person: &&TestUser| person.email.to_lowercase() == email.to_lowercase();
        let Some(person) = bundle.users.iter().find(is_meant) else {
            bail!("no person of the bundle has the email {email}");
        };
        let frontend =
            frontend(&bundle).context("the bundle has no public client with the password-realm grant")?;
        let password = person.password.as_ref().map(Secret::expose).unwrap_or_default();
        Client { issuer, client_id: &frontend.client_id, audience }.token_by_password(&wire, email, password)
    } else {
        let id = client.unwrap_or_default();
        let machine = bundle.clients.iter().find(|client| client.client_id == id);
        let secret = machine
            .and_then(|machine| machine.client_secret.as_ref())
            .with_context(|| format!("the bundle has no client {id} with a secret"))?;
        Client { issuer, client_id: id, audience }.token_by_secret(&wire, secret.expose())
    };
    asked.map_err(|error| {
        let hint = if is_connection_error(&error) { "; is `vestibule dev` running?" } else { "" };
        error.context(format!("no token from {issuer}{hint}"))
    })
}
