//! The audit trail: who changed what, written in the transaction of the change.
//!
//! Lines can not be changed or erased, so they hold no personal data: of personal fields only the names, of an
//! identity only its provider (an Auth0 id can contain an email).

use jiff::Timestamp;
use rusqlite::params;
use serde_json::{Map, Value, json};

use super::users::{from_millis, user_id};
use super::{Store, StoreError, Write};
use crate::user::{Auth0Id, UserId};

/// Who makes a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person, on their own behalf or as staff.
    User(UserId),
    /// A machine, by its client id.
    Machine(String),
    /// The gate itself, at somebody's first sight.
    Gate,
    /// Whoever runs the executable.
    Cli,
    /// The seeds at start.
    Seed,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A row was made at first sight.
    Inserted,
    /// A row was made from a seed.
    Seeded,
    /// A pre-provisioned row got its identity.
    Claimed,
    /// A row that has an identity got another.
    Linked,
    /// The status was set.
    StatusSet,
    /// The roles were set.
    RolesSet,
    /// All tokens issued so far were withdrawn.
    SignedOut,
}

/// One line of the trail.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditLine {
    /// Rises with every line.
    pub id: i64,
    /// When the change was made.
    pub at: Timestamp,
    /// `user`, `machine`, `gate`, `cli` or `seed`.
    pub actor_kind: String,
    /// The user's or the client's id.
    pub actor_id: Option<String>,
    /// The word of an [`Action`].
    pub action: String,
    /// Who was changed.
    pub target: Option<UserId>,
    /// By field: `{"old": …, "new": …}`, or `"redacted"` for personal ones.
    pub changes: Value,
    /// The request it was part of, if any.
    pub request_id: Option<String>,
}

/// The `changes` of a line, as they are gathered.
#[derive(Debug, Default)]
pub(super) struct Changes(Map<String, Value>);

impl Store {
    /// The latest `first` (at most [`PAGE_MAX`](super::PAGE_MAX)) lines about `user`, newest first.
    ///
    /// # Errors
    /// As every read: [`StoreError::Busy`], [`StoreError::Closed`], [`StoreError::Damaged`].
    pub fn audit_of(&self, user: UserId, first: usize) -> Result<Vec<AuditLine>, StoreError> {
        let limit = i64::try_from(first.min(super::PAGE_MAX)).unwrap_or(i64::MAX);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, at, actor_kind, actor_id, action, target, changes, request_id
                 FROM audit WHERE target = ?1 ORDER BY id DESC LIMIT ?2",
            )?;
            let mut rows = statement.query(params![user.as_bytes(), limit])?;
            let mut lines = Vec::new();
            while let Some(row) = rows.next()? {
                let changes: String = row.get(6)?;
                lines.push(AuditLine {
                    id: row.get(0)?,
                    at: from_millis("audit.at", row.get(1)?)?,
                    actor_kind: row.get(2)?,
                    actor_id: row.get(3)?,
                    action: row.get(4)?,
                    target: row.get::<_, Option<[u8; 16]>>(5)?.map(user_id),
                    changes: serde_json::from_str(&changes)
                        .map_err(|error| StoreError::damaged("audit.changes", error))?,
                    request_id: row.get(7)?,
                });
            }
            Ok(lines)
        })
    }
}

impl Write<'_> {
    /// Adds the line of a change to its transaction.
    pub(super) fn audit(
        &self,
        actor: &Actor,
        action: Action,
        target: UserId,
        changes: Changes,
    ) -> Result<(), StoreError> {
        let mut statement = self.tx.prepare_cached(
            "INSERT INTO audit (at, actor_kind, actor_id, action, target, changes, request_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let (kind, id) = actor.parts();
        statement.execute(params![
            self.now.as_millisecond(),
            kind,
            id,
            action.as_str(),
            target.as_bytes(),
            Value::Object(changes.0).to_string(),
            self.request.map(|request| request.to_string()),
        ])?;
        Ok(())
    }
}

impl Actor {
    fn parts(&self) -> (&'static str, Option<String>) {
        match self {
            Self::User(id) => ("user", Some(id.to_string())),
            Self::Machine(client_id) => ("machine", Some(client_id.clone())),
            Self::Gate => ("gate", None),
            Self::Cli => ("cli", None),
            Self::Seed => ("seed", None),
        }
    }
}

impl Action {
    /// The word the trail keeps.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inserted => "user.inserted",
            Self::Seeded => "user.seeded",
            Self::Claimed => "user.claimed",
            Self::Linked => "identity.linked",
            Self::StatusSet => "user.status_set",
            Self::RolesSet => "user.roles_set",
            Self::SignedOut => "user.signed_out",
        }
    }
}

impl Changes {
    /// A field that tells nothing about the person, with its values.
    pub(super) fn field(mut self, name: &str, old: impl Into<Value>, new: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), json!({ "old": old.into(), "new": new.into() }));
        self
    }

    /// A personal field: that it changed, not from what to what.
    pub(super) fn personal(mut self, name: &str) -> Self {
        self.0.insert(name.to_owned(), "redacted".into());
        self
    }

    /// A new identity, by its provider: the part before the first `|`.
    pub(super) fn identity(self, auth0_id: &Auth0Id) -> Self {
        match auth0_id.as_str().split_once('|') {
            Some((provider, _)) => self.field("identity", Value::Null, provider),
            None => self.personal("identity"),
        }
    }
}
