//! The claims policy of a door, rule by rule, and its settings: `[claims]` in the configuration.
//!
//! The claims stage stops at the first broken rule; an explanation lists them all.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};

use super::Refusal;
use super::json::{Json, Object};
use crate::user::Auth0Id;

/// Which tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimsSettings {
    /// The prefix of our custom claims: `<namespace>user`, `<namespace>roles`, `<namespace>email`,
    /// `<namespace>email_verified`.
    pub namespace: String,
    /// Accepted signature algorithms, from [`ClaimsSettings::ALGORITHMS`].
    pub algorithms: Vec<String>,
    /// How far clocks may be apart; at most 60 s.
    #[serde(with = "humantime_serde")]
    pub leeway: Duration,
    /// How far in the future a token may expire.
    #[serde(with = "humantime_serde")]
    pub max_lifetime: Duration,
    /// How long the last good signing keys are used while the tenant does not answer.
    #[serde(with = "humantime_serde")]
    pub keys_max_age: Duration,
    /// Which access token profile is accepted.
    pub profile: TokenProfile,
    /// What an agent with a user's token may do.
    pub agents: Agents,
    /// Where the roles of users come from.
    pub roles_from: RolesFrom,
}

/// What an agent may do that acts for a user: its token has `act` (RFC 8693 §4.1) or the `client_profile` `ai_agent`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agents {
    /// Nothing: its token is refused.
    #[default]
    Refuse,
    /// What the user may do. Audit lines name the agent.
    AsUser,
}

/// The one authority for the roles of users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RolesFrom {
    /// Our rows. A change revokes the tokens that carry the old roles.
    #[default]
    Database,
    /// The claim `<namespace>roles`. The rows mirror it.
    Token,
}

impl RolesFrom {
    /// Refuses to set roles here where the token decides about them.
    ///
    /// # Errors
    /// What to do instead.
    pub fn ensure_set_here(self) -> Result<(), &'static str> {
        match self {
            Self::Database => Ok(()),
            Self::Token => {
                Err("Roles come from the token (claims.roles_from). Assign them at Auth0, under User \
                                Management, Roles; the next login brings them here.")
            }
        }
    }
}

/// Auth0's two access token profiles, also called token dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenProfile {
    /// Auth0's own profile and RFC 9068.
    Auth0,
    /// Only RFC 9068: `typ` must be `at+jwt`.
    Rfc9068,
}

impl ClaimsSettings {
    /// The algorithms that can be configured, by the names of RFC 7518 §3.1. All are asymmetric.
    pub const ALGORITHMS: [(&'static str, Algorithm); 9] = [
        ("RS256", Algorithm::RS256),
        ("RS384", Algorithm::RS384),
        ("RS512", Algorithm::RS512),
        ("PS256", Algorithm::PS256),
        ("PS384", Algorithm::PS384),
        ("PS512", Algorithm::PS512),
        ("ES256", Algorithm::ES256),
        ("ES384", Algorithm::ES384),
        ("EdDSA", Algorithm::EdDSA),
    ];

    /// The configured algorithms, in their order. Unknown names are left out: the configuration refuses them at start.
    pub fn allowed(&self) -> Vec<(&'static str, Algorithm)> {
        let known = |name: &String| Self::ALGORITHMS.into_iter().find(|(known, _)| known == name);
        self.algorithms.iter().filter_map(known).collect()
    }
}

/// Which tokens one door accepts.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) audience: String,
    pub(super) algorithms: Vec<(&'static str, Algorithm)>,
    pub(super) leeway: Duration,
    pub(super) max_lifetime: Duration,
    pub(super) profile: TokenProfile,
    pub(super) names: Arc<ClaimNames>,
}

/// The full names of our custom claims.
#[derive(Debug)]
pub(super) struct ClaimNames {
    pub(super) user: String,
    pub(super) roles: String,
    pub(super) email: String,
    pub(super) email_verified: String,
}

impl Policy {
    /// The policy of the door with `audience`.
    pub fn new(settings: &ClaimsSettings, audience: &str) -> Self {
        let name = |claim: &str| format!("{}{claim}", settings.namespace);
        Self {
            audience: audience.to_owned(),
            algorithms: settings.allowed(),
            leeway: settings.leeway,
            max_lifetime: settings.max_lifetime,
            profile: settings.profile,
            names: Arc::new(ClaimNames {
                user: name("user"),
                roles: name("roles"),
                email: name("email"),
                email_verified: name("email_verified"),
            }),
        }
    }
}

/// The input of a rule: a payload whose signature is valid, and the policy to check it against.
pub(super) struct ClaimsCtx<'a> {
    pub(super) payload: &'a Object<'a>,
    pub(super) policy: &'a Policy,
    /// Seconds since 1970.
    pub(super) now: f64,
}

