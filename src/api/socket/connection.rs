//! One WebSocket connection, from its upgrade to its close: its caller, its operations, and what ends it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::SocketCaller;
use super::message::{Close, FromClient, ToClient, presented};
use super::operation::{OperationMessage, RunningOperation};
use super::shutdown::{CLOSE_TIMEOUT, ShutdownSignal};
use crate::api::bounded_json::bounded_json;
use crate::api::door::Door;
use crate::api::request;
use crate::api::request_error::RequestError;
use crate::api::request_line::RequestLine;
use crate::api::response::{RequestOutcome, ResponseBody};
use crate::api::shares::{Share, Shares};
use crate::auth::{Caller, Principal, Refusal};
use crate::scope::Roles;
use crate::telemetry::RequestId;

/// Time between checks of the caller, so that an expired or revoked token closes its socket within a second.
const REVALIDATE_EVERY: Duration = Duration::from_millis(500);

/// Time between pings. A client that sends nothing from one ping to the next is disconnected.
const PING_EVERY: Duration = Duration::from_secs(15);

/// Time for a client to read a message. A slower one is disconnected.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Messages that wait to be written. When the queue is full, operations wait, and so do their sources.
const MESSAGE_QUEUE: usize = 8;

/// A connection after its upgrade.
pub(super) type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

/// Serves a connection until either side ends it.
pub(super) async fn serve(
    door: Arc<Door>,
    socket: WebSocket,
    shutdown: ShutdownSignal,
    uninitialized: OwnedSemaphorePermit,
    callers: Shares<SocketCaller>,
) {
    let (sink, stream) = socket.split();
    let (sender, messages) = mpsc::channel(MESSAGE_QUEUE);
    let mut connection = Connection {
        roles: door.services.gate.roles(),
        door,
        sink,
        stream,
        shutdown,
        messages,
        sender,
        caller: None,
        uninitialized: Some(uninitialized),
        callers,
        share: None,
        running: HashMap::new(),
        runs: 0,
        is_alive: true,
        opened: Instant::now(),
    };
    let Err(end) = connection.run().await;
    // Nothing may be sent after the close frame, so operations end first.
    connection.running.clear();
    let closing = async {
        match end {
            End::Close(close) => {
                tracing::debug!(door = connection.door.name, code = close.code, "closing a WebSocket");
                let frame = CloseFrame { code: close.code.into(), reason: close.reason.into_owned().into() };
                if connection.sink.send(Message::Close(Some(frame))).await.is_ok() {
                    while let Some(Ok(_)) = connection.stream.next().await {}
                }
            }
            // Sends the answer to the client's close frame.
            End::Gone => drop(connection.sink.close().await),
        }
    };
    drop(tokio::time::timeout(CLOSE_TIMEOUT, closing).await);
}

/// How a connection ends.
enum End {
    /// With a close frame.
    Close(Close),
    /// The client closed the connection, or is gone.
    Gone,
}

struct Connection {
    door: Arc<Door>,
    sink: SplitSink<WebSocket, Message>,
    stream: SplitStream<WebSocket>,
    shutdown: ShutdownSignal,
    messages: mpsc::Receiver<OperationMessage>,
    sender: mpsc::Sender<OperationMessage>,
    /// The caller, and when the gate accepted it. `None` until `connection_init`.
    caller: Option<(Caller, Timestamp)>,
    /// The permissions of each role when the connection was opened.
    roles: Arc<Roles>,
    /// The place among connections without an accepted `connection_init`.
    uninitialized: Option<OwnedSemaphorePermit>,
    callers: Shares<SocketCaller>,
    /// The caller's share, once it is known.
    share: Option<Share<SocketCaller>>,
    running: HashMap<Arc<str>, RunningOperation>,
    /// Number of operations started. Clients may reuse an id, so each run has a number of its own.
    runs: u64,
    /// Whether the client sent anything since the last ping.
    is_alive: bool,
    opened: Instant,
}

