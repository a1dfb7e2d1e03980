//! What a token must be to be believed at one door: the claims policy, one rule at a time.
//!
//! The claims stage ends at the first rule that does not hold. Who asks for an explanation gets all of them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::Refusal;
use super::settings::{ClaimsSettings, TokenProfile};
use super::token_cache::TokenCache;

/// What a token must be to be believed at one door.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) audience: String,
    pub(super) algorithms: Vec<(&'static str, Algorithm)>,
    pub(super) leeway: Duration,
    pub(super) max_lifetime: Duration,
    pub(super) profile: TokenProfile,
    pub(super) names: Arc<Names>,
    pub(super) token_cache: Arc<TokenCache>,
}

/// The full names of our custom claims, built once.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) user: String,
    pub(super) roles: String,
    pub(super) email: String,
    pub(super) email_verified: String,
}

/// A payload before the rules. Its signature was found good.
pub(super) struct ClaimsCtx<'a> {
    pub(super) payload: &'a Map<String, Value>,
    pub(super) policy: &'a Policy,
    /// Seconds since 1970.
    pub(super) now: f64,
}

/// A rule: what it asks, in words, and whether it holds.
pub(super) type Rule = (&'static str, fn(&ClaimsCtx<'_>) -> Result<(), Refusal>);

/// The claims policy, in the order its rules are judged. The issuer was judged before: it chose the keys.
pub(super) const RULES: [Rule; 9] = [
    ("it is an access token", is_access_token),
    ("it is meant for this door (aud)", is_for_this_door),
    ("it has not expired (exp)", has_not_expired),
    ("it does not live too long (exp)", does_not_live_too_long),
    ("its time has come (iat, nbf)", has_come),
    ("its subject is a proper id (sub)", has_a_subject),
    ("it names its client properly (azp, client_id)", names_its_client),
    ("its claims are of the types they should be", has_proper_types),
    ("it has what its profile requires", has_what_its_profile_requires),
];

impl Policy {
    /// The policy of the door with `audience`. Names of algorithms that are none are left out: the configuration
    /// refuses them at start.
    pub fn new(settings: &ClaimsSettings, audience: &str) -> Self {
        let name = |claim: &str| format!("{}{claim}", settings.namespace);
        Self {
            audience: audience.to_owned(),
            algorithms: settings.allowed(),
            leeway: settings.leeway,
            max_lifetime: settings.max_lifetime,
            profile: settings.profile,
            names: Arc::new(Names {
                user: name("user"),
                roles: name("roles"),
                email: name("email"),
                email_verified: name("email_verified"),
            }),
            token_cache: Arc::default(),
        }
    }

    /// The audience it asks for.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The verified-token cache of this door.
    pub fn token_cache(&self) -> &TokenCache {
        &self.token_cache
    }
}

impl ClaimsCtx<'_> {
    /// A claim that is a string.
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.payload.get(claim).and_then(Value::as_str)
    }

    /// A time as RFC 7519 §2 has it: seconds, perhaps with a fraction. Not negative.
    pub(super) fn time(&self, claim: &str) -> Result<Option<f64>, Refusal> {
        let what = match claim {
            "exp" => "The claim exp of the token is no time.",
            "iat" => "The claim iat of the token is no time.",
            _ => "The claim nbf of the token is no time.",
        };
        match self.payload.get(claim) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(seconds) if value.is_number() && seconds.is_finite() && seconds >= 0.0 => {
                    Ok(Some(seconds))
                }
                _ => Err(Refusal::BadClaims(what)),
            },
        }
    }

    fn expires(&self) -> Result<f64, Refusal> {
        self.time("exp")?.ok_or(Refusal::BadClaims("The token has no claim exp."))
    }
}

/// An ID token is for the client that asked for it, never for an API (Auth0: "ID Tokens").
fn is_access_token(case: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let of_id_tokens = ["nonce", "at_hash", "c_hash"];
    hold(
        !of_id_tokens.iter().any(|claim| case.payload.contains_key(*claim)),
        Refusal::BadClaims("This is an ID token; send the access token."),
    )
}

/// A string that is ours, or an array of strings that holds ours (RFC 7519 §4.1.3). Compared byte for byte.
fn is_for_this_door(case: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let ours = case.policy.audience.as_str();
    let meant = match case.payload.get("aud") {
        Some(Value::String(aud)) => aud == ours,
        Some(aud) => strings(aud).is_some_and(|all| all.len() <= 16 && all.contains(&ours)),
        None => false,
    };
    hold(meant, Refusal::WrongAudience)
}

fn has_not_expired(case: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let over = case.now - case.expires()?;
    let ago = Duration::try_from_secs_f64(over).unwrap_or_default();
    hold(over <= case.policy.leeway.as_secs_f64(), Refusal::Expired { ago })
}

/// Milliseconds taken for seconds would live for fifty thousand years.
fn does_not_live_too_long(case: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    hold(
        case.expires()? - case.now <= case.policy.max_lifetime.as_secs_f64(),
        Refusal::BadClaims("The token expires too far in the future."),
    )
}

fn has_come(case: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let latest = case.now + case.policy.leeway.as_secs_f64();
    let begun = [case.time("iat")?, case.time("nbf")?];
    hold(begun.into_iter().flatten().all(|time| time <= latest), Refusal::NotYetValid)
}

fn has_a_subject(case: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let proper =
        |sub: &str| !sub.is_empty() && sub.chars().count() <= 255 && !sub.chars().any(char::is_control);
    hold(
        case.text("sub").is_some_and(proper),
        Refusal::BadClaims("The claim sub of the token is missing or no proper id."),
    )
}

/// In either of Auth0's dialects: `azp`, or RFC 9068's `client_id`. Both may be there if they agree.
fn names_its_client(case: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let mut named = ["azp", "client_id"].into_iter().filter(|claim| case.payload.contains_key(*claim));
    let (first, second) =
        (named.next().map(|claim| case.text(claim)), named.next().map(|claim| case.text(claim)));
    hold(
        first != Some(None) && (second.is_none() || second == first),
        Refusal::BadClaims("The token does not name its client properly."),
    )
}

fn has_proper_types(case: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    let claim = |claim: &str| case.payload.get(claim);
    for (value, what) in [
        (claim("permissions"), "The claim permissions of the token is no list of strings."),
        (claim(&case.policy.names.roles), "The roles in the token are no list of strings."),
    ] {
        hold(value.is_none_or(|value| strings(value).is_some()), Refusal::BadClaims(what))?;
    }
    for (value, what) in [
        (claim("scope"), "The claim scope of the token is no string."),
        (claim("gty"), "The claim gty of the token is no string."),
        (claim("jti"), "The claim jti of the token is no string."),
    ] {
        hold(value.is_none_or(Value::is_string), Refusal::BadClaims(what))?;
    }
    Ok(())
}

/// RFC 9068 §2.2 requires more than Auth0's own profile gives.
fn has_what_its_profile_requires(case: &ClaimsCtx<'_>) -> Result<(), Refusal> {
    if case.policy.profile == TokenProfile::Auth0 {
        return Ok(());
    }
    let required = ["client_id", "jti"].iter().all(|claim| case.text(claim).is_some());
    hold(
        required && case.payload.contains_key("iat"),
        Refusal::BadClaims("The token lacks a claim that RFC 9068 requires: client_id, iat or jti."),
    )
}

fn hold(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

/// An array of strings and nothing else.
pub(super) fn strings(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

/// Seconds since 1970.
pub(super) fn seconds(now: Timestamp) -> f64 {
    now.as_duration().as_secs_f64()
}
