//! Stage 3: [`Claims`] + [`Need`] → [`Permit`]. Decides what kind of caller it is and what they may do, before any
//! write or fetch: a caller without permission never causes one.

use std::sync::Arc;

use super::bearer::NoToken;
use super::claims::SubjectKind;
use super::{Agents, Claims, Grants, Refusal, RolesFrom, Users};
use crate::scope::Permissions;
use crate::user::{Auth0Id, CurrentUser};

/// What a door requires of its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Permissions a caller must have, all of them.
    pub permissions: Permissions,
    /// Whether callers without a token are accepted. They have no permissions.
    pub anonymous: bool,
}

/// Claims that met a need. Only this file makes one.
#[derive(Debug)]
pub struct Permit {
    subject: Subject,
    permissions: Permissions,
    /// The user, if their row was read already.
    known: Option<CurrentUser>,
}

/// What kind of caller it is.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A person, with their Auth0 id and claims.
    User(Auth0Id, Claims),
    /// A machine, with its client id and claims.
    Machine(Arc<str>, Claims),
    /// A caller without a token, at a door that accepts those.
    Anonymous,
}

/// Compares what the caller may do with what the door needs. The roles of a user are read from their row, by key, only if the
/// token does not show enough.
///
/// # Errors
/// [`Refusal::NotPermitted`] with the missing permissions. The list is empty when `sub` is neither a user nor a machine, or
/// is a user of an issuer that is not in [`Grants::user_issuers`]. [`Refusal::AgentRefused`] for a user's token that an agent
/// holds, unless [`Grants::agents`] accepts it. The refusals of the caller stage when a row was read.
pub async fn permit(claims: Claims, need: &Need, users: &Users) -> Result<Permit, Refusal> {
    let (subject, mut permissions) = of_token(claims, &users.grants)?;
    let mut known = None;
    if let Subject::User(id, claims) = &subject
        && users.grants.roles_from == RolesFrom::Database
        && permissions.missing(&need.permissions).next().is_some()
    {
        known = users.known_now(id, claims).await?;
        let linkable = if known.is_none() { users.linkable(id, claims)? } else { None };
        if let Some(user) = known.as_ref().or(linkable.as_ref()) {
            permissions.extend(&users.grants.of_row(user));
        }
    }
    check(subject, permissions, known, need)
}

/// [`permit`] without a row, for tests of what a token shows.
#[cfg(test)]
pub(super) fn permit_by_token(claims: Claims, need: &Need, grants: &Grants) -> Result<Permit, Refusal> {
    let (subject, permissions) = of_token(claims, grants)?;
    check(subject, permissions, None, need)
}

/// The subject, and the permissions that the token itself shows.
fn of_token(claims: Claims, grants: &Grants) -> Result<(Subject, Permissions), Refusal> {
    let subject = subject(claims).filter(|subject| match subject {
        Subject::User(_, claims) => grants.accept_users_of(claims.issuer()),
        Subject::Machine(..) | Subject::Anonymous => true,
    });
    let subject = subject.ok_or_else(|| Refusal::NotPermitted { missing: Permissions::default() })?;
    let permissions = match &subject {
        Subject::User(_, claims) if grants.agents == Agents::Refuse && claims.agent().is_some() => {
            return Err(Refusal::AgentRefused);
        }
        // The scope of a user is what the client may request; it grants nothing.
        Subject::User(_, claims) => grants.of_token(claims),
        // The scope of a machine is what was granted to it.
        Subject::Machine(_, claims) => {
            let mut granted = Permissions::from_scope(claims.text("scope").unwrap_or_default());
            granted.add(claims.permissions());
            granted
        }
        Subject::Anonymous => Permissions::default(),
    };
    Ok((subject, permissions))
}