impl Connection {
    async fn run(&mut self) -> Result<std::convert::Infallible, End> {
        let mut checks = tokio::time::interval(REVALIDATE_EVERY.min(self.door.socket.init));
        let mut pings = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // During the shutdown, running operations may end.
            let draining = self.shutdown.has_begun();
            if draining && self.running.is_empty() {
                return Err(End::Close(Close::GOING_AWAY));
            }
            let shutdown =
                async { if draining { self.shutdown.drained().await } else { self.shutdown.begun().await } };
            tokio::select! {
                () = shutdown => if draining { return Err(End::Close(Close::GOING_AWAY)) },
                _ = checks.tick() => drop(self.revalidate_unless_answering()?),
                _ = pings.tick() => self.ping().await?,
                message = self.stream.next() => match message {
                    Some(Ok(message)) => self.on_message(message).await?,
                    Some(Err(error)) => return Err(Close::broken(&error).map_or(End::Gone, End::Close)),
                    None => return Err(End::Gone),
                },
                Some(message) = self.messages.recv() => self.forward(message).await?,
            }
        }
    }

    /// Checks that the client has sent `connection_init` in time and its caller is still accepted.
    fn revalidate(&self) -> Result<(), End> {
        match &self.caller {
            None if self.opened.elapsed() >= self.door.socket.init => Err(End::Close(Close::INIT_TIMEOUT)),
            None => Ok(()),
            // The client connects again, and the gate decides anew.
            Some(_) if !Arc::ptr_eq(&self.roles, &self.door.services.gate.roles()) => {
                Err(End::Close(Close::GOING_AWAY))
            }
            Some((caller, since)) => {
                self.door.services.gate.revalidate(caller, *since).map_err(|refusal| self.refused(refusal))
            }
        }
    }

    /// The same, but while a request runs it is answered first, such as the sign-out itself: breaks instead of ending.
    fn revalidate_unless_answering(&self) -> Result<ControlFlow<()>, End> {
        match self.revalidate() {
            Err(_) if self.running.values().any(RunningOperation::is_request) => Ok(ControlFlow::Break(())),
            outcome => outcome.map(ControlFlow::Continue),
        }
    }

    fn refused(&self, refusal: Refusal) -> End {
        self.door.services.refusals.count(self.door.name, refusal.code());
        let close = Close::refused(&refusal);
        self.line().end(&RequestOutcome::Refused(refusal).label());
        End::Close(close)
    }

    /// The log line of what begins now.
    fn line(&self) -> RequestLine {
        self.door.line(RequestId::fresh(), self.door.elapsed())
    }

    async fn ping(&mut self) -> Result<(), End> {
        if !std::mem::take(&mut self.is_alive) {
            return Err(End::Gone);
        }
        self.write(Message::Ping(Bytes::new())).await
    }

    async fn on_message(&mut self, message: Message) -> Result<(), End> {
        self.is_alive = true;
        if message.len() > self.door.socket.message {
            return Err(End::Close(Close::TOO_BIG));
        }
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Close(_) => return Err(End::Gone),
            // The library answers pings.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Binary(_) | Message::Frame(_) => return Err(End::Close(Close::BAD_MESSAGE)),
        };
        match serde_json::from_str(text).map_err(|_| End::Close(Close::BAD_MESSAGE))? {
            FromClient::ConnectionInit { .. } => {
                if self.caller.is_some() {
                    return Err(End::Close(Close::SECOND_INIT));
                }
                let presented = presented(text);
                let door = Arc::clone(&self.door);
                let gate = door.services.gate.for_request(RequestId::fresh());
                let caller = tokio::select! {
                    caller = gate.authenticate(&door.rules, presented) => caller,
                    () = self.shutdown.begun() => return Err(End::Close(Close::GOING_AWAY)),
                };
                let caller = caller.map_err(|refusal| self.refused(refusal))?;
                let key = match caller.principal() {
                    Principal::User(user) => Some(SocketCaller::User(user.id())),
                    Principal::Machine(client) => Some(SocketCaller::Machine(Arc::clone(client))),
                    Principal::Anonymous => None,
                };
                if let Some(key) = key {
                    let share = self.callers.take(key).ok_or(End::Close(Close::TOO_MANY))?;
                    self.share = Some(share);
                }
                self.uninitialized = None;
                self.caller = Some((caller, self.door.services.gate.clock().now()));
                self.send(&ToClient::ConnectionAck).await
            }
            FromClient::Ping {} => self.send(&ToClient::Pong).await,
            FromClient::Pong {} => Ok(()),
            FromClient::Subscribe { id, payload } => self.start(id, payload).await,
            FromClient::Complete { id } => {
                self.running.remove(id.as_str());
                Ok(())
            }
        }
    }

    async fn start(&mut self, id: String, payload: serde_json::Value) -> Result<(), End> {
        let Some((caller, _)) = self.caller.clone() else { return Err(End::Close(Close::UNAUTHORIZED)) };
        self.revalidate()?;
        if self.shutdown.has_begun() {
            // The client starts it again after the close.
            return Ok(());
        }
        if self.running.contains_key(id.as_str()) {
            return Err(End::Close(Close::DUPLICATE_ID));
        }
        let request = request::from_json(payload).map_err(|_| End::Close(Close::BAD_MESSAGE))?;
        let max = self.door.socket.operations;
        if self.running.len() >= max {
            let outcome = RequestOutcome::Failed(RequestError::TooManyOperations(max));
            let mut line = self.line();
            line.set_caller(&caller);
            line.end(&outcome.label());
            if let ResponseBody::Errors { errors } = outcome.body(line.request) {
                self.send(&ToClient::Error { id: &id, payload: errors }).await?;
            }
            return Ok(());
        }
        self.runs += 1;
        let id = Arc::<str>::from(id);
        let run = (Arc::clone(&id), self.runs);
        self.running.insert(id, RunningOperation::start(&self.door, caller, request, run, &self.sender));
        Ok(())
    }

    /// Forwards an operation's message, unless the client ended the operation in the meantime.
    async fn forward(&mut self, message: OperationMessage) -> Result<(), End> {
        if self.running.get(&message.id).is_none_or(|running| running.run != message.run) {
            return Ok(());
        }
        if message.is_last {
            self.running.remove(&message.id);
        }
        // Reads nothing while the caller's row does not change. After a block or a loss of permissions no event is sent; the
        // answer to a request, such as that of the sign-out itself, is sent as over HTTP.
        if message.is_event && self.revalidate_unless_answering()?.is_break() {
            return Ok(());
        }
        self.write_text(message.text).await
    }

    /// Sends a short message of our own; results of operations are [forwarded](Self::forward).
    async fn send(&mut self, message: &ToClient<'_>) -> Result<(), End> {
        let json = bounded_json(message, usize::MAX);
        self.write_text(json.and_then(|json| String::from_utf8(json).ok())).await
    }

    async fn write_text(&mut self, text: Option<String>) -> Result<(), End> {
        match text {
            Some(text) => self.write(Message::text(text)).await,
            None => Ok(()),
        }
    }

    /// Blocks the connection until the client has read, so that a slow client delays its operations and uses no memory.
    async fn write(&mut self, message: Message) -> Result<(), End> {
        tokio::select! {
            written = self.sink.send(message) => written.map_err(|_| End::Gone),
            () = tokio::time::sleep(WRITE_TIMEOUT) => Err(End::Gone),
            () = self.shutdown.drained() => Err(End::Close(Close::GOING_AWAY)),
        }
    }
}
