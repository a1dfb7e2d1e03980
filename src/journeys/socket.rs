//! A client of a door's WebSocket, one message at a time.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Runtime};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use vestibule::clock::Clock;

use crate::waiting::DEADLINE;

/// As `Sec-WebSocket-Protocol` has it.
pub(crate) const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

pub(crate) struct Socket {
    runtime: Handle,
    stream: WebSocketStream<TcpStream>,
}

impl Socket {
    /// Opened with these headers, or the status it was refused with.
    pub(crate) fn connect(
        runtime: &Runtime,
        address: SocketAddr,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let connecting = async {
            let stream = TcpStream::connect(address).await.unwrap();
            tokio_tungstenite::client_async(request, stream).await
        };
        match runtime.block_on(connecting) {
            Ok((stream, answer)) => {
                assert_eq!(answer.headers()["sec-websocket-protocol"], "graphql-transport-ws");
                Ok(Self { runtime: runtime.handle().clone(), stream })
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// Opened, and nothing said.
    pub(crate) fn silent(runtime: &Runtime, address: SocketAddr) -> Self {
        Self::connect(runtime, address, &[PROTOCOL]).unwrap()
    }

    /// Opened, and let in with this token.
    pub(crate) fn with(runtime: &Runtime, address: SocketAddr, token: &str) -> Self {
        let mut socket = Self::silent(runtime, address);
        let payload = json!({"Authorization": format!("Bearer {token}")});
        socket.say(json!({"type": "connection_init", "payload": payload}));
        assert_eq!(socket.hear(), json!({"type": "connection_ack"}));
        socket
    }

    pub(crate) fn say(&mut self, message: Value) {
        // One that was closed meanwhile says so when it is heard.
        drop(self.runtime.block_on(self.stream.send(Message::text(message.to_string()))));
    }

    /// Begins any operation.
    pub(crate) fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({"type": "subscribe", "id": id, "payload": {"query": query}}));
    }

    /// What comes next; a close without a frame when the connection broke.
    pub(crate) fn next(&mut self) -> Message {
        self.within(DEADLINE).expect("nothing came")
    }

    fn within(&mut self, time: Duration) -> Option<Message> {
        let next = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Ping(_))) => {}
                    Some(Ok(message)) => return message,
                    _ => return Message::Close(None),
                }
            }
        };
        self.runtime.block_on(async { tokio::time::timeout(time, next).await.ok() })
    }

    pub(crate) fn hear(&mut self) -> Value {
        match self.next() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The payload that is heard first of changes that are made until one is: nothing tells when a subscription begins.
    pub(crate) fn first(&mut self, mut change: impl FnMut(usize)) -> Value {
        let clock = Clock::system();
        for turn in 0.. {
            change(turn);
            match self.within(Duration::from_millis(100)) {
                None => {}
                Some(Message::Text(text)) => {
                    return serde_json::from_str::<Value>(&text).unwrap()["payload"].take();
                }
                Some(other) => panic!("{other:?}"),
            }
            assert!(clock.elapsed() < DEADLINE, "no message came");
        }
        unreachable!()
    }

    /// The code and reason it was closed with, whatever came before.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.next() {
                return frame
                    .map_or((1006, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
            }
        }
    }
}
