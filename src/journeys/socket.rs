//! A WebSocket client that reads one message at a time.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Runtime};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use vestibule::clock::Clock;

use crate::waiting::DEADLINE;

/// The header of the subprotocol.
pub(crate) const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

pub(crate) struct Socket {
    runtime: Handle,
    stream: WebSocketStream<TcpStream>,
}

impl Socket {
    /// Connects with these headers. The error is the HTTP status of a refusal.
    pub(crate) fn connect(
        runtime: &Runtime,
        address: SocketAddr,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        Self::connect_to(runtime, address, "", headers)
    }

    /// As [`connect`](Self::connect), with a query string.
    pub(crate) fn connect_to(
        runtime: &Runtime,
        address: SocketAddr,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/graphql{query}").into_client_request().unwrap();
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

    /// Connects without sending `connection_init`.
    pub(crate) fn uninitialized(runtime: &Runtime, address: SocketAddr) -> Self {
        Self::connect(runtime, address, &[PROTOCOL]).unwrap()
    }

    /// Connects and sends `connection_init` with this token.
    pub(crate) fn connect_with_token(runtime: &Runtime, address: SocketAddr, token: &str) -> Self {
        let mut socket = Self::uninitialized(runtime, address);
        let payload = json!({"Authorization": format!("Bearer {token}")});
        socket.send(json!({"type": "connection_init", "payload": payload}));
        assert_eq!(socket.receive(), json!({"type": "connection_ack"}));
        socket
    }

    pub(crate) fn send(&mut self, message: Value) {
        // Ignores a closed connection, which the next `receive` reports.
        drop(self.runtime.block_on(self.stream.send(Message::text(message.to_string()))));
    }

    /// Sends bytes that are no message.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.runtime.block_on(self.stream.get_mut().write_all(bytes)).unwrap();
    }

    /// Sends a close frame, and returns the one that answers it.
    pub(crate) fn close(&mut self) -> (u16, String) {
        let frame = CloseFrame { code: 1000.into(), reason: "".into() };
        self.runtime.block_on(self.stream.close(Some(frame))).unwrap();
        self.until_closed()
    }

    /// Starts an operation.
    pub(crate) fn subscribe(&mut self, id: &str, query: &str) {
        self.send(json!({"type": "subscribe", "id": id, "payload": {"query": query}}));
    }

    /// The next message; a close without a frame if the connection broke.
    pub(crate) fn next(&mut self) -> Message {
        self.within(DEADLINE).expect("no message came")
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

    pub(crate) fn receive(&mut self) -> Value {
        match self.next() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The payload of the first event. Repeats `change` until it comes, because the server does not report when a
    /// subscription begins.
    pub(crate) fn first_event(&mut self, mut change: impl FnMut(usize)) -> Value {
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

    /// Reads until the server closes, and returns the code and reason.
    pub(crate) fn until_closed_with_events(&mut self) -> (u16, Vec<Value>) {
        let mut events = Vec::new();
        loop {
            match self.next() {
                Message::Text(text) => events.push(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => return (frame.map_or(1006, |frame| frame.code.into()), events),
                _ => {}
            }
        }
    }

    pub(crate) fn until_closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.next() {
                return frame
                    .map_or((1006, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
            }
        }
    }
}
