//! Sessions of browsers, by cookie.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::Inner;
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BrowserSession {
    pub(super) user_id: String,
    /// The session's id in tokens; not the cookie's value.
    pub(super) sid: String,
    /// When the user authenticated, unix seconds.
    pub(super) since: i64,
}

impl BrowserSession {
    /// A session that begins now; see [`start`].
    pub(super) fn new(tenant: &Inner, user_id: &str) -> Result<Self> {
        let (user_id, since) = (user_id.to_owned(), tenant.clock.now().as_second());
        Ok(Self { user_id, sid: tickets::random()?, since })
    }
}

/// The session of the request's cookie, if it has not ended, and its user.
pub(super) fn find(tenant: &Inner, request: &HttpRequest) -> Result<Option<(TenantUser, BrowserSession)>> {
    let Some(cookie) = request.cookie(COOKIE) else { return Ok(None) };
    let Some(session) = tenant.tickets.read::<BrowserSession>(TicketKind::SESSION, &cookie)? else {
        return Ok(None);
    };
    let is_current = tenant.clock.now().as_second() < session.since.saturating_add(lifetimes(tenant).0);
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
fn lifetimes(tenant: &Inner) -> (i64, i64) {
    #[expect(clippy::cast_possible_truncation, reason = "saturates at 292 billion years")]
    let seconds = |hours: Option<f64>, default: f64| (hours.unwrap_or(default) * 3600.0).max(0.0) as i64;
    let settings = &tenant.bundle.tenant;
    let lifetime = seconds(settings.session_lifetime, LIFETIME);
    (lifetime, seconds(settings.idle_session_lifetime, IDLE_LIFETIME).min(lifetime))
}

/// Over https the cookie is sent to frames of pages on other sites too, as Auth0's is. Over http browsers refuse that, so
/// that a page needs the tenant's own name for a silent login.
fn set_cookie(tenant: &Inner, value: &str, seconds: i64) -> String {
    let same_site = if tenant.issuer.starts_with("https://") { "None; Secure" } else { "Lax" };
    format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}")
}
