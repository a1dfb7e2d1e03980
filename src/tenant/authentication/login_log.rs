//! The login log: the story of each login, for `/` and `/dev/logins`. In memory, bounded, without tokens and passwords.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::Inner;
use super::super::db::timestamp;
use super::super::oauth_error::OAuthError;
use crate::script::{ConsoleLine, FetchRecord};

/// The most stories kept.
const CAPACITY: usize = 100;

/// One login, or a mail that would have gone out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct LoginStory {
    /// Counts up from 1.
    pub(super) number: u64,
    pub(super) at: String,
    /// `logged in`, or why not.
    pub(super) outcome: String,
    /// The OAuth error, of a refused login.
    pub(super) error: Option<&'static str>,
    /// The rule that denied the login.
    pub(super) denied_by: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) email: Option<String>,
    pub(super) client_id: String,
    pub(super) connection: Option<String>,
    pub(super) organization: Option<String>,
    /// Auth0's name: `oidc-basic-profile`, `oauth2-refresh-token`, ….
    pub(super) protocol: Option<&'static str>,
    /// The rules, in order.
    pub(super) scripts: Vec<String>,
    /// How long all rules took.
    pub(super) milliseconds: Option<u64>,
    pub(super) console: Vec<Value>,
    pub(super) fetches: Vec<Value>,
    /// The custom claims of the access token and of the ID token.
    pub(super) access_token: Map<String, Value>,
    pub(super) id_token: Map<String, Value>,
    pub(super) mail: Option<Mail>,
}

/// A mail that Auth0 would have sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Mail {
    pub(super) to: String,
    pub(super) subject: &'static str,
    pub(super) link: String,
}

/// The latest stories.
#[derive(Default)]
pub(in crate::tenant) struct LoginLog(Mutex<(u64, VecDeque<LoginStory>)>);

impl LoginLog {
    /// The newest first.
    pub(super) fn all(&self) -> Vec<LoginStory> {
        self.lock().1.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, (u64, VecDeque<LoginStory>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoginStory {
    /// A login that a client asks for.
    pub(super) fn of(client_id: &str) -> Self {
        Self { client_id: client_id.to_owned(), ..Self::default() }
    }

    pub(super) fn with_run(mut self, console: &[ConsoleLine], fetches: &[FetchRecord]) -> Self {
        let line =
            |line: &ConsoleLine| json!({"script": line.script, "level": line.level, "text": line.text});
        let fetch = |fetch: &FetchRecord| json!({"script": fetch.script, "method": fetch.method, "url": fetch.url, "status": fetch.status});
        self.console = console.iter().map(line).collect();
        self.fetches = fetches.iter().map(fetch).collect();
        self
    }

    /// Adds the story to the tenant's log, as a success or with its error.
    pub(super) fn record(mut self, tenant: &Inner, outcome: Result<&str, &OAuthError>) {
        match outcome {
            Ok(outcome) => self.outcome = outcome.to_owned(),
            Err(error) => {
                (self.outcome, self.error) = (error.description.clone(), Some(error.error));
                self.denied_by = error.script.clone();
            }
        }
        self.at = timestamp(tenant.clock.now());
        let mut log = tenant.log.lock();
        log.0 += 1;
        self.number = log.0;
        log.1.push_front(self);
        log.1.truncate(CAPACITY);
    }
}
