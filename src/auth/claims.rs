//! Stage 2: [`Bearer`] → [`Claims`]. Checks the header, the key, the signature and the claims policy, in this order.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use self_cell::self_cell;
use serde_json::Value;

use super::header::{Header, ambiguous, decode_base64url, header};
use super::json::{self, Json, Object};
use super::jwk::Key;
use super::keys::PublishedKey;
use super::policy::{ClaimNames, ClaimsCtx, Policy, RULES, unix_seconds};
use super::row_check::RowCheck;
use super::{Bearer, DoorRules, Keys, Refusal};
use crate::user::Auth0Id;

/// The payload of a token whose signature, issuer, audience and times were checked. Only this file makes one.
#[derive(Clone)]
pub struct Claims {
    checked: Arc<Checked>,
    /// The key that verified the signature; `None` when it was verified elsewhere, as in tests of the policy.
    key: Option<PublishedKey>,
}

struct Checked {
    payload: Payload,
    /// The `user` claim, unless it is `null`.
    user: Option<Value>,
    issued_at: Option<Timestamp>,
    expires_at: Timestamp,
    leeway: Duration,
    names: Arc<ClaimNames>,
    row_check: RowCheck,
    /// What the permit stage made of the subject.
    kind: OnceLock<Option<SubjectKind>>,
}

self_cell!(
    /// The claims of a token and the JSON that they borrow from.
    pub(super) struct Payload {
        owner: Vec<u8>,
        #[covariant]
        dependent: Object,
    }
);

impl Payload {
    /// Decodes the payload of a token.
    pub(super) fn decode(base64url: impl AsRef<[u8]>) -> Result<Self, Refusal> {
        Self::try_new(decode_base64url(base64url)?, |bytes| json::borrowed(bytes)).map_err(ambiguous)
    }

    pub(super) fn claims(&self) -> &Object<'_> {
        self.borrow_dependent()
    }
}

/// What kind of caller a token is about: a person by their Auth0 id, or a machine by its client id.
#[derive(Debug, Clone)]
pub(super) enum SubjectKind {
    User(Auth0Id),
    Machine(Arc<str>),
}

/// Verifies a token. Waits only for a key that is not known yet, at most two seconds.
///
/// # Errors
/// The refusals of the claims stage; [`Refusal::KeysUnavailable`] when the token can be neither accepted nor refused.
pub async fn claims(
    bearer: &Bearer,
    door: &DoorRules,
    keys: &Keys,
    now: Timestamp,
) -> Result<Claims, Refusal> {
    let (policy, digest) = (&door.policy, bearer.digest());
    if let Some(claims) = door.cache.get(&digest, |claims| claims.are_current(keys, now)) {
        return Ok(claims);
    }
    let read = || header(bearer.header(), &policy.algorithms, policy.profile);
    let header = door.cache.header(bearer.header(), read)?;
    let unverified_payload = Payload::decode(bearer.payload())?;
    let unverified_issuer = unverified_payload.claims().text("iss").ok_or(Refusal::WrongIssuer)?;
    // In a box, as the wait is rare: a large future costs each request.
    let published = Box::pin(keys.key(unverified_issuer, header.kid.as_deref())).await?;
    let _turn = Box::pin(door.cache.turn()).await;
    // Another request may have brought the token meanwhile.
    if let Some(claims) = door.cache.peek(&digest, |claims| claims.are_current(keys, now)) {
        return Ok(claims);
    }
    verify_signature(bearer, &header, &published.key)?;
    // The key is the issuer's own and the signature covers the payload: both are trusted from here on.
    let mut claims = Claims { key: Some(published), ..validate(unverified_payload, policy, now)? };
    if let Some(checked) = Arc::get_mut(&mut claims.checked) {
        checked.issued_at = checked.issued_at.map(|iat| keys.early_tokens().issued_at(&digest, iat, now));
    }
    door.cache.insert(bearer, digest, claims.clone());
    Ok(claims)
}

/// The issuer that a token names, to choose the keys that it is then verified with.
pub fn unverified_issuer(bearer: &Bearer) -> Option<String> {
    Payload::decode(bearer.payload()).ok()?.claims().text("iss").map(str::to_owned)
}

pub(super) fn verify_signature(bearer: &Bearer, header: &Header, key: &Key) -> Result<(), Refusal> {
    if header.algorithm != key.algorithm {
        return Err(Refusal::BadAlgorithm("The token is signed with another algorithm than its key is for."));
    }
    // Decoded strictly first: how strict the library's decoder is may change.
    decode_base64url(bearer.signature())?;
    let signature = std::str::from_utf8(bearer.signature()).map_err(|_| Refusal::BadSignature)?;
    match jsonwebtoken::crypto::verify(signature, bearer.signed(), &key.decoding, key.algorithm) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Refusal::BadSignature),
    }
}

