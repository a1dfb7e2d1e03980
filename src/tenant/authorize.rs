//! `/authorize`: an application asks for a login; it ends in a code at the application's callback.
//!
//! 1. client and callback, which no redirect may go to unchecked    2. the rest, whose errors go to the callback
//! 3. a session that speaks for the person, or the login page    4. rules    5. a code

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::Answer;
use super::http::Request;
use super::login::{self, Attempt};
use super::params::Params;
use super::people::Account;
use super::refusal::Refusal;
use super::state::{self, Kind};
use super::token::{self, Code};
use super::{Inner, TenantError, clients, page, pkce};

/// How long a code can be exchanged, in seconds.
const CODE_LIFETIME: i64 = 60;
/// How long the login page can be answered, in seconds.
const LOGIN_LIFETIME: i64 = 15 * 60;
/// The name of the session cookie.
const COOKIE: &str = "auth0";

/// A login under way: what the application asked for, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    #[serde(default)]
    pub(super) mode: Mode,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) login_hint: Option<String>,
    pub(super) max_age: Option<i64>,
    /// All parameters, as rules see them.
    pub(super) query: Value,
}

/// How the application is told (OAuth 2.0 Multiple Response Type Encoding Practices §2.1, and Auth0's own).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Mode {
    /// In the callback's query.
    #[default]
    Query,
    /// In the callback's fragment.
    Fragment,
    /// By a page that posts it to the window around it, or to the one that opened it.
    WebMessage,
}

impl Mode {
    fn of(params: &Params) -> Option<Self> {
        match params.get("response_mode") {
            None | Some("query") => Some(Self::Query),
            Some("fragment") => Some(Self::Fragment),
            Some("web_message") => Some(Self::WebMessage),
            Some(_) => None,
        }
    }
}

/// A login session: what the cookie stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    user_id: String,
    /// Names the session in tokens; the cookie itself never leaves the browser.
    sid: String,
    /// When the person proved who they are, unix seconds.
    since: i64,
}

/// `GET` or `POST /authorize` (OpenID Connect Core 1.0 §3.1.2.1).
pub(super) async fn authorize(tenant: &Arc<Inner>, request: &Request) -> Answer {
    let params = if request.body.is_empty() {
        Params::from_form(request.query.as_bytes())
    } else {
        Params::from_body(request.header("content-type"), &request.body)
    };
    let (params, client_id, redirect_uri) = match params.and_then(|params| application(tenant, params)) {
        Ok(checked) => checked,
        // Whoever sent the browser here is not known to own the callback, so nothing is sent there.
        Err(refusal) => return page::error(refusal.status, &refusal.description),
    };
    let mode = Mode::of(&params).unwrap_or_default();
    let back = Back { redirect_uri: &redirect_uri, state: params.get("state"), mode };
    let asked = match read(tenant, &params, &client_id, &redirect_uri) {
        Ok(asked) => asked,
        Err(refusal) => return back.with(&refusal).with_actor(client_id),
    };
    match proceed(tenant, request, asked).await {
        Ok(answer) => answer.with_actor(client_id),
        Err(refusal) => back.with(&refusal).with_actor(client_id),
    }
}

/// Someone proved who they are on the login page.
pub(super) async fn logged_in(
    tenant: &Arc<Inner>,
    request: &Request,
    asked: Asked,
    account: Account,
) -> Answer {
    let who = account.user_id().to_owned();
    let now = tenant.clock.now().as_second();
    let session = state::random().map(|sid| Session { user_id: who.clone(), sid, since: now });
    let back = Back::of(&asked);
    let ended = async {
        let session = session?;
        let to_callback = finish(tenant, request, &asked, account, &session, true).await?;
        let hours = tenant.bundle.tenant.session_lifetime.unwrap_or(168.0);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, and nobody configures more hours than that"
        )]
        let seconds = (hours * 3600.0).max(0.0) as i64;
        let inner = Arc::clone(tenant);
        let issue = move || inner.state.issue(Kind::Session, &session, inner.clock.now(), seconds);
        let cookie = tenant.in_pool(issue).await?;
        Ok::<_, Refusal>(to_callback.header("set-cookie", &set_cookie(tenant, &cookie, seconds)))
    };
    let answer = ended.await.unwrap_or_else(|refusal| back.with(&refusal));
    answer.with_actor(who)
}

