//! `vestibule demo`: the seven steps, walked and narrated on free ports and in a temporary folder.
//!
//! Nothing is staged: a frontend logs in over HTTP, the rules run, the doors answer. Each line tells what went over the
//! wire, each ✓ is a check that can fail, and one that does fails the command.

mod browser;
mod stage;
mod acts;

use anyhow::{Context, bail};

use self::stage::Stage;
use super::dev::this_worker;
use super::{Global, out, signals};
use crate::app::{Development, PostSink, Vestibule};
use crate::clock::Clock;
use crate::config::{self, DEVELOPMENT, Sources};
use crate::telemetry::{self, Format};

/// Walks the seven steps and tells what goes over the wire; fails if one of them does not hold.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Logs what the servers log, too.
    #[arg(long)]
    verbose: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    let sources = Sources { tenant: true, ..global.sources(DEVELOPMENT) }
        .with_override("public.listen", "127.0.0.1:0")
        .with_override("internal.listen", "127.0.0.1:0")
        .with_override("tenant.http", "127.0.0.1:0")
        .with_override("store.path", file("vestibule.db"))
        .with_override("tenant.data", file("tenant.db"));
    let mut config = config::load(sources)?;
    let filter = if args.verbose { config.log.filter.clone() } else { "error".to_owned() };
    drop(telemetry::init(&telemetry::Settings { filter, format: Format::Text }));

    let runtime = signals::runtime()?;
    // Where the sign-up rule posts to: in real life an analytics service, here a listener that keeps what comes.
    let inbox = runtime.block_on(PostSink::open(&config.http))?;
    config.tenant.keywords.insert("SIGNUP_URL".to_owned(), format!("{}sign-ups", inbox.url()));
    config.tenant.allow_fetch.push(inbox.url().to_owned());
    // What is shown is our own: the acts ask our schemas.
    let opening = Development::open(Vestibule::default(), &config, this_worker()?, Clock::system());
    let development = runtime.block_on(opening)?;

    let mut stage = Stage::new(&config, &development, &inbox)?;
    let played = acts::all(&mut stage);
    let failures = stage.failures();
    runtime.block_on(async {
        development.stop().await;
        inbox.stop().await;
    });
    played?;
    if failures > 0 {
        bail!("{failures} of the checks above did not hold");
    }
    out::line("\nEvery step held.")?;
    Ok(())
}