/// Applies the claims policy to a payload whose signature is valid.
pub(super) fn validate(payload: Payload, policy: &Policy, now: Timestamp) -> Result<Claims, Refusal> {
    let ctx = ClaimsCtx { payload: payload.claims(), policy, now: unix_seconds(now) };
    for rule in RULES {
        (rule.test)(&ctx)?;
    }
    let user = ctx.payload.get(&policy.names.user).filter(|user| !matches!(user, Json::Null));
    let checked = Arc::new(Checked {
        user: user.map(Value::from),
        issued_at: ctx.time("iat").ok().flatten().and_then(timestamp),
        expires_at: ctx
            .time("exp")?
            .and_then(timestamp)
            .ok_or(Refusal::BadClaims("The claim exp of the token is not a time."))?,
        leeway: policy.leeway,
        names: Arc::clone(&policy.names),
        row_check: RowCheck::default(),
        kind: OnceLock::new(),
        payload,
    });
    Ok(Claims { checked, key: None })
}

impl Claims {
    /// The issuer, one of the trusted ones.
    pub fn issuer(&self) -> &str {
        self.text("iss").unwrap_or_default()
    }

    /// The `sub`: 1 to 255 visible characters.
    pub fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// The client the token was issued to.
    pub fn client(&self) -> Option<&str> {
        self.text("azp").or(self.text("client_id"))
    }

    /// The agent that acts for the user: the subject of `act`, else its client. `None` for a token without an agent.
    pub fn agent(&self) -> Option<&str> {
        let act = self.get("act");
        if act.is_none() && self.text("client_profile") != Some("ai_agent") {
            return None;
        }
        let is_name = |name: &&str| name.parse::<Auth0Id>().is_ok();
        act.and_then(|act| if let Json::Object(act) = act { act.text("sub") } else { None })
            .filter(is_name)
            .or(self.client().filter(is_name))
            .or(Some("unnamed"))
    }

    /// Auth0's `permissions`.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.list("permissions")
    }

    /// Whether the token has a claim with roles, even an empty one.
    pub fn has_roles(&self) -> bool {
        self.get(&self.checked.names.roles).is_some()
    }

    /// The roles, from the one configured claim.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.list(&self.checked.names.roles)
    }

    /// The `user` object that a script put there; `None` for `null` too.
    pub fn user(&self) -> Option<&Value> {
        self.checked.user.as_ref()
    }

    /// The email, if the token says with a JSON `true` that it is verified.
    pub fn verified_email(&self) -> Option<&str> {
        let names = &self.checked.names;
        let is_verified = matches!(self.get(&names.email_verified), Some(Json::Bool(true)));
        self.text(&names.email).filter(|_| is_verified)
    }

    /// When the token was issued, if it says so: its `iat`, or when it was first seen, if that was earlier.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.checked.issued_at
    }

    /// When the token expires.
    pub fn expires_at(&self) -> Timestamp {
        self.checked.expires_at
    }

    /// When the door stops accepting the token: its expiry and the leeway.
    pub(super) fn accepted_until(&self) -> Timestamp {
        self.expires_at().saturating_add(self.checked.leeway).unwrap_or(self.expires_at())
    }

    /// What is known about the row that the token leads to.
    pub(super) fn row_check(&self) -> &RowCheck {
        &self.checked.row_check
    }

    /// The kind of the subject, which `decide` finds out at the token's first sight.
    pub(super) fn kind(&self, decide: impl FnOnce(&Self) -> Option<SubjectKind>) -> Option<SubjectKind> {
        self.checked.kind.get_or_init(|| decide(self)).clone()
    }

    /// The key that verified the signature.
    pub(super) fn key(&self) -> Option<&Key> {
        self.key.as_ref().map(|published| &*published.key)
    }

    /// Whether a cached token is still good: its issuer's keys are unchanged, and it has not expired.
    fn are_current(&self, keys: &Keys, now: Timestamp) -> bool {
        let generation = self.key.as_ref().map(|published| published.generation);
        generation.is_some() && keys.generation(self.issuer()) == generation && self.accepted_until() >= now
    }

    /// A claim that is a string.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.checked.payload.claims().text(claim)
    }

    fn get(&self, claim: &str) -> Option<&Json<'_>> {
        self.checked.payload.claims().get(claim)
    }

    fn list(&self, claim: &str) -> impl Iterator<Item = &str> {
        self.get(claim).and_then(Json::strings).into_iter().flatten()
    }

    /// The whole payload, for tests that compare it with what was signed.
    #[cfg(test)]
    pub(super) fn payload(&self) -> serde_json::Map<String, Value> {
        self.checked.payload.claims().into()
    }
}

/// Shows no claim but the expiry.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("expires_at", &self.checked.expires_at).finish_non_exhaustive()
    }
}

fn timestamp(seconds: f64) -> Option<Timestamp> {
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(duration).ok()
}
