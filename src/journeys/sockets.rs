//! WebSockets at a door: the protocol, what ends a connection, and what a connection can not use up.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, Stream, StreamExt, stream};
use juniper::{RootNode, graphql_object, graphql_subscription};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use vestibule::api::{ApiError, Context, internal};
use vestibule::app::Vestibule;
use vestibule::store::Actor;
use vestibule::user::Status;

use crate::stub::{Profile, now};
use crate::yard::Yard;

/// How many events were made: a client that does not read must make that stop.
#[derive(Clone, Default)]
struct Made(Arc<AtomicUsize>);

struct Query;
struct Mutation;
struct Subscription;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    fn hello(context: &Context) -> String {
        context.caller().user().map_or("stranger".to_owned(), |user| user.id().to_string())
    }

    fn many(first: i32) -> Vec<i32> {
        (0..first).collect()
    }

    fn panics() -> i32 {
        panic!("as told")
    }
}

#[graphql_object]
#[graphql(context = Context)]
impl Mutation {
    fn double(number: i32) -> i32 {
        number * 2
    }
}

type Texts = Pin<Box<dyn Stream<Item = Result<String, ApiError>> + Send>>;
type Numbers = Pin<Box<dyn Stream<Item = i32> + Send>>;

#[graphql_subscription]
#[graphql(context = Context)]
impl Subscription {
    async fn count(to: i32) -> Numbers {
        Box::pin(stream::iter(0..to))
    }

    async fn silence() -> Numbers {
        Box::pin(stream::pending())
    }

    async fn flood(context: &Context) -> Result<Texts, ApiError> {
        let Made(made) = context.state::<Made>()?.clone();
        Ok(Box::pin(stream::repeat_with(move || {
            made.fetch_add(1, Ordering::SeqCst);
            Ok("x".repeat(64 * 1024))
        })))
    }

    async fn panics() -> Numbers {
        Box::pin(stream::once(async { panic!("as told") }))
    }

    async fn refused(context: &Context) -> Result<Texts, ApiError> {
        context.require("nobody:has")?;
        Ok(Box::pin(stream::pending()))
    }
}

fn open(set: &[&str]) -> (Yard, Made) {
    let (mut yard, made) = (Yard::open(set), Made::default());
    yard.close();
    let (schema, state) = (RootNode::new(Query, Mutation, Subscription), made.clone());
    yard.serve(Vestibule::new(schema, internal::schema()).state(|_| Ok(state)));
    assert!(yard.runtime.block_on(yard.doors().ready(Duration::from_secs(10))), "no keys");
    (yard, made)
}

struct Client<'a> {
    yard: &'a Yard,
    socket: WebSocketStream<TcpStream>,
}

impl<'a> Client<'a> {
    fn connect(yard: &'a Yard, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let address = yard.doors().public();
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let connecting = async {
            let stream = TcpStream::connect(address).await.unwrap();
            tokio_tungstenite::client_async(request, stream).await
        };
        match yard.runtime.block_on(connecting) {
            Ok((socket, answer)) => {
                assert_eq!(answer.headers()["sec-websocket-protocol"], "graphql-transport-ws");
                Ok(Self { yard, socket })
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    fn silent(yard: &'a Yard) -> Self {
        Self::connect(yard, &[("sec-websocket-protocol", "graphql-transport-ws")]).unwrap()
    }

    /// Connected, and let in with this token.
    fn with(yard: &'a Yard, token: &str) -> Self {
        let mut client = Self::silent(yard);
        client
            .say(json!({"type": "connection_init", "payload": {"Authorization": format!("Bearer {token}")}}));
        assert_eq!(client.hear(), json!({"type": "connection_ack"}));
        client
    }

    fn machine(yard: &'a Yard) -> Self {
        Self::with(yard, &yard.machine_at_public())
    }

    fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string()));
    }

