//! `vestibule token`: an access token from the dev tenant, or for the configured client.

use anyhow::{Context, bail};

use super::http_client::HttpClient;
use super::token_request::{TokenRequest, code_client, password_client, realm};
use super::{DoorArg, Global, out, samples};
use crate::app::DevTenant;
use crate::auth0::{Auth0, Auth0Error};
use crate::bundle::TestUser;
use crate::clock::Clock;
use crate::config::{self, Config, DEVELOPMENT};

/// Print an access token from the dev tenant, or from the configured tenant for the configured client.
///
/// `--as EMAIL` logs in as a user of the running dev tenant, `--client ID` as one of its machine clients. With neither, the
/// configured client (`auth0.client_id`) requests a token for itself from the configured tenant (`auth0.issuer`).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// User of the dev tenant, by email or user_id.
    #[arg(long = "as", value_name = "EMAIL", conflicts_with = "client")]
    email: Option<String>,
    /// Machine client of the dev tenant, by id.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Door the token is for [default: public with --as, internal with --client, else the tenant's Management API].
    #[arg(long, value_name = "DOOR", conflicts_with = "audience")]
    door: Option<DoorArg>,
    /// API the token is for, by identifier.
    #[arg(long, value_name = "URL")]
    audience: Option<String>,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let tenant = args.email.is_some() || args.client.is_some();
    let mut config = config::load(config::Sources { tenant, ..global.sources(DEVELOPMENT) })?;
    if tenant {
        samples::complete_here(&mut config)?;
    }
    let audience = audience(&config, args);
    let token = match (&args.email, &args.client) {
        (None, None) => {
            let auth0 = Auth0::new(&config.auth0, Clock::system())?;
            let token = auth0.client_token(&audience).map_err(|error| {
                let no_grant = matches!(error, Auth0Error::Status { status: 403, .. });
                let hint = if no_grant { "; the client may need a client-grant for that API" } else { "" };
                anyhow::Error::new(error).context(format!("no token for {audience}{hint}"))
            })?;
            token.access_token.expose().to_owned()
        }
        (person, client) => dev_tenant_token(&config, &audience, person.as_deref(), client.as_deref())?,
    };
    out::line(token)?;
    Ok(())
}

fn audience(config: &Config, args: &Args) -> String {
    match (&args.audience, args.door) {
        (Some(audience), _) => audience.clone(),
        (None, Some(DoorArg::Internal)) => config.internal.audience.clone(),
        (None, Some(DoorArg::Public)) => config.public.audience.clone(),
        (None, None) if args.email.is_some() => config.public.audience.clone(),
        (None, None) if args.client.is_some() => config.internal.audience.clone(),
        (None, None) => format!("{}api/v2/", config.auth0.issuer),
    }
}

/// A token of a person, else of a client. Takes the password or secret from the bundle.
pub(crate) fn dev_tenant_token(
    config: &Config,
    audience: &str,
    person: Option<&str>,
    client: Option<&str>,
) -> anyhow::Result<String> {
    let http = HttpClient::trusting(config.auth0.ca_file.as_deref())?;
    let issuer = &config.auth0.issuer;
    let bundle = DevTenant::bundle(config, issuer, issuer, config.internal.listen)?;
    let token = if let Some(email) = person {
        // Emails are compared without case, as in the tenant.
        let is_named = |person: &&TestUser| {
            person.user_id == email || person.email.to_lowercase() == email.to_lowercase()
        };
        let Some(person) = bundle.users.iter().find(is_named) else {
            bail!("the bundle has no user with the email or user_id {email}");
        };
        if let (Some(frontend), Some(password)) = (password_client(&bundle), &person.password) {
            let request = TokenRequest { issuer, client_id: &frontend.client_id, audience };
            request.with_password(&http, realm(&bundle, person), &person.email, password.expose())
        } else {
            let frontend = code_client(&bundle)
                .context("the bundle has no client with the authorization_code grant and a callback")?;
            let request = TokenRequest { issuer, client_id: &frontend.client_id, audience };
            request.with_code(&http, frontend, &person.user_id)
        }
    } else {
        let id = client.unwrap_or_default();
        let machine = bundle.clients.iter().find(|client| client.client_id == id);
        let secret = machine
            .and_then(|machine| machine.client_secret.as_ref())
            .with_context(|| format!("the bundle has no client {id} with a secret"))?;
        TokenRequest { issuer, client_id: id, audience }.with_secret(&http, secret.expose())
    };
    token.map_err(|error| {
        let no_response = error.chain().any(|cause| cause.is::<ureq::Error>());
        let hint = if no_response { "; is `vestibule dev` running?" } else { "" };
        error.context(format!("no token from {issuer}{hint}"))
    })
}
