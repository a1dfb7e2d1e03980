//! Stage 4: [`Permit`] → [`Caller`]. Finds the current user: the row in our database, which the token's payload may equal,
//! else the profile at Auth0, which is then stored.

use std::sync::Arc;

use jiff::Timestamp;

use super::permit::Subject;
use super::{Claims, Keys, Permit, Refusal, Users};
use crate::scope::Permissions;
use crate::user::CurrentUser;

/// A permit with its current user resolved. Only the gate makes one.
#[derive(Debug, Clone)]
pub struct Caller {
    principal: Principal,
    permissions: Permissions,
    /// The token's claims; `None` for an anonymous caller.
    claims: Option<Claims>,
}

/// Who is calling.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A person.
    User(CurrentUser),
    /// A machine, by its client id. It has no current user.
    Machine(Arc<str>),
    /// A caller without a token, at a door that accepts those.
    Anonymous,
}

/// Resolves who is calling.
///
/// # Errors
/// The refusals of the caller stage.
pub async fn caller(permit: Permit, users: &Users) -> Result<Caller, Refusal> {
    let (subject, mut permissions, known) = permit.into_parts();
    let (principal, claims) = match subject {
        Subject::Machine(client, claims) => (Principal::Machine(client), Some(claims)),
        Subject::Anonymous => (Principal::Anonymous, None),
        Subject::User(id, claims) => {
            let known = if known.is_some() { known } else { users.known_now(&id, &claims).await? };
            let user = match known {
                Some(user) => user,
                None => CurrentUser::Row(Box::pin(users.provision(&id, &claims)).await?),
            };
            let user = users.mirror_roles(user, &claims).await?;
            permissions.extend(&users.grants.of_row(&user));
            users.refresh(&user);
            (Principal::User(user), Some(claims))
        }
    };
    Ok(Caller { principal, permissions, claims })
}

impl Caller {
    /// Who is calling.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The current user. A machine and an anonymous caller have none.
    pub fn user(&self) -> Option<&CurrentUser> {
        if let Principal::User(user) = &self.principal { Some(user) } else { None }
    }

    /// The `sub` of the token; `None` for an anonymous caller.
    pub fn subject(&self) -> Option<&str> {
        self.claims.as_ref().map(Claims::subject)
    }

    /// The client id of a machine.
    pub fn client_id(&self) -> Option<&str> {
        if let Principal::Machine(client) = &self.principal { Some(client) } else { None }
    }

    /// The agent that acts for the user, if one does.
    pub fn agent(&self) -> Option<&str> {
        self.claims.as_ref().filter(|_| self.user().is_some())?.agent()
    }

    /// When the token was issued, if it says so. A revocation after that time covers it.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.claims.as_ref().and_then(Claims::issued_at)
    }

    /// What the caller may do.
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Requires one more permission than the door does.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`] with that permission.
    pub fn require(&self, permission: &str) -> Result<(), Refusal> {
        if self.permissions.has(permission) {
            return Ok(());
        }
        Err(Refusal::NotPermitted { missing: Permissions::from_scope(permission) })
    }

    /// See [`super::Gate::revalidate`].
    pub(super) fn revalidate(&self, since: Timestamp, users: &Users, keys: &Keys) -> Result<(), Refusal> {
        let Some(claims) = &self.claims else { return Ok(()) };
        let now = users.clock.now();
        // Clock differences are no reason to extend a session, but the door accepts a token within its leeway.
        let within_leeway = since > claims.expires_at() && claims.accepted_until() >= now;
        if claims.expires_at() < now && !within_leeway {
            let ago = now.duration_since(claims.expires_at()).unsigned_abs();
            return Err(Refusal::Expired { ago });
        }
        if claims.key().is_some_and(|key| !keys.contains(claims.issuer(), key)) {
            return Err(Refusal::UnknownKey);
        }
        let Some(user) = self.user() else { return Ok(()) };
        if claims.row_check().user(&users.store).is_some_and(|kept| Arc::ptr_eq(kept.row(), user.row())) {
            return Ok(());
        }
        // The row has been read again. The permissions that the connection was opened with must still be granted.
        let id = claims.subject().parse().map_err(|_| Refusal::TokenRevoked)?;
        let known = users.known(&id, claims)?.filter(|known| known.id() == user.id());
        let still_permitted = |known: CurrentUser| {
            let mut permissions = users.grants.of_token(claims);
            permissions.extend(&users.grants.of_row(&known));
            permissions.missing(&self.permissions).next().is_none()
        };
        if known.is_some_and(still_permitted) { Ok(()) } else { Err(Refusal::TokenRevoked) }
    }
}
