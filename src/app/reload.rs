//! New settings for doors that serve.

use std::sync::Arc;

use crate::api::{DoorReload, Services};
use crate::auth::Gate;
use crate::config::Config;
use crate::telemetry::RequestLog;

/// The keys, and sections with a final dot, that a reload applies.
const APPLIED: [&str; 11] = [
    "roles.",
    "public.origins",
    "public.headers",
    "public.limits.",
    "public.mutations.",
    "internal.origins",
    "internal.headers",
    "internal.limits.",
    "internal.mutations.",
    "log.filter",
    "log.requests",
];

/// Limits of the schema's parser, which is made at the start.
const OF_THE_PARSER: [&str; 3] = [".limits.depth", ".limits.tokens", ".limits.fields"];

/// Reloads the settings of both doors. Cheap to clone.
#[derive(Clone)]
pub struct DoorsReload {
    doors: [DoorReload; 2],
    gate: Gate,
    requests: Arc<RequestLog>,
}

impl DoorsReload {
    pub(super) fn new(doors: [DoorReload; 2], services: &Services) -> Self {
        Self { doors, gate: services.gate.clone(), requests: Arc::clone(&services.request_log) }
    }

    /// Whether [`reload`](Self::reload) applies a key. Others need a restart.
    pub fn applies(key: &str) -> bool {
        !OF_THE_PARSER.iter().any(|limit| key.ends_with(limit))
            && APPLIED
                .iter()
                .any(|applied| key == *applied || (applied.ends_with('.') && key.starts_with(applied)))
    }

    /// Applies roles, limits, origins and whether requests are logged, and fetches the signing keys. WebSockets are asked to
    /// connect again if `config` has other roles.
    pub fn reload(&self, config: &Config) {
        let [public, internal] = &self.doors;
        public.reload(&config.public);
        internal.reload(&config.internal);
        self.requests.enable(config.log.requests);
        if *self.gate.roles() != config.roles {
            self.gate.set_roles(config.roles.clone());
        }
        self.gate.keys().refresh();
    }
}

impl std::fmt::Debug for DoorsReload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DoorsReload").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opened_at_the_start_needs_a_restart() {
        for (key, applies) in [
            ("roles.admin", true),
            ("public.limits.cost", true),
            ("internal.mutations.per_day", true),
            ("public.origins", true),
            ("log.filter", true),
            ("public.limits.depth", false),
            ("log.format", false),
            ("public.listen", false),
            ("auth0.client_secret", false),
        ] {
            assert_eq!(DoorsReload::applies(key), applies, "{key}");
        }
    }
}
