//! Logout: Auth0's own `/v2/logout`, and OpenID Connect's `/oidc/logout` (RP-Initiated Logout 1.0).

use std::sync::Arc;

use serde_json::Value;

use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::{Inner, clients};
use super::{html, sessions};

/// `GET /v2/logout`: ends the session and redirects to `returnTo`, if the client (`client_id`) or else the tenant lists it;
/// without `returnTo`, to the first URL listed.
pub(super) async fn logout(tenant: &Arc<Inner>, request: &HttpRequest) -> Result<HttpResponse, OAuthError> {
    let params = Params::from_form(request.query.as_bytes())?;
    let allowed = allowed_urls(tenant, params.get("client_id"))?;
    let to = params.get("returnTo");
    if let Some(to) = to.filter(|to| !is_allowed(&allowed, to)) {
        return Err(mismatch("returnTo", to));
    }
    let response = match to.or(allowed.first().map(String::as_str).filter(|url| !url.contains('*'))) {
        Some(to) => HttpResponse::redirect(to),
        None => HttpResponse::text(200, "OK"),
    };
    Ok(response.header("set-cookie", &sessions::end(tenant, request).await?))
}

/// `GET` or `POST /oidc/logout`. Asks the user unless `id_token_hint` or `logout_hint` names the browser's session.
pub(super) async fn oidc_logout(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
) -> Result<HttpResponse, OAuthError> {
    let params = if request.body.is_empty() {
        Params::from_form(request.query.as_bytes())?
    } else {
        Params::from_body(request.header("content-type"), &request.body)?
    };
    let hint = match params.get("id_token_hint") {
        // An expired hint is good enough (RP-Initiated Logout 1.0 §2).
        Some(token) => Some(
            tenant
                .key
                .verify(token, &tenant.issuer, i64::MIN)
                .ok_or_else(|| OAuthError::invalid_request("Invalid id_token_hint"))?,
        ),
        None => None,
    };
    let claim = |name: &str| hint.as_ref().and_then(|hint| hint.get(name)).and_then(Value::as_str);
    let client_id = params.get("client_id").or(claim("aud"));
    if hint.is_some() && client_id != claim("aud") {
        return Err(OAuthError::invalid_request("The id_token_hint was issued to another client"));
    }
    let allowed = allowed_urls(tenant, client_id)?;
    let to = params.get("post_logout_redirect_uri");
    if let Some(to) = to.filter(|to| !is_allowed(&allowed, to)) {
        return Err(mismatch("post_logout_redirect_uri", to));
    }
    if let Some((_, session)) = sessions::find(tenant, request)? {
        let hinted = params.get("logout_hint").or(claim("sid"));
        if hinted != Some(session.sid.as_str()) {
            let kept = ["post_logout_redirect_uri", "client_id", "state"]
                .into_iter()
                .filter_map(|name| Some((name, params.get(name)?)));
            return Ok(html::confirm_logout(kept.chain([("logout_hint", session.sid.as_str())]), to));
        }
    }
    let response = match to {
        None => HttpResponse::text(200, "OK"),
        Some(to) => {
            let mut url = url::Url::parse(to).map_err(|_| mismatch("post_logout_redirect_uri", to))?;
            if let Some(state) = params.get("state") {
                url.query_pairs_mut().append_pair("state", state);
            }
            HttpResponse::redirect(url.as_str())
        }
    };
    Ok(response.header("set-cookie", &sessions::end(tenant, request).await?))
}

/// The URLs that a client's logout may redirect to; the tenant's, without a client.
fn allowed_urls(tenant: &Inner, client_id: Option<&str>) -> Result<Vec<String>, OAuthError> {
    let Some(client_id) = client_id else { return Ok(tenant.bundle.tenant.allowed_logout_urls.clone()) };
    let client = clients::find(&tenant.bundle, client_id)
        .ok_or_else(|| OAuthError::invalid_request(format!("Unknown client: {client_id}")))?;
    Ok(client.allowed_logout_urls.clone())
}

/// As Auth0: query and fragment are not compared.
fn is_allowed(allowed: &[String], url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    url::Url::parse(url).is_ok() && [url, path].iter().any(|url| clients::is_registered(allowed, url))
}

fn mismatch(parameter: &str, url: &str) -> OAuthError {
    OAuthError::invalid_request(format!(
        "The \"{parameter}\" URL {url} is not allowed: add it to allowed_logout_urls of the client, or of the tenant \
         when the request has no client_id."
    ))
}
