//! Answers to scripts' requests in place of the network, for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use super::ipc::{Body, CallError, FetchCall, FetchResponse};

/// An answer to a request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StubbedAnswer {
    /// `METHOD URL`, or a URL for a GET. A `*` stands for any text; `*` alone is every request.
    pub request: String,
    /// The status. 200 unless given.
    #[serde(default = "ok")]
    pub status: u16,
    /// The response's headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as JSON.
    #[serde(default)]
    pub json: Option<Value>,
    /// The body as text.
    #[serde(default)]
    pub text: Option<String>,
    /// The request fails with this error's code, such as `ETIMEDOUT`.
    #[serde(default)]
    pub error: Option<String>,
}

fn ok() -> u16 {
    200
}

/// The answers for one run, and the requests it made. Several answers for one request are given in turn, the last again.
#[derive(Debug, Default)]
pub struct Stubs(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// With whether each has answered a request.
    answers: Vec<(StubbedAnswer, bool)>,
    requests: Vec<Value>,
    unanswered: Vec<String>,
}

impl Stubs {
    /// No request yet.
    pub fn new(answers: Vec<StubbedAnswer>) -> Self {
        let answers = answers.into_iter().map(|answer| (answer, false)).collect();
        Self(Mutex::new(Inner { answers, ..Inner::default() }))
    }

    /// The requests so far, each an object with `request` (`METHOD URL`) and, if it had one, `body`: JSON, else text.
    pub fn requests(&self) -> Vec<Value> {
        self.lock().requests.clone()
    }

    /// The requests for which there was no answer.
    pub fn unanswered(&self) -> Vec<String> {
        self.lock().unanswered.clone()
    }

    pub(super) fn answer(&self, call: &FetchCall) -> Result<FetchResponse, CallError> {
        let request = format!("{} {}", call.method.to_uppercase(), call.url);
        let mut inner = self.lock();
        let body = call.body.clone().and_then(Body::into_bytes).map(|bytes| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        });
        inner.requests.push(match body {
            Some(body) => json!({"request": request, "body": body}),
            None => json!({"request": request}),
        });
        let fits = |(answer, _): &(StubbedAnswer, bool)| is_for(&answer.request, &request);
        let unused = inner.answers.iter().position(|answer| fits(answer) && !answer.1);
        let position = unused.or_else(|| inner.answers.iter().rposition(fits));
        let Some((answer, used)) = position.and_then(|position| inner.answers.get_mut(position)) else {
            inner.unanswered.push(request.clone());
            return Err(CallError::new("ENOTALLOWED", format!("fetch: the case has no answer to {request}")));
        };
        *used = true;
        if let Some(code) = &answer.error {
            return Err(CallError::new(code, format!("fetch: {} (an answer of the case)", code)));
        }
        let mut headers: Vec<_> =
            answer.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        if answer.json.is_some() && !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let text = answer.json.as_ref().map(Value::to_string).or_else(|| answer.text.clone());
        Ok(FetchResponse { status: answer.status, headers, body: Body::Text(text.unwrap_or_default()) })
    }

    /// Entries are only added whole, so they are consistent even after a panic.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_for(pattern: &str, request: &str) -> bool {
    let has_method = pattern.contains(' ') || pattern.starts_with('*');
    let pattern = if has_method { pattern.to_owned() } else { format!("GET {pattern}") };
    match pattern.split_once('*') {
        Some((start, end)) => request.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
        None => request == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_by_method_and_url() {
        let request = "POST https://a.example/x?y=1";
        for (pattern, fits) in [
            ("POST https://a.example/x?y=1", true),
            ("https://a.example/x?y=1", false),
            ("POST https://a.example/*", true),
            ("POST https://*/x?y=1", true),
            ("*/x?y=1", true),
            ("*", true),
            ("*/y", false),
            ("POST https://a.example/x", false),
        ] {
            assert_eq!(is_for(pattern, request), fits, "{pattern}");
        }
        assert!(is_for("https://a.example/", "GET https://a.example/"));
    }
}
