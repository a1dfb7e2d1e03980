//! One operation of a connection, in a task of its own: a resolver that takes long or panics ends nothing but itself.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use juniper::OperationType;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::drain::Told;
use super::message::ToClient;
use crate::api::endpoint::Door;
use crate::api::operations::Prepared;
use crate::api::outcome::{Body, Outcome, Problem, json};
use crate::api::request::GraphQl;
use crate::api::schema::Subscribed;
use crate::auth::Caller;
use crate::telemetry::RequestId;

/// A message of an operation, on its way to the client.
pub(super) struct Output {
    pub(super) id: Arc<str>,
    pub(super) run: u64,
    /// Nothing when an operation ends without a word.
    pub(super) text: Option<String>,
    /// Whether it is the last.
    pub(super) last: bool,
}

/// An operation under way. Dropped, it ends.
pub(super) struct Running {
    pub(super) run: u64,
    task: AbortHandle,
}

impl Running {
    /// Begins an operation. `name` is its id and its run.
    pub(super) fn begin(
        door: &Arc<Door>,
        caller: Caller,
        graphql: GraphQl,
        (id, run): (Arc<str>, u64),
        outputs: &mpsc::Sender<Output>,
    ) -> Self {
        let door = Arc::clone(door);
        let (told, outputs) = (door.services.sockets.told(), outputs.clone());
        let voice = Voice { id, run, request: RequestId::fresh(), outputs, told, door };
        let task = tokio::spawn(async move {
            // Whoever listened is gone when this fails.
            drop(voice.perform(caller, graphql).await);
        });
        Self { run, task: task.abort_handle() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Nobody listens any more.
struct Unheard;

/// Speaks for one operation.
struct Voice {
    door: Arc<Door>,
    id: Arc<str>,
    run: u64,
    request: RequestId,
    outputs: mpsc::Sender<Output>,
    told: Told,
}

impl Voice {
    async fn perform(&self, caller: Caller, graphql: GraphQl) -> Result<(), Unheard> {
        let prepared = match self.door.prepare(&graphql) {
            Ok(prepared) => prepared,
            Err(outcome) => return self.fail(&outcome).await,
        };
        if prepared.operation().kind() == OperationType::Subscription {
            return self.subscribe(&prepared, caller, &graphql).await;
        }
        match self.door.execute(&prepared, &graphql, caller, self.request).await {
            outcome @ Outcome::Executed(..) => {
                self.next(outcome).await?;
                self.complete().await
            }
            outcome => self.fail(&outcome).await,
        }
    }

    async fn subscribe(&self, prepared: &Prepared, caller: Caller, graphql: &GraphQl) -> Result<(), Unheard> {
        let context = self.door.context(caller, self.request);
        let begun =
            AssertUnwindSafe(prepared.operation().subscribe(&graphql.variables, &context)).catch_unwind();
        let mut events = match tokio::time::timeout(self.door.limits.time, begun).await {
            Ok(Ok(Ok(Subscribed::Events(events)))) => events,
            Ok(Ok(Ok(Subscribed::Refused(answer)))) => {
                self.next(answer.into()).await?;
                return self.complete().await;
            }
            Ok(Ok(Err(error))) => return self.fail(&Outcome::Invalid(error)).await,
            Ok(Err(_panic)) => return self.fail(&Outcome::Problem(Problem::Panicked)).await,
            Err(_elapsed) => return self.fail(&Outcome::Problem(Problem::OutOfTime)).await,
        };
        let mut told = self.told.clone();
        loop {
            let event = tokio::select! {
                event = AssertUnwindSafe(events.next()).catch_unwind() => event,
                // Without `complete`: there is more, for who subscribes again elsewhere.
                () = told.ending() => return self.output(None, true).await,
            };
            match event {
                Ok(Some(answer)) => self.next(answer.into()).await?,
                Ok(None) => return self.complete().await,
                Err(_panic) => return self.fail(&Outcome::Problem(Problem::Panicked)).await,
            }
        }
    }

    /// A result, if it is not over the limit; then an error in its place, and the operation goes on.
    async fn next(&self, outcome: Outcome) -> Result<(), Unheard> {
        outcome.log(self.door.name, self.request);
        let next = |outcome: &Outcome, most| {
            json(&ToClient::Next { id: &self.id, payload: outcome.body(self.request) }, most)
        };
        let most = self.door.limits.response;
        let text = match next(&outcome, most) {
            Some(text) => text,
            None => {
                let problem = Outcome::Problem(Problem::AnswerTooLarge(most));
                problem.log(self.door.name, self.request);
                next(&problem, usize::MAX).unwrap_or_default()
            }
        };
        self.send(text, false).await
    }

    async fn complete(&self) -> Result<(), Unheard> {
        self.send(json(&ToClient::Complete { id: &self.id }, usize::MAX).unwrap_or_default(), true).await
    }

    /// The operation did not run, or ends here.
    async fn fail(&self, outcome: &Outcome) -> Result<(), Unheard> {
        outcome.log(self.door.name, self.request);
        match outcome.body(self.request) {
            Body::Errors { errors } => {
                let error = json(&ToClient::Error { id: &self.id, payload: errors }, usize::MAX);
                self.send(error.unwrap_or_default(), true).await
            }
            Body::Executed { .. } => self.complete().await,
        }
    }

    async fn send(&self, json: Vec<u8>, last: bool) -> Result<(), Unheard> {
        self.output(Some(String::from_utf8(json).unwrap_or_default()), last).await
    }

    async fn output(&self, text: Option<String>, last: bool) -> Result<(), Unheard> {
        let output = Output { id: Arc::clone(&self.id), run: self.run, text, last };
        self.outputs.send(output).await.map_err(|_| Unheard)
    }
}
