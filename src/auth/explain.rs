//! Walks the stages on a token and tells what was checked, what held, what failed and what to do about it.
//!
//! The same functions judge here as at the doors; what is added is words. Nothing is inserted, linked or cached. A story
//! holds the claims of the token, so it is for the eyes of whoever has the token anyway; never for a log.

use jiff::{SignedDurationRound, Timestamp, Unit};
use serde::Serialize;
use serde_json::{Map, Value};

use super::claims::{validate, verify};
use super::header::{decode, header};
use super::permit::Subject;
use super::policy::{ClaimsCtx, RULES, seconds};
use super::settings::TokenProfile;
use super::{DoorRules, Gate, Permit, Refusal, Stage, bearer, caller, permit};

/// What happened to a token at a door, stage by stage.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The door's name.
    pub door: &'static str,
    /// What was checked, in order.
    pub steps: Vec<Step>,
    /// Whether the door lets the bearer in.
    pub admitted: bool,
    /// The token's header, as far as it could be read. Unverified.
    pub header: Option<Map<String, Value>>,
    /// The token's payload, as far as it could be read. Unverified, unless every step of the claims stage held.
    pub claims: Option<Map<String, Value>>,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// The stage it belongs to.
    pub stage: &'static str,
    /// What was asked.
    pub check: String,
    /// Whether it held; `None` when it was not reached.
    pub passed: Option<bool>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The code a request would be refused with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// A walk that is under way.
struct Walk<'a> {
    gate: &'a Gate,
    door: &'a DoorRules,
    other: &'a DoorRules,
    now: Timestamp,
    story: Explanation,
}

/// A check that did not hold: the story has it, and the walk ends.
struct Ended;

impl Gate {
    /// Tells what `door` makes of `token`. `other` is the other door, which the token may be meant for.
    pub async fn explain(
        &self,
        name: &'static str,
        door: &DoorRules,
        other: &DoorRules,
        token: &str,
    ) -> Explanation {
        let story =
            Explanation { door: name, steps: Vec::new(), admitted: false, header: None, claims: None };
        let mut walk = Walk { gate: self, door, other, now: self.clock.now(), story };
        walk.story.admitted = walk.all(token).await.is_ok();
        walk.not_reached();
        walk.story
    }
}

