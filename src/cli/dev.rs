//! `vestibule dev`: the dev tenant and both doors on this machine, with sample users.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use serde_json::json;

use super::token_request::{code_client, machine_client, password_client};
use super::{Global, out, samples, signals};
use crate::app::{Development, Vestibule};
use crate::clock::Clock;
use crate::config::{self, Config, DEVELOPMENT};
use crate::script::WorkerCommand;
use crate::sqlite;
use crate::telemetry::{self, Secret};

/// Run the dev tenant and both APIs on this machine, with sample users to log in as.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Start anew: remove both databases of the development profile first.
    #[arg(long)]
    fresh: bool,
    /// Add what the bundle does not have and a login needs, as in a tenant's export: APIs, clients, a person.
    #[arg(long)]
    supply: bool,
}

pub(super) fn run(global: &Global, args: &Args, vestibule: Vestibule) -> anyhow::Result<()> {
    let mut config = config::load(config::Sources { tenant: true, ..global.sources(DEVELOPMENT) })?;
    config.tenant.supply |= args.supply;
    samples::complete_here(&mut config)?;
    if args.fresh {
        anyhow::ensure!(config.profile == DEVELOPMENT, "`--fresh` is for the profile `development` only");
        sqlite::remove(&config.store.path)?;
        sqlite::remove(&config.tenant.data)?;
    }
    telemetry::init(&config.log).map_err(|what| anyhow::anyhow!("`log.filter` is invalid: {what}"))?;
    let runtime = signals::runtime()?;
    let (samples, name) = (vestibule.sample_queries(), vestibule.name());
    let opening = Development::open(vestibule, &config, script_worker()?, Clock::system());
    let development = runtime.block_on(opening)?;
    let mut signals = runtime.block_on(async { signals::Signals::listen() })?;
    for gap in development.tenant.gaps(&config) {
        tracing::warn!("{}: {} (or start with --supply)", config.tenant.bundle.display(), gap.report());
    }
    out::line(trust(development.tenant.ca_file()))?;
    if let Some((name, version)) = name {
        out::line(format!("\n  {name} {version}"))?;
    }
    out::line(welcome(
        &token_command(global, &config, development.tenant.url()),
        &config,
        &development,
        samples,
    ))?;
    runtime.block_on(async {
        signals.recv().await;
        signals.drain(development.stop()).await
    })
}

/// This executable, as the process that runs scripts.
pub(super) fn script_worker() -> anyhow::Result<WorkerCommand> {
    let program = std::env::current_exe().context("cannot find the path of this executable")?;
    Ok(WorkerCommand { program, args: vec!["script-worker".to_owned()] })
}

