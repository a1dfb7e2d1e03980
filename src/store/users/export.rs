//! All data about one user, as JSON: what articles 15 and 20 of the GDPR ask for.

use serde_json::{Map, Value, json};

use super::find::by_id;
use super::{identities, terms};
use crate::store::audit::{Action, Actor, AuditLine, Changes, lines_about};
use crate::store::{Result, Store, StoreError};
use crate::user::{User, UserId};

/// How much of the audit log one export has at most: lines, and bytes of their changes.
const LINES_MAX: usize = 1000;
const BYTES_MAX: usize = 256 * 1024;

/// All data about a user, or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The row, the identities, the accepted terms, and the audit lines, the oldest first. A later part has only lines.
    pub data: Map<String, Value>,
    /// The last line, if more follow.
    pub next: Option<i64>,
}

impl Store {
    /// Exports the data of a user, or what follows the audit line `after`. It is read without keeping writers waiting; then a
    /// line records the export.
    pub fn export(&self, id: UserId, after: Option<i64>, actor: &Actor) -> Result<Export> {
        let mut export = self.read(|connection| {
            let snapshot = connection.unchecked_transaction()?;
            let user = by_id(&snapshot, id)?.ok_or(StoreError::NotFound(id))?;
            let mut lines = lines_about(&snapshot, id, after.unwrap_or(0), LINES_MAX + 1)?;
            let mut bytes = 0;
            let fits = |line: &&AuditLine| {
                bytes += line.changes.to_string().len();
                bytes <= BYTES_MAX
            };
            let part = lines.iter().take(LINES_MAX).take_while(fits).count().max(1);
            let next = (part < lines.len()).then(|| lines.get(part - 1).map(|line| line.id)).flatten();
            lines.truncate(part);
            let mut data = Map::new();
            data.insert("audit".to_owned(), lines.iter().map(AuditLine::to_json).collect());
            if after.is_none() {
                let identities = identities::of(&snapshot, id)?;
                let identities = identities
                    .iter()
                    .map(|identity| json!({ "auth0Id": identity.auth0_id, "linkedAt": identity.linked_at }));
                let terms = terms::of(&snapshot, id)?;
                let terms = terms
                    .iter()
                    .map(|terms| json!({ "version": terms.version, "acceptedAt": terms.accepted_at }));
                data.insert("user".to_owned(), user_json(&user));
                data.insert("identities".to_owned(), identities.collect());
                data.insert("acceptedTerms".to_owned(), terms.collect());
            }
            Ok(Export { data, next })
        })?;
        self.write(|write| {
            write.not_erased(id)?;
            write.audit(actor, Action::Exported, id, Changes::default())?;
            export.data.insert("exportedAt".to_owned(), json!(write.now));
            Ok(export)
        })
    }
}

/// A row as JSON, by the names in GraphQL.
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
