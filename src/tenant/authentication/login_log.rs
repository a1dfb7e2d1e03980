//! The login log: the story of each login, for `/` and `/dev/logins`. In memory, bounded, without tokens and passwords.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::Inner;
use super::super::db::timestamp;
use super::super::oauth_error::OAuthError;
use crate::script::{Change, ScriptKind, ScriptRun, Trace};

/// The most stories kept.
const CAPACITY: usize = 100;

/// One login, another run of scripts, or a message that would have gone out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct LoginStory {
    /// Counts up from 1.
    pub(super) number: u64,
    pub(super) at: String,
    /// `logged in`, what the login waits for, or why it was refused.
    pub(super) outcome: String,
    /// The OAuth error, of a refused login.
    pub(super) error: Option<String>,
    /// The script that denied the login.
    pub(super) denied_by: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) email: Option<String>,
    pub(super) client_id: String,
    pub(super) connection: Option<String>,
    pub(super) organization: Option<String>,
    /// Auth0's name: `oidc-basic-profile`, `oauth2-refresh-token`, ….
    pub(super) protocol: Option<String>,
    /// The scripts that ran, in order.
    pub(super) scripts: Vec<ScriptStory>,
    /// How long the login took, its scripts included.
    pub(super) milliseconds: Option<u64>,
    /// The custom claims of the access token and of the ID token.
    pub(super) access_token: Map<String, Value>,
    pub(super) id_token: Map<String, Value>,
    /// Claims that scripts set and tokens never have: reserved names.
    pub(super) dropped_claims: Vec<String>,
    /// Members of `api` that were called and have no effect here.
    pub(super) ignored: Vec<String>,
    pub(super) mail: Option<Mail>,
}

/// One script's part of a login.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ScriptStory {
    pub(super) name: String,
    pub(super) kind: ScriptKind,
    /// Auth0's name of the trigger; `login_success` for rules.
    pub(super) trigger: &'static str,
    pub(super) milliseconds: u64,
    /// The members of `event`, `user` and `context` that it read. Of `vestibule tenant login` only, as `changes`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) reads: Vec<String>,
    /// The members of `user` and `context` that a rule changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) changes: Vec<Change>,
    /// Each `level` and `text`.
    pub(super) console: Vec<Value>,
    /// Each `method`, `url`, `status`, and `refused`: why it was not sent.
    pub(super) fetches: Vec<Value>,
    /// Each `member` of `api` with its `arguments`, claims included.
    pub(super) calls: Vec<Value>,
}

/// A mail or a text message that Auth0 would have sent.
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

    /// The newest one that is wanted.
    pub(super) fn find(&self, is_wanted: impl Fn(&LoginStory) -> bool) -> Option<LoginStory> {
        self.lock().1.iter().find(|story| is_wanted(story)).cloned()
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

    /// Adds what a run of scripts did, script by script.
    pub(super) fn add_run(&mut self, trigger: &'static str, trace: &Trace) {
        let first = self.scripts.len();
        self.scripts.extend(trace.scripts.iter().map(|run| ScriptStory::new(trigger, run)));
        let Some(run) = self.scripts.get_mut(first..).filter(|run| !run.is_empty()) else { return };
        let mut add = |script: &str, list: fn(&mut ScriptStory) -> &mut Vec<Value>, entry: Value| {
            let position = run.iter().position(|story| story.name == script).unwrap_or(0);
            if let Some(list) = run.get_mut(position).map(list) {
                list.push(entry);
            }
        };
        for line in &trace.console {
            add(&line.script, |story| &mut story.console, json!({"level": line.level, "text": line.text}));
        }
        for fetch in &trace.fetches {
            let entry = json!({"method": fetch.method, "url": fetch.url, "status": fetch.status, "refused": fetch.refused});
            add(&fetch.script, |story| &mut story.fetches, entry);
        }
        for call in &trace.calls {
            add(
                &call.script,
                |story| &mut story.calls,
                json!({"member": call.member, "arguments": call.arguments}),
            );
        }
    }

    /// Adds the story to the tenant's log, as a success or with its error.
    pub(super) fn record(mut self, tenant: &Inner, outcome: Result<&str, &OAuthError>) {
        match outcome {
            Ok(outcome) => self.outcome = outcome.to_owned(),
            Err(error) => {
                (self.outcome, self.error) = (error.description.clone(), Some(error.error.to_string()));
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

impl ScriptStory {
    fn new(trigger: &'static str, run: &ScriptRun) -> Self {
        Self {
            name: run.name.clone(),
            kind: run.kind,
            trigger,
            milliseconds: u64::try_from(run.duration.as_millis()).unwrap_or(u64::MAX),
            reads: run.reads.clone(),
            changes: run.changes.clone(),
            console: Vec::new(),
            fetches: Vec::new(),
            calls: Vec::new(),
        }
    }
}
