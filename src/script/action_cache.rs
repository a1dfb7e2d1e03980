//! `api.cache`: a few short texts that a trigger's actions share, for minutes.
//!
//! The host holds one per trigger. A worker gets a copy with each run and reports the changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Auth0's limits: entries, bytes of a key, bytes of a value, bytes of all.
const ENTRIES: usize = 20;
const KEY: usize = 64;
const VALUE: usize = 4 * 1024;
const TOTAL: usize = 8 * 1024;
/// How long an entry lasts unless its writer says otherwise, and at most, in milliseconds.
const TTL: f64 = 15.0 * 60_000.0;
const MAX_TTL: f64 = 24.0 * 3_600_000.0;

/// The cache of one trigger. Times are milliseconds since 1970.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ActionCache(BTreeMap<String, Entry>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    value: String,
    expires_at: f64,
}

impl ActionCache {
    /// Runs `cache.get`, `cache.set` or `cache.delete`. Returns what the script gets; `None` is `undefined`.
    pub(super) fn call(&mut self, member: &str, args: &[Value], now: f64) -> Option<Value> {
        self.0.retain(|_, entry| entry.expires_at > now);
        let key = args.first().and_then(Value::as_str);
        let result = match (member, key) {
            ("cache.get", key) => {
                let entry = self.0.get(key?)?;
                return Some(json!({"value": entry.value, "expires_at": entry.expires_at}));
            }
            (_, None) => Err("InvalidKey"),
            ("cache.delete", Some(key)) => self.0.remove(key).map(|_| ()).ok_or("ItemNotFound"),
            (_, Some(key)) => self.set(key, args, now),
        };
        Some(match result {
            Ok(()) => json!({"type": "success"}),
            Err(code) => json!({"type": "error", "code": code}),
        })
    }

    fn set(&mut self, key: &str, args: &[Value], now: f64) -> Result<(), &'static str> {
        let value = args.get(1).and_then(Value::as_str).ok_or("InvalidValue")?;
        if key.is_empty() || key.len() > KEY {
            return Err("KeySizeExceeded");
        }
        if value.len() > VALUE {
            return Err("ItemSizeExceeded");
        }
        let option = |name| args.get(2).and_then(|options| options.get(name)).and_then(Value::as_f64);
        let (ttl, at) = (option("ttl").map(|ttl| now + ttl), option("expires_at"));
        let wanted = match (ttl, at) {
            (Some(ttl), Some(at)) => ttl.min(at),
            (one, other) => one.or(other).unwrap_or(now + TTL),
        };
        let expires_at = wanted.min(now + MAX_TTL);
        if expires_at <= now {
            return Err("InvalidTTL");
        }
        let others = self.0.iter().filter(|(other, _)| *other != key);
        let (count, size) = others
            .fold((0, 0), |(count, size), (key, entry)| (count + 1, size + key.len() + entry.value.len()));
        if count >= ENTRIES || size + key.len() + value.len() > TOTAL {
            return Err("CacheSizeExceeded");
        }
        self.0.insert(key.to_owned(), Entry { value: value.to_owned(), expires_at });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(cache: &mut ActionCache, key: &str, value: &str, options: Value) -> Value {
        cache.call("cache.set", &[key.into(), value.into(), options], 1000.0).unwrap()
    }

    #[test]
    fn an_entry_lasts_for_its_ttl_and_at_most_a_day() {
        let mut cache = ActionCache::default();
        assert_eq!(set(&mut cache, "a", "1", Value::Null), json!({"type": "success"}));
        set(&mut cache, "b", "2", json!({"ttl": 10, "expires_at": 5000}));
        set(&mut cache, "c", "3", json!({"ttl": 1e12}));
        let mut get = |key: &str, now| cache.call("cache.get", &[key.into()], now);
        assert_eq!(get("b", 1009.0), Some(json!({"value": "2", "expires_at": 1010.0})));
        assert_eq!(get("b", 1010.0), None);
        assert_eq!(get("a", 1000.0 + TTL), None);
        assert_eq!(get("c", 1000.0 + MAX_TTL), None);
        assert_eq!(set(&mut cache, "d", "", json!({"ttl": -1}))["code"], "InvalidTTL");
    }

    #[test]
    fn auth0s_limits_are_errors_with_a_code() {
        let mut cache = ActionCache::default();
        assert_eq!(set(&mut cache, &"k".repeat(65), "v", Value::Null)["code"], "KeySizeExceeded");
        assert_eq!(set(&mut cache, "k", &"v".repeat(4097), Value::Null)["code"], "ItemSizeExceeded");
        for key in ["a", "b"] {
            set(&mut cache, key, &"v".repeat(4000), Value::Null);
        }
        assert_eq!(set(&mut cache, "c", &"v".repeat(4000), Value::Null)["code"], "CacheSizeExceeded");
        let mut cache = ActionCache::default();
        for key in 0..20 {
            assert_eq!(set(&mut cache, &key.to_string(), "", Value::Null)["type"], "success");
        }
        assert_eq!(set(&mut cache, "20", "", Value::Null)["code"], "CacheSizeExceeded");
        assert_eq!(set(&mut cache, "19", "again", Value::Null)["type"], "success");
        assert_eq!(cache.call("cache.delete", &["20".into()], 0.0).unwrap()["type"], "error");
        assert_eq!(cache.call("cache.set", &[1.into(), "v".into()], 0.0).unwrap()["code"], "InvalidKey");
    }
}
