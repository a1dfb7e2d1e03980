//! `POST /webhooks/gitlab` (or `github`, `gitea`) on the internal door: a push asks for deployments.
//!
//! headers → place → body → push → targets → queue. Answers as soon as the requests are stored; their worker is in `app`. No
//! answer names a target.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Buf;
use futures_util::Stream;
use serde_json::json;
use tokio::sync::Semaphore;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;

use super::deployment_queue::enqueue;
use super::request::read_json;
use super::request_error::RequestError;
use super::response::json_response;
use super::services::Services;
use crate::deploy::forge::{self, Event, Project, Verifier, VerifyError};
use crate::store::{Actor, NewDeploymentRequest};

/// The longest body. A push with more is refused: its file lists are of hundreds of commits.
const BODY_MAX: usize = 1024 * 1024;
/// Bodies that are read at once …
const BODIES_MAX: usize = 8;
/// … and how long others wait.
const WAIT: Duration = Duration::from_secs(5);
/// How many genuine deliveries are taken in a minute.
const PER_MINUTE: u32 = 60;

/// Receives the webhooks of one project.
struct Receiver {
    services: Services,
    project: Arc<Project>,
    bodies: Semaphore,
    /// When the current minute began, on the monotonic clock, and how many deliveries it had.
    taken: Mutex<(Duration, u32)>,
}

/// The route; without a configured secret nothing is there.
pub fn webhooks(services: &Services, project: &Arc<Project>) -> BoxedFilter<(Response,)> {
    let receiver = Arc::new(Receiver {
        services: services.clone(),
        project: Arc::clone(project),
        bodies: Semaphore::new(BODIES_MAX),
        taken: Mutex::default(),
    });
    let kind = project.settings().kind.as_str();
    let is_open = project.verifier().is_some();
    let guard = warp::any()
        .and_then(move || std::future::ready(if is_open { Ok(()) } else { Err(warp::reject::not_found()) }));
    warp::path("webhooks")
        .and(warp::path(kind))
        .and(warp::path::end())
        .and(warp::post())
        .and(guard)
        .untuple_one()
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |headers, body| {
            let receiver = Arc::clone(&receiver);
            async move { receiver.answer(&headers, body).await }
        })
        .boxed()
}

impl Receiver {
    async fn answer(
        &self,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<impl Buf + Send, warp::Error>> + Send,
    ) -> Response {
        let answer = |status, message: &str| json_response(status, &json!({ "message": message }));
        let refused = |error: VerifyError| {
            tracing::warn!(%error, "a webhook was refused");
            answer(StatusCode::UNAUTHORIZED, "The webhook's signature or token is missing or wrong.")
        };
        let Some(verifier) = self.project.verifier() else { return refused(VerifyError::Missing) };
        let now = self.services.gate.clock().now();
        let once = |name: &str| {
            let mut values = headers.get_all(name).iter();
            values.next().filter(|_| values.next().is_none())?.to_str().ok()
        };
        let unverified = match Verifier::headers(verifier, once, now) {
            Ok(unverified) => unverified,
            Err(error) => return refused(error),
        };
        let busy =
            || answer(StatusCode::SERVICE_UNAVAILABLE, "Too many requests; send the webhook again later.");
        let Ok(Ok(_place)) = tokio::time::timeout(WAIT, self.bodies.acquire()).await else { return busy() };
        let body = match read_json(headers, body, BODY_MAX, self.services.body_timeout).await {
            Ok(body) => body,
            Err(RequestError::BodyTooLarge(max)) => {
                return answer(StatusCode::PAYLOAD_TOO_LARGE, &format!("The body exceeds {max} bytes."));
            }
            Err(error) => return answer(error.status_and_code().0, &error.to_string()),
        };
        let delivery = match unverified.body(body) {
            Ok(delivery) => delivery,
            Err(error) => return refused(error),
        };
        if !self.has_place() {
            return answer(
                StatusCode::TOO_MANY_REQUESTS,
                "Over 60 webhooks in a minute; send it again later.",
            );
        }
        let push = match forge::event(delivery, self.project.settings()) {
            Ok(Event::Push(push)) => push,
            Ok(Event::Ignored(why)) => return answer(StatusCode::ACCEPTED, &why),
            Err(error) => return answer(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        let requests: Vec<_> = self
            .project
            .targets_of(&push.branch)
            .map(|target| NewDeploymentRequest {
                delivery: push.delivery.clone(),
                target: target.to_owned(),
                branch: push.branch.clone(),
                commit: push.commit.to_string(),
                forced: false,
                actor: Actor::Webhook(push.sender.clone()),
            })
            .collect();
        if requests.is_empty() {
            let message = format!("Request ignored: '{}' is not the branch of a target.", push.branch);
            return answer(StatusCode::ACCEPTED, &message);
        }
        let store = self.services.store.in_background();
        match enqueue(&self.services, &self.project, store, &push.commit, requests).await {
            Ok(Ok(0)) => answer(StatusCode::ACCEPTED, "Request ignored: this push was received before."),
            Ok(Ok(_)) => {
                let message = format!("Request accepted: commit {} is deployed next.", push.commit.short());
                answer(StatusCode::ACCEPTED, &message)
            }
            Ok(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a webhook could not be stored");
                busy()
            }
            Err(_) => busy(),
        }
    }

    /// Counts a delivery, unless the current minute had too many.
    fn has_place(&self) -> bool {
        let now = self.services.gate.clock().elapsed();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(taken.0) >= Duration::from_secs(60) {
            *taken = (now, 0);
        }
        taken.1 = taken.1.saturating_add(1);
        taken.1 <= PER_MINUTE
    }
}
