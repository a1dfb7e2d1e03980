//! Explains why a token is accepted or refused, check by check, and how to fix it.
//!
//! Observes the chain that requests run, on a gate that links, inserts and caches nothing. An explanation contains the
//! token's claims: show it to the token's owner, never log it.

use std::time::Duration;

use jiff::{SignedDurationRound, Timestamp, Unit};
use serde::Serialize;
use serde_json::{Map, Value};
use warp::http::header::AUTHORIZATION;
use warp::http::{HeaderMap, HeaderValue};

use super::advice::{self, Shown};
use super::claims::{Payload, verify_signature};
use super::header::{decode, header};
use super::permit::{Subject, subject};
use super::policy::{ClaimsCtx, RULES, Rule, TokenProfile, unix_seconds};
use super::{
    Bearer, Caller, DoorRules, Gate, Observed, Permit, Presented, Principal, Refusal, Stage, Users, bearer,
    unverified_issuer,
};
use crate::user::CurrentUser;

/// How long an explanation waits for the keys of the token's issuer. Without them, it says so.
const KEYS_TIMEOUT: Duration = Duration::from_secs(6);

/// The checks of one token at one door.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The door's name.
    pub door: &'static str,
    /// The checks, in order.
    pub steps: Vec<Step>,
    /// Whether the door accepts the token.
    pub admitted: bool,
    /// The code of the door's refusal.
    pub code: Option<&'static str>,
    /// The token's header, if it could be read. Unverified.
    pub header: Option<Map<String, Value>>,
    /// The token's payload, if it could be read. Unverified, unless every check of the claims stage passed.
    pub claims: Option<Map<String, Value>>,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// The stage it belongs to.
    pub stage: &'static str,
    /// What was checked.
    pub check: String,
    /// Whether it passed; `None` when it was not reached.
    pub passed: Option<bool>,
    /// What the token contains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The code that refuses the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// How to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// An observer of the chain that writes an explanation.
struct Explainer<'a> {
    gate: &'a Gate,
    door: &'a DoorRules,
    other: &'a DoorRules,
    now: Timestamp,
    /// Who the token is about, once its claims were verified.
    subject: Option<Subject>,
    explanation: Explanation,
}

impl Gate {
    /// Explains what `door` makes of `token`. `other` is the other door, which the token may be for.
    pub async fn explain(
        &self,
        name: &'static str,
        door: &DoorRules,
        other: &DoorRules,
        token: &str,
    ) -> Explanation {
        let gate = Self { users: Users { dry_run: true, ..self.users.clone() }, ..self.clone() };
        let door = DoorRules::new(door.policy.clone(), door.need.clone());
        let (steps, now) = (Vec::new(), self.clock().now());
        let explanation =
            Explanation { door: name, steps, admitted: false, code: None, header: None, claims: None };
        let mut explainer = Explainer { gate: &gate, door: &door, other, now, subject: None, explanation };
        let presented = present(token);
        if let Ok(Presented::Token(bearer)) = &presented
            && let Some(unverified_issuer) = unverified_issuer(bearer)
        {
            self.keys.wait_for(&unverified_issuer, KEYS_TIMEOUT).await;
        }
        let caller = gate.chain(&door, presented, |observed| explainer.observe(token, observed)).await;
        let mut explanation = explainer.explanation;
        explanation.admitted = caller.is_ok();
        explanation.code = caller.err().map(|refusal| refusal.code());
        for stage in [Stage::Claims, Stage::Permit, Stage::Caller].map(Stage::as_str) {
            if !explanation.steps.iter().any(|step| step.stage == stage) {
                let check = "not reached".to_owned();
                explanation.steps.push(Step {
                    stage,
                    check,
                    passed: None,
                    found: None,
                    code: None,
                    fix: None,
                });
            }
        }
        explanation
    }
}