/// `GET /v2/logout`: ends the session and goes to `returnTo`, if that is allowed.
pub(super) async fn logout(tenant: &Arc<Inner>, request: &Request) -> Answer {
    let params = Params::from_form(request.query.as_bytes()).unwrap_or_default();
    if let Some(cookie) = request.cookie(COOKIE) {
        let inner = Arc::clone(tenant);
        let taken = move || inner.state.take::<Session>(Kind::Session, &cookie, inner.clock.now());
        if let Err(error) = tenant.in_pool(taken).await {
            return page::error(503, &Refusal::from(error).description);
        }
    }
    let client = params.get("client_id").and_then(|id| clients::find(&tenant.bundle, id));
    let answer = match params.get("returnTo") {
        None => Answer::text(200, "OK"),
        Some(to) if client.is_some_and(|client| clients::is_registered(&client.allowed_logout_urls, to)) => {
            Answer::redirect(to)
        }
        Some(_) => {
            return page::error(400, "The \"returnTo\" URL is not among the client's allowed_logout_urls.");
        }
    };
    answer.header("set-cookie", &set_cookie(tenant, "", 0))
}

/// The parts without which no redirect is safe.
fn application(tenant: &Inner, params: Params) -> Result<(Params, String, String), Refusal> {
    let client_id = params.need("client_id")?.to_owned();
    let client = clients::find(&tenant.bundle, &client_id)
        .ok_or_else(|| Refusal::unauthorized_client(format!("Unknown client: {client_id}")))?;
    let redirect_uri = params.need("redirect_uri")?.to_owned();
    if !clients::is_registered(&client.callbacks, &redirect_uri) || url::Url::parse(&redirect_uri).is_err() {
        let say = format!(
            "Callback URL mismatch. {redirect_uri} is not in the list of allowed callback URLs of the client \
             \"{client_id}\": add it to its callbacks in the bundle."
        );
        return Err(Refusal::access_denied(say));
    }
    Ok((params, client_id, redirect_uri))
}

fn read(tenant: &Inner, params: &Params, client_id: &str, redirect_uri: &str) -> Result<Asked, Refusal> {
    let client = clients::find(&tenant.bundle, client_id).ok_or_else(Refusal::unknown_client)?;
    match params.need("response_type")? {
        "code" if client.may_use("authorization_code") => {}
        "code" => {
            return Err(Refusal::unauthorized_client(
                "Grant type 'authorization_code' not allowed for the client.",
            ));
        }
        other => {
            let say = format!("Unsupported response type: {other}; this tenant has \"code\"");
            return Err(Refusal::new(400, "unsupported_response_type", say));
        }
    }
    let Some(mode) = Mode::of(params) else {
        let asked = params.get("response_mode").unwrap_or_default();
        return Err(Refusal::invalid_request(format!("Unsupported response mode: {asked}")));
    };
    let challenge = params.get("code_challenge");
    match (challenge, params.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) if pkce::is_challenge(challenge) => {}
        (Some(_), Some("S256")) => {
            return Err(Refusal::invalid_request("Parameter code_challenge is no S256 hash"));
        }
        (Some(_), _) => return Err(Refusal::invalid_request("Parameter code_challenge_method must be S256")),
        (None, _) if client.is_public() => {
            return Err(Refusal::invalid_request(
                "Parameter 'code_challenge' is required: the client is public",
            ));
        }
        (None, _) => {}
    }
    let audience = token::audience(tenant, params);
    tenant.api(audience)?;
    let owned = |name: &str| params.get(name).map(str::to_owned);
    Ok(Asked {
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        mode,
        state: owned("state"),
        nonce: owned("nonce"),
        scope: owned("scope"),
        audience: audience.map(str::to_owned),
        challenge: owned("code_challenge"),
        prompt: owned("prompt"),
        login_hint: owned("login_hint"),
        max_age: params.get("max_age").and_then(|seconds| seconds.parse().ok()),
        query: params.for_rules(),
    })
}

/// With a session straight to the code, else to the login page.
async fn proceed(tenant: &Arc<Inner>, request: &Request, asked: Asked) -> Result<Answer, Refusal> {
    let prompt = asked.prompt.as_deref();
    if prompt != Some("login")
        && let Some((account, session)) = session(tenant, request, asked.max_age)?
    {
        return finish(tenant, request, &asked, account, &session, false).await;
    }
    if prompt == Some("none") {
        return Err(Refusal::new(403, "login_required", "Login required"));
    }
    let inner = Arc::clone(tenant);
    let issue = move || inner.state.issue(Kind::Login, &asked, inner.clock.now(), LOGIN_LIFETIME);
    let state = tenant.in_pool(issue).await?;
    Ok(Answer::redirect(&format!("/u/login?state={state}")))
}

