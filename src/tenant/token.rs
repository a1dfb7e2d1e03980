//! `POST /oauth/token`: a client, and for users their proof, become tokens.
//!
//! 1. parameters → client    2. grant type → who is meant    3. scopes    4. tokens

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::apis::{Api, Asked};
use super::claims::{self, Issue, OfLogin, OfUser};
use super::http::Request;
use super::login::{self, Attempt, LoggedIn};
use super::params::Params;
use super::refusal::Refusal;
use super::state::{self, Kind};
use super::{Inner, clients, pkce};
use crate::bundle::Client;

/// Auth0's extension grant: a password, and which connection it is for.
const PASSWORD_REALM: &str = "http://auth0.com/oauth/grant-type/password-realm";

/// How long an opaque access token lives, in seconds.
const OPAQUE_LIFETIME: u32 = 86_400;

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) session: Option<String>,
    /// When they logged in, if the application asked how long ago that may be.
    #[serde(default)]
    pub(super) auth_time: Option<i64>,
    pub(super) login: LoggedIn,
}

/// What an opaque access token stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Opaque {
    pub(super) user_id: String,
    pub(super) client_id: String,
    pub(super) scopes: Vec<String>,
}

pub(super) async fn token(tenant: &Arc<Inner>, request: &Request) -> Answer {
    let mut who = None;
    let answer = exchange(tenant, request, &mut who).await;
    let mut answer = match answer {
        Ok(tokens) => Answer::json(200, &tokens).header("pragma", "no-cache"),
        Err(refusal) => refusal.answer(),
    };
    answer.actor = who;
    answer
}

async fn exchange(
    tenant: &Arc<Inner>,
    request: &Request,
    who: &mut Option<String>,
) -> Result<Value, Refusal> {
    let params = Params::from_body(request.header("content-type"), &request.body)?;
    let grant_type = params.need("grant_type")?;
    if !["client_credentials", "authorization_code", "password", PASSWORD_REALM].contains(&grant_type) {
        let say = format!("Unsupported grant type: {grant_type}");
        return Err(Refusal::new(400, "unsupported_grant_type", say));
    }
    let client = clients::authenticate(&tenant.bundle, &params, request.header("authorization"))?;
    *who = Some(client.client_id.clone());
    let public_machine = grant_type == "client_credentials" && client.is_public();
    if !client.may_use(grant_type) || public_machine {
        let say = format!("Grant type '{grant_type}' not allowed for the client.");
        return Err(Refusal::unauthorized_client(say));
    }
    match grant_type {
        "client_credentials" => machine(tenant, client, &params),
        "authorization_code" => code(tenant, client, &params).await,
        _ => password(tenant, client, &params, request, grant_type).await,
    }
}

/// The audience a request means: its own, else the tenant's default.
pub(super) fn audience<'a>(tenant: &'a Inner, params: &'a Params) -> Option<&'a str> {
    let default = tenant.bundle.tenant.default_audience.as_deref().filter(|audience| !audience.is_empty());
    params.get("audience").or(default)
}

fn machine(tenant: &Inner, client: &Client, params: &Params) -> Result<Value, Refusal> {
    let audience = audience(tenant, params)
        .ok_or_else(|| Refusal::access_denied("Non-global clients are not allowed access to APIv1"))?;
    let api = tenant.apis.find(audience)?;
    let scopes = tenant.apis.machine_scopes(&tenant.bundle, &client.client_id, api, params.get("scope"))?;
    let jti = state::random()?;
    let claims = tenant.issue(client, &jti).machine(api, &scopes);
    let token = tenant.key.sign(claims::typ(api), &claims)?;
    Ok(answer(token, api.lifetime, &scopes, None))
}

async fn code(tenant: &Arc<Inner>, client: &Client, params: &Params) -> Result<Value, Refusal> {
    let text = params.need("code")?.to_owned();
    let inner = Arc::clone(tenant);
    // Taken before it is judged: a code that was shown with a wrong verifier is spent.
    let code: Option<Code> =
        tenant.in_pool(move || inner.state.take(Kind::Code, &text, inner.clock.now())).await?;
    let code = code.ok_or_else(|| Refusal::invalid_grant("Invalid authorization code"))?;
    judge(&code, client, params)?;
    let asked = code.scope.as_deref().map_or(Asked::Nothing, Asked::For);
    let grant = Grant { api: tenant.api(code.audience.as_deref())?, asked, gty: None };
    let of =
        OfLogin { nonce: code.nonce.as_deref(), sid: code.session.as_deref(), auth_time: code.auth_time };
    tokens(tenant, client, grant, &code.login, of).await
}

/// Whether whoever brings the code is whoever asked for it (RFC 6749 §4.1.3, RFC 7636 §4.6).
fn judge(code: &Code, client: &Client, params: &Params) -> Result<(), Refusal> {
    if code.client_id != client.client_id {
        return Err(Refusal::invalid_grant("Invalid authorization code"));
    }
    let sent = params.get("redirect_uri");
    if sent != Some(code.redirect_uri.as_str()) {
        let say = format!(
            "The redirect URI is wrong. You sent {}, and we expected {}",
            sent.unwrap_or("null"),
            code.redirect_uri
        );
        return Err(Refusal::unauthorized_client(say));
    }
    match (&code.challenge, params.get("code_verifier")) {
        (Some(challenge), Some(verifier)) if pkce::proves(verifier, challenge) => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::invalid_grant("Failed to verify code verifier")),
        (Some(_), None) => Err(Refusal::invalid_request("Parameter 'code_verifier' is required")),
        // RFC 9700 §2.1.1: a verifier without a challenge is a downgrade.
        (None, Some(_)) => Err(Refusal::invalid_grant("Failed to verify code verifier")),
        (None, None) if client.is_public() => Err(Refusal::unknown_client()),
        (None, None) => Ok(()),
    }
}

