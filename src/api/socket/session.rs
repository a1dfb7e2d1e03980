//! One connection, from its upgrade to its close: who it is, what runs on it, and what ends it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use warp::ws::{Message, WebSocket};

use super::drain::Told;
use super::message::{Close, FromClient, ToClient, presented};
use super::running::{Output, Running};
use crate::api::cost::Excess;
use crate::api::endpoint::Door;
use crate::api::outcome::{Body, Outcome, Problem, json};
use crate::api::request;
use crate::auth::{Caller, Refusal};
use crate::telemetry::RequestId;

/// How often a caller is looked at again, so that an ended or revoked token closes its socket within a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often a silent client is asked whether it is there. It is gone when it did not answer by the next time.
const PING_EVERY: Duration = Duration::from_secs(15);

/// How long a client may take to read what is sent. A slower one is cut off, so that nothing piles up for it.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// How long a client may take to say goodbye.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// Answers that wait to be written; operations wait with theirs, and with them what they read from.
const OUTPUTS: usize = 8;

/// Serves a connection until either side ends it.
pub(super) async fn serve(door: Arc<Door>, socket: WebSocket, told: Told) {
    let (sink, stream) = socket.split();
    let (sender, outputs) = mpsc::channel(OUTPUTS);
    let mut session = Session {
        door,
        sink,
        stream,
        told,
        outputs,
        sender,
        caller: None,
        running: HashMap::new(),
        runs: 0,
        heard: true,
        opened: Instant::now(),
    };
    let Err(end) = session.run().await;
    // Operations end before the goodbye: nothing is sent after it.
    session.running.clear();
    if let End::Close(close) = end {
        tracing::debug!(door = session.door.name, code = close.code, "closing a WebSocket");
        let goodbye = async {
            if session.sink.send(Message::close_with(close.code, close.reason)).await.is_ok() {
                while let Some(Ok(_)) = session.stream.next().await {}
            }
        };
        drop(tokio::time::timeout(GOODBYE, goodbye).await);
    }
}

/// How a connection ends.
enum End {
    /// We say why.
    Close(Close),
    /// There is nobody to say it to.
    Gone,
}

/// A connection goes on until it has an end.
type Going<T = ()> = Result<T, End>;

struct Session {
    door: Arc<Door>,
    sink: SplitSink<WebSocket, Message>,
    stream: SplitStream<WebSocket>,
    told: Told,
    outputs: mpsc::Receiver<Output>,
    sender: mpsc::Sender<Output>,
    /// Once the gate let them in.
    caller: Option<Caller>,
    running: HashMap<Arc<str>, Running>,
    /// How many operations were begun: an id may come again, a run does not.
    runs: u64,
    /// Whether the client said anything since it was last asked.
    heard: bool,
    opened: Instant,
}

