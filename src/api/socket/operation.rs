//! An operation of a connection, in a task of its own: a slow or panicking resolver affects nothing else.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{FutureExt, StreamExt};
use juniper::OperationType;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::message::ToClient;
use super::shutdown::ShutdownSignal;
use crate::api::bounded_json::bounded_json;
use crate::api::door::Door;
use crate::api::operations::PreparedOperation;
use crate::api::request::GraphqlRequest;
use crate::api::request_error::RequestError;
use crate::api::request_line::RequestLine;
use crate::api::response::{RequestOutcome, ResponseBody};
use crate::api::schema::SubscriptionStart;
use crate::auth::Caller;
use crate::telemetry::RequestId;

/// A message of an operation, to be forwarded to the client.
pub(super) struct OperationMessage {
    pub(super) id: Arc<str>,
    pub(super) run: u64,
    /// `None` when the operation ends without a message.
    pub(super) text: Option<String>,
    pub(super) is_last: bool,
    /// Whether it is an event of a subscription, and not the answer to a request.
    pub(super) is_event: bool,
}

/// A running operation. Dropping it aborts the operation.
pub(super) struct RunningOperation {
    /// Distinguishes operations that reuse an id.
    pub(super) run: u64,
    is_subscription: Arc<AtomicBool>,
    task: AbortHandle,
}

impl RunningOperation {
    pub(super) fn start(
        door: &Arc<Door>,
        caller: Caller,
        request: GraphqlRequest,
        (id, run): (Arc<str>, u64),
        messages: &mpsc::Sender<OperationMessage>,
    ) -> Self {
        let door = Arc::clone(door);
        let (shutdown, messages) = (door.services.sockets.subscribe(), messages.clone());
        let (mut line, is_subscription) =
            (door.line(RequestId::fresh(), door.elapsed()), Arc::<AtomicBool>::default());
        line.set_caller(&caller);
        let subscription = Arc::clone(&is_subscription);
        let mut operation = OperationTask { id, run, line, subscription, messages, shutdown, door };
        let task = tokio::spawn(async move {
            // Fails only when the connection is closed.
            drop(operation.run(caller, request).await);
        });
        Self { run, is_subscription, task: task.abort_handle() }
    }

    /// Whether it will be answered within the limit of time. A subscription may run for ever.
    pub(super) fn is_request(&self) -> bool {
        !self.is_subscription.load(Ordering::Relaxed)
    }
}

impl Drop for RunningOperation {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The connection is closed.
struct Closed;

struct OperationTask {
    door: Arc<Door>,
    id: Arc<str>,
    run: u64,
    line: RequestLine,
    /// Set once it is known to be one.
    subscription: Arc<AtomicBool>,
    messages: mpsc::Sender<OperationMessage>,
    shutdown: ShutdownSignal,
}

impl OperationTask {
    async fn run(&mut self, caller: Caller, request: GraphqlRequest) -> Result<(), Closed> {
        let prepared = self.door.live().operations.prepare(&request);
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return self.fail(error.into()).await,
        };
        self.line.set_operation(&prepared);
        if prepared.operation().kind() == OperationType::Subscription {
            self.subscription.store(true, Ordering::Relaxed);
            return self.subscribe(&prepared, caller, &request).await;
        }
        let context = self.door.context(caller, self.line.request);
        match self.door.execute(&prepared, &request, &context).await {
            outcome @ RequestOutcome::Executed(_) => {
                self.next(outcome, false).await?;
                self.complete().await
            }
            outcome => self.fail(outcome).await,
        }
    }

    async fn subscribe(
        &mut self,
        prepared: &PreparedOperation,
        caller: Caller,
        request: &GraphqlRequest,
    ) -> Result<(), Closed> {
        let context = self.door.context(caller, self.line.request);
        let start = prepared.operation().subscribe(&request.variables, &context);
        let mut events = match self.door.run(&context, start).await {
            Ok(SubscriptionStart::Events(events)) => events,
            Ok(SubscriptionStart::Failed(output)) => {
                self.next(RequestOutcome::Executed(output), false).await?;
                return self.complete().await;
            }
            Err(outcome) => return self.fail(outcome).await,
        };
        let mut shutdown = self.shutdown.clone();
        loop {
            let event = tokio::select! {
                event = self.door.bounded(&context, AssertUnwindSafe(events.next()).catch_unwind()) => event,
                // Without `complete`, so that clients subscribe again when they reconnect.
                () = shutdown.begun() => return self.send(None, true, false).await,
            };
            match event {
                Ok(Ok(Some(output))) => self.next(RequestOutcome::Executed(output), true).await?,
                Ok(Ok(None)) => {
                    self.line.complete();
                    return self.complete().await;
                }
                Ok(Err(_panic)) => return self.fail(RequestOutcome::Failed(RequestError::Panicked)).await,
                Err(error) => return self.fail(RequestOutcome::Failed(error)).await,
            }
        }
    }

    /// Sends a result. Sends an error instead when the result is over the limit; the operation goes on.
    async fn next(&mut self, mut outcome: RequestOutcome, is_event: bool) -> Result<(), Closed> {
        let (id, request, max) = (&self.id, self.line.request, self.door.live().limits.response);
        let next = |outcome: &RequestOutcome, max| {
            bounded_json(&ToClient::Next { id, payload: outcome.body(request) }, max)
        };
        let mut json = next(&outcome, max);
        let is_too_large = json.is_none();
        if is_too_large {
            outcome = RequestOutcome::Failed(RequestError::ResponseTooLarge(max));
            json = next(&outcome, usize::MAX);
        }
        if is_too_large || !is_event {
            self.line.end(&outcome.label());
        }
        self.send(json, false, is_event).await
    }

    async fn complete(&self) -> Result<(), Closed> {
        self.send(bounded_json(&ToClient::Complete { id: &self.id }, usize::MAX), true, false).await
    }

    /// Sends an error and ends the operation.
    async fn fail(&mut self, outcome: RequestOutcome) -> Result<(), Closed> {
        self.line.end(&outcome.label());
        match outcome.body(self.line.request) {
            ResponseBody::Errors { errors } => {
                let error = ToClient::Error { id: &self.id, payload: errors };
                self.send(bounded_json(&error, usize::MAX), true, false).await
            }
            ResponseBody::Executed { .. } => self.complete().await,
        }
    }

    async fn send(&self, json: Option<Vec<u8>>, is_last: bool, is_event: bool) -> Result<(), Closed> {
        let text = json.and_then(|json| String::from_utf8(json).ok());
        let message = OperationMessage { id: Arc::clone(&self.id), run: self.run, text, is_last, is_event };
        self.messages.send(message).await.map_err(|_| Closed)
    }
}
