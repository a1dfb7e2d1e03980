//! The GraphQL endpoint of a door over HTTP: path → method → caller → body → execute → response.
//!
//! Our own, because the caller must be known before the body is read: `juniper_warp`'s filter reads the body first, executes
//! mutations sent by GET or as `text/plain`, and accepts batches without a limit.

use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use juniper::OperationType;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, Method};
use warp::reply::Response;

use super::cors::Origins;
use super::door::Door;
use super::mutation_rate::MutationRate;
use super::operations::Operations;
use super::request_error::RequestError;
use super::response::{RequestOutcome, Responder};
use super::schema::Schema;
use super::services::Services;
use super::settings::DoorSettings;
use super::trusted_documents::TrustedDocuments;
use super::{graphiql, health, request, socket};
use crate::auth::{Caller, DoorRules, Refusal};

/// All routes of a door: `/graphql` over HTTP and WebSockets, `/healthz`, `/readyz`, and GraphiQL at `/` if it is enabled.
///
/// `name` is the realm of the door's challenges and its name in the log; `rules` say which callers it accepts. `schema` gets
/// the limits of `settings` and loses its introspection if they say so. GraphiQL starts with the query `example`. Requests may
/// name the `trusted` documents.
pub fn door(
    name: &'static str,
    settings: &DoorSettings,
    rules: &Arc<DoorRules>,
    services: Services,
    (schema, example): (Schema, &str),
    trusted: TrustedDocuments,
) -> BoxedFilter<(Response,)> {
    let caller = services.gate.caller(rules);
    let health = health::routes(&services);
    let graphiql = graphiql::routes(name, settings, &services.issuer, example);
    let door = Arc::new(Door {
        name,
        rules: Arc::clone(rules),
        limits: settings.limits.clone(),
        mutations: Arc::new(MutationRate::new(&settings.mutations)),
        socket: settings.socket.clone(),
        services,
        operations: Operations::new(schema, settings, trusted),
        origins: Origins::new(&settings.origins, &settings.headers),
    });

    // HEAD is handled as GET; hyper drops the body.
    let get = warp::get().or(warp::head()).unify().map(|| Method::GET);
    let operation =
        get.or(warp::post().map(|| Method::POST)).unify().and(caller).and(warp::body::stream()).then({
            let door = Arc::clone(&door);
            move |method, request, caller, headers, query: String, body| {
                let door = Arc::clone(&door);
                async move {
                    door.check_origin(&headers);
                    let responder = Responder { request, ..door.responder(&headers) };
                    let outcome = answer(&door, &responder, method, caller, &headers, &query, body).await;
                    door.origins.allow(&headers, responder.render(outcome))
                }
            }
        });
    let other_method = warp::method().and(warp::header::headers_cloned()).map({
        let door = Arc::clone(&door);
        move |method, headers: HeaderMap| match method {
            Method::OPTIONS => {
                door.check_origin(&headers);
                door.origins.preflight(&headers)
            }
            _ => {
                let outcome = RequestOutcome::Failed(RequestError::Method);
                door.origins.allow(&headers, door.responder(&headers).render(outcome))
            }
        }
    });
    let socket = socket::route(&door);
    let graphql = warp::path!("graphql").and(socket.or(operation).unify().or(other_method).unify());
    graphql.or(health).unify().or(graphiql).unify().boxed()
}

/// Answers a GET or POST. Reads the body only once the gate has accepted the caller.
async fn answer(
    door: &Door,
    responder: &Responder,
    method: Method,
    caller: Result<Caller, Refusal>,
    headers: &HeaderMap,
    query: &str,
    body: impl Stream<Item = Result<impl Buf + Send, warp::Error>> + Send,
) -> RequestOutcome {
    let caller = match caller {
        Ok(caller) => caller,
        Err(refusal) => {
            door.services.refusals.count(door.name, refusal.code());
            return RequestOutcome::Refused(refusal);
        }
    };
    if responder.media.is_none() {
        return RequestOutcome::Failed(RequestError::NotAcceptable);
    }
    let request = if method == Method::GET {
        request::from_query(query)
    } else {
        request::from_body(headers, body, door.limits.body, door.services.body_timeout).await
    };
    let request = match request {
        Ok(request) => request,
        Err(error) => return RequestOutcome::Failed(error),
    };
    let prepared = match door.operations.prepare(&request) {
        Ok(prepared) => prepared,
        Err(error) => return error.into(),
    };
    match prepared.operation().kind() {
        OperationType::Mutation if method != Method::POST => {
            RequestOutcome::Failed(RequestError::MutationByGet)
        }
        OperationType::Subscription => RequestOutcome::Failed(RequestError::SubscriptionOverHttp),
        _ => door.execute(&prepared, &request, &door.context(caller, responder.request)).await,
    }
}