/// The permit of a caller without a token.
///
/// # Errors
/// [`Refusal::NoToken`] where the door requires one; [`Refusal::NotPermitted`] where it also needs permissions.
pub fn permit_anonymous(_: NoToken, need: &Need) -> Result<Permit, Refusal> {
    if !need.anonymous {
        return Err(Refusal::NoToken);
    }
    check(Subject::Anonymous, Permissions::default(), None, need)
}

fn check(
    subject: Subject,
    permissions: Permissions,
    known: Option<CurrentUser>,
    need: &Need,
) -> Result<Permit, Refusal> {
    let missing: Permissions = permissions.missing(&need.permissions).map(str::to_owned).collect();
    if missing.is_empty() {
        Ok(Permit { subject, permissions, known })
    } else {
        Err(Refusal::NotPermitted { missing })
    }
}

/// The subject of claims: a user, a machine, or `None`.
pub(super) fn subject(claims: Claims) -> Option<Subject> {
    Some(match claims.kind(kind)? {
        SubjectKind::User(id) => Subject::User(id, claims),
        SubjectKind::Machine(client) => Subject::Machine(client, claims),
    })
}

/// A machine has the grant type `client-credentials`, or its `sub` is `<its client id>@clients`; at an API with agent subject
/// claims its `sub` is its client id and its `sub_profile` is `service`. A user's `sub` is `<connection>|<id>`, and their
/// `sub_profile`, if there is one, is `user`. Agents of their own (`agt_…`), anonymous sessions (`anon@…`) and future kinds
/// are neither.
fn kind(claims: &Claims) -> Option<SubjectKind> {
    let client = claims.client();
    let sub = claims.subject();
    let own_name = sub.strip_suffix("@clients");
    let profile = claims.text("sub_profile");
    if claims.text("gty") == Some("client-credentials")
        || own_name.is_some() && own_name == client
        || profile == Some("service") && client == Some(sub)
    {
        return Some(SubjectKind::Machine(client.or(own_name).unwrap_or(sub).into()));
    }
    let (connection, id) = sub.split_once('|')?;
    if profile.is_some_and(|profile| profile != "user")
        || own_name.is_some()
        || connection.is_empty()
        || id.is_empty()
    {
        return None;
    }
    Some(SubjectKind::User(sub.parse().ok()?))
}

