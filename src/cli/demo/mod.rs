//! `vestibule demo`: eight acts, from a sign-up to a deployment, on free ports and in a temporary folder.
//!
//! All of it is real: a frontend logs in over HTTP, the rules and actions run, the doors answer. Each line is an HTTP
//! exchange or a check; a check that fails fails the command.

mod browser;
mod narrator;
mod scenes;
mod deployment;

use anyhow::{Context, bail};

use self::deployment::Staging;
use self::narrator::Narrator;
use super::dev::script_worker;
use super::{Global, out, samples, signals};
use crate::app::{Development, PostSink, Vestibule};
use crate::clock::Clock;
use crate::config::{self, DEVELOPMENT, Sources};
use crate::telemetry::{self, Format};

/// Run eight acts, from a sign-up to a deployment, and print every HTTP exchange. Fails if a check fails.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the servers' logs, too.
    #[arg(long)]
    verbose: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    let sources = Sources { tenant: true, ..global.sources(DEVELOPMENT) }
        .with_override("public.listen", "127.0.0.1:0")
        .with_override("internal.listen", "127.0.0.1:0")
        .with_override("tenant.http", "127.0.0.1:0")
        .with_override("tenant.https", "127.0.0.1:0")
        .with_override("tenant.issuer", "")
        .with_override("store.path", file("vestibule.db"))
        .with_override("tenant.data", file("tenant.db"));
    let mut config = config::load(sources)?;
    samples::complete_samples(&mut config, folder.path())?;
    let filter = if args.verbose { config.log.filter.clone() } else { "error".to_owned() };
    drop(telemetry::init(&telemetry::Settings { filter, format: Format::Text, requests: true }));

    let runtime = signals::runtime()?;
    // In place of the analytics service that a sign-up rule would post to.
    let sign_ups = runtime.block_on(PostSink::open(&config.http))?;
    config.tenant.keywords.insert("SIGNUP_URL".to_owned(), format!("{}sign-ups", sign_ups.url()).into());
    config.tenant.allow_fetch.push(sign_ups.url().to_owned());
    let staging = Staging::open(&runtime, &mut config, folder.path())?;
    // Always with our own schemas: the acts query them.
    let opening = Development::open(Vestibule::default(), &config, script_worker()?, Clock::system());
    let development = runtime.block_on(opening)?;

    let mut narrator = Narrator::new(&config, &development, &sign_ups);
    let outcome = scenes::run_all(&mut narrator)
        .and_then(|()| deployment::run(&mut narrator, staging.as_ref(), &runtime));
    let failures = narrator.failures;
    runtime.block_on(async {
        development.stop().await;
        if let Some(staging) = staging {
            staging.stop().await;
        }
        sign_ups.stop().await;
    });
    outcome?;
    if failures > 0 {
        bail!("{failures} of the checks above failed");
    }
    out::line("\nAll checks passed.")?;
    Ok(())
}