async fn password(
    tenant: &Arc<Inner>,
    client: &Client,
    params: &Params,
    request: &Request,
    grant_type: &str,
) -> Result<Value, Refusal> {
    let (username, secret) = (params.need("username")?.to_owned(), params.need("password")?.to_owned());
    if grant_type == PASSWORD_REALM && params.need("realm")? != super::people::CONNECTION {
        return Err(Refusal::access_denied(format!(
            "Unknown or invalid realm; this tenant has {}",
            super::people::CONNECTION
        )));
    }
    let api = tenant.api(audience(tenant, params))?;
    let inner = Arc::clone(tenant);
    let account = tenant.in_pool(move || inner.people.authenticate(&username, &secret)).await?;
    let account = account.ok_or_else(|| Refusal::invalid_grant("Wrong email or password."))?;
    let attempt = Attempt {
        account,
        client,
        protocol: "oauth2-password",
        is_fresh: true,
        session: None,
        visitor: &request.visitor(),
        query: json!({}),
        body: params.for_rules(),
    };
    let login = login::login(tenant, attempt).await?;
    let asked = params.get("scope").map_or(Asked::NothingButTrusted, Asked::For);
    tokens(tenant, client, Grant { api, asked, gty: Some("password") }, &login, OfLogin::default()).await
}

struct Grant<'a> {
    api: Option<&'a Api>,
    asked: Asked<'a>,
    gty: Option<&'a str>,
}

async fn tokens(
    tenant: &Arc<Inner>,
    client: &Client,
    grant: Grant<'_>,
    login: &LoggedIn,
    of: OfLogin<'_>,
) -> Result<Value, Refusal> {
    let account = tenant.people.find(&login.user_id)?;
    let account = account.ok_or_else(|| Refusal::invalid_grant("The user does not exist."))?;
    let audience = grant.api.map_or("", |api| api.identifier.as_str());
    let permissions = tenant.bundle.permissions(&account.roles, audience);
    let scopes = match &login.scope {
        Some(set_by_a_rule) => set_by_a_rule.clone(),
        None => tenant.apis.user_scopes(grant.api, &permissions, grant.asked),
    };
    let jti = state::random()?;
    let issue: Issue<'_> = tenant.issue(client, &jti);
    let is_openid = scopes.iter().any(|scope| scope == "openid");

    let id_token = if is_openid {
        let lifetime = client.jwt_configuration.lifetime_in_seconds.unwrap_or(36_000);
        let about = claims::about(&login.user, &scopes);
        Some(tenant.key.sign("JWT", &issue.id(lifetime, about, &login.id, of))?)
    } else {
        None
    };
    let lifetime = grant.api.map_or(OPAQUE_LIFETIME, |api| api.lifetime);
    let opaque = match grant.api {
        Some(_) => None,
        None => Some(Opaque {
            user_id: login.user_id.clone(),
            client_id: client.client_id.clone(),
            scopes: scopes.clone(),
        }),
    };
    let extra = is_openid.then(|| claims::allowed(&login.id));
    let kept = keep(tenant, opaque, extra, extra_name(&login.user_id, &client.client_id), lifetime).await?;
    let access = match (grant.api, kept) {
        (Some(api), _) => {
            let of = OfUser {
                subject: &login.user_id,
                scopes: &scopes,
                permissions: &permissions,
                gty: grant.gty,
                custom: &login.access,
            };
            tenant.key.sign(claims::typ(api), &issue.user(api, of))?
        }
        (None, opaque) => opaque.unwrap_or_default(),
    };
    Ok(answer(access, lifetime, &scopes, id_token))
}

/// Keeps what `/userinfo` needs later: what an opaque token stands for, and what rules put into the ID token.
async fn keep(
    tenant: &Arc<Inner>,
    opaque: Option<Opaque>,
    extra: Option<Map<String, Value>>,
    name: String,
    lifetime: u32,
) -> Result<Option<String>, Refusal> {
    if opaque.is_none() && extra.is_none() {
        return Ok(None);
    }
    let inner = Arc::clone(tenant);
    let kept = tenant.in_pool(move || {
        let (now, seconds) = (inner.clock.now(), i64::from(lifetime));
        if let Some(extra) = extra {
            inner.state.keep(Kind::Extra, &name, &extra, now, seconds)?;
        }
        opaque.map(|opaque| inner.state.issue(Kind::AccessToken, &opaque, now, seconds)).transpose()
    });
    Ok(kept.await?)
}

/// Under what name [`Kind::Extra`] is kept.
pub(super) fn extra_name(user_id: &str, client_id: &str) -> String {
    format!("{user_id} {client_id}")
}

fn answer(access: String, lifetime: u32, scopes: &[String], id_token: Option<String>) -> Value {
    let mut answer = Map::from_iter([
        ("access_token".to_owned(), Value::from(access)),
        ("token_type".to_owned(), Value::from("Bearer")),
        ("expires_in".to_owned(), Value::from(lifetime)),
    ]);
    if !scopes.is_empty() {
        answer.insert("scope".to_owned(), Value::from(scopes.join(" ")));
    }
    if let Some(id_token) = id_token {
        answer.insert("id_token".to_owned(), Value::from(id_token));
    }
    Value::Object(answer)
}
