//! The response to the application at its callback: a code or an error.

use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::response::HttpResponse;
use super::html;
use serde::{Deserialize, Serialize};

/// How the response reaches the application (OAuth 2.0 Multiple Response Type Encoding Practices §2.1, and Auth0's own).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ResponseMode {
    /// In the callback's query.
    #[default]
    Query,
    /// In the callback's fragment.
    Fragment,
    /// By a form that the browser posts (OAuth 2.0 Form Post Response Mode).
    FormPost,
    /// By a page that posts it to its parent or opener window.
    WebMessage,
}

/// A callback that belongs to the client.
#[derive(Clone, Copy)]
pub(super) struct Callback<'a> {
    pub(super) redirect_uri: &'a str,
    pub(super) state: Option<&'a str>,
    pub(super) mode: ResponseMode,
}

impl ResponseMode {
    /// The `response_mode` of a request; `None` when it is not supported. An ID token is never in a query.
    pub(super) fn from_params(params: &Params) -> Option<Self> {
        let has_id_token = params.get("response_type").is_some_and(|kind| kind.contains("id_token"));
        match params.get("response_mode") {
            None if has_id_token => Some(Self::Fragment),
            Some("query") if has_id_token => None,
            None | Some("query") => Some(Self::Query),
            Some("form_post") => Some(Self::FormPost),
            Some("fragment") => Some(Self::Fragment),
            Some("web_message") => Some(Self::WebMessage),
            Some(_) => None,
        }
    }
}

impl Callback<'_> {
    pub(super) fn error(self, error: &OAuthError) -> HttpResponse {
        self.send(&[("error", &error.error), ("error_description", &error.description)])
    }

    pub(super) fn send(self, params: &[(&str, &str)]) -> HttpResponse {
        let Ok(mut url) = url::Url::parse(self.redirect_uri) else {
            return html::error(400, "The callback is not a URL.");
        };
        let params = params.iter().copied().chain(self.state.map(|state| ("state", state)));
        match self.mode {
            ResponseMode::WebMessage => return html::web_message(&url.origin(), params),
            ResponseMode::FormPost => return html::form_post(self.redirect_uri, params),
            ResponseMode::Fragment => {
                let fragment =
                    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
                url.set_fragment(Some(&fragment));
            }
            ResponseMode::Query => {
                url.query_pairs_mut().extend_pairs(params);
            }
        }
        HttpResponse::redirect(url.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_keeps_the_callbacks_query_and_escapes_the_response() {
        let redirect_uri = "http://127.0.0.1/cb?a=1";
        let callback = Callback { redirect_uri, state: Some("x&y=\"z"), mode: ResponseMode::Query };
        let location = |response: HttpResponse| response.headers["location"].to_str().unwrap().to_owned();
        assert_eq!(
            location(callback.error(&OAuthError::unauthorized("no, \r\nnot you"))),
            "http://127.0.0.1/cb?a=1&error=unauthorized&error_description=no%2C+%0D%0Anot+you&state=x%26y%3D%22z"
        );
        let callback = Callback { mode: ResponseMode::Fragment, state: None, ..callback };
        assert_eq!(location(callback.send(&[("code", "c d")])), "http://127.0.0.1/cb?a=1#code=c+d");
    }
}
