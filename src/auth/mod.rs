//! The gate: four stages between a request and its current user.
//!
//! ```text
//!   headers → Bearer → Claims → Permit → Caller
//! ```
//!
//! Owns the stages, their sealed values and every [`Refusal`]. Leans on floor 0, `store` and `auth0`. Knows nothing of
//! GraphQL and never reads a body.
//!
//! A stage takes the value of the stage before, and only its own file can make that value. So a stage can not be left
//! out, and a [`Caller`] can not be made up:
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
//! use vestibule::auth::{Bearer, Need, Permit, Refusal, permit};
//! fn without_claims(bearer: Bearer, need: &Need) -> Result<Permit, Refusal> {
//!     permit(bearer, need, &Default::default())
//! }
//! ```
//! ```compile_fail,E0451
//! use vestibule::auth::{Caller, Principal};
//! fn forged() -> Caller {
//!     Caller { who: Principal::Anonymous, permissions: Default::default(), claims: None }
//! }
//! ```

mod refusal;
mod settings;
mod bearer;
mod json;
mod header;
mod key_set;
mod unknown_keys;
mod keys;
mod policy;
mod token_cache;
mod claims;
mod permit;
mod caller;
mod breaker;
mod looks;
mod profiles;
mod explain;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod forge;
#[cfg(test)]
mod cases_tests;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod mutants_tests;
#[cfg(test)]
mod vectors_tests;

use std::future::{self, Ready};
use std::pin::Pin;
use std::sync::Arc;

use warp::http::HeaderMap;
use warp::{Filter, Rejection};

use bearer::Nothing;
pub use bearer::{Bearer, MAX_TOKEN, Presented, bearer, credential, parse};
pub use caller::{Caller, Principal, Users, caller};
pub use claims::{Claims, claims};
pub use explain::{Explanation, Step};
pub use key_set::{Key, KeySet, KeySetError};
pub use keys::{Keys, PublishedKey};
pub use permit::{Grants, Need, Permit, Subject, permit, permit_anonymous};
pub use policy::Policy;
pub use profiles::{Profiles, store_profile};
pub use refusal::{Refusal, Stage};
pub use settings::{ClaimsSettings, TokenProfile};
pub use token_cache::TokenCache;

use crate::clock::Clock;
use crate::pool::Pool;
use crate::store::{LinkEmail, Store};

/// What the stages lean on, the same for both doors. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate {
    keys: Keys,
    grants: Arc<Grants>,
    users: Users,
    clock: Clock,
}

/// What one door wants of its callers.
#[derive(Debug, Clone)]
pub struct DoorRules {
    /// Which tokens it believes.
    pub policy: Policy,
    /// What their bearers must be allowed.
    pub need: Need,
}

impl Gate {
    /// Puts a gate together; asks nobody.
    pub fn new(
        keys: Keys,
        grants: Grants,
        link: LinkEmail,
        profiles: Profiles,
        store: Store,
        pool: Pool,
        clock: Clock,
    ) -> Self {
        Self { keys, grants: Arc::new(grants), users: Users { store, pool, link, profiles }, clock }
    }

    /// The signing keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The clock tokens are judged by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The profiles at Auth0.
    pub fn profiles(&self) -> &Profiles {
        &self.users.profiles
    }

    /// The chain: four stages, each a thin filter around its function.
    ///
    /// A refusal comes out as a value, not as a rejection: in warp a rejection means "try the next branch", and nothing
    /// may answer in place of a gate that said no.
    pub fn caller(
        &self,
        door: &Arc<DoorRules>,
    ) -> impl Filter<Extract = (Result<Caller, Refusal>,), Error = Rejection> + Clone + use<> {
        headers_and_query()
            .and_then(|headers, query: String| ready(bearer(&headers, &query))) //  1  headers → Bearer
            .and_then(self.claims(door)) //                                2  Bearer → Claims
            .and_then(self.permit(door)) //                                3  Claims + Need → Permit
            .and_then(self.found()) //                                     4  Permit → Caller
            .map(Ok)
            .or_else(|rejection: Rejection| {
                future::ready(match rejection.find::<Refusal>() {
                    Some(refusal) => Ok((Err(refusal.clone()),)),
                    None => Err(rejection),
                })
            })
    }

    /// The same chain for what did not come in a header: a WebSocket presents its token in its first message.
    ///
    /// # Errors
    /// The refusals of its last three stages.
    pub async fn authenticate(&self, door: &DoorRules, presented: Presented) -> Result<Caller, Refusal> {
        let permit = match presented {
            Presented::Nothing(nothing) => permit_anonymous(nothing, &door.need),
            Presented::Token(bearer) => {
                let claims = claims(&bearer, &door.policy, &self.keys, self.clock.now()).await?;
                permit(claims, &door.need, &self.grants)
            }
        };
        caller(permit?, &self.users).await
    }

    /// Whether a caller who was let in a while ago may stay: for what lasts longer than a request. Costs no query.
    ///
    /// # Errors
    /// When their token has ended or was revoked, its key has left its issuer's set, or they were blocked or erased.
    pub fn revalidate(&self, caller: &Caller) -> Result<(), Refusal> {
        caller::revalidate(caller, &self.users, &self.keys, self.clock.now())
    }

    fn claims(&self, door: &Arc<DoorRules>) -> impl Fn(Presented) -> Stage2 + Clone + use<> {
        let (gate, door) = (self.clone(), Arc::clone(door));
        move |presented| {
            let (gate, door) = (gate.clone(), Arc::clone(&door));
            Box::pin(async move {
                match presented {
                    Presented::Nothing(nothing) => Ok(Evidence::Nothing(nothing)),
                    Presented::Token(bearer) => claims(&bearer, &door.policy, &gate.keys, gate.clock.now())
                        .await
                        .map(Evidence::Claims)
                        .map_err(warp::reject::custom),
                }
            })
        }
    }

    fn permit(
        &self,
        door: &Arc<DoorRules>,
    ) -> impl Fn(Evidence) -> Ready<Result<Permit, Rejection>> + Clone + use<> {
        let (gate, door) = (self.clone(), Arc::clone(door));
        move |evidence| {
            ready(match evidence {
                Evidence::Claims(claims) => permit(claims, &door.need, &gate.grants),
                Evidence::Nothing(nothing) => permit_anonymous(nothing, &door.need),
            })
        }
    }

    fn found(&self) -> impl Fn(Permit) -> Stage4 + Clone + use<> {
        let users = self.users.clone();
        move |permit| {
            let users = users.clone();
            Box::pin(async move { caller(permit, &users).await.map_err(warp::reject::custom) })
        }
    }
}

type Stage2 = Pin<Box<dyn Future<Output = Result<Evidence, Rejection>> + Send>>;
type Stage4 = Pin<Box<dyn Future<Output = Result<Caller, Rejection>> + Send>>;

/// What the second stage hands to the third: claims, or the proof that there was no token to have any.
enum Evidence {
    Claims(Claims),
    Nothing(Nothing),
}

/// All headers, since warp's own header filters silently take the first of two; and the query string, often empty.
fn headers_and_query() -> impl Filter<Extract = (HeaderMap, String), Error = Rejection> + Clone {
    let query = warp::query::raw().or_else(|_| future::ready(Ok::<_, Rejection>((String::new(),))));
    warp::header::headers_cloned().and(query)
}

fn ready<T>(outcome: Result<T, Refusal>) -> Ready<Result<T, Rejection>> {
    future::ready(outcome.map_err(warp::reject::custom))
}
