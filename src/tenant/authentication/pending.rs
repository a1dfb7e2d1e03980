//! A login that waits for its browser: sent to another site, or to a page of the tenant. It goes on once, within ten minutes,
//! in the browser that it began in.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::Inner;
use super::super::oauth_error::OAuthError;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::tickets::{self, TicketKind};
use super::transaction::Transaction;
use super::{html, sessions};
use crate::script::Suspension;

/// How long a login waits, in seconds.
const LIFETIME: i64 = 600;
/// The cookie that binds a login to its browser. All logins of a browser have the same one.
const COOKIE: &str = "auth0_transaction";

/// A login and what it waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) transaction: Transaction,
    pub(super) wait: Wait,
    /// The value of the browser's cookie.
    browser: String,
}

/// What a login waits for. `script` is the action that asked for it; rules do not say which of them did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Wait {
    /// The browser comes back to `/continue`.
    Redirect { url: String, script: Option<String> },
    /// The developer fills in a form.
    Prompt { id: String, fields: Map<String, Value>, vars: Map<String, Value>, script: Option<String> },
    /// The developer decides whether a second factor was proved.
    Factor { factors: Vec<Value>, is_enrollment: bool, script: Option<String> },
}

impl Wait {
    /// What an action asked for.
    pub(super) fn new(suspension: Suspension, action: String) -> Self {
        let script = Some(action);
        match suspension {
            Suspension::Redirect(url) => Self::Redirect { url, script },
            Suspension::Prompt { id, fields, vars } => Self::Prompt { id, fields, vars, script },
            Suspension::Challenge { factors, .. } => Self::Factor { factors, is_enrollment: false, script },
            Suspension::Enroll { factors, .. } => Self::Factor { factors, is_enrollment: true, script },
        }
    }

    /// Any second factor, at the end of a login.
    pub(super) fn any_factor() -> Self {
        Self::Factor { factors: Vec::new(), is_enrollment: false, script: None }
    }

    /// What the login log says of it.
    pub(super) fn outcome(&self) -> String {
        match self {
            Self::Redirect { url, .. } => {
                format!("redirected to {}", url.split(['?', '#']).next().unwrap_or_default())
            }
            Self::Prompt { id, .. } => format!("shows the form {id}"),
            Self::Factor { is_enrollment: true, .. } => "asks to enroll a second factor".to_owned(),
            Self::Factor { .. } => "asks for a second factor".to_owned(),
        }
    }

    /// The script that asked for it.
    pub(super) fn script(&self) -> Option<&str> {
        match self {
            Self::Redirect { script, .. } | Self::Prompt { script, .. } | Self::Factor { script, .. } => {
                script.as_deref()
            }
        }
    }
}

/// Keeps a login, and sends its browser to where it waits.
///
/// # Errors
/// The script's URL is none that a browser can be sent to.
pub(super) async fn suspend(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    transaction: Transaction,
    wait: Wait,
) -> Result<HttpResponse, OAuthError> {
    let mut url = None;
    if let Wait::Redirect { url: text, .. } = &wait {
        let parsed = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let script = wait.script().map(str::to_owned);
        let problem = || OAuthError {
            script,
            ..OAuthError::access_denied("The URL of the redirect is not an absolute http or https URL")
        };
        url = Some(parsed.ok_or_else(problem)?);
    }
    let known = request.cookie(COOKIE).filter(|value| value.len() == tickets::LENGTH);
    let browser = known.map_or_else(tickets::random, Ok)?;
    let cookie = sessions::cookie(tenant, COOKIE, &browser, LIFETIME);
    let is_factor = matches!(wait, Wait::Factor { .. });
    let pending = Pending { transaction, wait, browser };
    let issue = move |tenant: &Inner| tenant.tickets.issue(TicketKind::CONTINUE, &pending, LIFETIME);
    let state = tenant.in_pool(issue).await?;
    let response = match url {
        Some(mut url) => {
            url.query_pairs_mut().append_pair("state", &state);
            leave(request, url.as_str())
        }
        None => {
            HttpResponse::redirect(&format!("/u/{}?state={state}", if is_factor { "mfa" } else { "prompt" }))
        }
    };
    Ok(response.header("set-cookie", &cookie))
}

/// A redirect to another site. After a form of a page of ours, whose policy browsers apply to redirects too, by a page.
fn leave(request: &HttpRequest, url: &str) -> HttpResponse {
    let is_form = request.path.starts_with("/u/") && request.header("origin").is_some();
    if is_form { html::leave(url) } else { HttpResponse::redirect(url) }
}

/// The login that waits under `state`, in the browser of the request.
///
/// # Errors
/// There is none (any more), or it began in another browser.
pub(super) fn find(tenant: &Inner, request: &HttpRequest, state: &str) -> Result<Pending, OAuthError> {
    let pending: Pending = tenant.tickets.read(TicketKind::CONTINUE, state)?.ok_or_else(expired)?;
    let cookie = request.cookie(COOKIE).unwrap_or_default();
    if verify_slices_are_equal(cookie.as_bytes(), pending.browser.as_bytes()).is_err() {
        return Err(OAuthError::new(403, "invalid_request", "This login began in another browser."));
    }
    Ok(pending)
}

/// Takes the login that waits under `state`, once only. Call [`find`] first, so that another browser cannot end the login.
pub(super) async fn take(tenant: &Arc<Inner>, state: &str) -> Result<Pending, OAuthError> {
    let state = state.to_owned();
    let taken = tenant.in_pool(move |tenant| tenant.tickets.take(TicketKind::CONTINUE, &state)).await?;
    taken.ok_or_else(expired)
}

fn expired() -> OAuthError {
    OAuthError::invalid_request(
        "This login has expired or was continued already. Go back to the application and start again.",
    )
}
