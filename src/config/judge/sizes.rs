//! Numbers and times that leave nothing to be done, or too much.

use super::Findings;
use crate::api::DoorSettings;
use crate::config::Config;

/// Deeper documents endanger the stack of whoever walks them.
const MAX_DEPTH: usize = 64;

pub(super) fn judge(config: &Config, findings: &mut Findings<'_>) {
    let Config { auth0, claims, http, pool, script, store, .. } = config;
    let zeros = [
        ("pool.threads", pool.threads == 0),
        ("pool.queue", pool.queue == 0),
        ("store.readers", store.readers == 0),
        ("script.workers", script.workers == 0),
        ("script.memory_mib", script.memory_mib == 0),
        ("script.time", script.time.is_zero()),
        ("script.fetch_timeout", script.fetch_timeout.is_zero()),
        ("http.connections", http.connections == 0),
        ("http.first_byte", http.first_byte.is_zero()),
        ("http.header", http.header.is_zero()),
        ("http.body", http.body.is_zero()),
        ("http.idle", http.idle.is_zero()),
        ("auth0.calls", auth0.calls == 0),
        ("auth0.connect_timeout", auth0.connect_timeout.is_zero()),
        ("auth0.timeout", auth0.timeout.is_zero()),
        ("claims.max_lifetime", claims.max_lifetime.is_zero()),
    ];
    for (key, _) in zeros.into_iter().filter(|(_, zero)| *zero) {
        zero(key, findings);
    }
    door("public", &config.public, findings);
    door("internal", &config.internal, findings);
}

fn door(name: &str, settings: &DoorSettings, findings: &mut Findings<'_>) {
    let (limits, socket) = (&settings.limits, &settings.socket);
    for (key, is_zero) in [
        ("limits.body", limits.body == 0),
        ("limits.tokens", limits.tokens == 0),
        ("limits.depth", limits.depth == 0),
        ("limits.fields", limits.fields == 0),
        ("limits.root_fields", limits.root_fields == 0),
        ("limits.cost", limits.cost == 0),
        ("limits.response", limits.response == 0),
        ("limits.time", limits.time.is_zero()),
        ("socket.connections", socket.connections == 0),
        ("socket.operations", socket.operations == 0),
        ("socket.message", socket.message == 0),
        ("socket.init", socket.init.is_zero()),
    ] {
        if is_zero {
            zero(&format!("{name}.{key}"), findings);
        }
    }
    if settings.documents.only && settings.documents.dir.is_none() {
        let what = "is true, and there are no documents: nothing could be asked";
        let fix = format!("set {name}.documents.dir, or set it to false");
        findings.add(&format!("{name}.documents.only"), what, fix);
    }
    if limits.depth > MAX_DEPTH {
        let key = format!("{name}.limits.depth");
        findings.add(&key, "is over 64", "set 64 or less; no schema needs more");
    }
}

fn zero(key: &str, findings: &mut Findings<'_>) {
    findings.add(key, "is zero: nothing could be done", "leave it out to take the default, or set more");
}