    fn send(&mut self, message: Message) {
        // One that was closed meanwhile says so when it is heard.
        drop(self.yard.runtime.block_on(self.socket.send(message)));
    }

    fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({"type": "subscribe", "id": id, "payload": {"query": query}}));
    }

    fn next(&mut self) -> Message {
        let heard = async { tokio::time::timeout(Duration::from_secs(20), self.socket.next()).await };
        match self.yard.runtime.block_on(heard).expect("nothing came") {
            Some(Ok(message)) => message,
            _ => Message::Close(None),
        }
    }

    fn hear(&mut self) -> Value {
        loop {
            match self.next() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code and reason it was closed with, whatever came before.
    fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.next() {
                return frame
                    .map_or((1006, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
            }
        }
    }
}

#[test]
fn queries_mutations_and_subscriptions_go_over_a_socket() {
    let (yard, _) = open(&[]);
    let mut client = Client::machine(&yard);
    client.subscribe("1", "{ hello }");
    assert_eq!(client.hear(), json!({"type": "next", "id": "1", "payload": {"data": {"hello": "stranger"}}}));
    assert_eq!(client.hear(), json!({"type": "complete", "id": "1"}));
    let payload = json!({"query": "mutation ($n: Int!) { double(number: $n) }", "variables": {"n": 21}});
    client.say(json!({"type": "subscribe", "id": "2", "payload": payload}));
    assert_eq!(client.hear()["payload"]["data"]["double"], 42);
    assert_eq!(client.hear()["type"], "complete");
    client.subscribe("3", "subscription { n: count(to: 3) }");
    for n in 0..3 {
        assert_eq!(client.hear(), json!({"type": "next", "id": "3", "payload": {"data": {"n": n}}}));
    }
    assert_eq!(client.hear(), json!({"type": "complete", "id": "3"}));
    client.say(json!({"type": "ping", "payload": {"any": 1}}));
    assert_eq!(client.hear(), json!({"type": "pong"}));
    // An id is free again once its operation was ended by the client.
    client.subscribe("3", "subscription { silence }");
    client.say(json!({"type": "complete", "id": "3"}));
    client.subscribe("3", "{ hello }");
    assert_eq!(client.hear()["id"], "3");
}

#[test]
fn operations_that_can_not_run_end_alone() {
    let (yard, _) = open(&["public.limits.cost=100", "public.limits.response=400"]);
    let mut client = Client::machine(&yard);
    for (query, code) in [
        ("{ nothing }", None),
        ("{", None),
        ("{ many(first: 300) }", None),
        ("subscription { count(to: 1) silence }", Some("BAD_REQUEST")),
        ("subscription { __typename }", Some("BAD_REQUEST")),
        ("{ panics }", Some("INTERNAL")),
        ("subscription { panics }", Some("INTERNAL")),
    ] {
        client.subscribe("1", query);
        let said = client.hear();
        if said["type"] == "next" {
            // Cheap, but too long to be said.
            assert_eq!(said["payload"]["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED", "{said}");
            assert_eq!(client.hear()["type"], "complete");
            continue;
        }
        assert_eq!(
            (said["type"].as_str(), said["id"].as_str()),
            (Some("error"), Some("1")),
            "{query}: {said}"
        );
        assert_eq!(said["payload"][0]["extensions"]["code"].as_str(), code, "{query}: {said}");
    }
    client.subscribe("1", "subscription { refused }");
    let refused = client.hear();
    assert_eq!(refused["payload"]["errors"][0]["extensions"]["code"], "NOT_PERMITTED", "{refused}");
    assert_eq!(client.hear()["type"], "complete");
    client.subscribe("1", "{ hello }");
    assert_eq!(client.hear()["type"], "next", "the connection goes on");
}

#[test]
fn a_client_that_breaks_the_protocol_is_closed_with_its_code() {
    let (yard, _) = open(&["public.socket.init=300ms", "public.socket.message=1000"]);
    let init = |payload: Value| json!({"type": "connection_init", "payload": payload});
    let closed = |says: &[Value]| {
        let mut client = Client::silent(&yard);
        says.iter().for_each(|say| client.say(say.clone()));
        client.closed()
    };
    let good = init(json!({"token": yard.machine_at_public()}));
    let silence =
        |id: &str| json!({"type": "subscribe", "id": id, "payload": {"query": "subscription { silence }"}});
    assert_eq!(closed(&[]).0, 4408);
    assert_eq!(closed(&[good.clone(), good.clone()]).0, 4429);
    assert_eq!(closed(&[silence("1")]).0, 4401);
    assert_eq!(closed(&[good.clone(), silence("1"), silence("1")]).0, 4409);
    for nonsense in [json!(7), json!({"type": "start"}), json!({"type": "subscribe", "id": 1, "payload": {}})]
    {
        assert_eq!(closed(&[good.clone(), nonsense.clone()]).0, 4400, "{nonsense}");
    }
    let no_request = json!({"type": "subscribe", "id": "1", "payload": {"query": 7}});
    assert_eq!(closed(&[good.clone(), no_request]).0, 4400);
    assert_eq!(closed(&[init(json!({"x": "y".repeat(1_100)}))]).0, 1009);
    let (code, _) = closed(&[init(json!({"x": "y".repeat(1_000_000)}))]);
    assert!([1009, 1006].contains(&code), "{code}: cut off while it came");

    let expired = yard.token("auth0|1", json!({"exp": now() - 60}));
    for (payload, reason) in [
        (Value::Null, "NO_TOKEN: "),
        (json!({"Authorization": format!("Bearer {expired}")}), "EXPIRED: "),
        (json!({"token": yard.machine("users:read")}), "WRONG_AUDIENCE: "),
    ] {
        let (code, said) = closed(&[init(payload)]);
        assert!(code == 4403 && said.starts_with(reason), "{code} {said}");
    }
}

#[test]
fn sockets_are_opened_by_clients_that_may_and_speak_the_protocol() {
    let (yard, _) = open(&["public.origins=[\"https://app.example\"]", "public.socket.connections=2"]);
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    let own = format!("http://{}", yard.doors().public());
    let refused = |headers: &[(&'static str, &str)]| Client::connect(&yard, headers).err();
    assert_eq!(refused(&[]), Some(400));
    assert_eq!(refused(&[("sec-websocket-protocol", "graphql-ws")]), Some(400));
    assert_eq!(refused(&[protocol, ("origin", "https://evil.example")]), Some(403));
    let _known = Client::connect(&yard, &[protocol, ("origin", "https://app.example")]).ok().unwrap();
    let _own = Client::connect(&yard, &[protocol, ("origin", &own)]).ok().unwrap();
    assert_eq!(refused(&[protocol]), Some(503), "only so many at once");
}

#[test]
fn the_twenty_first_operation_at_once_is_refused_alone() {
    let (yard, _) = open(&[]);
    let mut client = Client::machine(&yard);
    for id in 1..=21 {
        client.subscribe(&id.to_string(), "subscription { silence }");
    }
    let refused = client.hear();
    assert_eq!((refused["type"].as_str(), refused["id"].as_str()), (Some("error"), Some("21")), "{refused}");
    assert!(refused["payload"][0]["message"].as_str().unwrap().contains("socket.operations"), "{refused}");
    client.say(json!({"type": "complete", "id": "7"}));
    client.subscribe("22", "{ hello }");
    assert_eq!(client.hear()["id"], "22");
}

#[test]
fn a_token_that_ends_closes_its_socket() {
    let (yard, _) = open(&[]);
    let token = yard.token("m1@clients", json!({"gty": "client-credentials", "azp": "m1", "exp": now() + 2}));
    let mut client = Client::with(&yard, &token);
    client.subscribe("1", "subscription { silence }");
    let (code, reason) = client.closed();
    assert!(code == 4403 && reason.starts_with("EXPIRED: "), "{code} {reason}");
}

#[test]
fn a_user_who_is_blocked_or_signed_out_is_put_out_while_subscribed() {
    let (yard, _) = open(&[]);
    let mut clients: Vec<_> = ["auth0|1", "auth0|2"]
        .map(|sub| {
            let profile = json!({"user_id": sub, "email": format!("{}@example.com", &sub[6..]), "email_verified": true});
            yard.stub.profile(sub, Profile::Is(profile));
            let mut client = Client::with(&yard, &yard.token(sub, json!({"iat": now() - 5})));
            client.subscribe("1", "subscription { silence }");
            client.subscribe("2", "{ hello }");
            let id = client.hear()["payload"]["data"]["hello"].as_str().unwrap().parse().unwrap();
            assert_eq!(client.hear()["type"], "complete");
            (client, id)
        })
        .into();
    yard.store().set_status(clients[0].1, Status::Blocked, &Actor::Cli).unwrap();
    yard.store().sign_out_everywhere(clients[1].1, &Actor::Cli).unwrap();
    for ((client, _), reason) in clients.iter_mut().zip(["BLOCKED: ", "TOKEN_WITHDRAWN: "]) {
        let (code, said) = client.closed();
        assert!(code == 4403 && said.starts_with(reason), "{code} {said}");
    }
}

#[test]
fn a_server_that_drains_says_goodbye_to_its_sockets() {
    let (mut yard, _) = open(&[]);
    let (token, address) = (yard.machine_at_public(), yard.doors().public());
    let (greeted, told) = tokio::sync::oneshot::channel();
    let client = yard.runtime.spawn(async move {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let init = json!({"type": "connection_init", "payload": {"token": token}}).to_string();
        socket.send(Message::text(init)).await.unwrap();
        assert!(socket.next().await.unwrap().unwrap().is_text());
        greeted.send(()).unwrap();
        loop {
            if let Message::Close(frame) = socket.next().await.unwrap().unwrap() {
                return u16::from(frame.unwrap().code);
            }
        }
    });
    yard.runtime.block_on(told).unwrap();
    yard.close();
    assert_eq!(yard.runtime.block_on(client).unwrap(), 1001);
}

#[test]
fn a_client_that_does_not_read_makes_its_events_wait() {
    let (yard, Made(made)) = open(&[]);
    let mut client = Client::machine(&yard);
    client.subscribe("1", "subscription { flood }");
    // What was written stands in the buffers of two sockets, and then nothing more is made.
    let mut before = 0;
    loop {
        yard.rest(Duration::from_millis(300));
        let so_far = made.load(Ordering::SeqCst);
        assert!(so_far < 1_000, "64 MB and no end");
        if so_far > 0 && so_far == before {
            break;
        }
        before = so_far;
    }
    for _ in 0..before {
        assert_eq!(client.hear()["type"], "next");
    }
    assert!(made.load(Ordering::SeqCst) > before, "read, it goes on");
}

#[test]
fn a_resolver_s_panic_is_one_request_s_end() {
    let (yard, _) = open(&[]);
    let token = yard.machine_at_public();
    let ask = |query: &str| yard.wire.graphql(&yard.public(), Some(&token), query, Value::Null).unwrap();
    let failed = ask("{ panics }");
    assert_eq!((failed.status, failed.code().as_deref()), (500, Some("INTERNAL")), "{}", failed.body);
    assert_eq!(failed.at("/errors/0/extensions/requestId").as_str(), failed.header("x-request-id"));
    assert!(!failed.body.contains("as told"), "{}", failed.body);
    assert_eq!(ask("{ hello }").status, 200);
    let one = ask("subscription { silence }");
    assert_eq!((one.status, one.code().as_deref()), (400, Some("BAD_REQUEST")), "{}", one.body);
}
