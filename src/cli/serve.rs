//! `vestibule serve`: both doors, for a real tenant.

use super::dev::script_worker;
use super::{Global, out, samples, signals};
use crate::app::{Doors, DoorsReload, Listener, Vestibule};
use crate::clock::Clock;
use crate::config::{self, PRODUCTION, Report};
use crate::telemetry::{self, LogFilter};

pub(super) fn run(global: &Global, vestibule: Vestibule) -> anyhow::Result<()> {
    let sources = global.sources(PRODUCTION);
    let started = config::read(sources.clone());
    let config = started.outcome.clone()?;
    samples::create_state_folder(&config)?;
    let filter =
        telemetry::init(&config.log).map_err(|what| anyhow::anyhow!("`log.filter` is invalid: {what}"))?;
    signals::runtime()?.block_on(async {
        let public = Listener::bind(config.public.listen, "public.listen").await?;
        let internal = Listener::bind(config.internal.listen, "internal.listen").await?;
        let doors = Doors::open(vestibule, &config, public, internal, (script_worker()?, Clock::system()))?;
        let mut signals = signals::Signals::listen()?;
        let doors_reload = doors.reload().clone();
        let mut current = None;
        signals::on_hangup(move || {
            let new = config::read(sources.clone());
            if reload(&new, current.as_ref().unwrap_or(&started), &started, &doors_reload, &filter) {
                current = Some(new);
            }
        })?;
        out::line(format!("Public   http://{}/graphql", doors.public()))?;
        out::line(format!("Internal http://{}/graphql", doors.internal()))?;
        signals.recv().await;
        signals.drain(doors.stop()).await
    })
}

/// Applies what of `new` can change while the doors serve. Returns whether it is valid; an invalid one changes nothing.
fn reload(new: &Report, current: &Report, started: &Report, doors: &DoorsReload, filter: &LogFilter) -> bool {
    let config = match &new.outcome {
        Ok(config) => config,
        Err(error) => {
            tracing::error!("SIGHUP: nothing is reloaded: {error}");
            return false;
        }
    };
    doors.reload(config);
    if let Err(error) = filter.set(&config.log.filter) {
        tracing::error!(error, "SIGHUP: the filter of the log is unchanged");
    }
    let keys = |since, applies| {
        let changed = new.changed_since(since).into_iter();
        changed.filter(|key| DoorsReload::applies(key) == applies).collect::<Vec<_>>().join(", ")
    };
    let (applied, restart) = (keys(current, true), keys(started, false));
    let changed = if applied.is_empty() { "nothing" } else { &applied };
    tracing::info!(changed, "SIGHUP: reloaded the settings; fetching the signing keys");
    if !restart.is_empty() {
        tracing::warn!(
            keys = restart,
            "SIGHUP: these settings differ from those at the start and need a restart"
        );
    }
    true
}
