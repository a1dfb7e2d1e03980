//! Stage 2: [`Bearer`] → [`Claims`]. Header policy, key, signature, claims policy, in this order.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
#[cfg(test)]
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::header::{Header, decode, header, part};
use super::key_set::Key;
use super::policy::{ClaimsCtx, Names, Policy, RULES, seconds, strings};
#[cfg(test)]
use super::settings::TokenProfile;
use super::{Bearer, Keys, Refusal};

/// The payload of a token whose signature, issuer, audience and times were checked. Only this file makes one.
#[derive(Clone)]
pub struct Claims {
    checked: Arc<Checked>,
    /// What the token is signed with; nothing when that was looked at elsewhere.
    key: Option<Arc<Key>>,
}

struct Checked {
    payload: Map<String, Value>,
    subject: String,
    client: Option<String>,
    issued_at: Option<Timestamp>,
    expires_at: Timestamp,
    names: Arc<Names>,
}

/// Checks a token. Waits at most for a key that is not known yet.
///
/// # Errors
/// The refusals of the claims stage; [`Refusal::KeysUnavailable`] when nothing can be decided.
pub async fn claims(
    bearer: &Bearer,
    policy: &Policy,
    keys: &Keys,
    now: Timestamp,
) -> Result<Claims, Refusal> {
    if let Some(claims) = policy.token_cache.get(bearer, keys, now, policy.leeway) {
        return Ok(claims);
    }
    let header = header(bearer.header(), &policy.algorithms, policy.profile)?;
    let unverified_payload = decode(bearer.payload())?;
    let Some(Value::String(unverified_issuer)) = unverified_payload.get("iss") else {
        return Err(Refusal::WrongIssuer);
    };
    let found = keys.key(unverified_issuer, header.kid.as_deref()).await?;
    verify(bearer, &header, &found.key)?;
    // The key is the issuer's own and the signature covers the payload: from here on both are trusted.
    let claims = Claims { key: Some(found.key), ..validate(unverified_payload, policy, now)? };
    policy.token_cache.insert(bearer, &claims, found.generation);
    Ok(claims)
}

pub(super) fn verify(bearer: &Bearer, header: &Header, key: &Key) -> Result<(), Refusal> {
    if header.algorithm != key.algorithm {
        return Err(Refusal::BadAlgorithm("The token is signed with another algorithm than its key is for."));
    }
    // Decoded strictly first: the library's decoder is not ours to rely on for that.
    part(bearer.signature())?;
    match jsonwebtoken::crypto::verify(bearer.signature(), bearer.signed(), &key.decoding, key.algorithm) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Refusal::BadSignature),
    }
}

/// All that comes before the claims, for vectors whose payloads are none.
#[cfg(test)]
pub(super) fn verified_signature(
    bearer: &Bearer,
    allowed: &[(&'static str, Algorithm)],
    profile: TokenProfile,
    keys: &super::KeySet,
) -> Result<(), Refusal> {
    let header = header(bearer.header(), allowed, profile)?;
    verify(bearer, &header, keys.find(header.kid.as_deref()).ok_or(Refusal::UnknownKey)?)
}

/// The claims policy: every rule, in its order.
pub(super) fn validate(
    payload: Map<String, Value>,
    policy: &Policy,
    now: Timestamp,
) -> Result<Claims, Refusal> {
    let case = ClaimsCtx { payload: &payload, policy, now: seconds(now) };
    for (_, holds) in RULES {
        holds(&case)?;
    }
    let checked = Arc::new(Checked {
        subject: case.text("sub").unwrap_or_default().to_owned(),
        client: case.text("azp").or(case.text("client_id")).map(str::to_owned),
        issued_at: case.time("iat").ok().flatten().and_then(timestamp),
        expires_at: case
            .time("exp")?
            .and_then(timestamp)
            .ok_or(Refusal::BadClaims("The claim exp of the token is no time."))?,
        names: Arc::clone(&policy.names),
        payload,
    });
    Ok(Claims { checked, key: None })
}

impl Claims {
    /// The issuer, one of the trusted ones.
    pub fn issuer(&self) -> &str {
        self.checked.payload.get("iss").and_then(Value::as_str).unwrap_or_default()
    }

    /// The `sub`: 1 to 255 characters without controls.
    pub fn subject(&self) -> &str {
        &self.checked.subject
    }

    /// The client the token was issued to.
    pub fn client(&self) -> Option<&str> {
        self.checked.client.as_deref()
    }

    /// How the token was asked for, in Auth0's own dialect.
    pub fn grant_type(&self) -> Option<&str> {
        self.checked.payload.get("gty").and_then(Value::as_str)
    }

    /// The `scope`.
    pub fn scope(&self) -> Option<&str> {
        self.checked.payload.get("scope").and_then(Value::as_str)
    }

    /// Auth0's `permissions`.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.checked.payload.get("permissions").and_then(strings).unwrap_or_default().into_iter()
    }

    /// The roles, from the one configured claim.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.checked.payload.get(&self.checked.names.roles).and_then(strings).unwrap_or_default().into_iter()
    }

    /// The `user` object that a script put there. `null` is as good as nothing.
    pub fn user(&self) -> Option<&Value> {
        self.checked.payload.get(&self.checked.names.user).filter(|value| !value.is_null())
    }

    /// The email, only if the token says that it is verified: with a JSON `true`, nothing like it.
    pub fn verified_email(&self) -> Option<&str> {
        let verified =
            self.checked.payload.get(&self.checked.names.email_verified) == Some(&Value::Bool(true));
        self.checked.payload.get(&self.checked.names.email).filter(|_| verified)?.as_str()
    }

    /// The key that the token is signed with.
    pub(super) fn key(&self) -> Option<&Key> {
        self.key.as_deref()
    }

    /// When the token was issued, if it says so.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.checked.issued_at
    }

    /// All of them, for tests that compare what was read with what was signed.
    #[cfg(test)]
    pub(super) fn payload(&self) -> &Map<String, Value> {
        &self.checked.payload
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        self.checked.expires_at
    }
}

/// Shows no claim's value.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("expires_at", &self.checked.expires_at).finish_non_exhaustive()
    }
}

fn timestamp(seconds: f64) -> Option<Timestamp> {
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(duration).ok()
}

#[cfg(test)]
#[path = "claims_tests.rs"]
pub(super) mod tests;
