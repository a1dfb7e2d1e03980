//! An [`Outcome`] → status, headers, body. The only place that makes replies of the endpoint.

use warp::http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use warp::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use warp::hyper::body::Bytes;
use warp::reply::Response;

use super::cors::{METHODS, NO_PAGE};
use super::outcome::{Outcome, Problem, json};
use crate::auth::Refusal;
use crate::telemetry::RequestId;

/// The media types of GraphQL over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/graphql-response+json`: the status tells of the outcome.
    Response,
    /// `application/json`: a well-formed request gets 200 whatever its outcome, as older clients expect.
    Json,
}

/// What is the same for every reply to one request.
pub(super) struct Reply {
    /// The door's name.
    pub(super) door: &'static str,
    /// The request's name.
    pub(super) request: RequestId,
    /// The best media type the client accepts, if it accepts any.
    pub(super) media: Option<Media>,
    /// Bytes of an answer.
    pub(super) most: usize,
}

impl Media {
    /// The best type that `Accept` allows; JSON where it says nothing or anything.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        let mut said = false;
        for range in
            headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','))
        {
            said = true;
            let mut parts = range.split(';').map(str::trim);
            let media = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/graphql-response+json" => Self::Response,
                "application/json" | "application/*" | "*/*" => Self::Json,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            // Of equals the first wins.
            if weight > 0.0 && best.is_none_or(|(so_far, _)| weight > so_far) {
                best = Some((weight, media));
            }
        }
        if said { best.map(|(_, media)| media) } else { Some(Self::Json) }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Response => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

impl Reply {
    /// Makes the reply and logs how the request ended, once.
    pub(super) fn render(&self, outcome: Outcome) -> Response {
        let Some(body) = json(&outcome.body(self.request), self.most) else {
            // What tells of this is short, however small the limit was set.
            let roomy = Self { most: usize::MAX, ..*self };
            return roomy.render(Outcome::Problem(Problem::AnswerTooLarge(self.most)));
        };
        outcome.log(self.door, self.request);
        let mut response = Response::new(Bytes::from(body).into());
        *response.status_mut() = self.status(&outcome);
        let headers = response.headers_mut();
        let media = self.media.unwrap_or(Media::Json).content_type();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("Accept, Authorization, Origin"));
        for (name, value) in NO_PAGE {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(request) = HeaderValue::try_from(self.request.to_string()) {
            headers.insert(HeaderName::from_static("x-request-id"), request);
        }
        match &outcome {
            Outcome::Refused(refusal) => self.challenge(refusal, headers),
            Outcome::Problem(Problem::Method) => {
                headers.insert(ALLOW, HeaderValue::from_static(METHODS));
            }
            Outcome::Problem(Problem::MutationByGet) => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        response
    }

    fn status(&self, outcome: &Outcome) -> StatusCode {
        match outcome {
            Outcome::Refused(refusal) => {
                StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Outcome::Problem(problem) => problem.facts().0,
            Outcome::Invalid(_) if self.media == Some(Media::Response) => StatusCode::BAD_REQUEST,
            Outcome::Invalid(_) | Outcome::Executed(..) => StatusCode::OK,
        }
    }

    fn challenge(&self, refusal: &Refusal, headers: &mut HeaderMap) {
        if let Some(challenge) =
            refusal.challenge(self.door).and_then(|text| HeaderValue::try_from(text).ok())
        {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = refusal.retry_seconds() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_s_favourite_media_type_wins() {
        let of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
            Media::of(&headers)
        };
        assert_eq!(Media::of(&HeaderMap::new()), Some(Media::Json));
        for (accept, media) in [
            ("*/*", Some(Media::Json)),
            ("application/json", Some(Media::Json)),
            ("application/graphql-response+json", Some(Media::Response)),
            ("application/graphql-response+json, application/json;q=0.9", Some(Media::Response)),
            (
                "application/json;q=0.5, application/graphql-response+json; charset=utf-8; q=0.6",
                Some(Media::Response),
            ),
            ("application/json, application/graphql-response+json", Some(Media::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
        ] {
            assert_eq!(of(accept), media, "{accept}");
        }
    }
}
