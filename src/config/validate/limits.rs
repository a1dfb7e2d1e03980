//! Bounds of numbers and times.
//!
//! The upper bounds are far above any need and below what would break a timer, a semaphore or the address space.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Layers;
use crate::api::DoorSettings;
use crate::config::Config;

/// Deeper documents could overflow the stack of code that walks them.
const MAX_DEPTH: u64 = 64;

const ZERO: Duration = Duration::ZERO;
/// Where zero is not valid.
const SHORTEST: Duration = Duration::from_nanos(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TEN_YEARS: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// Bytes of a value that is kept in memory.
const GIB: u64 = 1 << 30;
const MILLION: u64 = 1_000_000;

pub(super) fn validate(config: &Config, layers: &mut Layers) {
    let Config { auth0, claims, http, pool, script, store, .. } = config;
    for (key, value, range) in [
        ("pool.threads", count(pool.threads), 1..=1024),
        ("pool.queue", count(pool.queue), 1..=MILLION),
        ("store.readers", count(store.readers), 1..=256),
        ("script.workers", count(script.workers), 1..=256),
        ("script.memory_mib", script.memory_mib, 1..=16 * 1024),
        ("http.connections", count(http.connections), 1..=MILLION),
        ("http.per_address", count(http.per_address), 0..=MILLION),
        ("auth0.calls", count(auth0.calls), 1..=256),
    ] {
        number(key, value, range, layers);
    }
    for (key, value, range) in [
        ("auth0.connect_timeout", auth0.connect_timeout, SHORTEST..=DAY),
        ("auth0.timeout", auth0.timeout, SHORTEST..=DAY),
        ("auth0.profile_max_age", auth0.profile_max_age, ZERO..=TEN_YEARS),
        ("claims.max_lifetime", claims.max_lifetime, SHORTEST..=TEN_YEARS),
        ("claims.keys_max_age", claims.keys_max_age, ZERO..=TEN_YEARS),
        ("store.busy_timeout", store.busy_timeout, ZERO..=DAY),
        ("http.first_byte", http.first_byte, SHORTEST..=DAY),
        ("http.header", http.header, SHORTEST..=DAY),
        ("http.body", http.body, SHORTEST..=DAY),
        ("http.idle", http.idle, SHORTEST..=DAY),
        ("http.drain", http.drain, ZERO..=DAY),
        ("script.time", script.time, SHORTEST..=DAY),
        ("script.fetch_timeout", script.fetch_timeout, SHORTEST..=DAY),
    ] {
        time(key, value, range, layers);
    }
    door("public", &config.public, layers);
    door("internal", &config.internal, layers);
}

fn door(name: &str, settings: &DoorSettings, layers: &mut Layers) {
    let (limits, socket) = (&settings.limits, &settings.socket);
    for (key, value, range) in [
        ("limits.body", count(limits.body), 1..=GIB),
        ("limits.tokens", count(limits.tokens), 1..=MILLION),
        ("limits.depth", count(limits.depth), 1..=MAX_DEPTH),
        ("limits.fields", count(limits.fields), 1..=MILLION),
        ("limits.root_fields", count(limits.root_fields), 1..=MILLION),
        ("limits.aliases", count(limits.aliases), 0..=MILLION),
        ("limits.directives", count(limits.directives), 0..=MILLION),
        ("limits.cost", limits.cost, 1..=1000 * MILLION),
        ("limits.response", count(limits.response), 1..=GIB),
        ("limits.kept", count(limits.kept), 0..=MILLION),
        ("mutations.per_minute", settings.mutations.per_minute, 0..=MILLION),
        ("mutations.per_day", settings.mutations.per_day, 0..=MILLION),
        ("socket.connections", count(socket.connections), 1..=MILLION),
        ("socket.per_caller", count(socket.per_caller), 0..=MILLION),
        ("socket.operations", count(socket.operations), 1..=MILLION),
        ("socket.message", count(socket.message), 1..=GIB),
    ] {
        number(&format!("{name}.{key}"), value, range, layers);
    }
    time(&format!("{name}.limits.time"), limits.time, SHORTEST..=DAY, layers);
    time(&format!("{name}.socket.init"), socket.init, SHORTEST..=DAY, layers);
    if settings.documents.only && settings.documents.dir.is_none() {
        let what = "is true, and there are no documents: no operation is allowed";
        let fix = format!("set {name}.documents.dir, or set it to false");
        layers.add(&format!("{name}.documents.only"), what, fix);
    }
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn number(key: &str, value: u64, range: RangeInclusive<u64>, layers: &mut Layers) {
    bound(key, &value, &range, &range.end().to_string(), layers);
}

fn time(key: &str, value: Duration, range: RangeInclusive<Duration>, layers: &mut Layers) {
    bound(key, &value, &range, &format!("{}days", range.end().as_secs() / DAY.as_secs()), layers);
}

fn bound<T: PartialOrd>(key: &str, value: &T, range: &RangeInclusive<T>, max: &str, layers: &mut Layers) {
    if value < range.start() {
        layers.add(key, "is zero, which allows nothing", "remove it to use the default, or set more");
    } else if value > range.end() {
        layers.add(key, format!("is over {max}"), format!("set {max} or less"));
    }
}