impl Session {
    async fn run(&mut self) -> Going<std::convert::Infallible> {
        let mut looks = tokio::time::interval(LOOK_EVERY.min(self.door.socket.init));
        let mut pings = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Once the server ends, what was begun before may end too.
            let ending = self.told.is_ending();
            if ending && self.running.is_empty() {
                return Err(End::Close(Close::GOING_AWAY));
            }
            let told = async { if ending { self.told.over().await } else { self.told.ending().await } };
            tokio::select! {
                () = told => if ending { return Err(End::Close(Close::GOING_AWAY)) },
                _ = looks.tick() => self.look()?,
                _ = pings.tick() => self.ping().await?,
                message = self.stream.next() => match message {
                    Some(Ok(message)) => self.hear(message).await?,
                    Some(Err(_)) | None => return Err(End::Gone),
                },
                Some(output) = self.outputs.recv() => self.give(output).await?,
            }
        }
    }

    /// Whether the client may stay.
    fn look(&self) -> Going {
        match &self.caller {
            None if self.opened.elapsed() >= self.door.socket.init => Err(End::Close(Close::NO_INIT)),
            None => Ok(()),
            Some(caller) => {
                self.door.services.gate.revalidate(caller).map_err(|refusal| self.refused(&refusal))
            }
        }
    }

    fn refused(&self, refusal: &Refusal) -> End {
        self.door.services.refusals.count(self.door.name, refusal.code());
        Outcome::Refused(refusal.clone()).log(self.door.name, RequestId::fresh());
        End::Close(Close::refused(refusal))
    }

    async fn ping(&mut self) -> Going {
        if !std::mem::take(&mut self.heard) {
            return Err(End::Gone);
        }
        self.write(Message::ping(Vec::new())).await
    }

    async fn hear(&mut self, message: Message) -> Going {
        self.heard = true;
        if message.as_bytes().len() > self.door.socket.message {
            return Err(End::Close(Close::TOO_BIG));
        }
        if message.is_close() {
            return Err(End::Gone);
        }
        let Ok(text) = message.to_str() else {
            // Pings are answered by the library.
            let harmless = message.is_ping() || message.is_pong();
            return if harmless { Ok(()) } else { Err(End::Close(Close::BAD_MESSAGE)) };
        };
        match serde_json::from_str(text).map_err(|_| End::Close(Close::BAD_MESSAGE))? {
            FromClient::ConnectionInit { payload } => {
                if self.caller.is_some() {
                    return Err(End::Close(Close::SECOND_INIT));
                }
                let presented = presented(payload.as_ref()).map_err(|refusal| self.refused(&refusal))?;
                let door = Arc::clone(&self.door);
                let admitted = tokio::select! {
                    admitted = door.services.gate.authenticate(&door.wanted, presented) => admitted,
                    () = self.told.ending() => return Err(End::Close(Close::GOING_AWAY)),
                };
                self.caller = Some(admitted.map_err(|refusal| self.refused(&refusal))?);
                self.say(&ToClient::ConnectionAck).await
            }
            FromClient::Ping {} => self.say(&ToClient::Pong).await,
            FromClient::Pong {} => Ok(()),
            FromClient::Subscribe { id, payload } => self.begin(id, payload).await,
            FromClient::Complete { id } => {
                self.running.remove(id.as_str());
                Ok(())
            }
        }
    }

    async fn begin(&mut self, id: String, payload: serde_json::Value) -> Going {
        let Some(caller) = self.caller.clone() else { return Err(End::Close(Close::NOT_ACKNOWLEDGED)) };
        if self.told.is_ending() {
            // The close that comes tells the client to ask elsewhere.
            return Ok(());
        }
        if self.running.contains_key(id.as_str()) {
            return Err(End::Close(Close::TAKEN));
        }
        let graphql = request::from_value(payload).map_err(|_| End::Close(Close::BAD_MESSAGE))?;
        let most = self.door.socket.operations;
        if self.running.len() >= most {
            let excess = Excess { limit: "operations", most: most as u64, what: "operations at once" };
            let (request, outcome) = (RequestId::fresh(), Outcome::Problem(Problem::Excess(excess)));
            outcome.log(self.door.name, request);
            if let Body::Errors { errors } = outcome.body(request) {
                self.say(&ToClient::Error { id: &id, payload: errors }).await?;
            }
            return Ok(());
        }
        self.runs += 1;
        let id = Arc::<str>::from(id);
        let begun = Running::begin(&self.door, caller, graphql, (Arc::clone(&id), self.runs), &self.sender);
        self.running.insert(id, begun);
        Ok(())
    }

    /// Hands on what an operation has to say, unless the client ended it meanwhile.
    async fn give(&mut self, output: Output) -> Going {
        if self.running.get(&output.id).is_none_or(|running| running.run != output.run) {
            return Ok(());
        }
        if output.last {
            self.running.remove(&output.id);
        }
        match output.text {
            Some(text) => self.write(Message::text(text)).await,
            None => Ok(()),
        }
    }

    async fn say(&mut self, message: &ToClient<'_>) -> Going {
        // Our own short messages: no answer of a schema goes this way.
        let text = json(message, usize::MAX).and_then(|json| String::from_utf8(json).ok());
        match text {
            Some(text) => self.write(Message::text(text)).await,
            None => Ok(()),
        }
    }

    /// Nothing else goes on meanwhile, so a client that does not read makes its operations wait, and costs no memory.
    async fn write(&mut self, message: Message) -> Going {
        tokio::select! {
            written = self.sink.send(message) => written.map_err(|_| End::Gone),
            () = tokio::time::sleep(WRITE_MAX) => Err(End::Gone),
            () = self.told.over() => Err(End::Close(Close::GOING_AWAY)),
        }
    }
}
