//! Numbers and times that leave nothing to be done, or too much.
//!
//! The upper bounds are far above what anybody needs and below what anything breaks at: a timer, a semaphore, the
//! address space.

use std::time::Duration;

use super::Findings;
use crate::api::DoorSettings;
use crate::config::Config;

/// Deeper documents endanger the stack of whoever walks them.
const MAX_DEPTH: u64 = 64;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// For ages, which are counted in days.
const TEN_YEARS: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// Bytes of anything that is held in memory whole.
const GIB: u64 = 1 << 30;
/// Things that are counted one by one.
const MILLION: u64 = 1_000_000;

/// Whether zero means something.
#[derive(Clone, Copy, PartialEq)]
enum Zero {
    Taken,
    Refused,
}
use Zero::{Refused, Taken};

pub(super) fn judge(config: &Config, findings: &mut Findings<'_>) {
    let Config { auth0, claims, http, pool, script, store, .. } = config;
    for (key, value, zero, most) in [
        ("pool.threads", count(pool.threads), Refused, 1024),
        ("pool.queue", count(pool.queue), Refused, MILLION),
        ("store.readers", count(store.readers), Refused, 256),
        ("script.workers", count(script.workers), Refused, 256),
        ("script.memory_mib", script.memory_mib, Refused, 16 * 1024),
        ("http.connections", count(http.connections), Refused, MILLION),
        ("auth0.calls", count(auth0.calls), Refused, 256),
    ] {
        number(key, value, zero, most, findings);
    }
    for (key, value, zero, most) in [
        ("auth0.connect_timeout", auth0.connect_timeout, Refused, DAY),
        ("auth0.timeout", auth0.timeout, Refused, DAY),
        ("auth0.profile_max_age", auth0.profile_max_age, Taken, TEN_YEARS),
        ("claims.max_lifetime", claims.max_lifetime, Refused, TEN_YEARS),
        ("claims.keys_max_age", claims.keys_max_age, Taken, TEN_YEARS),
        ("store.busy_timeout", store.busy_timeout, Taken, DAY),
        ("http.first_byte", http.first_byte, Refused, DAY),
        ("http.header", http.header, Refused, DAY),
        ("http.body", http.body, Refused, DAY),
        ("http.idle", http.idle, Refused, DAY),
        ("http.drain", http.drain, Taken, DAY),
        ("script.time", script.time, Refused, DAY),
        ("script.fetch_timeout", script.fetch_timeout, Refused, DAY),
    ] {
        time(key, value, zero, most, findings);
    }
    door("public", &config.public, findings);
    door("internal", &config.internal, findings);
}

fn door(name: &str, settings: &DoorSettings, findings: &mut Findings<'_>) {
    let (limits, socket) = (&settings.limits, &settings.socket);
    for (key, value, zero, most) in [
        ("limits.body", count(limits.body), Refused, GIB),
        ("limits.tokens", count(limits.tokens), Refused, MILLION),
        ("limits.depth", count(limits.depth), Refused, MAX_DEPTH),
        ("limits.fields", count(limits.fields), Refused, MILLION),
        ("limits.root_fields", count(limits.root_fields), Refused, MILLION),
        ("limits.aliases", count(limits.aliases), Taken, MILLION),
        ("limits.directives", count(limits.directives), Taken, MILLION),
        ("limits.cost", limits.cost, Refused, 1000 * MILLION),
        ("limits.response", count(limits.response), Refused, GIB),
        ("limits.kept", count(limits.kept), Taken, MILLION),
        ("socket.connections", count(socket.connections), Refused, MILLION),
        ("socket.operations", count(socket.operations), Refused, MILLION),
        ("socket.message", count(socket.message), Refused, GIB),
    ] {
        number(&format!("{name}.{key}"), value, zero, most, findings);
    }
    time(&format!("{name}.limits.time"), limits.time, Refused, DAY, findings);
    time(&format!("{name}.socket.init"), socket.init, Refused, DAY, findings);
    if settings.documents.only && settings.documents.dir.is_none() {
        let what = "is true, and there are no documents: nothing could be asked";
        let fix = format!("set {name}.documents.dir, or set it to false");
        findings.add(&format!("{name}.documents.only"), what, fix);
    }
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn number(key: &str, value: u64, zero: Zero, most: u64, findings: &mut Findings<'_>) {
    bound(key, (value, most), zero == Taken || value > 0, &most.to_string(), findings);
}

fn time(key: &str, value: Duration, zero: Zero, most: Duration, findings: &mut Findings<'_>) {
    let days = format!("{}days", most.as_secs() / DAY.as_secs());
    bound(key, (value, most), zero == Taken || !value.is_zero(), &days, findings);
}

fn bound<T: PartialOrd>(
    key: &str,
    (value, most): (T, T),
    is_enough: bool,
    written: &str,
    findings: &mut Findings<'_>,
) {
    if !is_enough {
        findings.add(key, "is zero: nothing could be done", "leave it out to take the default, or set more");
    } else if value > most {
        findings.add(key, format!("is over {written}"), format!("set {written} or less"));
    }
}