impl Explainer<'_> {
    fn observe(&mut self, token: &str, observed: Observed<'_>) {
        match observed {
            Observed::Bearer(presented) => self.bearer(token, presented),
            Observed::Claims(bearer, claims) => {
                self.subject = claims.as_ref().ok().and_then(|claims| subject(claims.clone()));
                // If only the stage itself refuses, the keys have changed in between.
                if self.claims(bearer).is_some() && claims.is_err() {
                    let fix = |_: &Refusal| String::new();
                    self.step(Stage::Claims, "it is still accepted", claims, String::new(), fix);
                }
            }
            Observed::Permit(permit) => self.permit(permit),
            Observed::Caller(caller) => self.caller(caller),
        }
    }

    fn bearer(&mut self, token: &str, presented: &Result<Presented, Refusal>) {
        let parts = token.split('.').count();
        let found = format!("{} characters, {parts} part{}", token.len(), if parts == 1 { "" } else { "s" });
        let fix = |_: &Refusal| advice::for_bearer(token);
        self.step(Stage::Bearer, "it is a JWT in compact form", presented, found, fix);
    }

    /// Adds the checks of the claims stage; `None` when one failed. Runs the stage's own functions, without waiting.
    fn claims(&mut self, bearer: &Bearer) -> Option<()> {
        let (gate, policy) = (self.gate, &self.door.policy);
        self.explanation.header = decode(bearer.header()).ok();
        self.explanation.claims = decode(bearer.payload()).ok();

        let checked = header(bearer.header(), &policy.algorithms, policy.profile);
        let member =
            |name: &str| text_of(self.explanation.header.as_ref().and_then(|header| header.get(name)));
        let found = format!("alg {}, typ {}, kid {}", member("alg"), member("typ"), member("kid"));
        self.step(Stage::Claims, "its header is that of an access token", &checked, found, |refusal| match refusal {
            Refusal::BadAlgorithm(_) => {
                let allowed = policy.algorithms.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                format!("Allowed: {allowed} (claims.algorithms). At Auth0 the algorithm is a setting of the API.")
            }
            refusal if policy.profile == TokenProfile::Rfc9068 => {
                let message = refusal.message();
                format!("{message} Only RFC 9068 is accepted (claims.profile); at Auth0 it is a setting of the API.")
            }
            refusal => format!("{} Is it an access token that the tenant issued?", refusal.message()),
        });
        let header = checked.ok()?;

        let payload = Payload::decode(bearer.payload());
        let found = format!("{} claims", payload.as_ref().map_or(0, |payload| payload.claims().len()));
        self.step(Stage::Claims, "its payload is unambiguous JSON", &payload, found, |_| {
            "It has a duplicate member or is not an object. Tenants do not issue such tokens: where is it from?".to_owned()
        });
        let payload = payload.ok()?;
        let claims = Map::from(payload.claims());

        let iss = claims.get("iss");
        let issuer = iss.and_then(Value::as_str).unwrap_or_default();
        let trusted: Vec<_> = gate.keys.issuers().collect();
        let checked = if trusted.contains(&issuer) { Ok(()) } else { Err(Refusal::WrongIssuer) };
        let found = iss.and_then(Value::as_str).map_or_else(|| text_of(iss), str::to_owned);
        self.step(Stage::Claims, "its issuer is trusted (iss)", &checked, found, |_| {
            if trusted.contains(&format!("{issuer}/").as_str()) {
                return "Only the final slash is missing. Auth0's own tokens have it: where is it from?"
                    .to_owned();
            }
            let trusted = trusted.join(", ");
            format!("Trusted: {trusted}. Log in there, or trust this issuer too (auth0.issuer, auth0.also).")
        });
        checked.ok()?;

        let published = gate.keys.cached_key(issuer, header.kid.as_deref());
        let kid = header.kid.as_deref();
        let found = format!("kid {}", kid.unwrap_or("absent"));
        let why = gate.keys.why_unknown(issuer, kid);
        let fix = |refusal: &Refusal| match (refusal, why) {
            (Refusal::KeysUnavailable, Some(why)) => format!("{issuer}: {why}."),
            (_, Some(why)) => format!("The issuer publishes this key, but it cannot be used: {why}."),
            (Refusal::KeysUnavailable, None) => {
                format!("Is {issuer}.well-known/jwks.json reachable from here?")
            }
            (_, None) if kid.is_none() => {
                "Its issuer publishes several keys, and it names none (kid).".to_owned()
            }
            (_, None) => "Another tenant signed it, or its key was revoked: log in again.".to_owned(),
        };
        self.step(Stage::Claims, "its issuer publishes its key", &published, found, fix);
        let published = published.ok()?;

        let verified = verify_signature(bearer, &header, &published.key);
        let fix = |refusal: &Refusal| match refusal {
            Refusal::BadAlgorithm(message) => (*message).to_owned(),
            _ => "It was changed after it was signed, or truncated on the way.".to_owned(),
        };
        self.step(Stage::Claims, "its signature is valid", &verified, String::new(), fix);
        verified.ok()?;

        let ctx = ClaimsCtx { payload: payload.claims(), policy, now: unix_seconds(self.now) };
        RULES.map(|rule| self.rule(&rule, &ctx, &claims)).into_iter().all(|passed| passed).then_some(())
    }

    /// Adds one rule of the claims policy. Returns whether it passed.
    fn rule(&mut self, rule: &Rule, ctx: &ClaimsCtx<'_>, claims: &Map<String, Value>) -> bool {
        let (claim, door) = (|name: &str| claims.get(name), self.explanation.door);
        let (wanted, other) = (&self.door.policy.audience, &self.other.policy.audience);
        let found = match rule.claim {
            "" => String::new(),
            "exp" => self.relative(claim("exp")),
            "iat" => format!("issued {}", self.relative(claim("iat"))),
            "azp" => claim("azp").or(claim("client_id")).map_or_else(String::new, Value::to_string),
            name => text_of(claim(name)),
        };
        let checked = (rule.test)(ctx);
        self.step(Stage::Claims, rule.check, &checked, found, |refusal| match refusal {
            Refusal::WrongAudience => advice::for_audience(claims, door, wanted, other),
            Refusal::Expired { .. } => "Log in again, or refresh the token.".to_owned(),
            Refusal::NotYetValid => "Compare the clocks of this machine and of the tenant.".to_owned(),
            refusal => refusal.message().into_owned(),
        });
        checked.is_ok()
    }

    fn permit(&mut self, permit: &Result<Permit, Refusal>) {
        let (need, grants) = (&self.door.need.permissions, &self.gate.users.grants);
        let check = if need.is_empty() {
            "it is a user or a machine".to_owned()
        } else {
            format!("it has the permissions this door needs: {need}")
        };
        let store = &self.gate.users.store;
        let row = self.claim("sub").and_then(|sub| store.user_by_auth0_id(&sub.parse().ok()?).ok()?);
        let (subject, claims) = (self.subject.take(), self.explanation.claims.clone().unwrap_or_default());
        let shown = Shown {
            subject: subject.as_ref(),
            row_roles: row.map(|row| row.roles),
            roles_claim: &self.door.policy.names.roles,
            payload: &claims,
        };
        let found = match (permit, &subject) {
            (Ok(permit), Some(Subject::User(id, _))) => {
                format!("user {id}, permissions [{}]", permit.permissions())
            }
            (Ok(permit), Some(Subject::Machine(client, _))) => {
                format!("machine {client}, permissions [{}]", permit.permissions())
            }
            (Ok(_), _) => "anonymous".to_owned(),
            (Err(_), _) => shown.found(grants),
        };
        let fix = |refusal: &Refusal| advice::for_permit(refusal, &shown, grants);
        self.step(Stage::Permit, &check, permit, found, fix);
    }

    fn caller(&mut self, caller: &Result<Caller, Refusal>) {
        let found = caller.as_ref().map_or_else(message, |caller| self.user(caller));
        let claims = self.explanation.claims.clone().unwrap_or_default();
        let user_claim = &self.door.policy.names.user;
        let fix = |refusal: &Refusal| advice::for_caller(refusal, &claims, user_claim);
        self.step(Stage::Caller, "its user is found", caller, found, fix);
    }

    /// Where the dry run found the current user, and what a request would change.
    fn user(&self, caller: &Caller) -> String {
        let row = match caller.principal() {
            Principal::Machine(_) => return "a machine has no current user".to_owned(),
            Principal::Anonymous => return "an anonymous caller has no current user".to_owned(),
            Principal::User(CurrentUser::Payload(user)) => {
                return format!("in the payload, as in the database: {}", user.id);
            }
            Principal::User(CurrentUser::Row(row)) => row,
        };
        let store = &self.gate.users.store;
        let by_id = self.claim("sub").and_then(|sub| store.user_by_auth0_id(&sub.parse().ok()?).ok()?);
        if by_id.is_some() {
            format!("in the database, by Auth0 id: {}", row.id)
        } else if store.user(row.id).is_ok_and(|user| user.is_some()) {
            format!("in the database, by verified email: {} would be linked", row.id)
        } else {
            "at Auth0: the profile would be stored in a new row".to_owned()
        }
    }

    fn claim(&self, name: &str) -> Option<&str> {
        self.explanation.claims.as_ref()?.get(name)?.as_str()
    }

    /// Adds a step. `fix` is asked only if the check failed.
    fn step<T>(
        &mut self,
        stage: Stage,
        check: &str,
        outcome: &Result<T, Refusal>,
        found: String,
        fix: impl FnOnce(&Refusal) -> String,
    ) {
        let refusal = outcome.as_ref().err();
        self.explanation.steps.push(Step {
            stage: stage.as_str(),
            check: check.to_owned(),
            passed: Some(refusal.is_none()),
            found: Some(found).filter(|found| !found.is_empty()),
            code: refusal.map(Refusal::code),
            fix: refusal.map(fix).filter(|fix| !fix.is_empty()),
        });
    }

    /// A time in a token, and its distance from now.
    fn relative(&self, time: Option<&Value>) -> String {
        let Some(time) = time.and_then(Value::as_f64) else { return "at no time".to_owned() };
        #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second does not matter here")]
        let Ok(time) = Timestamp::from_second(time as i64) else { return "at an invalid time".to_owned() };
        let whole = SignedDurationRound::new().smallest(Unit::Second);
        let apart =
            (time - self.now).abs().round(whole).map_or_else(|_| String::new(), |apart| format!("{apart:#}"));
        if time >= self.now { format!("{time}, in {apart}") } else { format!("{time}, {apart} ago") }
    }
}

/// Reads the token as a door reads it from a request's header.
fn present(token: &str) -> Result<Presented, Refusal> {
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let value = value.map_err(|_| Refusal::MalformedRequest("A header cannot carry these characters."))?;
    bearer(&HeaderMap::from_iter([(AUTHORIZATION, value)]), "")
}

fn message(refusal: &Refusal) -> String {
    refusal.message().into_owned()
}

/// A member of the token as JSON.
fn text_of(member: Option<&Value>) -> String {
    member.map_or_else(|| "absent".to_owned(), Value::to_string)
}
