//! `/userinfo` (OpenID Connect Core 1.0 §5.3): the claims of whoever a token was issued to.

use serde_json::{Map, Value};

use super::Inner;
use super::answer::Answer;
use super::claims;
use super::http::Request;
use super::refusal::Refusal;
use super::state::Kind;
use super::token::{Opaque, extra_name};

/// Takes an opaque access token, or a JWT whose audience has `/userinfo`.
pub(super) fn userinfo(tenant: &Inner, request: &Request) -> Answer {
    let Some(token) = request.bearer() else { return unauthorized() };
    match read(tenant, token) {
        Ok(Some(opaque)) => told(tenant, &opaque).unwrap_or_else(|refusal| refusal.answer()),
        Ok(None) => unauthorized(),
        Err(refusal) => refusal.answer(),
    }
}

fn told(tenant: &Inner, token: &Opaque) -> Result<Answer, Refusal> {
    let now = tenant.clock.now();
    let Some(account) = tenant.people.find(&token.user_id)? else { return Ok(unauthorized()) };
    let name = extra_name(&token.user_id, &token.client_id);
    let extra: Map<String, Value> = tenant.state.look(Kind::Extra, &name, now)?.unwrap_or_default();
    let mut told = claims::about(&account.user, &token.scopes);
    told.extend(extra);
    Ok(Answer::json(200, &Value::Object(told)).with_actor(token.user_id.as_str()))
}

/// Whose token it is, if it is good for `/userinfo`: that takes the scope `openid`.
fn read(tenant: &Inner, token: &str) -> Result<Option<Opaque>, Refusal> {
    let now = tenant.clock.now();
    let opaque = match tenant.verify(token) {
        Some(claims) => of_jwt(tenant, &claims),
        None => tenant.state.look::<Opaque>(Kind::AccessToken, token, now)?,
    };
    Ok(opaque.filter(|opaque| opaque.scopes.iter().any(|scope| scope == "openid")))
}

fn of_jwt(tenant: &Inner, claims: &Map<String, Value>) -> Option<Opaque> {
    let userinfo = format!("{}userinfo", tenant.issuer);
    let is_meant = claims.get("aud")?.as_array()?.iter().any(|audience| audience == userinfo.as_str());
    let client = claims.get("azp").or_else(|| claims.get("client_id"))?;
    let scopes = claims.get("scope")?.as_str()?.split(' ').map(str::to_owned).collect();
    is_meant.then_some(Opaque {
        user_id: claims.get("sub")?.as_str()?.to_owned(),
        client_id: client.as_str()?.to_owned(),
        scopes,
    })
}

fn unauthorized() -> Answer {
    Answer::text(401, "Unauthorized").header("www-authenticate", "Bearer error=\"invalid_token\"")
}
