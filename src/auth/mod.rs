//! The gate: four stages between a request and its current user.
//!
//! ```text
//!   headers → Bearer → Claims → Permit → Caller
//! ```
//!
//! Owns the stages, their sealed values and every [`Refusal`]. Depends on layer 0, `store` and `auth0`. Knows nothing of
//! GraphQL and never reads a body.
//!
//! A stage takes the value of the stage before, and only its own file can make that value. So no stage can be left out,
//! and a [`Caller`] cannot be forged:
//!
//! ```
//! use vestibule::auth::{Caller, Permit, Refusal, Users, caller};
//! async fn all_stages(permit: Permit, users: &Users) -> Result<Caller, Refusal> {
//!     caller(permit, users).await
//! }
//! ```
//! ```compile_fail,E0308
//! use vestibule::auth::{Caller, Claims, Refusal, Users, caller};
//! async fn without_permit(claims: Claims, users: &Users) -> Result<Caller, Refusal> {
//!     caller(claims, users).await
//! }
//! ```
//! ```compile_fail,E0308
//! use vestibule::auth::{Bearer, Need, Permit, Refusal, Users, permit};
//! async fn without_claims(bearer: Bearer, need: &Need, users: &Users) -> Result<Permit, Refusal> {
//!     permit(bearer, need, users).await
//! }
//! ```
//! ```compile_fail,E0451
//! use vestibule::auth::{Caller, Principal};
//! fn forged() -> Caller {
//!     Caller { principal: Principal::Anonymous, permissions: Default::default(), claims: None }
//! }
//! ```

mod refusal;
mod policy;
mod bearer;
mod json;
mod header;
mod jwk;
mod key_set;
mod refetch_limiter;
mod early_tokens;
mod keys;
mod token_cache;
mod payload;
mod row_check;
mod claims;
mod grants;
mod identity;
mod breaker;
mod outage;
mod remembered;
mod reads;
mod profiles;
mod users;
mod permit;
mod caller;
mod advice;
mod explain;
#[cfg(any(test, fuzzing))]
#[path = "tests/fuzzing.rs"]
pub mod fuzzing;
#[cfg(test)]
mod tests;

use std::future;
use std::sync::Arc;

use jiff::Timestamp;
use warp::http::HeaderMap;
use warp::{Filter, Rejection};

pub use bearer::{Bearer, MAX_TOKEN, NoToken, Presented, bearer, credential, parse};
pub use caller::{Caller, Principal, caller};
pub use claims::{Claims, claims, unverified_issuer};
pub use explain::{Explanation, Step};
pub use grants::Grants;
pub use identity::store_profile;
pub use json::object as strict_json;
pub use jwk::Key;
pub use key_set::{KeySet, KeySetError, UnusableKey};
pub use keys::{IssuerState, Keys, PublishedKey};
pub use permit::{Need, Permit, Subject, permit, permit_anonymous};
pub use policy::{Agents, ClaimsSettings, Policy, RolesFrom, TokenProfile};
pub use profiles::Profiles;
pub use refusal::{Refusal, Stage};
pub use token_cache::TokenCache;

use users::SharedByRequests;
pub use users::Users;

use crate::clock::Clock;
use crate::pool::Pool;
use crate::scope::Roles;
use crate::store::{LinkSettings, Store};
use crate::telemetry::RequestId;

/// What the stages use, the same for both doors. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate {
    keys: Keys,
    users: Users,
}

/// What one door requires of its callers.
#[derive(Debug)]
pub struct DoorRules {
    /// Which tokens it accepts.
    pub policy: Policy,
    /// What their bearers must be permitted.
    pub need: Need,
    /// The verified tokens that met `policy`.
    pub cache: TokenCache,
}

impl DoorRules {
    /// The rules of a door that has seen no token yet.
    pub fn new(policy: Policy, need: Need) -> Self {
        Self { policy, need, cache: TokenCache::default() }
    }
}

