//! The audit trail: who changed what, written in the transaction of the change.
//!
//! Lines can not be changed or erased, so they hold no personal data: of personal fields only the names, of an
//! identity only its provider (an Auth0 id can contain an email).

use jiff::Timestamp;
use rusqlite::params;
use serde_json::{Map, Value, json};

use super::{StoreError, Write, chain};
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
    /// A signed call from outside that speaks for no user of ours, such as a deployment's.
    Webhook,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A row was made at first sight.
    Inserted,
    /// A row was made from a seed.
    Seeded,
    /// Staff made a row for somebody who has not come yet.
    Created,
    /// A row was made or changed from an export of users.
    Imported,
    /// What the person is called, or their email, was changed.
    Updated,
    /// The profile was fetched anew, and something in it had changed.
    Refreshed,
    /// A pre-provisioned row got its identity.
    Claimed,
    /// A row that has an identity got another.
    Linked,
    /// An identity was taken from a row.
    Unlinked,
    /// Two rows became one. Both have a line.
    Merged,
    /// The status was set.
    StatusSet,
    /// The roles were set.
    RolesSet,
    /// All tokens issued so far were revoked.
    SignedOut,
    /// A version of the terms was agreed to.
    TermsAccepted,
    /// Everything about the person was given out.
    Exported,
    /// Auth0 was told whether the person is blocked.
    BlockSent,
    /// A backup was put in the place of the database. About nobody.
    Restored,
    /// A deployment to a tenant began. Like its end, about nobody.
    DeploymentBegun,
    /// A deployment ended.
    DeploymentEnded,
}

/// One line of the trail.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditLine {
    /// Rises with every line, by one.
    pub id: i64,
    /// When the change was made.
    pub at: Timestamp,
    /// `user`, `machine`, `gate`, `cli`, `seed` or `webhook`.
    pub actor_kind: String,
    /// The user's or the client's id.
    pub actor_id: Option<String>,
    /// The word of an [`Action`].
    pub action: String,
    /// Who was changed, if it is about somebody.
    pub target: Option<UserId>,
    /// By field: `{"old": …, "new": …}`, or `"redacted"` for personal ones.
    pub changes: Value,
    /// The request it was part of, if any.
    pub request_id: Option<String>,
}

/// The `changes` of a line, as they are gathered.
#[derive(Debug, Default)]
pub(super) struct Changes(Map<String, Value>);

impl Write<'_> {
    /// Adds the line of a change to its transaction.
    pub(super) fn audit(
        &self,
        actor: &Actor,
        action: Action,
        target: impl Into<Option<UserId>>,
        changes: Changes,
    ) -> Result<(), StoreError> {
        let (actor_kind, actor_id) = actor.parts();
        let before = match self.head.get() {
            None => chain::head(&self.tx)?,
            known => known,
        };
        let line = chain::Row {
            // Ours to choose, because it is part of what is hashed. The table is append-only, so this is also what
            // AUTOINCREMENT would choose.
            id: before.map_or(0, |(id, _)| id).saturating_add(1),
            at: self.now.as_millisecond(),
            actor_kind: actor_kind.to_owned(),
            actor_id,
            action: action.as_str().to_owned(),
            target: target.into().map(|user| *user.as_bytes()),
            changes: Value::Object(changes.0).to_string(),
            request_id: self.request.map(|request| request.to_string()),
        };
        let hash = line.hash(before.map(|(_, hash)| hash));
        let mut statement = self.tx.prepare_cached(
            "INSERT INTO audit (id, at, actor_kind, actor_id, action, target, changes, request_id, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        statement.execute(params![
            line.id,
            line.at,
            line.actor_kind,
            line.actor_id,
            line.action,
            line.target,
            line.changes,
            line.request_id,
            hash.as_bytes(),
        ])?;
        self.head.set(Some((line.id, hash)));
        Ok(())
    }
}

impl Actor {
    /// One text that tells this actor from every other.
    pub(super) fn key(&self) -> String {
        let (kind, id) = self.parts();
        format!("{kind}:{}", id.unwrap_or_default())
    }

    pub(super) fn parts(&self) -> (&'static str, Option<String>) {
        match self {
            Self::User(id) => ("user", Some(id.to_string())),
            Self::Machine(client_id) => ("machine", Some(client_id.clone())),
            Self::Gate => ("gate", None),
            Self::Cli => ("cli", None),
            Self::Seed => ("seed", None),
            Self::Webhook => ("webhook", None),
        }
    }
}

impl Action {
    /// The word the trail keeps.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inserted => "user.inserted",
            Self::Seeded => "user.seeded",
            Self::Created => "user.created",
            Self::Imported => "user.imported",
            Self::Updated => "user.updated",
            Self::Refreshed => "user.refreshed",
            Self::Claimed => "user.claimed",
            Self::Linked => "identity.linked",
            Self::Unlinked => "identity.unlinked",
            Self::Merged => "user.merged",
            Self::StatusSet => "user.status_set",
            Self::RolesSet => "user.roles_set",
            Self::SignedOut => "user.signed_out",
            Self::TermsAccepted => "user.terms_accepted",
            Self::Exported => "user.exported",
            Self::BlockSent => "user.block_sent",
            Self::Restored => "database.restored",
            Self::DeploymentBegun => "deployment.begun",
            Self::DeploymentEnded => "deployment.ended",
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

    /// A new identity, by its provider.
    pub(super) fn identity(self, auth0_id: &Auth0Id) -> Self {
        match provider(auth0_id) {
            Some(provider) => self.field("identity", Value::Null, provider),
            None => self.personal("identity"),
        }
    }

    /// An identity that is no more, by its provider.
    pub(super) fn no_identity(self, auth0_id: &Auth0Id) -> Self {
        match provider(auth0_id) {
            Some(provider) => self.field("identity", provider, Value::Null),
            None => self.personal("identity"),
        }
    }

    /// These and `more`.
    pub(super) fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The part before the first `|`. What follows can contain an email.
pub(super) fn provider(auth0_id: &Auth0Id) -> Option<&str> {
    auth0_id.as_str().split_once('|').map(|(provider, _)| provider)
}
