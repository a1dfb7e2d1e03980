//! `vestibule dev`: the dev tenant and both doors on this machine, with sample users.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use serde_json::json;

use super::token_request::{code_client, machine_client, password_client};
use super::{Global, out, samples, signals};
use crate::app::{Development, Vestibule};
use crate::bundle::Bundle;
use crate::clock::Clock;
use crate::config::{self, Config, DEVELOPMENT};
use crate::script::WorkerCommand;
use crate::sqlite;
use crate::telemetry::{self, Secret};

/// Run the dev tenant and both APIs on this machine, with sample users to log in as.
///
/// The tenant also listens on https. Clients trust it by its certificate authority, the file of `tenant.data` with the
/// extension ca.pem: set NODE_EXTRA_CA_CERTS for Node, SSL_CERT_FILE or REQUESTS_CA_BUNDLE for Python, CURL_CA_BUNDLE for curl.
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
    let ([sample, _], name) = (vestibule.sample_queries(), vestibule.name());
    let opening = Development::open(vestibule, &config, script_worker()?, Clock::system());
    let development = runtime.block_on(opening)?;
    let mut signals = runtime.block_on(async { signals::Signals::listen() })?;
    for gap in development.tenant.gaps(&config) {
        tracing::warn!("{}: {} (or start with --supply)", config.tenant.bundle.display(), gap.report());
    }
    let (tenant, doors) = (&development.tenant, &development.doors);
    if tenant.issuer().starts_with("https:") {
        out::line(trust(tenant.ca_file()))?;
    }
    if let Some((name, version)) = name {
        out::line(format!("\n  {name} {version}"))?;
    }
    let banner = Banner {
        bundle: tenant.served(),
        config: &config,
        doors: [doors.public(), doors.internal()],
        tenant: [tenant.issuer(), tenant.url(), tenant.https()],
        token: token_command(global, &config, tenant.url()),
        query: sample,
    };
    out::line(banner.text())?;
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
    let is_port_free = config.tenant.http.port() == 0;
    let matters = |key: &str| {
        matters(key)
            && (is_https || !["tenant.data", "tenant.https"].contains(&key))
            && !(is_port_free && key == "tenant.http")
    };
    for (key, value) in global.set.iter().filter(|(key, _)| matters(key)) {
        option("--set", format!("{key}={value}"));
    }
    if config.tenant.supply && !global.set.iter().any(|(key, _)| key == "tenant.supply") {
        option("--set", "tenant.supply=true".to_owned());
    }
    if is_port_free {
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

/// The users, a command to paste, and the addresses last.
struct Banner<'a> {
    bundle: &'a Bundle,
    config: &'a Config,
    /// The public door's address, then the internal's.
    doors: [SocketAddr; 2],
    /// The issuer, and the addresses of both listeners.
    tenant: [&'a str; 3],
    /// The command that prints a token, without its user.
    token: String,
    /// For the public door.
    query: &'a str,
}

impl Banner<'_> {
    /// Fits a terminal of 80 columns and 24 lines while the bundle has eight users and the words to paste are short.
    fn text(&self) -> String {
        let Self { bundle, config, doors: [public, internal], token, .. } = self;
        let mut text = self.users();
        let user = bundle.users.iter().find(|user| user.password.is_some()).or(bundle.users.first());
        let client = password_client(bundle).or_else(|| code_client(bundle));
        if let (Some(user), Some(_)) = (user, client) {
            let name = if user.email.is_empty() { &user.user_id } else { &user.email };
            text.push_str(&out::heading("\n  Query the Public API, in a second terminal:\n"));
            text.push_str(&curl(*public, &format!("{token} --as {}", quoted(name)), self.query));
        }
        if let Some(client) = machine_client(bundle, &config.internal.audience) {
            let client = quoted(&client.client_id);
            text.push_str(&format!(
                "  The Internal API takes the token of a machine: token --client {client}\n"
            ));
        }
        text.push('\n');
        for (name, settings, address) in
            [("Public API", &config.public, public), ("Internal API", &config.internal, internal)]
        {
            let page =
                if settings.graphiql { format!("   GraphiQL: http://{address}/") } else { String::new() };
            text.push_str(&format!("  {name:<14}http://{address}/graphql{page}\n"));
        }
        let [issuer, http, https] = self.tenant;
        let other = if issuer.starts_with("https:") { http } else { https };
        text.push_str(&format!(
            "  {:<14}{issuer}   also: {other}\n  {:<14}Ctrl-C   More tokens: vestibule token --help",
            "Dev tenant", "Stop"
        ));
        text
    }

    fn users(&self) -> String {
        let rows = || {
            self.bundle.users.iter().map(|user| {
                let password = user.password.as_ref().map_or("-", Secret::expose);
                [&user.email, password, user.note.as_deref().unwrap_or_default()]
            })
        };
        let heads = ["LOG IN AS", "PASSWORD", ""];
        let width = |column: usize| {
            let cells =
                rows().chain([heads]).filter_map(|row| row.get(column).map(|cell| cell.chars().count()));
            cells.max().unwrap_or(0)
        };
        let (emails, passwords) = (width(0), width(1));
        let line = |[email, password, note]: [&str; 3]| {
            let line = format!("  {email:emails$}  {password:passwords$}  {note}");
            shortened(line.trim_end(), WIDTH) + "\n"
        };
        let all: String = rows().map(line).collect();
        format!("\n{}{all}", out::heading(&line(heads)))
    }
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
    use crate::app::DevTenant;

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("target/debug/vestibule"), "target/debug/vestibule");
        assert_eq!(quoted("a b$(c)"), "'a b$(c)'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "");
    }

    #[test]
    fn the_banner_of_the_sample_bundle_fits_a_terminal_of_80_columns_and_24_lines() {
        let sources = config::Sources { tenant: true, ..config::Sources::new(DEVELOPMENT) };
        let config = config::load(sources).unwrap();
        let [issuer, https] = ["http://localhost:4002/", "https://localhost:4003/"];
        let bundle = DevTenant::bundle(&config, issuer, issuer, config.internal.listen).unwrap();
        let text = Banner {
            bundle: &bundle,
            config: &config,
            doors: [config.public.listen, config.internal.listen],
            tenant: [issuer, issuer, https],
            token: "target/debug/vestibule token".to_owned(),
            query: Vestibule::default().sample_queries()[0],
        }
        .text();
        assert!(text.lines().count() <= 24, "{text}");
        assert_eq!(text.lines().find(|line| line.chars().count() > 80), None);
        let emails = bundle.users.iter().map(|user| user.email.as_str());
        for word in emails.chain(["http://127.0.0.1:4000/", "http://127.0.0.1:4001/", issuer, https]) {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(!text.contains('…'), "the notes are short: {text}");
        let column = |line: &str| line.find("dev-only-").or(line.find("PASSWORD"));
        let columns: Vec<_> = text.lines().skip(1).take(7).map(column).collect();
        assert!(columns[0].is_some() && columns.iter().all(|column| *column == columns[0]), "{text}");
    }

    #[test]
    fn a_long_line_ends_after_a_whole_word() {
        assert_eq!(shortened("one two three", 13), "one two three");
        assert_eq!(shortened("one two three", 12), "one two…");
    }
}
