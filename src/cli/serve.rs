//! `vestibule serve`: both doors, for a real tenant.

use super::dev::script_worker;
use super::{Global, out, signals};
use crate::app::{Doors, Listener, Vestibule};
use crate::clock::Clock;
use crate::telemetry;

pub(super) fn run(global: &Global, vestibule: Vestibule) -> anyhow::Result<()> {
    let config = global.config()?;
    telemetry::init(&config.log).map_err(|what| anyhow::anyhow!("`log.filter` is invalid: {what}"))?;
    signals::runtime()?.block_on(async {
        let public = Listener::bind(config.public.listen, "public.listen").await?;
        let internal = Listener::bind(config.internal.listen, "internal.listen").await?;
        let doors = Doors::open(vestibule, &config, public, internal, (script_worker()?, Clock::system()))?;
        let mut signals = signals::Signals::listen()?;
        let keys = doors.services().gate.keys().clone();
        signals::on_hangup(move || {
            tracing::info!("SIGHUP: fetching the signing keys");
            keys.refresh();
        })?;
        out::line(format!("Public   http://{}/graphql", doors.public()))?;
        out::line(format!("Internal http://{}/graphql", doors.internal()))?;
        signals.recv().await;
        signals.drain(doors.stop()).await
    })
}