impl Walk<'_> {
    async fn all(&mut self, token: &str) -> Result<(), Ended> {
        let presented = self.bearer(token)?;
        let claims = self.claims(&presented).await?;
        let permit = self.permit(claims)?;
        self.caller(permit).await
    }

    fn bearer(&mut self, token: &str) -> Result<super::Bearer, Ended> {
        let parts = token.split('.').count();
        let found =
            format!("{} characters, {parts} {}", token.len(), if parts == 1 { "part" } else { "parts" });
        let fix = match parts {
            5 => "It is encrypted (JWE). At Auth0, turn token encryption off for this API.",
            1 => {
                "It is opaque. Auth0 gives such tokens when none is asked for an API: send `audience` with the login."
            }
            _ => "Send the whole token as the tenant gave it.",
        };
        self.step(
            Stage::Bearer,
            "it is a JWT in compact form",
            bearer::parse(token),
            found,
            Some(fix.to_owned()),
        )
    }

    async fn claims(&mut self, bearer: &super::Bearer) -> Result<super::Claims, Ended> {
        let policy = &self.door.policy;
        self.story.header = decode(bearer.header()).ok();
        self.story.claims = decode(bearer.payload()).ok();

        let judged = header(bearer.header(), &policy.algorithms, policy.profile);
        let written =
            |name: &str| self.story.header.as_ref().and_then(|header| header.get(name)).map(Value::to_string);
        let said = |name: &str| written(name).unwrap_or_else(|| "absent".to_owned());
        let found = format!("alg {}, typ {}, kid {}", said("alg"), said("typ"), said("kid"));
        let allowed: Vec<_> = policy.algorithms.iter().map(|(name, _)| *name).collect();
        let fix = match &judged {
            Err(Refusal::BadAlgorithm(_)) => format!(
                "This server takes {} (claims.algorithms). At Auth0 the signing algorithm is a setting of the API.",
                allowed.join(", ")
            ),
            Err(refusal) if policy.profile == TokenProfile::Rfc9068 => format!(
                "{} Only RFC 9068 is taken (claims.profile): at Auth0 the token dialect is a setting of the API.",
                refusal.message()
            ),
            Err(refusal) => {
                format!("{} Is it an access token of the tenant's own making?", refusal.message())
            }
            Ok(_) => String::new(),
        };
        let header =
            self.step(Stage::Claims, "its header is one of an access token", judged, found, Some(fix))?;

        let decoded = decode(bearer.payload());
        let members = decoded.as_ref().map_or(0, Map::len);
        let payload = self.step(
            Stage::Claims,
            "its payload is unambiguous JSON",
            decoded,
            format!("{members} claims"),
            Some(
                "A member stands twice in it, or it is no JSON object. No tenant makes such tokens: who did?"
                    .to_owned(),
            ),
        )?;

        let issuer = payload.get("iss").and_then(Value::as_str).unwrap_or_default().to_owned();
        let trusted: Vec<String> = self.gate.keys.issuers().map(str::to_owned).collect();
        let judged = if trusted.contains(&issuer) { Ok(()) } else { Err(Refusal::WrongIssuer) };
        let fix = if trusted.contains(&format!("{issuer}/")) {
            "Only the final slash is missing: Auth0's own tokens have it. Who made this token?".to_owned()
        } else {
            format!(
                "Trusted is {}: log in there, or trust this issuer too (auth0.issuer, auth0.also).",
                trusted.join(", ")
            )
        };
        let found = match payload.get("iss") {
            None => "absent".to_owned(),
            Some(Value::String(issuer)) => issuer.clone(),
            Some(other) => other.to_string(),
        };
        self.step(Stage::Claims, "its issuer is trusted (iss)", judged, found, Some(fix))?;

        let key = self.gate.keys.key(&issuer, header.kid.as_deref()).await;
        let fix = match &key {
            Err(Refusal::KeysUnavailable) => format!("Is {issuer}.well-known/jwks.json reachable from here?"),
            _ => "It was signed by another tenant, or its key was revoked: log in again.".to_owned(),
        };
        let found = format!("kid {}", header.kid.as_deref().unwrap_or("absent"));
        let key = self.step(Stage::Claims, "its key is one the issuer publishes", key, found, Some(fix))?;

        let judged = verify(bearer, &header, &key.key);
        let fix = match &judged {
            Err(refusal @ Refusal::BadAlgorithm(_)) => refusal.message().into_owned(),
            _ => "It was changed after it was signed, or cut off on its way.".to_owned(),
        };
        self.step(Stage::Claims, "its signature fits", judged, String::new(), Some(fix))?;

        let case = ClaimsCtx { payload: &payload, policy, now: seconds(self.now) };
        let mut ended = false;
        for (check, holds) in RULES {
            let judged = holds(&case);
            let (found, fix) = self.advice(&judged, check, &payload);
            ended |= self.step(Stage::Claims, check, judged, found, fix).is_err();
        }
        if ended {
            return Err(Ended);
        }
        validate(payload, policy, self.now).map_err(|_| Ended)
    }

    /// What a rule found in the payload, and what to do if it does not hold.
    fn advice(
        &self,
        judged: &Result<(), Refusal>,
        check: &str,
        payload: &Map<String, Value>,
    ) -> (String, Option<String>) {
        let claim = |name: &str| payload.get(name).map_or_else(|| "absent".to_owned(), Value::to_string);
        let found = match check {
            _ if check.contains("(aud)") => claim("aud"),
            _ if check.contains("expired") => self.when(payload.get("exp")),
            _ if check.contains("(iat, nbf)") => format!("issued {}", self.when(payload.get("iat"))),
            _ if check.contains("(sub)") => claim("sub"),
            _ if check.contains("client_id") => {
                payload.get("azp").or(payload.get("client_id")).map_or_else(String::new, Value::to_string)
            }
            _ => String::new(),
        };
        let fix = match judged {
            Err(Refusal::WrongAudience) => {
                let (wanted, others) = (self.door.policy.audience(), self.other.policy.audience());
                let meant = claim("aud");
                Some(if meant.contains(&format!("\"{others}\"")) {
                    format!(
                        "It is for the other door. For this one ask the tenant for the audience {wanted}."
                    )
                } else if meant.contains(wanted.trim_end_matches('/')) {
                    format!("Audiences compare byte for byte: this door wants exactly {wanted}.")
                } else {
                    format!("Ask the tenant for the audience {wanted}, or set {}.audience.", self.story.door)
                })
            }
            Err(Refusal::Expired { .. }) => Some("Log in again, or refresh the token.".to_owned()),
            Err(Refusal::NotYetValid) => {
                Some("Compare the clocks of this machine and of the tenant.".to_owned())
            }
            Err(refusal) => Some(refusal.message().into_owned()),
            Ok(()) => None,
        };
        (found, fix)
    }

    fn permit(&mut self, claims: super::Claims) -> Result<Permit, Ended> {
        let roles: Vec<String> = claims.roles().map(str::to_owned).collect();
        let (issuer, grants) = (claims.issuer().to_owned(), &self.gate.grants);
        let judged = permit(claims, &self.door.need, grants);
        let found = match &judged {
            Ok(permit) => {
                let (subject, permissions) = permit.parts();
                let may = if permissions.is_empty() {
                    "may nothing in particular".to_owned()
                } else {
                    format!("may {permissions}")
                };
                match subject {
                    Subject::User(id, _) => format!("the user {id}, roles [{}], {may}", roles.join(", ")),
                    Subject::Machine(client, _) => format!("the machine {client}, {may}"),
                    Subject::Anonymous => may,
                }
            }
            Err(refusal) => refusal.message().into_owned(),
        };
        let fix = match &judged {
            Err(Refusal::NotPermitted { missing }) if missing.is_empty() && !grants.trusts_users_of(&issuer) => format!(
                "Its issuer's machines may come, and its people are nobody here. If {issuer} is another domain of the \
                 same tenant, set same_users = true where [[auth0.also]] names it."
            ),
            _ => "For a machine: grant its client the scope at Auth0. For a person: give a role that [roles] maps to it, \
                  and put their roles in the token. A user's own scope grants nothing."
                .to_owned(),
        };
        let need = &self.door.need.permissions;
        let check = if need.is_empty() {
            "it is a user or a machine".to_owned()
        } else {
            format!("it holds what this door needs: {need}")
        };
        self.step(Stage::Permit, &check, judged, found, Some(fix))
    }

    async fn caller(&mut self, permit: Permit) -> Result<(), Ended> {
        let foreseen = caller::foresee(permit, &self.gate.users).await;
        let found = foreseen.as_ref().map_or_else(|refusal| refusal.message().into_owned(), Clone::clone);
        let fix = match &foreseen {
            Err(Refusal::ProfileUnavailable { .. }) => {
                Some("Check auth0.client_id and its secret, and that the client may read:users.".to_owned())
            }
            Err(Refusal::TokenRevoked) => Some("Log in again.".to_owned()),
            _ => None,
        };
        self.step(Stage::Caller, "its user is found", foreseen.map(drop), found, fix)
    }

    fn step<T>(
        &mut self,
        stage: Stage,
        check: &str,
        judged: Result<T, Refusal>,
        found: String,
        fix: Option<String>,
    ) -> Result<T, Ended> {
        let code = judged.as_ref().err().map(Refusal::code);
        self.story.steps.push(Step {
            stage: stage.as_str(),
            check: check.to_owned(),
            passed: Some(code.is_none()),
            found: Some(found).filter(|found| !found.is_empty()),
            code,
            fix: fix.filter(|_| code.is_some()),
        });
        judged.map_err(|_| Ended)
    }

    /// Stages that the walk did not come to.
    fn not_reached(&mut self) {
        for stage in [Stage::Claims, Stage::Permit, Stage::Caller] {
            let name = stage.as_str();
            if !self.story.steps.iter().any(|step| step.stage == name) {
                let check = "not reached".to_owned();
                self.story.steps.push(Step {
                    stage: name,
                    check,
                    passed: None,
                    found: None,
                    code: None,
                    fix: None,
                });
            }
        }
    }

    /// A time in a token, and how far it is from now.
    fn when(&self, time: Option<&Value>) -> String {
        let Some(time) = time.and_then(Value::as_f64) else { return "at no time".to_owned() };
        #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second does not matter here")]
        let Ok(time) = Timestamp::from_second(time as i64) else {
            return "at no time that is one".to_owned();
        };
        let whole = SignedDurationRound::new().smallest(Unit::Second);
        let apart =
            (time - self.now).abs().round(whole).map_or_else(|_| String::new(), |apart| format!("{apart:#}"));
        if time >= self.now { format!("{time}, in {apart}") } else { format!("{time}, {apart} ago") }
    }
}
