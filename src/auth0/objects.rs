//! Calls to the Management API about a tenant's objects: its APIs, clients, roles, actions. They need scopes of their own,
//! which the client's grant for the Management API must have.

use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Body, Error};

use super::{Auth0, Auth0Error, Call};

/// The longest response: a page of actions, each with its code twice.
const MAX_BODY: u64 = 32 * 1024 * 1024;
/// Objects in a page.
const PAGE: usize = 50;
/// The most pages of a list: 5,000 objects.
const MAX_PAGES: usize = 100;
/// The most characters kept of an error's text.
const MAX_TEXT: usize = 300;

/// A change of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change<'a> {
    /// Creates one, or does what the path says.
    Post(&'a Value),
    /// Changes the members in the body.
    Patch(&'a Value),
    /// Deletes it.
    Delete,
    /// Removes what the body lists.
    Remove(&'a Value),
}

impl Auth0 {
    /// All objects of a list. `path` is below `/api/v2/`, `key` the list's name in the response, `what` for errors.
    ///
    /// # Errors
    /// See [`Auth0Error`]; [`Auth0Error::Refused`] when Auth0 gives a reason.
    pub fn objects(&self, what: &'static str, path: &str, key: &str) -> Result<Vec<Value>, Auth0Error> {
        let call = Call::Objects(what);
        let unexpected = |what| Auth0Error::UnexpectedAnswer { call, what };
        // The lists of actions have totals always, and refuse the parameter.
        let totals = if path.starts_with("actions/") { "" } else { "&include_totals=true" };
        let mut all = Vec::new();
        for page in 0..MAX_PAGES {
            let mark = if path.contains('?') { '&' } else { '?' };
            let uri = self.object_uri(&format!("{path}{mark}page={page}&per_page={PAGE}{totals}"));
            let mut answer = self.authorized(|bearer| {
                self.answer(call, self.agent.get(&uri).header("authorization", bearer).call())
            })?;
            let Some(Value::Array(items)) = answer.get_mut(key).map(Value::take) else {
                return Err(unexpected("something that is not the expected list"));
            };
            let (count, total) = (items.len(), answer.get("total").and_then(Value::as_u64));
            all.extend(items);
            let is_all = total.is_some_and(|total| u64::try_from(all.len()).is_ok_and(|len| len >= total));
            if count == 0 || is_all || (total.is_none() && count < PAGE) {
                return Ok(all);
            }
        }
        Err(unexpected("over 5,000 objects"))
    }

    /// One object; `None` if the tenant does not have it.
    ///
    /// # Errors
    /// See [`Auth0::objects`].
    pub fn object(&self, what: &'static str, path: &str) -> Result<Option<Value>, Auth0Error> {
        let uri = self.object_uri(path);
        let answer = self.authorized(|bearer| {
            self.answer(Call::Objects(what), self.agent.get(&uri).header("authorization", bearer).call())
        });
        match answer {
            Err(Auth0Error::Refused { status: 404, .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Makes a change, and returns the response: an object, or null if it has no body. Never repeated by itself.
    ///
    /// # Errors
    /// See [`Auth0::objects`].
    pub fn change(&self, what: &'static str, path: &str, change: Change<'_>) -> Result<Value, Auth0Error> {
        let uri = self.object_uri(path);
        self.authorized(|bearer| {
            let header = ("authorization", bearer);
            let answer = match change {
                Change::Post(body) => self.agent.post(&uri).header(header.0, header.1).send_json(body),
                Change::Patch(body) => self.agent.patch(&uri).header(header.0, header.1).send_json(body),
                Change::Delete => self.agent.delete(&uri).header(header.0, header.1).call(),
                Change::Remove(body) => {
                    self.agent.delete(&uri).header(header.0, header.1).force_send_body().send_json(body)
                }
            };
            self.answer(Call::Objects(what), answer)
        })
    }

    fn object_uri(&self, path: &str) -> String {
        format!("{}api/v2/{path}", self.settings.issuer)
    }

    fn answer(&self, call: Call, answer: Result<Response<Body>, Error>) -> Result<Value, Auth0Error> {
        let unreachable = |cause| Auth0Error::Unreachable { call, cause: Box::new(cause) };
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let limited = (status == 429).then(|| self.retry_after(answer.headers()));
        let body = answer.body_mut().with_config().limit(MAX_BODY).read_to_string();
        if let Some(wait) = limited {
            return Err(Auth0Error::RateLimited { call, wait });
        }
        let body = body.map_err(|cause| match cause {
            Error::BodyExceedsLimit(_) => Auth0Error::UnexpectedAnswer { call, what: "too many bytes" },
            other => unreachable(other),
        });
        if !(200..300).contains(&status) {
            return Err(refusal(call, status, &body.unwrap_or_default()));
        }
        let body = body?;
        if body.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&body).map_err(|_| Auth0Error::UnexpectedAnswer {
            call,
            what: "something that is not the expected JSON",
        })
    }
}

/// An error with Auth0's own text, which about these objects holds no personal data; a proxy's error page has none.
fn refusal(call: Call, status: u16, body: &str) -> Auth0Error {
    let json: Value = serde_json::from_str(body).unwrap_or(json!({}));
    let text = |member: &str| json.get(member).and_then(Value::as_str).unwrap_or_default();
    let is_auth0 = json.get("statusCode").is_some() && !text("message").is_empty();
    if !is_auth0 {
        return Auth0Error::Status { call, status, code: None };
    }
    let message: String = text("message").chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    let scopes =
        message.split_once("expected any of: ").map(|(_, scopes)| scopes.trim_end_matches('.').to_owned());
    let scopes = scopes.filter(|_| status == 403);
    let code = Some(text("errorCode")).filter(|code| !code.is_empty()).map(str::to_owned);
    Auth0Error::Refused { call, status, code, message, scopes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_auth0s_own_text_and_names_the_scopes() {
        let call = Call::Objects("the request to create an action");
        let shown = |status, body: Value| refusal(call, status, &body.to_string()).to_string();
        let body = json!({"statusCode": 403, "error": "Forbidden", "errorCode": "insufficient_scope",
            "message": "Insufficient scope, expected any of: create:actions,update:actions"});
        let Auth0Error::Refused { scopes, .. } = refusal(call, 403, &body.to_string()) else { panic!() };
        assert_eq!(scopes.as_deref(), Some("create:actions,update:actions"));
        assert_eq!(
            shown(400, json!({"statusCode": 400, "message": "Payload\nvalidation error"})),
            "the request to create an action returned status 400: Payloadvalidation error"
        );
        let page = refusal(call, 502, "<h1>Bad Gateway</h1>");
        assert!(matches!(page, Auth0Error::Status { status: 502, code: None, .. }), "{page}");
    }
}
