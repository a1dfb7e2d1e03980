//! `juniper_warp`'s stock filters on a port of their own, with the schemas, the database and the gate of a [`TestServer`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use juniper::{DefaultScalarValue, InputValue, RootNode, Variables};
use juniper_graphql_ws::ConnectionConfig;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;
use vestibule::api::{DoorSettings, Root, SubscriptionRoot};
use vestibule::auth::{Caller, Presented, Refusal, parse};
use vestibule::cli::http_client::HttpResponse;
use vestibule::telemetry::RequestId;
use vestibule::{Context, internal, public};
use warp::Filter;

use crate::test_server::TestServer;

/// The stock endpoints of both schemas.
pub(super) struct Stock {
    pub(super) public: SocketAddr,
    pub(super) internal: SocketAddr,
}

impl Stock {
    pub(super) fn start(server: &TestServer) -> Self {
        let (public, internal) = (&server.config.public, &server.config.internal);
        Self {
            public: serve(server, public, public::schema, "public"),
            internal: serve(server, internal, internal::schema, "internal"),
        }
    }

    pub(super) fn public_url(&self) -> String {
        format!("http://{}/graphql", self.public)
    }

    pub(super) fn internal_url(&self) -> String {
        format!("http://{}/graphql", self.internal)
    }
}

/// Serves one schema as the documentation of `juniper_warp` shows it: the gate makes the context.
#[expect(clippy::disallowed_methods, reason = "this is the stock server, without our listener's timeouts")]
fn serve<Q: Root, M: Root, S: SubscriptionRoot>(
    server: &TestServer,
    settings: &DoorSettings,
    schema: impl Fn() -> RootNode<Q, M, S>,
    path: &'static str,
) -> SocketAddr {
    let rules = Arc::new(settings.rules(&server.config.claims));
    let services = Arc::new(server.doors().services().clone());
    let time = settings.limits.time;
    let new_context = move |caller: Caller| Context::new(caller, &services, RequestId::fresh(), time);
    let gate = server.doors().services().gate.clone();
    let context = gate.caller(&rules).and_then({
        let new_context = new_context.clone();
        move |_, caller: Result<Caller, Refusal>, _, _| {
            std::future::ready(caller.map(&new_context).map_err(warp::reject::custom))
        }
    });
    let init = move |payload: Variables| async move {
        let token = payload.get("token").and_then(InputValue::as_scalar).map(ToString::to_string);
        let caller =
            gate.authenticate(&rules, parse(token.unwrap_or_default()).map(Presented::Token)).await?;
        Ok::<_, Refusal>(ConnectionConfig::<_, DefaultScalarValue>::new(new_context(caller)))
    };
    let sockets = juniper_warp::subscriptions::make_ws_filter(schema(), init);
    let routes = warp::path("graphql").and(sockets.or(juniper_warp::make_graphql_filter(schema(), context)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0");
    let listener = server.runtime.block_on(listener).unwrap_or_else(|error| panic!("{path}: {error}"));
    let address = listener.local_addr().unwrap();
    server.runtime.spawn(warp::serve(routes).incoming(listener).run());
    address
}

/// A request that can be sent by POST and by GET.
#[derive(Clone)]
pub(super) struct Operation {
    pub(super) query: String,
    pub(super) name: Option<&'static str>,
    pub(super) variables: Value,
}

impl Operation {
    pub(super) fn post(&self, server: &TestServer, url: &str, token: &str) -> HttpResponse {
        let mut body = json!({"query": self.query});
        if let Some(name) = self.name {
            body["operationName"] = name.into();
        }
        if !self.variables.is_null() {
            body["variables"] = self.variables.clone();
        }
        send(server, "POST", url, Some(token), &[("content-type", "application/json")], &body.to_string())
    }

    pub(super) fn get(&self, server: &TestServer, url: &str, token: &str) -> HttpResponse {
        let mut query = Serializer::new(String::new());
        query.append_pair("query", &self.query);
        if !self.variables.is_null() {
            query.append_pair("variables", &self.variables.to_string());
        }
        send(server, "GET", &format!("{url}?{}", query.finish()), Some(token), &[], "")
    }
}

/// Sends a request that accepts the media type whose status shows the outcome.
pub(super) fn send(
    server: &TestServer,
    method: &str,
    url: &str,
    token: Option<&str>,
    headers: &[(&str, &str)],
    body: &str,
) -> HttpResponse {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut all = headers.to_vec();
    all.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    if !headers.iter().any(|(name, _)| *name == "accept") {
        all.push(("accept", "application/graphql-response+json"));
    }
    server
        .http
        .send(method, url, &all, body.to_owned())
        .unwrap_or_else(|error| panic!("{method} {url} {body}: {error}"))
}

/// The status of an answer, and its members exactly as they were written, so that order and escapes count.
pub(super) fn written(answer: &HttpResponse) -> (u16, BTreeMap<String, String>) {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&answer.body)
        .unwrap_or_else(|error| panic!("{error}: {} {}", answer.status, answer.body));
    (answer.status, members.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect())
}
