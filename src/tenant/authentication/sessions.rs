//! Sessions of browsers, by cookie.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::Inner;
use super::super::db::timestamp;
use super::super::error::Result;
use super::super::request::HttpRequest;
use super::super::tickets::{self, TicketKind};
use super::super::users::TenantUser;

/// The name of the cookie.
const COOKIE: &str = "auth0";
/// Auth0's default lifetimes, in hours.
const LIFETIME: f64 = 168.0;
const IDLE_LIFETIME: f64 = 72.0;

/// The session behind a cookie.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct BrowserSession {
    pub(super) user_id: String,
    /// The session's id in tokens; not the cookie's value.
    pub(super) sid: String,
    /// When the user authenticated, unix seconds.
    pub(super) since: i64,
    /// The methods by which the user authenticated.
    pub(super) methods: Vec<Method>,
    /// The ids of the clients that used it.
    pub(super) clients: Vec<String>,
    /// Set by actions.
    pub(super) metadata: Map<String, Value>,
    /// When it ends, unix seconds, if an action set that.
    pub(super) ends_at: Option<i64>,
    /// Of the request that began it.
    pub(super) ip: String,
    pub(super) user_agent: String,
}

/// A completed authentication method, as `event.authentication.methods` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Method {
    /// `pwd`, `federated`, `email`, `sms`, `mfa`, or the URL of a custom method.
    pub(super) name: String,
    pub(super) timestamp: String,
}

impl Method {
    pub(super) fn new(name: &str, now: Timestamp) -> Self {
        Self { name: name.to_owned(), timestamp: timestamp(now) }
    }

    /// The first factor of a user: by the provider of the first identity.
    pub(super) fn first(user: &TenantUser, now: Timestamp) -> Self {
        let name = match user.provider() {
            "auth0" => "pwd",
            provider @ ("email" | "sms") => provider,
            _ => "federated",
        };
        Self::new(name, now)
    }
}

impl BrowserSession {
    /// A session that begins now; see [`start`].
    pub(super) fn new(tenant: &Inner, user: &TenantUser, request: &HttpRequest) -> Result<Self> {
        let now = tenant.clock.now();
        Ok(Self {
            user_id: user.user_id().to_owned(),
            sid: tickets::random()?,
            since: now.as_second(),
            methods: vec![Method::first(user, now)],
            clients: Vec::new(),
            metadata: Map::new(),
            ends_at: None,
            ip: request.ip(),
            user_agent: request.header("user-agent").unwrap_or_default().to_owned(),
        })
    }

    /// When it ends at the latest, unix seconds.
    pub(super) fn ends_at(&self, tenant: &Inner) -> i64 {
        let ends_at = self.since.saturating_add(lifetimes(tenant).0);
        self.ends_at.map_or(ends_at, |earlier| earlier.min(ends_at))
    }
}

/// The session of the request's cookie, if it has not ended, and its user.
pub(super) fn find(tenant: &Inner, request: &HttpRequest) -> Result<Option<(TenantUser, BrowserSession)>> {
    let Some(cookie) = request.cookie(COOKIE) else { return Ok(None) };
    let Some(session) = tenant.tickets.read::<BrowserSession>(TicketKind::SESSION, &cookie)? else {
        return Ok(None);
    };
    let is_current = tenant.clock.now().as_second() < session.ends_at(tenant);
    let user = tenant.users.find(&session.user_id)?;
    Ok(user.filter(|_| is_current).map(|user| (user, session)))
}

/// Stores a session and returns the value of `Set-Cookie`. Replaces the browser's earlier session.
pub(super) async fn start(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    session: BrowserSession,
) -> Result<String> {
    end(tenant, request).await?;
    let (lifetime, idle) = lifetimes(tenant);
    let issue = move |tenant: &Inner| tenant.tickets.issue(TicketKind::SESSION, &session, idle.min(lifetime));
    Ok(set_cookie(tenant, &tenant.in_pool(issue).await?, lifetime))
}

/// Stores what a login changed in the request's session, unless the browser has another one by now.
pub(super) async fn update(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    session: BrowserSession,
) -> Result<()> {
    let Some(cookie) = request.cookie(COOKIE) else { return Ok(()) };
    tenant.in_pool(move |tenant| tenant.tickets.update_session(&cookie, &session.sid, &session)).await
}

/// Lets a session that is used live on for its idle lifetime.
pub(super) async fn touch(tenant: &Arc<Inner>, request: &HttpRequest) -> Result<()> {
    let Some(cookie) = request.cookie(COOKIE) else { return Ok(()) };
    let idle = lifetimes(tenant).1;
    tenant.in_pool(move |tenant| tenant.tickets.extend(TicketKind::SESSION, &cookie, idle)).await
}

/// Ends the request's session and returns the `Set-Cookie` that removes its cookie.
pub(super) async fn end(tenant: &Arc<Inner>, request: &HttpRequest) -> Result<String> {
    if let Some(cookie) = request.cookie(COOKIE) {
        let take = move |tenant: &Inner| tenant.tickets.take::<BrowserSession>(TicketKind::SESSION, &cookie);
        tenant.in_pool(take).await?;
    }
    Ok(set_cookie(tenant, "", 0))
}

/// The absolute and the idle lifetime, in seconds.
pub(super) fn lifetimes(tenant: &Inner) -> (i64, i64) {
    #[expect(clippy::cast_possible_truncation, reason = "saturates at 292 billion years")]
    let seconds = |hours: Option<f64>, default: f64| (hours.unwrap_or(default) * 3600.0).max(0.0) as i64;
    let settings = &tenant.bundle.tenant;
    let lifetime = seconds(settings.session_lifetime, LIFETIME);
    (lifetime, seconds(settings.idle_session_lifetime, IDLE_LIFETIME).min(lifetime))
}

/// Over https the cookie is sent to frames of pages on other sites too, as Auth0's is. Over http browsers refuse that, so
/// that a page needs the tenant's own name for a silent login.
fn set_cookie(tenant: &Inner, value: &str, seconds: i64) -> String {
    cookie(tenant, COOKIE, value, seconds)
}

/// The value of `Set-Cookie`.
pub(super) fn cookie(tenant: &Inner, name: &str, value: &str, seconds: i64) -> String {
    let same_site = if tenant.issuer.starts_with("https://") { "None; Secure" } else { "Lax" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}")
}