/// One rule of the claims policy.
pub(super) struct Rule {
    /// What it checks, in words.
    pub(super) check: &'static str,
    /// The claim that an explanation shows; empty for none.
    pub(super) claim: &'static str,
    pub(super) test: fn(&ClaimsCtx<'_>) -> Result<(), Refusal>,
}

/// The claims policy, in the order of checking. The issuer was checked before, to choose the keys.
pub(super) const RULES: [Rule; 10] = [
    Rule { check: "it is an access token, not an ID token", claim: "", test: is_access_token },
    Rule { check: "it is for this door (aud)", claim: "aud", test: is_for_this_door },
    Rule { check: "it has not expired (exp)", claim: "exp", test: has_not_expired },
    Rule { check: "it does not live too long (exp)", claim: "", test: does_not_live_too_long },
    Rule { check: "it is valid already (iat, nbf)", claim: "iat", test: is_valid_already },
    Rule { check: "it is not bound to a key (cnf)", claim: "cnf", test: is_not_bound },
    Rule { check: "its subject is a valid id (sub)", claim: "sub", test: has_valid_subject },
    Rule { check: "it names one client (azp, client_id)", claim: "azp", test: names_one_client },
    Rule { check: "its claims have the right types", claim: "", test: has_right_types },
    Rule { check: "it has the claims its profile requires", claim: "", test: has_required_claims },
];

impl ClaimsCtx<'_> {
    /// A NumericDate (RFC 7519 §2): seconds since 1970, perhaps with a fraction. Not negative.
    pub(super) fn time(&self, claim: &str) -> Result<Option<f64>, Refusal> {
        let Some(value) = self.payload.get(claim) else { return Ok(None) };
        match value.as_f64() {
            Some(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(Some(seconds)),
            _ => Err(Refusal::BadClaims(match claim {
                "exp" => "The claim exp of the token is not a time.",
                "iat" => "The claim iat of the token is not a time.",
                _ => "The claim nbf of the token is not a time.",
            })),
        }
    }

    fn exp(&self) -> Result<f64, Refusal> {
        self.time("exp")?.ok_or(Refusal::BadClaims("The token has no claim exp."))
    }
}

/// An ID token is for the client that requested it, never for an API (Auth0: "ID Tokens").
fn is_access_token(ctx: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let is_access_token = !ctx.payload.names().any(|claim| matches!(claim, "nonce" | "at_hash" | "c_hash"));
    ensure(is_access_token, Refusal::BadClaims("This is an ID token; send the access token."))
}

/// The most entries of an `aud`.
pub(super) const AUDIENCES_MAX: usize = 100;

/// `aud` is the audience of this door, or an array of strings that contains it (RFC 7519 §4.1.3), byte for byte.
fn is_for_this_door(ctx: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let ours = ctx.policy.audience.as_str();
    let (matches, entries) = match ctx.payload.get("aud") {
        Some(Json::String(aud)) => (aud == ours, 1),
        Some(Json::Array(all)) => {
            let is_string = |aud: &Json<'_>| aud.as_str().is_some();
            (all.iter().all(is_string) && all.iter().any(|aud| aud.as_str() == Some(ours)), all.len())
        }
        _ => (false, 0),
    };
    let too_many = Refusal::BadClaims("The claim aud of the token has more than 100 entries.");
    ensure(entries <= AUDIENCES_MAX, too_many)?;
    ensure(matches, Refusal::WrongAudience)
}

fn has_not_expired(ctx: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let over = ctx.now - ctx.exp()?;
    let ago = Duration::try_from_secs_f64(over).unwrap_or_default();
    ensure(over <= ctx.policy.leeway.as_secs_f64(), Refusal::Expired { ago })
}

/// Milliseconds taken for seconds would live for fifty thousand years.
fn does_not_live_too_long(ctx: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let is_soon = ctx.exp()? - ctx.now <= ctx.policy.max_lifetime.as_secs_f64();
    ensure(is_soon, Refusal::BadClaims("The token expires too far in the future."))
}

fn is_valid_already(ctx: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let latest = ctx.now + ctx.policy.leeway.as_secs_f64();
    let begins = [ctx.time("iat")?, ctx.time("nbf")?];
    ensure(begins.into_iter().flatten().all(|time| time <= latest), Refusal::NotYetValid)
}

/// A bound token is good only with a proof of its key, by DPoP (RFC 9449) or mTLS (RFC 8705), which is not checked here.
fn is_not_bound(ctx: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    ensure(!ctx.payload.has("cnf"), Refusal::BoundToken)
}

fn has_valid_subject(ctx: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let is_valid = ctx.payload.text("sub").is_some_and(|sub| sub.parse::<Auth0Id>().is_ok());
    ensure(is_valid, Refusal::BadClaims("The claim sub of the token is missing or not a valid id."))
}

/// `azp` in Auth0's profile, `client_id` in RFC 9068. A token may have both if they agree.
fn names_one_client(ctx: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let present = ["azp", "client_id"].into_iter().filter(|claim| ctx.payload.has(claim));
    let mut clients = present.map(|claim| ctx.payload.text(claim));
    let (first, second) = (clients.next(), clients.next());
    ensure(
        first != Some(None) && (second.is_none() || second == first),
        Refusal::BadClaims("The token does not name one client (azp, client_id)."),
    )
}

fn has_right_types(ctx: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let is_list = |value: &Json<'_>| value.strings().is_some();
    let is_object = |value: &Json<'_>| matches!(value, Json::Object(_));
    let is_string = |value: &Json<'_>| value.as_str().is_some();
    let roles = ctx.policy.names.roles.as_str();
    let ensure_type = |claim: &str, test: fn(&Json<'_>) -> bool, what| {
        ensure(ctx.payload.get(claim).is_none_or(test), Refusal::BadClaims(what))
    };
    ensure_type("permissions", is_list, "The claim permissions of the token is not a list of strings.")?;
    ensure_type(roles, is_list, "The roles in the token are not a list of strings.")?;
    ensure_type("act", is_object, "The claim act of the token is not an object.")?;
    ensure_type("sub_profile", is_string, "The claim sub_profile of the token is not a string.")?;
    ensure_type("client_profile", is_string, "The claim client_profile of the token is not a string.")?;
    ensure_type("scope", is_string, "The claim scope of the token is not a string.")?;
    ensure_type("gty", is_string, "The claim gty of the token is not a string.")?;
    ensure_type("jti", is_string, "The claim jti of the token is not a string.")
}

/// RFC 9068 §2.2 requires more claims than Auth0's own profile has.
fn has_required_claims(ctx: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let complete =
        ["client_id", "jti"].iter().all(|claim| ctx.payload.text(claim).is_some()) && ctx.payload.has("iat");
    ensure(
        complete || ctx.policy.profile == TokenProfile::Auth0,
        Refusal::BadClaims("The token lacks a claim that RFC 9068 requires: client_id, iat or jti."),
    )
}

fn ensure(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

/// Seconds since 1970.
pub(super) fn unix_seconds(now: Timestamp) -> f64 {
    now.as_duration().as_secs_f64()
}
