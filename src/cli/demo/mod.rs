//! `vestibule demo`: the seven steps of a login, on free ports and in a temporary folder.
//!
//! All of it is real: a frontend logs in over HTTP, the rules and actions run, the doors answer. Each line is an HTTP exchange or a
//! check; a check that fails fails the command.

mod browser;
mod narrator;
mod scenes;

use anyhow::{Context, bail};

use self::narrator::Narrator;
use super::dev::script_worker;
use super::{Global, out, samples, signals};
use crate::app::{Development, PostSink, Vestibule};
use crate::clock::Clock;
use crate::config::{self, DEVELOPMENT, Sources};
use crate::telemetry::{self, Format};

/// Run the seven steps of a login and print every HTTP exchange. Fails if a check fails.
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
    // Always with our own schemas: the scenes query them.
    let opening = Development::open(Vestibule::default(), &config, script_worker()?, Clock::system());
    let development = runtime.block_on(opening)?;

    let mut narrator = Narrator::new(&config, &development, &sign_ups)?;
    let outcome = scenes::run_all(&mut narrator);
    let failures = narrator.failures;
    runtime.block_on(async {
        development.stop().await;
        sign_ups.stop().await;
    });
    outcome?;
    if failures > 0 {
        bail!("{failures} of the checks above failed");
    }
    out::line("\nAll checks passed.")?;
    Ok(())
}
