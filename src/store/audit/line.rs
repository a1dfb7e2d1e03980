//! One line of the audit log: written with its hash, and read back.

use jiff::Timestamp;
use rusqlite::{Row, params};
use serde_json::{Value, json};

use super::action::Action;
use super::actor::Actor;
use super::chain::{self, ChainHash};
use super::changes::Changes;
use crate::store::Result;
use crate::store::columns::{json, time};
use crate::store::write::Write;
use crate::user::UserId;

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditLine {
    /// Rises by one with every line.
    pub id: i64,
    /// When the change was made.
    pub at: Timestamp,
    /// The kind of [`Actor`]: `user`, `machine`, `gate`, `cli`, `seed` or `webhook`.
    pub actor_kind: String,
    /// The user's or the client's id.
    pub actor_id: Option<String>,
    /// The word of an [`Action`].
    pub action: String,
    /// The user who was changed, if the line is about one.
    pub target: Option<UserId>,
    /// By field: `{"old": …, "new": …}`, or `"redacted"` for personal fields.
    pub changes: Value,
    /// The request it was part of, if any.
    pub request_id: Option<String>,
}

impl AuditLine {
    /// The line as JSON, without the user it is about.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "at": self.at,
            "actor": { "kind": self.actor_kind, "id": self.actor_id },
            "action": self.action,
            "changes": self.changes,
            "requestId": self.request_id,
        })
    }
}

/// The columns that [`read_line`] reads, in its order.
pub(super) const SELECT: &str =
    "SELECT id, at, actor_kind, actor_id, action, target, changes, request_id FROM audit";

pub(super) fn read_line(row: &Row<'_>) -> Result<AuditLine> {
    Ok(AuditLine {
        id: row.get(0)?,
        at: time(row, 1)?,
        actor_kind: row.get(2)?,
        actor_id: row.get(3)?,
        action: row.get(4)?,
        target: row.get(5)?,
        changes: json("audit.changes", &row.get::<_, String>(6)?)?,
        request_id: row.get(7)?,
    })
}

impl Write<'_> {
    pub(crate) fn audit(
        &self,
        actor: &Actor,
        action: Action,
        target: impl Into<Option<UserId>>,
        changes: Changes,
    ) -> Result<()> {
        let before = match self.audit_head.get() {
            None => chain::head(self.tx)?,
            known => known,
        };
        // Chosen here, because it is part of what is hashed.
        let id = before.map_or(0, |(id, _)| id).saturating_add(1);
        let (target, (actor_kind, actor_id)) = (target.into(), actor.parts());
        // The name of a person at a forge is personal.
        let actor_id = actor_id.filter(|_| !matches!(actor, Actor::Webhook(_)));
        let (at, action, changes) = (self.now_millis(), action.as_str(), changes.by_agent(actor).into_json());
        let request = self.request.map(|request| request.to_string());
        let line = json!([id, at, actor_kind, actor_id, action, chain::hex(target), changes, request]);
        let hash = ChainHash::of(&line, before.map(|(_, hash)| hash));
        let sql =
            "INSERT INTO audit (id, at, actor_kind, actor_id, action, target, changes, request_id, hash)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.run(sql, params![id, at, actor_kind, actor_id, action, target, changes, request, hash.0])?;
        self.audit_head.set(Some((id, hash)));
        Ok(())
    }
}