impl Permit {
    /// What the subject may do, as far as it was needed to decide.
    pub(super) fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Hands subject, permissions and the user, if known, to the next stage.
    pub(super) fn into_parts(self) -> (Subject, Permissions, Option<CurrentUser>) {
        (self.subject, self.permissions, self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::tests::claims_with;
    use crate::scope::Roles;
    use arc_swap::ArcSwap;
    use serde_json::{Value, json};

    fn permitted(claims: &Value, need: &str) -> Result<Permit, Refusal> {
        let need = Need { permissions: Permissions::from_scope(need), anonymous: false };
        let roles: Roles =
            [("support".to_owned(), Permissions::from_scope("users:read"))].into_iter().collect();
        let roles = Arc::new(ArcSwap::from_pointee(roles));
        let claims = claims_with(claims);
        let user_issuers = vec![claims.issuer().to_owned()];
        permit_by_token(
            claims,
            &need,
            &Grants { user_issuers, roles, roles_from: RolesFrom::Token, ..Grants::default() },
        )
    }

    fn missing(claims: &Value, need: &str) -> Option<String> {
        match permitted(claims, need) {
            Ok(_) => None,
            Err(Refusal::NotPermitted { missing }) => Some(missing.to_string()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_machine_has_its_grant_type_or_its_own_sub() {
        for claims in [
            json!({"sub": "m1@clients", "azp": "m1", "gty": "client-credentials"}),
            json!({"sub": "m1@clients", "azp": "m1"}),
            json!({"sub": "m1", "azp": "m1", "gty": "client-credentials"}),
            json!({"sub": "m1", "azp": "m1", "sub_profile": "service"}),
        ] {
            let (subject, ..) = permitted(&claims, "").unwrap().into_parts();
            assert!(matches!(subject, Subject::Machine(client, _) if &*client == "m1"), "{claims}");
        }
    }

    #[test]
    fn subjects_of_unknown_kind_are_refused() {
        for sub in ["agt_1", "anon@1", "m2@clients", "auth0|m2@clients", "|1", "auth0|", "someone"] {
            assert_eq!(missing(&json!({"sub": sub, "azp": "m1"}), "").as_deref(), Some(""), "{sub}");
        }
        for (sub, profile) in [
            ("m2", "service"),
            ("m1", "ai_agent"),
            ("m1", "user"),
            ("auth0|1", "service"),
            ("a|1", "ai_agent"),
        ] {
            let claims = json!({"sub": sub, "azp": "m1", "sub_profile": profile});
            assert_eq!(missing(&claims, "").as_deref(), Some(""), "{claims}");
        }
        assert_eq!(missing(&json!({"sub": "auth0|1", "sub_profile": "user"}), ""), None);
    }

    #[test]
    fn an_agent_with_a_users_token_is_refused_unless_agents_are_accepted() {
        let need = Need { permissions: Permissions::default(), anonymous: false };
        let outcome = |changes: &Value, agents| {
            let claims = claims_with(changes);
            let grants =
                Grants { user_issuers: vec![claims.issuer().to_owned()], agents, ..Grants::default() };
            let agent = claims.agent().map(str::to_owned);
            permit_by_token(claims, &need, &grants).map(|_| agent)
        };
        for (claims, agent) in [
            (json!({"act": {"sub": "agt_1", "act": {"sub": "spa"}}, "client_profile": "ai_agent"}), "agt_1"),
            (json!({"act": {"sub": "agt_1"}}), "agt_1"),
            (json!({"client_profile": "ai_agent"}), "spa"),
            (json!({"act": {}}), "spa"),
            (json!({"act": {"sub": "a\n"}}), "spa"),
        ] {
            assert_eq!(outcome(&claims, Agents::Refuse), Err(Refusal::AgentRefused), "{claims}");
            assert_eq!(outcome(&claims, Agents::AsUser), Ok(Some(agent.to_owned())), "{claims}");
        }
        assert_eq!(outcome(&json!({"client_profile": "browser"}), Agents::Refuse), Ok(None));
        let machine = json!({"sub": "m1@clients", "azp": "m1", "client_profile": "ai_agent"});
        assert!(outcome(&machine, Agents::Refuse).is_ok(), "a machine acts for no user");
    }

    #[test]
    fn the_scope_of_a_machine_grants_and_that_of_a_user_does_not() {
        let machine = |scope: &str| json!({"sub": "m1@clients", "azp": "m1", "scope": scope});
        assert_eq!(missing(&machine("audit:read users:read"), "users:read"), None);
        for near in ["", "users:read2", "xusers:read", "users:read:own", "USERS:READ"] {
            assert_eq!(missing(&machine(near), "users:read").as_deref(), Some("users:read"), "{near}");
        }
        let user = json!({"sub": "auth0|1", "scope": "users:read"});
        assert_eq!(missing(&user, "users:read").as_deref(), Some("users:read"));
    }

    #[test]
    fn a_user_has_the_permissions_of_their_roles_and_of_the_token() {
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
    fn only_machines_are_accepted_from_an_issuer_with_user_ids_of_its_own() {
        let need = Need { permissions: Permissions::default(), anonymous: false };
        let user_issuers = vec!["https://ours.example/".to_owned()];
        let elsewhere = Grants { user_issuers, ..Grants::default() };
        let outcome = |claims: Value| permit_by_token(claims_with(&claims), &need, &elsewhere).map(drop);
        let refused = Refusal::NotPermitted { missing: Permissions::default() };
        assert_eq!(outcome(json!({"sub": "auth0|1"})), Err(refused));
        assert_eq!(outcome(json!({"sub": "m1@clients", "azp": "m1"})), Ok(()));
    }
}
