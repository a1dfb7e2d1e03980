//! One door: prepares and executes the operations of its requests, over HTTP and WebSockets.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use warp::http::HeaderMap;

use super::context::Context;
use super::cors::Origins;
use super::operations::{Operations, PreparedOperation};
use super::request::GraphqlRequest;
use super::request_error::{PrepareError, RequestError};
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

    /// Prepares the operation of a request.
    ///
    /// # Errors
    /// When it is invalid, not allowed here, or exceeds a limit.
    pub(super) fn prepare(&self, request: &GraphqlRequest) -> Result<Arc<PreparedOperation>, PrepareError> {
        self.operations.prepare(&request.document, request.operation_name.as_deref(), &request.variables)
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
        // A panic of a resolver ends its request, not the connection.
        let execution = AssertUnwindSafe(execution).catch_unwind();
        match tokio::time::timeout(self.limits.time, execution).await {
            Ok(Ok(Ok(output))) => RequestOutcome::Executed(output),
            Ok(Ok(Err(error))) => RequestOutcome::Invalid(error),
            Ok(Err(_panic)) => RequestOutcome::Failed(RequestError::Panicked),
            Err(_elapsed) => RequestOutcome::Failed(RequestError::Timeout),
        }
    }
}
