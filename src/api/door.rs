//! One door: executes the operations of its requests, over HTTP and WebSockets.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use futures_util::FutureExt;
use juniper::GraphQLError;
use warp::http::HeaderMap;
use warp::reply::Response;

use super::context::Context;
use super::cors::Origins;
use super::mutation_rate::MutationRate;
use super::operations::{Operations, PreparedOperation};
use super::request::GraphqlRequest;
use super::request_error::RequestError;
use super::request_line::RequestLine;
use super::response::{MediaType, RequestOutcome, Responder};
use super::services::Services;
use super::settings::{DoorSettings, Limits, SocketSettings};
use crate::auth::{Caller, DoorRules};
use crate::telemetry::RequestId;

/// What all requests of a door share.
pub(super) struct Door {
    pub(super) name: &'static str,
    pub(super) rules: Arc<DoorRules>,
    pub(super) mutations: Arc<MutationRate>,
    pub(super) socket: SocketSettings,
    pub(super) services: Arc<Services>,
    pub(super) live: ArcSwap<Live>,
}

/// What a reload replaces.
pub(super) struct Live {
    pub(super) limits: Limits,
    pub(super) operations: Operations,
    pub(super) origins: Origins,
}

/// Reloads the settings of a door that serves.
#[derive(Clone)]
pub struct DoorReload(pub(super) Arc<Door>);

impl DoorReload {
    /// Replaces the origins, the limits of mutations and those of requests but `depth`, `tokens` and `fields`, which the
    /// schema's parser has. Running requests keep theirs.
    pub fn reload(&self, settings: &DoorSettings) {
        let Self(door) = self;
        let (limits, origins) = (settings.limits.clone(), Origins::new(&settings.origins, &settings.headers));
        let operations = door.live().operations.with_limits(&limits);
        door.mutations.set(&settings.mutations);
        door.live.store(Arc::new(Live { limits, operations, origins }));
    }
}

impl Door {
    /// The settings in force.
    pub(super) fn live(&self) -> Guard<Arc<Live>> {
        self.live.load()
    }

    /// The time on the monotonic clock.
    pub(super) fn elapsed(&self) -> Duration {
        self.services.gate.clock().elapsed()
    }

    /// The log line of a request that began at `begun`.
    pub(super) fn line(&self, request: RequestId, begun: Duration) -> RequestLine {
        RequestLine::new(self.name, request, &self.services.request_log, self.services.gate.clock(), begun)
    }

    /// Renders the response to a request with these headers.
    pub(super) fn responder(&self, headers: &HeaderMap, line: RequestLine) -> Responder {
        Responder { line, media: MediaType::negotiate(headers), max_bytes: self.live().limits.response }
    }

    /// The response to a request that ends before it is read.
    pub(super) fn reject(&self, headers: &HeaderMap, outcome: RequestOutcome) -> Response {
        let line = self.line(RequestId::fresh(), self.elapsed());
        self.responder(headers, line).render(outcome)
    }

    /// Whether the page that sends a request, if any, may read the response. One that may not is counted, and the log names
    /// its origin once.
    pub(super) fn check_origin(&self, headers: &HeaderMap) -> bool {
        let live = self.live();
        if live.origins.may_connect(headers) {
            return true;
        }
        self.services.refusals.count(self.name, "ORIGIN_REFUSED");
        if let Some(origin) = live.origins.newly_refused(headers) {
            let fix = match self.name {
                "public" => {
                    format!("to allow it: `--set public.origins={origin}`, with the others after commas")
                }
                _ => "this door answers pages of its own origin only".to_owned(),
            };
            tracing::warn!(door = self.name, origin, "pages of an origin may not read the responses; {fix}");
        }
        false
    }

    /// The context of a request's resolvers.
    pub(super) fn context(&self, caller: Caller, request: RequestId) -> Context {
        let context = Context::new(caller, &self.services, request, self.live().limits.time);
        context.with_rate(Arc::clone(&self.mutations))
    }

    /// Executes a query or a mutation.
    pub(super) async fn execute(
        &self,
        prepared: &PreparedOperation,
        request: &GraphqlRequest,
        context: &Context,
    ) -> RequestOutcome {
        let execution = prepared.operation().execute(&request.variables, context);
        self.run(context, execution).await.map_or_else(|outcome| outcome, RequestOutcome::Executed)
    }

    /// Runs resolvers within the limits of time and of the response. A panic ends the request, not the connection.
    pub(super) async fn run<T>(
        &self,
        context: &Context,
        resolvers: impl Future<Output = Result<T, GraphQLError>>,
    ) -> Result<T, RequestOutcome> {
        let time = self.live().limits.time;
        let resolvers = self.bounded(context, AssertUnwindSafe(resolvers).catch_unwind());
        match tokio::time::timeout(time, resolvers).await {
            Ok(Ok(Ok(result))) => result.map_err(RequestOutcome::Invalid),
            Ok(Ok(Err(_panic))) => Err(RequestOutcome::Failed(RequestError::Panicked)),
            Ok(Err(error)) => Err(RequestOutcome::Failed(error)),
            Err(_elapsed) => Err(RequestOutcome::Failed(RequestError::Timeout)),
        }
    }

    /// Ends resolvers whose large values would exceed the limit of the response, before they are made.
    pub(super) async fn bounded<T>(
        &self,
        context: &Context,
        resolvers: impl Future<Output = T>,
    ) -> Result<T, RequestError> {
        let max = self.live().limits.response;
        // Each value is spent twice: when it is read, and when it is put into the response.
        let outcome = context.bounded(max.saturating_mul(2), resolvers).await;
        outcome.ok_or(RequestError::ResponseTooLarge(max))
    }
}
