//! Bounds of numbers and times.
//!
//! The upper bounds are far above any need and below what would break a timer, a semaphore or the address space.

use std::time::Duration;

use super::Diagnostics;
use crate::api::DoorSettings;
use crate::config::Config;

/// Deeper documents could overflow the stack of code that walks them.
const MAX_DEPTH: u64 = 64;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TEN_YEARS: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// Bytes of a value that is kept in memory.
const GIB: u64 = 1 << 30;
const MILLION: u64 = 1_000_000;

/// Whether zero is valid.
#[derive(Clone, Copy, PartialEq)]
enum Zero {
    Allowed,
    Refused,
}
use Zero::{Allowed, Refused};

pub(super) fn validate(config: &Config, diagnostics: &mut Diagnostics<'_>) {
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
        number(key, value, zero, most, diagnostics);
    }
    for (key, value, zero, most) in [
        ("auth0.connect_timeout", auth0.connect_timeout, Refused, DAY),
        ("auth0.timeout", auth0.timeout, Refused, DAY),
        ("auth0.profile_max_age", auth0.profile_max_age, Allowed, TEN_YEARS),
        ("claims.max_lifetime", claims.max_lifetime, Refused, TEN_YEARS),
        ("claims.keys_max_age", claims.keys_max_age, Allowed, TEN_YEARS),
        ("store.busy_timeout", store.busy_timeout, Allowed, DAY),
        ("http.first_byte", http.first_byte, Refused, DAY),
        ("http.header", http.header, Refused, DAY),
        ("http.body", http.body, Refused, DAY),
        ("http.idle", http.idle, Refused, DAY),
        ("http.drain", http.drain, Allowed, DAY),
        ("script.time", script.time, Refused, DAY),
        ("script.fetch_timeout", script.fetch_timeout, Refused, DAY),
    ] {
        time(key, value, zero, most, diagnostics);
    }
    door("public", &config.public, diagnostics);
    door("internal", &config.internal, diagnostics);
}

fn door(name: &str, settings: &DoorSettings, diagnostics: &mut Diagnostics<'_>) {
    let (limits, socket) = (&settings.limits, &settings.socket);
    for (key, value, zero, most) in [
        ("limits.body", count(limits.body), Refused, GIB),
        ("limits.tokens", count(limits.tokens), Refused, MILLION),
        ("limits.depth", count(limits.depth), Refused, MAX_DEPTH),
        ("limits.fields", count(limits.fields), Refused, MILLION),
        ("limits.root_fields", count(limits.root_fields), Refused, MILLION),
        ("limits.aliases", count(limits.aliases), Allowed, MILLION),
        ("limits.directives", count(limits.directives), Allowed, MILLION),
        ("limits.cost", limits.cost, Refused, 1000 * MILLION),
        ("limits.response", count(limits.response), Refused, GIB),
        ("limits.kept", count(limits.kept), Allowed, MILLION),
        ("socket.connections", count(socket.connections), Refused, MILLION),
        ("socket.operations", count(socket.operations), Refused, MILLION),
        ("socket.message", count(socket.message), Refused, GIB),
    ] {
        number(&format!("{name}.{key}"), value, zero, most, diagnostics);
    }
    time(&format!("{name}.limits.time"), limits.time, Refused, DAY, diagnostics);
    time(&format!("{name}.socket.init"), socket.init, Refused, DAY, diagnostics);
    if settings.documents.only && settings.documents.dir.is_none() {
        let what = "is true, and there are no documents: no operation is allowed";
        let fix = format!("set {name}.documents.dir, or set it to false");
        diagnostics.add(&format!("{name}.documents.only"), what, fix);
    }
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn number(key: &str, value: u64, zero: Zero, most: u64, diagnostics: &mut Diagnostics<'_>) {
    bound(key, (value, most), zero == Allowed || value > 0, &most.to_string(), diagnostics);
}

fn time(key: &str, value: Duration, zero: Zero, most: Duration, diagnostics: &mut Diagnostics<'_>) {
    let days = format!("{}days", most.as_secs() / DAY.as_secs());
    bound(key, (value, most), zero == Allowed || !value.is_zero(), &days, diagnostics);
}

fn bound<T: PartialOrd>(
    key: &str,
    (value, most): (T, T),
    is_valid: bool,
    written: &str,
    diagnostics: &mut Diagnostics<'_>,
) {
    if !is_valid {
        diagnostics.add(key, "is zero, which allows nothing", "remove it to use the default, or set more");
    } else if value > most {
        diagnostics.add(key, format!("is over {written}"), format!("set {written} or less"));
    }
}
