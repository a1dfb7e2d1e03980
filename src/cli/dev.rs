//! `vestibule dev`: the dev tenant and both doors on this machine, with people to log in as.

use anyhow::Context;
use serde_json::json;

use super::frontend::{Client, frontend, machine_for};
use super::http_client::HttpClient;
use super::{Global, out, signals};
use crate::app::{Development, Vestibule};
use crate::clock::Clock;
use crate::config::{self, Config, DEVELOPMENT};
use crate::script::WorkerCommand;
use crate::telemetry::{self, Secret};

pub(super) fn run(global: &Global, vestibule: Vestibule) -> anyhow::Result<()> {
    let config = config::load(config::Sources { tenant: true, ..global.sources(DEVELOPMENT) })?;
    telemetry::init(&config.log).map_err(|what| anyhow::anyhow!("`log.filter` can not be read: {what}"))?;
    let runtime = signals::runtime()?;
    let to_try = vestibule.queries_to_try();
    let opening = Development::open(vestibule, &config, this_worker()?, Clock::system());
    let development = runtime.block_on(opening)?;
    let mut signals = runtime.block_on(async { signals::Signals::listen() })?;
    // The calls below are blocking, and made as any client makes them: over the wire.
    let introduced = introduce(&config, &development, to_try);
    runtime.block_on(async {
        introduced?;
        signals.told().await;
        signals.drain(development.stop()).await
    })
}

/// This executable, as the process that runs scripts.
pub(super) fn this_worker() -> anyhow::Result<WorkerCommand> {
    let program = std::env::current_exe().context("the path of this executable can not be told")?;
    Ok(WorkerCommand { program, args: vec!["script-worker".to_owned()] })
}

/// Prints the three URLs, the people, and lines to paste.
fn introduce(
    config: &Config,
    development: &Development,
    [of_person, of_machine]: [&str; 2],
) -> anyhow::Result<()> {
    let (tenant, doors) = (&development.tenant, &development.doors);
    let public = format!("http://{}/graphql", doors.public());
    let internal = format!("http://{}/graphql", doors.internal());
    out::line(format!("\n  Public API    {public}"))?;
    out::line(format!("  Internal API  {internal}"))?;
    out::line(format!("  Dev tenant    {}", tenant.issuer()))?;
    for (door, settings, address) in
        [("Public", &config.public, doors.public()), ("Internal", &config.internal, doors.internal())]
    {
        if settings.graphiql {
            out::line(format!("  {:<14}http://{address}/", format!("{door} page")))?;
        }
    }
    out::line("\n  People (the password is in brackets)")?;
    for person in &tenant.served().users {
        let password = person.password.as_ref().map(Secret::expose).unwrap_or("no password");
        let note = person.note.as_deref().unwrap_or_default();
        out::line(format!("    {:<24} [{password}]  {note}", person.email))?;
    }
    let (wire, issuer, bundle) = (HttpClient::new(), tenant.issuer(), tenant.served());
    let person = bundle.users.iter().find(|person| person.password.is_some());
    if let (Some(frontend), Some(person)) = (frontend(bundle), person) {
        let client = Client { issuer, client_id: &frontend.client_id, audience: &config.public.audience };
        let password = person.password.as_ref().map(Secret::expose).unwrap_or_default();
        let title = format!("{} has logged in. Ask the Public API who that is:", person.email);
        let token = client.token_by_password(&wire, &person.email, password);
        to_paste(&title, &person.email, token.map(|token| curl(&public, &token, of_person)))?;
    }
    if let Some(machine) = machine_for(bundle, &config.internal.audience) {
        let client = Client { issuer, client_id: &machine.client_id, audience: &config.internal.audience };
        let secret = machine.client_secret.as_ref().map(Secret::expose).unwrap_or_default();
        let title = format!("The machine `{}` may ask the Internal API:", machine.client_id);
        let token = client.token_by_secret(&wire, secret);
        to_paste(&title, &machine.client_id, token.map(|token| curl(&internal, &token, of_machine)))?;
    }
    out::line("\n  More tokens: vestibule token --help. Stop with Ctrl-C.\n")?;
    Ok(())
}

/// Prints a line to paste, or why there is none: a rule that denies the login is what one is here to debug.
fn to_paste(title: &str, who: &str, line: anyhow::Result<String>) -> Result<(), out::OutputError> {
    match line {
        Ok(line) => {
            out::line(format!("\n  {title}\n"))?;
            out::line(line)
        }
        Err(why) => {
            let why = out::plain(&format!("{why:#}"));
            out::line(format!("\n  No line to paste: {who} could not log in.\n    {why}"))
        }
    }
}

fn curl(url: &str, token: &str, query: &str) -> String {
    // As a shell takes it between single quotes.
    let body = json!({ "query": query }).to_string().replace('\'', r"'\''");
    format!(
        "curl -s {url} -H 'Content-Type: application/json' -H 'Authorization: Bearer {token}' -d '{body}'"
    )
}
