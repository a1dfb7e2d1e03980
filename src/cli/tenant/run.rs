//! `vestibule tenant run`: the dev tenant without the doors.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};

use crate::app::{DevTenant, TenantListeners};
use crate::cli::dev::{script_worker, trust};
use crate::cli::{Global, out, signals};
use crate::clock::Clock;
use crate::telemetry::{self, Secret};

/// Run the dev tenant alone, until Ctrl-C or SIGTERM.
///
/// With `--ready-file` it takes free ports and a database of its own, so that several can run side by side, unless `--set`
/// gives `tenant.http`, `tenant.https` or `tenant.data`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// File that is written once the tenant answers: JSON with its addresses, clients and users. Removed at the end.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Add what the bundle does not have and a login needs, as in a tenant's export: APIs, clients, a person.
    #[arg(long)]
    supply: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let mut config = super::load(global, None)?;
    config.tenant.supply |= args.supply;
    if let Some(file) = &args.ready_file {
        // A file of an earlier run must not be taken for this one's.
        remove(file)?;
        let is_set = |key: &str| global.set.iter().any(|(set, _)| set == key);
        if !is_set("tenant.http") {
            config.tenant.http.set_port(0);
        }
        if !is_set("tenant.https") {
            config.tenant.https = None;
        }
        if !is_set("tenant.data") {
            config.tenant.data = folder.path().join("tenant.db");
        }
    }
    telemetry::init(&config.log).map_err(|what| anyhow::anyhow!("`log.filter` is invalid: {what}"))?;
    let runtime = signals::runtime()?;
    let tenant = runtime.block_on(async {
        let listeners = TenantListeners::bind(&config.tenant).await?;
        DevTenant::start(&config, listeners, config.internal.listen, script_worker()?, Clock::system())
    })?;
    let mut signals = runtime.block_on(async { signals::Signals::listen() })?;
    for gap in tenant.gaps(&config).iter().filter(|gap| !gap.is_of_doors) {
        tracing::warn!("{}: {} (or start with --supply)", config.tenant.bundle.display(), gap.report());
    }
    out::line(trust(tenant.ca_file()))?;
    out::line(format!(
        "\n  Dev tenant    {}   also: {}\n  Stop          Ctrl-C",
        tenant.issuer(),
        tenant.https()
    ))?;
    if let Some(file) = &args.ready_file {
        write(file, &description(&tenant)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let ended = runtime.block_on(async {
        signals.recv().await;
        signals.drain(tenant.stop()).await
    });
    args.ready_file.as_deref().map_or(Ok(()), remove)?;
    ended
}

/// What a test needs to know. Development secrets only.
fn description(tenant: &DevTenant) -> Value {
    let (bundle, issuer) = (tenant.served(), tenant.issuer());
    let text = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let clients = bundle.clients.iter().map(|client| {
        json!({"clientId": client.client_id, "name": client.name, "appType": client.app_type,
            "clientSecret": text(&client.client_secret)})
    });
    let users = bundle
        .users
        .iter()
        .map(|user| json!({"userId": user.user_id, "email": user.email, "password": text(&user.password)}));
    json!({
        "issuer": issuer,
        "domain": issuer.split("//").nth(1).unwrap_or_default().trim_end_matches('/'),
        "http": tenant.url(),
        "https": tenant.https(),
        "caFile": tenant.ca_file(),
        "managementAudience": format!("{issuer}api/v2/"),
        "pid": std::process::id(),
        "apis": bundle.resource_servers.iter().map(|api| &api.identifier).collect::<Vec<_>>(),
        "clients": clients.collect::<Vec<_>>(),
        "users": users.collect::<Vec<_>>(),
    })
}

/// Writes a private file that is whole as soon as it exists.
fn write(file: &Path, content: &Value) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(temporary, "{content:#}")?;
    temporary.persist(file)?;
    Ok(())
}

fn remove(file: &Path) -> anyhow::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}
