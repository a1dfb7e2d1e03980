//! The subscriptions of both schemas, over a socket: what changes is told, and only to whom may know.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use vestibule::store::{Actor, Arrival, LinkEmail, UserUpdate};
use vestibule::user::{Person, Status, UserId};

use crate::yard::Yard;

struct Client<'a> {
    yard: &'a Yard,
    socket: WebSocketStream<TcpStream>,
}

impl<'a> Client<'a> {
    /// Let in with `token`, and subscribed.
    fn subscribed(yard: &'a Yard, internal: bool, token: &str, query: &str) -> Self {
        let address = if internal { yard.doors().internal() } else { yard.doors().public() };
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let socket = yard.runtime.block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            tokio_tungstenite::client_async(request, stream).await.unwrap().0
        });
        let mut client = Self { yard, socket };
        let token = format!("Bearer {token}");
        client.say(&json!({"type": "connection_init", "payload": {"Authorization": token}}));
        assert_eq!(client.heard(Duration::from_secs(20)).unwrap()["type"], "connection_ack");
        client.say(&json!({"type": "subscribe", "id": "1", "payload": {"query": query}}));
        client
    }

    fn say(&mut self, message: &Value) {
        self.yard.runtime.block_on(self.socket.send(Message::text(message.to_string()))).unwrap();
    }

    fn heard(&mut self, within: Duration) -> Option<Value> {
        let text = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                    Some(Ok(Message::Ping(_))) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        self.yard.runtime.block_on(async { tokio::time::timeout(within, text).await.ok() })
    }

    /// What is heard first of changes that are made until one is: nothing tells when a subscription has begun.
    fn first(&mut self, mut change: impl FnMut(usize)) -> Value {
        for turn in 0..200 {
            change(turn);
            if let Some(heard) = self.heard(Duration::from_millis(100)) {
                return heard["payload"].clone();
            }
        }
        panic!("nothing was heard");
    }
}

fn person(yard: &Yard, name: &str) -> UserId {
    let arrival = Arrival {
        auth0_id: format!("auth0|{name}").parse().unwrap(),
        email: None,
        email_verified: false,
        person: Person::default(),
        profile: None,
    };
    yard.store().admit(&arrival, LinkEmail::Verified, &Actor::Gate).unwrap().into_user().id
}

fn rename(yard: &Yard, user: UserId, name: String) {
    let update = UserUpdate { nickname: Some(Some(name)), ..UserUpdate::default() };
    yard.store().update(user, &update, &Actor::Cli).unwrap();
}

#[test]
fn people_hear_of_their_own_changes_only() {
    let yard = Yard::open(&[]);
    let (ada, bob) = (person(&yard, "ada"), person(&yard, "bob"));
    let token = yard.token("auth0|ada", json!({}));
    let mut client = Client::subscribed(&yard, false, &token, "subscription { meChanged { id nickname } }");
    let heard = client.first(|turn| {
        rename(&yard, bob, format!("bob {turn}"));
        rename(&yard, ada, format!("ada {turn}"));
    });
    let me = &heard["data"]["meChanged"];
    assert_eq!(me["id"], json!(ada), "{heard}");
    assert!(me["nickname"].as_str().unwrap().starts_with("ada "), "{heard}");
}

#[test]
fn staff_hear_of_every_user_or_of_one_and_of_lines_of_the_trail() {
    let yard = Yard::open(&[]);
    let (ada, bob) = (person(&yard, "ada"), person(&yard, "bob"));
    let token = yard.machine("users:read audit:read");
    let one =
        format!("subscription {{ userChanged(id: \"{ada}\") {{ id nickname identities {{ auth0Id }} }} }}");
    let heard = Client::subscribed(&yard, true, &token, &one).first(|turn| {
        rename(&yard, bob, format!("bob {turn}"));
        rename(&yard, ada, format!("ada {turn}"));
    });
    assert_eq!(heard["data"]["userChanged"]["id"], json!(ada), "{heard}");
    assert_eq!(heard["data"]["userChanged"]["identities"][0]["auth0Id"], "auth0|ada");

    let all = "subscription { userChanged { id status } }";
    let heard = Client::subscribed(&yard, true, &token, all).first(|turn| {
        let status = if turn % 2 == 0 { Status::Blocked } else { Status::Active };
        yard.store().set_status(bob, status, &Actor::Cli).unwrap();
    });
    assert_eq!(heard["data"]["userChanged"]["id"], json!(bob), "{heard}");

    let lines = "subscription { auditEventAdded(filter: {action: \"user.roles_set\"}) { action user { id } actor { kind } } }";
    let heard = Client::subscribed(&yard, true, &token, lines).first(|turn| {
        rename(&yard, ada, format!("again {turn}"));
        yard.store().set_roles(ada, &[format!("role-{turn}")], &Actor::Cli).unwrap();
    });
    let line = json!({"action": "user.roles_set", "user": {"id": ada}, "actor": {"kind": "CLI"}});
    assert_eq!(heard["data"]["auditEventAdded"], line, "{heard}");
}

#[test]
fn a_subscription_is_refused_to_whom_may_not_know() {
    let yard = Yard::open(&[]);
    let lines = "subscription { auditEventAdded { action } }";
    let reader = yard.machine("users:read");
    let refused = Client::subscribed(&yard, true, &reader, lines).heard(Duration::from_secs(20)).unwrap();
    let text = refused.to_string();
    assert!(text.contains("NOT_PERMITTED") && text.contains("audit:read"), "{text}");
    let machine = yard.machine_at_public();
    let mine = "subscription { meChanged { id } }";
    let refused = Client::subscribed(&yard, false, &machine, mine).heard(Duration::from_secs(20)).unwrap();
    assert!(refused.to_string().contains("NOT_PERMITTED"), "{refused}");
}
