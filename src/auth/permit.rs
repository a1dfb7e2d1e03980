//! Stage 3: [`Claims`] + [`Need`] → [`Permit`]. Says what kind of caller it is and what they may do, before anything
//! is looked up: an outsider never causes a row or a fetch.

use std::sync::Arc;

use super::bearer::Nothing;
use super::{Claims, Refusal};
use crate::scope::{Permissions, Roles};
use crate::user::Auth0Id;

/// What a door asks for, as a value at the door's front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Permissions a caller must hold, all of them.
    pub permissions: Permissions,
    /// Whether callers without a token are let in. They hold no permission.
    pub anonymous: bool,
}

/// What is known of callers before they come.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// The trusted issuers whose `sub` names a user of ours: those of one tenant. Another tenant gives its ids out as it
    /// likes, also one that is somebody's here.
    pub user_issuers: Vec<String>,
    /// What the roles of users give.
    pub roles: Roles,
}

/// Claims that met a need. Only this file makes one.
#[derive(Debug)]
pub struct Permit {
    subject: Subject,
    permissions: Permissions,
}

/// What kind of caller it is.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A person, and what they come with.
    User(Auth0Id, Claims),
    /// A machine, by its client id, and what it comes with.
    Machine(Arc<str>, Claims),
    /// Somebody who sent no token, at a door that allows that.
    Anonymous,
}

/// Judges what the claims allow.
///
/// # Errors
/// [`Refusal::NotPermitted`], naming what is missing; naming nothing when the subject is of no kind that is known here, or a
/// user of an issuer whose users are not ours.
pub fn permit(claims: Claims, need: &Need, grants: &Grants) -> Result<Permit, Refusal> {
    let subject = subject(claims).filter(|subject| grants.cover(subject));
    let subject = subject.ok_or_else(|| Refusal::NotPermitted { missing: Permissions::default() })?;
    let mut permissions = match &subject {
        // A machine's scopes are what was granted to it.
        Subject::Machine(_, claims) => Permissions::from_scope(claims.scope().unwrap_or_default()),
        // A user's scope is what the client may ask for, and grants nothing.
        Subject::User(_, claims) => grants.roles.permissions(claims.roles()),
        Subject::Anonymous => Permissions::default(),
    };
    if let Some(claims) = subject.claims() {
        permissions.extend(&claims.permissions().map(str::to_owned).collect());
    }
    meet(subject, permissions, need)
}

/// Judges a request without a token.
///
/// # Errors
/// [`Refusal::NoToken`] where the door wants one; [`Refusal::NotPermitted`] where it also wants permissions.
pub fn permit_anonymous(_: Nothing, need: &Need) -> Result<Permit, Refusal> {
    if !need.anonymous {
        return Err(Refusal::NoToken);
    }
    meet(Subject::Anonymous, Permissions::default(), need)
}

fn meet(subject: Subject, permissions: Permissions, need: &Need) -> Result<Permit, Refusal> {
    let missing: Permissions = permissions.missing(&need.permissions).map(str::to_owned).collect();
    if missing.is_empty() {
        Ok(Permit { subject, permissions })
    } else {
        Err(Refusal::NotPermitted { missing })
    }
}

/// A machine says so by its grant or by its name (`<client>@clients`, the client being its own). A user's id is
/// `<connection>|<id>`. Agents (`agt_…`), anonymous sessions (`anon@…`) and whatever comes next are neither.
fn subject(claims: Claims) -> Option<Subject> {
    let client = claims.client();
    let sub = claims.subject();
    let own_name = sub.strip_suffix("@clients");
    if claims.grant_type() == Some("client-credentials") || own_name.is_some() && own_name == client {
        let client = client.or(own_name).unwrap_or(sub).into();
        return Some(Subject::Machine(client, claims));
    }
    let (connection, id) = sub.split_once('|')?;
    if own_name.is_some() || connection.is_empty() || id.is_empty() {
        return None;
    }
    Some(Subject::User(sub.parse().ok()?, claims))
}

impl Grants {
    /// Whether the users of `issuer` are ours.
    pub(super) fn trusts_users_of(&self, issuer: &str) -> bool {
        self.user_issuers.iter().any(|of| of == issuer)
    }

    fn cover(&self, subject: &Subject) -> bool {
        match subject {
            Subject::User(_, claims) => self.trusts_users_of(claims.issuer()),
            Subject::Machine(..) | Subject::Anonymous => true,
        }
    }
}

