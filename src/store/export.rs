//! Everything we hold about one person, as JSON: what the GDPR's articles 15 and 20 ask for.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::audit::{Action, Actor, AuditLine, Changes};
use super::changes::not_erased;
use super::trail::read_line;
use super::{Store, StoreError, identities, terms};
use crate::user::{User, UserId};

impl Store {
    /// The row, the identities, the accepted terms and the trail of a user, read in one transaction. That it was given
    /// out is itself a line of the trail, the last in it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Erased`]; else as every write.
    pub fn export(&self, id: UserId, actor: &Actor) -> Result<Value, StoreError> {
        self.write(|write| {
            let user = not_erased(write.existing(id)?)?;
            write.audit(actor, Action::Exported, id, Changes::default())?;
            let identities: Vec<Value> = identities::of(&write.tx, id)?
                .into_iter()
                .map(|identity| json!({ "auth0Id": identity.auth0_id, "linkedAt": identity.linked_at }))
                .collect();
            let terms: Vec<Value> = terms::of(&write.tx, id)?
                .into_iter()
                .map(|terms| json!({ "version": terms.version, "acceptedAt": terms.accepted_at }))
                .collect();
            let trail: Vec<Value> = trail(&write.tx, id)?.iter().map(line).collect();
            Ok(json!({
                "exportedAt": write.now,
                "user": user_json(&user),
                "identities": identities,
                "acceptedTerms": terms,
                "audit": trail,
            }))
        })
    }
}

/// A row as JSON, by the names that clients use.
pub fn user_json(user: &User) -> Value {
    json!({
        "id": user.id,
        "auth0Id": user.auth0_id,
        "email": user.email,
        "emailVerified": user.email_verified,
        "name": user.person.name,
        "givenName": user.person.given_name,
        "familyName": user.person.family_name,
        "nickname": user.person.nickname,
        "picture": user.person.picture,
        "phone": user.person.phone,
        "status": user.status,
        "roles": user.roles,
        "tokensValidFrom": user.tokens_valid_from,
        "createdAt": user.created_at,
        "updatedAt": user.updated_at,
        "profileFetchedAt": user.profile_fetched_at,
        "profile": user.profile,
    })
}

/// All of it, the oldest line first: nobody's trail is long.
fn trail(connection: &Connection, id: UserId) -> Result<Vec<AuditLine>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, at, actor_kind, actor_id, action, target, changes, request_id FROM audit
         WHERE target = ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([id.as_bytes()])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.push(read_line(row)?);
    }
    Ok(lines)
}

fn line(line: &AuditLine) -> Value {
    json!({
        "id": line.id,
        "at": line.at,
        "actor": { "kind": line.actor_kind, "id": line.actor_id },
        "action": line.action,
        "changes": line.changes,
        "requestId": line.request_id,
    })
}
