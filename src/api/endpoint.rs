//! The GraphQL endpoint of a door over HTTP: path → method → caller → body → execute → response.
//!
//! Our own, because the caller must be known before the body is read: `juniper_warp`'s filter reads the body first, executes
//! mutations sent by GET or as `text/plain`, and accepts batches without a limit.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Buf;
use futures_util::Stream;
use juniper::OperationType;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, Method};
use warp::reply::Response;

use super::cors::Origins;
use super::door::{Door, DoorReload, Live};
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
/// name the `trusted` documents. Also returns what reloads the settings.
pub fn door(
    name: &'static str,
    settings: &DoorSettings,
    rules: &Arc<DoorRules>,
    services: Services,
    (schema, example): (Schema, &str),
    trusted: TrustedDocuments,
) -> (BoxedFilter<(Response,)>, DoorReload) {
    let caller = services.gate.caller(rules);
    let health = health::routes(&services);
    let graphiql = graphiql::routes(name, settings, &services.issuer, example);
    let door = Arc::new(Door {
        name,
        rules: Arc::clone(rules),
        mutations: Arc::new(MutationRate::new(&settings.mutations)),
        socket: settings.socket.clone(),
        live: ArcSwap::from_pointee(Live {
            limits: settings.limits.clone(),
            operations: Operations::new(schema, settings, trusted),
            origins: Origins::new(&settings.origins, &settings.headers),
        }),
        services: Arc::new(services),
    });
    let reload = DoorReload(Arc::clone(&door));

    let operation = |method: Method| {
        let (begin, door) = (Arc::clone(&door), Arc::clone(&door));
        let caller = warp::any().map(move || begin.elapsed()).and(caller.clone());
        caller.and(warp::body::stream()).then(move |begun, request, caller, headers, query: String, body| {
            let (door, method) = (Arc::clone(&door), method.clone());
            // Boxed: warp's filters would copy this future from one to the next.
            Box::pin(async move {
                door.check_origin(&headers);
                let mut responder = door.responder(&headers, door.line(request, begun));
                let outcome = answer(&door, &mut responder, method, caller, &headers, &query, body).await;
                let response = responder.render(outcome);
                door.live().origins.allow(&headers, response)
            })
        })
    };
    // Most requests are POST: first, so that no branch before it rejects them.
    let post = warp::post().and(operation(Method::POST));
    // HEAD is handled as GET; hyper drops the body.
    let get = warp::get().or(warp::head()).unify().and(operation(Method::GET));
    let other_method = warp::method().and(warp::header::headers_cloned()).map({
        let door = Arc::clone(&door);
        move |method, headers: HeaderMap| match method {
            Method::OPTIONS => {
                door.check_origin(&headers);
                door.live().origins.preflight(&headers)
            }
            _ => {
                let outcome = RequestOutcome::Failed(RequestError::Method);
                door.live().origins.allow(&headers, door.reject(&headers, outcome))
            }
        }
    });
    // Boxed: a POST would clone and move what the other branches hold.
    let others = socket::route(&door).or(get).unify().or(other_method).unify().boxed();
    let graphql = warp::path!("graphql").and(post.or(others).unify());
    (graphql.or(health).unify().or(graphiql).unify().boxed(), reload)
}

/// Answers a GET or POST. Reads the body only once the gate has accepted the caller.
async fn answer(
    door: &Door,
    responder: &mut Responder,
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
    responder.line.set_caller(&caller);
    if responder.media.is_none() {
        return RequestOutcome::Failed(RequestError::NotAcceptable);
    }
    let request = if method == Method::GET {
        request::from_query(query)
    } else {
        let max = door.live().limits.body;
        request::from_body(headers, body, max, door.services.body_timeout).await
    };
    let request = match request {
        Ok(request) => request,
        Err(error) => return RequestOutcome::Failed(error),
    };
    let prepared = match door.live().operations.prepare(&request) {
        Ok(prepared) => prepared,
        Err(error) => return error.into(),
    };
    responder.line.set_operation(&prepared);
    match prepared.operation().kind() {
        OperationType::Mutation if method != Method::POST => {
            RequestOutcome::Failed(RequestError::MutationByGet)
        }
        OperationType::Subscription => RequestOutcome::Failed(RequestError::SubscriptionOverHttp),
        _ => {
            let context = door.context(caller, responder.line.request).with_fields(prepared.fields());
            door.execute(&prepared, &request, &context).await
        }
    }
}