impl Subject {
    /// What the caller comes with; nothing for somebody without a token.
    pub(super) fn claims(&self) -> Option<&Claims> {
        match self {
            Self::User(_, claims) | Self::Machine(_, claims) => Some(claims),
            Self::Anonymous => None,
        }
    }
}

impl Permit {
    /// What kind of caller, and what they may do.
    pub(super) fn parts(&self) -> (&Subject, &Permissions) {
        (&self.subject, &self.permissions)
    }

    /// Hands the parts to the next stage, which alone can take a permit apart.
    pub(super) fn into_parts(self) -> (Subject, Permissions) {
        (self.subject, self.permissions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::claims::tests::claims_with;
    use serde_json::{Value, json};

    fn permitted(claims: &Value, need: &str) -> Result<Permit, Refusal> {
        let need = Need { permissions: Permissions::from_scope(need), anonymous: false };
        let roles: Roles =
            [("support".to_owned(), Permissions::from_scope("users:read"))].into_iter().collect();
        let claims = claims_with(claims);
        let user_issuers = vec![claims.issuer().to_owned()];
        permit(claims, &need, &Grants { user_issuers, roles })
    }

    fn missing(claims: &Value, need: &str) -> Option<String> {
        match permitted(claims, need) {
            Ok(_) => None,
            Err(Refusal::NotPermitted { missing }) => Some(missing.to_string()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_machine_is_known_by_its_grant_or_by_its_name() {
        for claims in [
            json!({"sub": "m1@clients", "azp": "m1", "gty": "client-credentials"}),
            json!({"sub": "m1@clients", "azp": "m1"}),
            json!({"sub": "m1", "azp": "m1", "gty": "client-credentials"}),
        ] {
            let (subject, _) = permitted(&claims, "").unwrap().into_parts();
            assert!(matches!(subject, Subject::Machine(client, _) if &*client == "m1"), "{claims}");
        }
    }

    #[test]
    fn subjects_of_no_known_kind_are_refused() {
        for sub in ["agt_1", "anon@1", "m2@clients", "auth0|m2@clients", "|1", "auth0|", "someone"] {
            assert_eq!(missing(&json!({"sub": sub, "azp": "m1"}), "").as_deref(), Some(""), "{sub}");
        }
    }

    #[test]
    fn a_machine_s_scope_counts_and_a_user_s_does_not() {
        let machine = |scope: &str| json!({"sub": "m1@clients", "azp": "m1", "scope": scope});
        assert_eq!(missing(&machine("audit:read users:read"), "users:read"), None);
        for near in ["", "users:read2", "xusers:read", "users:read:own", "USERS:READ"] {
            assert_eq!(missing(&machine(near), "users:read").as_deref(), Some("users:read"), "{near}");
        }
        let user = json!({"sub": "auth0|1", "scope": "users:read"});
        assert_eq!(missing(&user, "users:read").as_deref(), Some("users:read"));
    }

    #[test]
    fn a_user_may_what_their_roles_and_permissions_give() {
        let role = json!({"sub": "auth0|1", "https://ns.example/roles": ["support"]});
        assert_eq!(missing(&role, "users:read"), None);
        assert_eq!(missing(&role, "users:read users:write").as_deref(), Some("users:write"));
        let permission = json!({"sub": "auth0|1", "permissions": ["users:read"]});
        assert_eq!(missing(&permission, "users:read"), None);
        let elsewhere =
            json!({"sub": "auth0|1", "roles": ["support"], "https://evil.example/roles": ["support"]});
        assert_eq!(missing(&elsewhere, "users:read").as_deref(), Some("users:read"));
    }

    #[test]
    fn user_issuers_an_issuer_whose_ids_are_its_own_are_refused_and_its_machines_are_not() {
        let need = Need { permissions: Permissions::default(), anonymous: false };
        let elsewhere =
            Grants { user_issuers: vec!["https://ours.example/".to_owned()], roles: Roles::default() };
        let judged = |claims: Value| permit(claims_with(&claims), &need, &elsewhere).map(drop);
        let refused = Refusal::NotPermitted { missing: Permissions::default() };
        assert_eq!(judged(json!({"sub": "auth0|1"})), Err(refused));
        assert_eq!(judged(json!({"sub": "m1@clients", "azp": "m1"})), Ok(()));
    }
}
