//! `vestibule dev`: the dev tenant and both doors on this machine, with sample users.

use anyhow::Context;
use serde_json::json;

use super::http_client::HttpClient;
use super::token_request::{TokenRequest, machine_client, password_client};
use super::{Global, out, signals};
use crate::app::{Development, Vestibule};
use crate::clock::Clock;
use crate::config::{self, Config, DEVELOPMENT};
use crate::script::WorkerCommand;
use crate::telemetry::{self, Secret};

pub(super) fn run(global: &Global, vestibule: Vestibule) -> anyhow::Result<()> {
    let config = config::load(config::Sources { tenant: true, ..global.sources(DEVELOPMENT) })?;
    telemetry::init(&config.log).map_err(|what| anyhow::anyhow!("`log.filter` is invalid: {what}"))?;
    let runtime = signals::runtime()?;
    let samples = vestibule.sample_queries();
    let opening = Development::open(vestibule, &config, script_worker()?, Clock::system());
    let development = runtime.block_on(opening)?;
    let mut signals = runtime.block_on(async { signals::Signals::listen() })?;
    // Blocking, and over HTTP like any client.
    let printed = print_welcome(&config, &development, samples);
    runtime.block_on(async {
        printed?;
        signals.recv().await;
        signals.drain(development.stop()).await
    })
}

/// This executable, as the process that runs scripts.
pub(super) fn script_worker() -> anyhow::Result<WorkerCommand> {
    let program = std::env::current_exe().context("cannot find the path of this executable")?;
    Ok(WorkerCommand { program, args: vec!["script-worker".to_owned()] })
}

/// Prints the URLs, the users, and commands to paste.
fn print_welcome(
    config: &Config,
    development: &Development,
    [public_query, internal_query]: [&str; 2],
) -> anyhow::Result<()> {
    let (tenant, doors) = (&development.tenant, &development.doors);
    let public = format!("http://{}/graphql", doors.public());
    let internal = format!("http://{}/graphql", doors.internal());
    out::line(format!("\n  Public API    {public}"))?;
    out::line(format!("  Internal API  {internal}"))?;
    out::line(format!("  Dev tenant    {}", tenant.issuer()))?;
    for (name, settings, address) in
        [("Public", &config.public, doors.public()), ("Internal", &config.internal, doors.internal())]
    {
        if settings.graphiql {
            out::line(format!("  {:<14}http://{address}/", format!("{name} page")))?;
        }
    }
    out::line("\n  Users (passwords in brackets)")?;
    for user in &tenant.served().users {
        let password = user.password.as_ref().map_or("no password", Secret::expose);
        let note = user.note.as_deref().unwrap_or_default();
        out::line(format!("    {:<24} [{password}]  {note}", user.email))?;
    }
    let (http, issuer, bundle) = (HttpClient::new(), tenant.issuer(), tenant.served());
    let user = bundle.users.iter().find_map(|user| Some((user, user.password.as_ref()?)));
    if let (Some(client), Some((user, password))) = (password_client(bundle), user) {
        let audience = &config.public.audience;
        let request = TokenRequest { issuer, client_id: &client.client_id, audience };
        let token = request.with_password(&http, &user.email, password.expose());
        let title = format!("Query the Public API as {}:", user.email);
        print_command(&title, &user.email, token.map(|token| curl(&public, &token, public_query)))?;
    }
    if let Some(machine) = machine_client(bundle, &config.internal.audience) {
        let (client_id, audience) = (&machine.client_id, &config.internal.audience);
        let secret = machine.client_secret.as_ref().map_or("", Secret::expose);
        let token = TokenRequest { issuer, client_id, audience }.with_secret(&http, secret);
        let title = format!("Query the Internal API as the machine client `{client_id}`:");
        print_command(&title, client_id, token.map(|token| curl(&internal, &token, internal_query)))?;
    }
    out::line("\n  More tokens: vestibule token --help. Stop with Ctrl-C.\n")?;
    Ok(())
}

/// Prints a command to paste, or why the login failed: it may be a rule that the user is debugging.
fn print_command(title: &str, login: &str, command: anyhow::Result<String>) -> Result<(), out::OutputError> {
    match command {
        Ok(command) => {
            out::line(format!("\n  {title}\n"))?;
            out::line(command)
        }
        Err(error) => {
            let error = out::plain(&format!("{error:#}"));
            out::line(format!("\n  No sample command: {login} could not log in.\n    {error}"))
        }
    }
}

fn curl(url: &str, token: &str, query: &str) -> String {
    // Escaped for single quotes in a shell.
    let body = json!({ "query": query }).to_string().replace('\'', r"'\''");
    format!(
        "curl -s {url} -H 'Content-Type: application/json' -H 'Authorization: Bearer {token}' -d '{body}'"
    )
}