/// The outcome of a stage, as the chain reports it to its observer.
enum Observed<'a> {
    Bearer(&'a Result<Presented, Refusal>),
    Claims(&'a Bearer, &'a Result<Claims, Refusal>),
    Permit(&'a Result<Permit, Refusal>),
    Caller(&'a Result<Caller, Refusal>),
}

impl Gate {
    /// Creates the gate without a call or a query.
    pub fn new(
        keys: Keys,
        grants: Grants,
        link: Arc<LinkSettings>,
        profiles: Profiles,
        store: Store,
        pool: Pool,
        clock: Clock,
    ) -> Self {
        let shared = Arc::new(SharedByRequests { pool, grants, link, profiles, clock });
        Self { keys, users: Users { store, dry_run: false, shared } }
    }

    /// The signing keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The clock that tokens are checked by.
    pub fn clock(&self) -> &Clock {
        &self.users.clock
    }

    /// How identities are linked.
    pub fn link(&self) -> &LinkSettings {
        &self.users.link
    }

    /// Where the roles of users come from.
    pub fn roles_from(&self) -> RolesFrom {
        self.users.grants.roles_from
    }

    /// The permissions of each role. Another value after a reload.
    pub fn roles(&self) -> Arc<Roles> {
        self.users.grants.roles.load_full()
    }

    /// Replaces the permissions of each role. Requests that the gate has accepted keep theirs.
    pub fn set_roles(&self, roles: Roles) {
        self.users.grants.roles.store(Arc::new(roles));
    }

    /// The profiles at Auth0.
    pub fn profiles(&self) -> &Profiles {
        &self.users.profiles
    }

    /// The chain. Requests, WebSockets and explanations all run these lines; only explanations observe them.
    async fn chain(
        &self,
        door: &DoorRules,
        presented: Result<Presented, Refusal>, //                                1  headers → Bearer
        mut observe: impl FnMut(Observed<'_>) + Send,
    ) -> Result<Caller, Refusal> {
        observe(Observed::Bearer(&presented));
        let permit = match presented? {
            Presented::Token(bearer) => {
                let claims = claims(&bearer, door, &self.keys, self.clock().now()).await; // 2  Bearer → Claims
                observe(Observed::Claims(&bearer, &claims));
                permit(claims?, &door.need, &self.users).await //                      3  Claims + Need → Permit
            }
            Presented::Nothing(no_token) => permit_anonymous(no_token, &door.need),
        };
        observe(Observed::Permit(&permit));
        let caller = caller(permit?, &self.users).await; //                      4  Permit → Caller
        observe(Observed::Caller(&caller));
        caller
    }

    /// Runs the chain for a token that has been read, such as that of a WebSocket's first message.
    ///
    /// # Errors
    /// The refusal of `presented`, else that of a later stage.
    pub async fn authenticate(
        &self,
        door: &DoorRules,
        presented: Result<Presented, Refusal>,
    ) -> Result<Caller, Refusal> {
        self.chain(door, presented, |_| {}).await
    }

    /// This gate, for one request: what it writes about the user is audited as part of `request`.
    #[must_use]
    pub fn for_request(&self, request: RequestId) -> Self {
        let Users { store, dry_run, shared } = &self.users;
        let (store, shared) = (store.for_request(request), Arc::clone(shared));
        Self { keys: self.keys.clone(), users: Users { store, dry_run: *dry_run, shared } }
    }

    /// The chain as a filter. It also extracts the new request's id, and the headers and the query string that it read.
    ///
    /// It extracts a refusal as a value and does not reject: in warp a rejection means "try the next branch", and no other
    /// branch may answer a refused request.
    pub fn caller(
        &self,
        door: &Arc<DoorRules>,
    ) -> impl Filter<Extract = (RequestId, Result<Caller, Refusal>, HeaderMap, String), Error = Rejection>
    + Clone
    + use<> {
        // One reference: warp clones the filter for each request.
        let shared = Arc::new((self.clone(), Arc::clone(door)));
        headers_and_query()
            .then(move |headers: HeaderMap, query: String| {
                let shared = Arc::clone(&shared);
                // Boxed: each of warp's filters would move this future.
                Box::pin(async move {
                    let ((gate, door), request) = (&*shared, RequestId::fresh());
                    let gate = gate.for_request(request);
                    let caller = gate.authenticate(door, bearer(&headers, &query)).await;
                    (request, caller, headers, query)
                })
            })
            .untuple_one()
    }

    /// Checks a caller of a connection that was accepted at `since` again, without a query while their row does not change.
    ///
    /// # Errors
    /// When their token has expired or was revoked, its issuer no longer publishes its key, or the user was blocked,
    /// erased or lost a permission.
    pub fn revalidate(&self, caller: &Caller, since: Timestamp) -> Result<(), Refusal> {
        caller.revalidate(since, &self.users, &self.keys)
    }
}

/// What the bearer stage reads: all headers, because warp's own header filters silently take the first of two, and the query
/// string, which may be absent.
pub fn headers_and_query() -> impl Filter<Extract = (HeaderMap, String), Error = Rejection> + Clone {
    let query = warp::query::raw().or_else(|_| future::ready(Ok::<_, Rejection>((String::new(),))));
    warp::header::headers_cloned().and(query)
}
