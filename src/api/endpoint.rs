//! The endpoint of a door: path → method → caller → body → execute → reply.
//!
//! Our own, because the caller must be known before the body is read: `juniper_warp`'s filter reads the body first,
//! executes mutations sent by GET or as `text/plain`, and takes batches without limit.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use juniper::OperationType;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, Method};
use warp::reply::Response;

use super::cors::Origins;
use super::operations::{Operations, Prepared};
use super::outcome::{Outcome, Problem};
use super::reply::{Media, Reply};
use super::request::{self, GraphQl};
use super::{
    Context, DoorSettings, Limits, Schema, SharedState, SocketSettings, TrustedDocuments, WebSockets,
    graphiql, health, socket,
};
use crate::auth::{self, Caller, Gate, Refusal};
use crate::pool::Pool;
use crate::store::Store;
use crate::telemetry::{RequestId, Tally};

/// What both doors lean on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services {
    /// Who is calling.
    pub gate: Gate,
    /// What is known.
    pub store: Store,
    /// Where blocking work goes.
    pub pool: Pool,
    /// Where calls to Auth0 wait, and nothing else.
    pub auth0_pool: Pool,
    /// What the resolvers of a team's own schemas share.
    pub state: SharedState,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// How many were turned away, by door and code.
    pub refusals: Arc<Tally>,
    /// The WebSockets that are open.
    pub sockets: WebSockets,
    /// The tenant's issuer, with its final slash: where GraphiQL logs people in.
    pub issuer: String,
}

/// What one door's requests share.
pub(super) struct Door {
    pub(super) name: &'static str,
    pub(super) wanted: Arc<auth::DoorRules>,
    pub(super) limits: Limits,
    pub(super) socket: SocketSettings,
    pub(super) services: Services,
    pub(super) origins: Origins,
    operations: Operations,
}

/// A door, complete: the GraphQL endpoint at `/graphql`, over HTTP and WebSockets, `/healthz` and `/readyz`, and GraphiQL at `/` if it is set.
///
/// `name` is the realm of its challenges and its name in the log; `wanted` is what it wants of its callers. `schema` gets the
/// door's limits and, where the settings say so, loses its introspection; `to_try` is what GraphiQL begins with; `trusted`
/// are the documents that requests may name.
pub fn door(
    name: &'static str,
    settings: &DoorSettings,
    wanted: &Arc<auth::DoorRules>,
    services: Services,
    (schema, to_try): (Schema, &str),
    trusted: TrustedDocuments,
) -> BoxedFilter<(Response,)> {
    let caller = services.gate.caller(wanted);
    let health = health::routes(&services);
    let graphiql = graphiql::routes(name, settings, &services.issuer, to_try);
    let door = Arc::new(Door {
        name,
        wanted: Arc::clone(wanted),
        limits: settings.limits.clone(),
        socket: settings.socket.clone(),
        services,
        operations: Operations::new(schema, settings, trusted),
        origins: Origins::new(&settings.origins),
    });

    // HEAD is GET; hyper leaves the body out.
    let get = warp::get().or(warp::head()).unify().map(|| Method::GET);
    let guarded = get
        .or(warp::post().map(|| Method::POST))
        .unify()
        .and(caller)
        .and(warp::header::headers_cloned())
        .and(warp::query::raw().or_else(|_| std::future::ready(Ok::<_, warp::Rejection>((String::new(),)))))
        .and(warp::body::stream())
        .then({
            let door = Arc::clone(&door);
            move |method, caller, headers, query: String, body| {
                let door = Arc::clone(&door);
                async move {
                    let reply = door.reply(&headers);
                    let outcome = door.answer(method, caller, &headers, &query, body, &reply).await;
                    door.origins.mark(&headers, reply.render(outcome))
                }
            }
        });
    let unguarded = warp::method().and(warp::header::headers_cloned()).map({
        let door = Arc::clone(&door);
        move |method, headers: HeaderMap| match method {
            Method::OPTIONS => door.origins.options(&headers),
            _ => {
                let refused = door.reply(&headers).render(Outcome::Problem(Problem::Method));
                door.origins.mark(&headers, refused)
            }
        }
    });
    let socket = socket::route(&door);
    let endpoint = warp::path!("graphql").and(socket.or(guarded).unify().or(unguarded).unify());
    endpoint.or(health).unify().or(graphiql).unify().boxed()
}

impl Door {
    pub(super) fn reply(&self, headers: &HeaderMap) -> Reply {
        Reply {
            door: self.name,
            request: RequestId::fresh(),
            media: Media::of(headers),
            most: self.limits.response,
        }
    }

    /// From a caller to an outcome. The body is not read before the caller is known.
    async fn answer(
        &self,
        method: Method,
        caller: Result<Caller, Refusal>,
        headers: &HeaderMap,
        query: &str,
        body: impl request::Body,
        reply: &Reply,
    ) -> Outcome {
        let caller = match caller {
            Ok(caller) => caller,
            Err(refusal) => {
                self.services.refusals.count(self.name, refusal.code());
                return Outcome::Refused(refusal);
            }
        };
        if reply.media.is_none() {
            return Outcome::Problem(Problem::NotAcceptable);
        }
        let graphql = if method == Method::GET {
            request::from_query(query)
        } else {
            request::from_body(headers, body, self.limits.body, self.services.body_timeout).await
        };
        let graphql = match graphql {
            Ok(graphql) => graphql,
            Err(problem) => return Outcome::Problem(problem),
        };
        match self.prepare(&graphql) {
            Ok(prepared) => match prepared.operation().kind() {
                OperationType::Mutation if method != Method::POST => Outcome::Problem(Problem::MutationByGet),
                OperationType::Subscription => Outcome::Problem(Problem::Subscription),
                _ => self.execute(&prepared, &graphql, caller, reply.request).await,
            },
            Err(outcome) => outcome,
        }
    }

    /// Finds the operation that a request asks for, and says whether it may be run.
    pub(super) fn prepare(&self, graphql: &GraphQl) -> Result<Arc<Prepared>, Outcome> {
        let prepared = self.operations.find(&graphql.document, graphql.operation_name.as_deref())?;
        self.operations.affordable(&prepared, &graphql.variables).map_err(Outcome::Problem)?;
        Ok(prepared)
    }

    /// What resolvers are given.
    pub(super) fn context(&self, caller: Caller, request: RequestId) -> Context {
        Context::new(caller, &self.services, request, self.limits.time)
    }

    /// Runs a query or a mutation.
    pub(super) async fn execute(
        &self,
        prepared: &Prepared,
        graphql: &GraphQl,
        caller: Caller,
        request: RequestId,
    ) -> Outcome {
        let context = self.context(caller, request);
        let execution = prepared.operation().execute(&graphql.variables, &context);
        // A panic in a resolver is one request's end, not the connection's.
        let execution = AssertUnwindSafe(execution).catch_unwind();
        match tokio::time::timeout(self.limits.time, execution).await {
            Ok(Ok(Ok(answer))) => answer.into(),
            Ok(Ok(Err(error))) => Outcome::Invalid(error),
            Ok(Err(_panic)) => Outcome::Problem(Problem::Panicked),
            Err(_elapsed) => Outcome::Problem(Problem::OutOfTime),
        }
    }
}
