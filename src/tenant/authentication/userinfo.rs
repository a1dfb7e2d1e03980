//! `/userinfo` (OpenID Connect Core 1.0 §5.3): the claims of the user a token was issued for.

use serde_json::{Map, Value};

use super::super::Inner;
use super::super::oauth_error::OAuthError;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::tickets::TicketKind;
use super::claims;
use super::user_tokens::{OpaqueToken, extra_claims_key};

/// Accepts an opaque access token, or a JWT whose audience includes `/userinfo`; either needs the scope `openid`.
pub(super) fn userinfo(tenant: &Inner, request: &HttpRequest) -> HttpResponse {
    let unauthorized = || {
        HttpResponse::text(401, "Unauthorized").header("www-authenticate", "Bearer error=\"invalid_token\"")
    };
    match claims(tenant, request) {
        Ok(Some((user_id, claims))) => HttpResponse::json(200, &claims).with_actor(user_id),
        Ok(None) => unauthorized(),
        Err(error) => error.response(),
    }
}

/// The user's id and claims; `None` when the token or the user is not valid.
fn claims(tenant: &Inner, request: &HttpRequest) -> Result<Option<(String, Value)>, OAuthError> {
    let Some(token) = request.bearer() else { return Ok(None) };
    let token = match tenant.verify(token) {
        Some(claims) => from_jwt(tenant, &claims),
        None => tenant.tickets.read::<OpaqueToken>(TicketKind::ACCESS_TOKEN, token)?,
    };
    let Some(token) = token.filter(|token| token.scopes.iter().any(|scope| scope == "openid")) else {
        return Ok(None);
    };
    let Some(user) = tenant.users.find(&token.user_id)? else { return Ok(None) };
    let key = extra_claims_key(&token.user_id, &token.client_id);
    let extra: Option<Map<String, Value>> = tenant.tickets.read(TicketKind::EXTRA, &key)?;
    let mut claims = claims::profile(&user.user, &token.scopes);
    claims.extend(extra.unwrap_or_default());
    Ok(Some((token.user_id, Value::Object(claims))))
}

fn from_jwt(tenant: &Inner, claims: &Map<String, Value>) -> Option<OpaqueToken> {
    let userinfo = format!("{}userinfo", tenant.issuer);
    let has_audience = claims.get("aud")?.as_array()?.iter().any(|audience| audience == userinfo.as_str());
    let client = claims.get("azp").or_else(|| claims.get("client_id"))?;
    let scopes = claims.get("scope")?.as_str()?.split(' ').map(str::to_owned).collect();
    has_audience.then_some(OpaqueToken {
        user_id: claims.get("sub")?.as_str()?.to_owned(),
        client_id: client.as_str()?.to_owned(),
        scopes,
    })
}
