//! All data about one user, as JSON: what articles 15 and 20 of the GDPR ask for.

use serde_json::{Value, json};

use super::{identities, terms};
use crate::store::audit::{Action, Actor, AuditLine, Changes, lines_about};
use crate::store::{Result, Store};
use crate::user::{User, UserId};

impl Store {
    /// The row, the identities, the accepted terms and the audit lines of a user. The last line is about the export.
    pub fn export(&self, id: UserId, actor: &Actor) -> Result<Value> {
        self.write(|write| {
            let user = write.not_erased(id)?;
            write.audit(actor, Action::Exported, id, Changes::default())?;
            let identities: Vec<Value> = identities::of(&write.tx, id)?
                .into_iter()
                .map(|identity| json!({ "auth0Id": identity.auth0_id, "linkedAt": identity.linked_at }))
                .collect();
            let terms: Vec<Value> = terms::of(&write.tx, id)?
                .into_iter()
                .map(|terms| json!({ "version": terms.version, "acceptedAt": terms.accepted_at }))
                .collect();
            let audit: Vec<Value> = lines_about(&write.tx, id)?.iter().map(AuditLine::to_json).collect();
            Ok(json!({
                "exportedAt": write.now,
                "user": user_json(&user),
                "identities": identities,
                "acceptedTerms": terms,
                "audit": audit,
            }))
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