/// The command that finds the same tenant as this one.
fn token_command(global: &Global, config: &Config, tenant: &str) -> String {
    let mut words = vec![std::env::args().next().unwrap_or_else(|| "vestibule".to_owned())];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    if let Some(profile) = &global.profile {
        option("--profile", profile.clone());
    }
    if let Some(dir) = &global.dir {
        option("--config", dir.display().to_string());
    }
    let matters =
        |key: &str| key.starts_with("tenant.") || key.starts_with("auth0.") || key.ends_with(".audience");
    // The file of the certificate authority is beside the tenant's data.
    let is_https = config.auth0.issuer.starts_with("https://");
    let matters = |key: &str| matters(key) && (is_https || key != "tenant.data");
    for (key, value) in global.set.iter().filter(|(key, _)| matters(key)) {
        option("--set", format!("{key}={value}"));
    }
    if config.tenant.supply && !global.set.iter().any(|(key, _)| key == "tenant.supply") {
        option("--set", "tenant.supply=true".to_owned());
    }
    if config.tenant.http.port() == 0 {
        option(
            "--set",
            format!(
                "tenant.http={}",
                tenant.trim_start_matches("http://").trim_end_matches('/').replace("localhost", "127.0.0.1")
            ),
        );
    }
    words.push("token".to_owned());
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// How clients trust the authority behind the tenant's https listener.
pub(super) fn trust(ca_file: &Path) -> String {
    let file = quoted(&ca_file.display().to_string());
    format!(
        "\n  For clients that use https:\n\n    export NODE_EXTRA_CA_CERTS={file}   # Node\n    \
         export SSL_CERT_FILE={file} REQUESTS_CA_BUNDLE={file}   # Python\n    export CURL_CA_BUNDLE={file}   # curl"
    )
}

/// The users, commands to paste, and the addresses last. Fits a terminal of 80 columns and 24 lines while the bundle has
/// six users.
fn welcome(
    token: &str,
    config: &Config,
    development: &Development,
    [public_query, internal_query]: [&str; 2],
) -> String {
    let (tenant, doors) = (&development.tenant, &development.doors);
    let bundle = tenant.served();
    let mut text = String::new();
    let rows = || {
        bundle
            .users
            .iter()
            .map(|user| (&user.email, user.password.as_ref().map_or("-", Secret::expose), user))
    };
    let widest = |of: fn((&str, &str)) -> usize| {
        rows().map(|(email, password, _)| of((email, password))).max().unwrap_or(0)
    };
    let (emails, passwords) = (widest(|row| row.0.len()), widest(|row| row.1.len().max("PASSWORD".len())));
    text.push_str(&out::heading(&format!("\n  {:emails$}  PASSWORD\n", "LOG IN AS")));
    for (email, password, user) in rows() {
        let note = user.note.as_deref().unwrap_or_default();
        let line = format!("  {email:emails$}  {password:passwords$}  {note}");
        text.push_str(&shortened(line.trim_end(), WIDTH));
        text.push('\n');
    }
    let client = machine_client(bundle, &config.internal.audience);
    let user = bundle.users.iter().find(|user| user.password.is_some()).or(bundle.users.first());
    let user =
        user.filter(|_| password_client(bundle).or_else(|| code_client(bundle)).is_some()).map(|user| {
            let name = if user.email.is_empty() { &user.user_id } else { &user.email };
            format!("--as {}", quoted(name))
        });
    let client = client.map(|client| format!("--client {}", quoted(&client.client_id)));
    for (name, door, login, query) in [
        ("Public", doors.public(), user, public_query),
        ("Internal", doors.internal(), client, internal_query),
    ] {
        let Some(login) = login else { continue };
        text.push_str(&out::heading(&format!("\n  Query the {name} API, in a second terminal:\n\n")));
        text.push_str(&curl(door, &format!("{token} {login}"), query));
    }
    text.push('\n');
    for (name, settings, address) in
        [("Public API", &config.public, doors.public()), ("Internal API", &config.internal, doors.internal())]
    {
        let page = if settings.graphiql { format!("   GraphiQL: http://{address}/") } else { String::new() };
        text.push_str(&format!("  {name:<14}http://{address}/graphql{page}\n"));
    }
    let issuer = tenant.issuer();
    let other = if issuer.starts_with("https:") { tenant.url() } else { tenant.https() };
    text.push_str(&format!(
        "  {:<14}{issuer}   also: {other}\n  {:<14}Ctrl-C   More tokens: vestibule token --help",
        "Dev tenant", "Stop"
    ));
    text
}

/// The columns of a terminal.
const WIDTH: usize = 80;

/// The start of a line that is too long, up to a whole word.
fn shortened(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let start: String = line.chars().take(width - 1).collect();
    format!("{}…", start.rsplit_once(' ').map_or(start.as_str(), |(words, _)| words))
}

/// A query with the token of another command, which the shell runs first.
fn curl(door: SocketAddr, token: &str, query: &str) -> String {
    // Escaped for single quotes in a shell.
    let body = json!({ "query": query }).to_string().replace('\'', r"'\''");
    format!(
        "curl -s http://{door}/graphql -H 'Content-Type: application/json' \\\n-d '{body}' \\\n-H \"Authorization: Bearer $({token})\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("target/debug/vestibule"), "target/debug/vestibule");
        assert_eq!(quoted("a b$(c)"), "'a b$(c)'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "");
    }

    #[test]
    fn a_long_line_ends_after_a_whole_word() {
        assert_eq!(shortened("one two three", 13), "one two three");
        assert_eq!(shortened("one two three", 12), "one two…");
    }
}
