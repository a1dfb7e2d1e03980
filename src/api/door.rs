//! One door: executes the operations of its requests, over HTTP and WebSockets.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use juniper::GraphQLError;
use warp::http::HeaderMap;

use super::context::Context;
use super::cors::Origins;
use super::operations::{Operations, PreparedOperation};
use super::request::GraphqlRequest;
use super::request_error::RequestError;
use super::response::{MediaType, RequestOutcome, Responder};
use super::services::Services;
use super::settings::{Limits, SocketSettings};
use crate::auth::{Caller, DoorRules};
use crate::telemetry::RequestId;

/// What all requests of a door share.
pub(super) struct Door {
    pub(super) name: &'static str,
    pub(super) rules: Arc<DoorRules>,
    pub(super) limits: Limits,
    pub(super) socket: SocketSettings,
    pub(super) services: Services,
    pub(super) origins: Origins,
    pub(super) operations: Operations,
}

impl Door {
    /// Renders the response to a request with these headers.
    pub(super) fn responder(&self, headers: &HeaderMap) -> Responder {
        Responder {
            door: self.name,
            request: RequestId::fresh(),
            media: MediaType::negotiate(headers),
            max_bytes: self.limits.response,
        }
    }

    /// The context of a request's resolvers.
    pub(super) fn context(&self, caller: Caller, request: RequestId) -> Context {
        Context::new(caller, &self.services, request, self.limits.time)
    }

    /// Executes a query or a mutation.
    pub(super) async fn execute(
        &self,
        prepared: &PreparedOperation,
        request: &GraphqlRequest,
        context: &Context,
    ) -> RequestOutcome {
        let execution = prepared.operation().execute(&request.variables, context);
        self.run(execution).await.map_or_else(|outcome| outcome, RequestOutcome::Executed)
    }

    /// Runs resolvers within the time limit. A panic ends the request, not the connection.
    pub(super) async fn run<T>(
        &self,
        resolvers: impl Future<Output = Result<T, GraphQLError>>,
    ) -> Result<T, RequestOutcome> {
        match tokio::time::timeout(self.limits.time, AssertUnwindSafe(resolvers).catch_unwind()).await {
            Ok(Ok(result)) => result.map_err(RequestOutcome::Invalid),
            Ok(Err(_panic)) => Err(RequestOutcome::Failed(RequestError::Panicked)),
            Err(_elapsed) => Err(RequestOutcome::Failed(RequestError::Timeout)),
        }
    }
}