/// Who the browser's cookie says is logged in, unless that is longer ago than the application wants.
fn session(
    tenant: &Inner,
    request: &Request,
    max_age: Option<i64>,
) -> Result<Option<(Account, Session)>, TenantError> {
    let Some(cookie) = request.cookie(COOKIE) else { return Ok(None) };
    let now = tenant.clock.now();
    let Some(session) = tenant.state.look::<Session>(Kind::Session, &cookie, now)? else { return Ok(None) };
    if max_age.is_some_and(|most| now.as_second().saturating_sub(session.since) > most) {
        return Ok(None);
    }
    Ok(tenant.people.find(&session.user_id)?.map(|account| (account, session)))
}

/// Runs the rules and sends a code to the callback.
async fn finish(
    tenant: &Arc<Inner>,
    request: &Request,
    asked: &Asked,
    account: Account,
    session: &Session,
    is_fresh: bool,
) -> Result<Answer, Refusal> {
    let client = clients::find(&tenant.bundle, &asked.client_id).ok_or_else(Refusal::unknown_client)?;
    let attempt = Attempt {
        account,
        client,
        protocol: "oidc-basic-profile",
        is_fresh,
        session: Some(&session.sid),
        visitor: &request.visitor(),
        query: asked.query.clone(),
        body: json!({}),
    };
    let login = login::login(tenant, attempt).await?;
    let code = Code {
        client_id: asked.client_id.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        challenge: asked.challenge.clone(),
        audience: asked.audience.clone(),
        scope: asked.scope.clone(),
        nonce: asked.nonce.clone(),
        session: Some(session.sid.clone()),
        auth_time: asked.max_age.map(|_| session.since),
        login,
    };
    let inner = Arc::clone(tenant);
    let issue = move || inner.state.issue(Kind::Code, &code, inner.clock.now(), CODE_LIFETIME);
    let code = tenant.in_pool(issue).await?;
    Ok(Back::of(asked).to(&[("code", &code)]))
}

/// The way back to the application.
#[derive(Clone, Copy)]
struct Back<'a> {
    redirect_uri: &'a str,
    state: Option<&'a str>,
    mode: Mode,
}

impl<'a> Back<'a> {
    fn of(asked: &'a Asked) -> Self {
        Self { redirect_uri: &asked.redirect_uri, state: asked.state.as_deref(), mode: asked.mode }
    }

    fn with(self, refusal: &Refusal) -> Answer {
        self.to(&[("error", refusal.error), ("error_description", &refusal.description)])
    }

    fn to(self, params: &[(&str, &str)]) -> Answer {
        let Ok(mut url) = url::Url::parse(self.redirect_uri) else {
            return page::error(400, "The callback is no URL.");
        };
        let params = params.iter().copied().chain(self.state.map(|state| ("state", state)));
        match self.mode {
            Mode::WebMessage => return page::message(&url.origin(), params),
            Mode::Fragment => {
                let fragment =
                    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
                url.set_fragment(Some(&fragment));
            }
            Mode::Query => {
                url.query_pairs_mut().extend_pairs(params);
            }
        }
        Answer::redirect(url.as_str())
    }
}

fn set_cookie(tenant: &Inner, value: &str, seconds: i64) -> String {
    let secure = if tenant.issuer.starts_with("https://") { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_keeps_the_callbacks_own_query_and_escapes_what_it_adds() {
        let back =
            Back { redirect_uri: "http://127.0.0.1/cb?a=1", state: Some("x&y=\"z"), mode: Mode::Query };
        let location = |answer: Answer| answer.headers["location"].to_str().unwrap().to_owned();
        assert_eq!(
            location(back.with(&Refusal::unauthorized("no, \r\nnot you"))),
            "http://127.0.0.1/cb?a=1&error=unauthorized&error_description=no%2C+%0D%0Anot+you&state=x%26y%3D%22z"
        );
        let back = Back { mode: Mode::Fragment, state: None, ..back };
        assert_eq!(location(back.to(&[("code", "c d")])), "http://127.0.0.1/cb?a=1#code=c+d");
    }
}
