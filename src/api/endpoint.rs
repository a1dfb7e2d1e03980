//! The endpoint of a door: path → method → caller → body → execute → reply.
//!
//! Our own, because the caller must be known before the body is read: `juniper_warp`'s filter reads the body first,
//! executes mutations sent by GET or as `text/plain`, and takes batches without limit.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use juniper::{
    DefaultScalarValue, GraphQLSubscriptionType, GraphQLTypeAsync, OperationType, RootNode,
    ValidatedOperation,
};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, Method};
use warp::reply::Response;

use super::reply::{Media, Outcome, Problem, Reply};
use super::request::{self, GraphQl};
use super::{Context, DoorSettings, Limits, graphiql, health};
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
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// How many were turned away, by door and code.
    pub refusals: Arc<Tally>,
    /// The tenant's issuer, with its final slash: where GraphiQL logs people in.
    pub issuer: String,
}

/// What one door's requests share.
struct Door<Q, M, S>
where
    Q: Root,
    M: Root,
    S: SubscriptionRoot,
{
    name: &'static str,
    limits: Limits,
    services: Services,
    schema: RootNode<Q, M, S>,
}

/// A root of queries or of mutations that a door can serve. What juniper's macros make is one.
pub trait Root:
    GraphQLTypeAsync<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static
{
}
impl<T: GraphQLTypeAsync<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static> Root for T {}

/// A root of subscriptions that a door can serve. What juniper's macros make is one.
pub trait SubscriptionRoot:
    GraphQLSubscriptionType<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static
{
}
impl<T> SubscriptionRoot for T where
    T: GraphQLSubscriptionType<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static
{
}

/// A door, complete: the GraphQL endpoint at `/graphql`, `/healthz` and `/readyz`, and GraphiQL at `/` if it is set.
///
/// `name` is the realm of its challenges and its name in the log; `wanted` is what it wants of its callers. `schema` gets the door's limits and, where the
/// settings say so, loses its introspection.
pub fn door<Q, M, S>(
    name: &'static str,
    settings: &DoorSettings,
    wanted: &Arc<auth::Door>,
    services: Services,
    schema: RootNode<Q, M, S>,
) -> BoxedFilter<(Response,)>
where
    Q: Root,
    M: Root,
    S: SubscriptionRoot,
{
    let limits = settings.limits.clone();
    let mut schema = schema.limit_depth(limits.depth).limit_tokens(limits.tokens).limit_fields(limits.fields);
    if !settings.introspection {
        schema = schema.disable_introspection();
    }
    let caller = services.gate.caller(wanted);
    let health = health::routes(&services);
    let graphiql = graphiql::routes(name, settings, &services.issuer);
    let door = Arc::new(Door { name, limits, services, schema });

    let guarded = warp::path!("graphql")
        .and(warp::get().map(|| Method::GET).or(warp::post().map(|| Method::POST)).unify())
        .and(caller)
        .and(warp::header::headers_cloned())
        .and(warp::query::raw().or_else(|_| std::future::ready(Ok::<_, warp::Rejection>((String::new(),)))))
        .and(warp::body::stream())
        .then({
            let door = Arc::clone(&door);
            move |method, caller, headers, query: String, body| {
                let door = Arc::clone(&door);
                async move {
                    let reply =
                        Reply { door: door.name, request: RequestId::fresh(), media: Media::of(&headers) };
                    let outcome = door.answer(method, caller, &headers, &query, body, &reply).await;
                    reply.render(outcome)
                }
            }
        });
    let other_methods =
        warp::path!("graphql").and(warp::header::headers_cloned()).map(move |headers: HeaderMap| {
            let reply = Reply { door: name, request: RequestId::fresh(), media: Media::of(&headers) };
            reply.render(Outcome::Problem(Problem::Method))
        });
    guarded.or(other_methods).unify().or(health).unify().or(graphiql).unify().boxed()
}

impl<Q, M, S> Door<Q, M, S>
where
    Q: Root,
    M: Root,
    S: SubscriptionRoot,
{
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
        match graphql {
            Ok(graphql) => self.execute(&method, &graphql, caller, reply.request).await,
            Err(problem) => Outcome::Problem(problem),
        }
    }

    async fn execute(
        &self,
        method: &Method,
        graphql: &GraphQl,
        caller: Caller,
        request: RequestId,
    ) -> Outcome {
        let operation =
            match ValidatedOperation::new(&graphql.query, graphql.operation_name.as_deref(), &self.schema) {
                Ok(operation) => operation,
                Err(error) => return Outcome::Invalid(error),
            };
        match operation.operation_type() {
            OperationType::Query => {}
            OperationType::Mutation if *method == Method::POST => {}
            OperationType::Mutation => return Outcome::Problem(Problem::MutationByGet),
            OperationType::Subscription => return Outcome::Problem(Problem::Subscription),
        }
        let context = Context::new(caller, self.services.store.clone(), self.services.pool.clone(), request);
        // A panic in a resolver is one request's end, not the connection's.
        let execution = AssertUnwindSafe(operation.execute(&graphql.variables, &context)).catch_unwind();
        match tokio::time::timeout(self.limits.time, execution).await {
            Ok(Ok(Ok((data, errors)))) => Outcome::Executed(data, errors),
            Ok(Ok(Err(error))) => Outcome::Invalid(error),
            Ok(Err(_panic)) => Outcome::Problem(Problem::Panicked),
            Err(_elapsed) => Outcome::Problem(Problem::OutOfTime),
        }
    }
}
