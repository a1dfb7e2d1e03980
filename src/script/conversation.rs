//! One login, from the host's side: hand it to a worker, answer what its scripts ask for, hear the verdict.
//!
//! Reading, answering and writing go on at once, so that several fetches can be under way and neither end ever waits
//! for the other to empty a pipe.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::fetch::{Fetcher, pool_error};
use super::ipc::{self, CALLS_AT_ONCE, CONSOLE_LINES, Call, CallError, FetchCall, FromWorker};
use super::ipc::{Reply, TO_WORKER_LIMIT, ToWorker, Verdict};
use super::outcome::{ConsoleLine, FetchRecord, MetadataWriter};
use super::process::Worker;
use super::redact::Redactor;
use crate::pool::Pool;

/// Fetches of one login.
const FETCHES: usize = 20;
/// Metadata updates of one login.
const UPDATES: usize = 20;

/// What a login's scripts have done so far. It outlives the conversation, so a killed login still has its record.
pub(super) struct Record {
    names: Vec<String>,
    redactor: Redactor,
    events: Mutex<Events>,
}

#[derive(Default)]
struct Events {
    /// The rule that runs.
    index: Option<usize>,
    console: Vec<ConsoleLine>,
    fetches: Vec<FetchRecord>,
    fetched: usize,
    updated: usize,
    under_way: usize,
}

/// Who answers the calls of a login.
pub(super) struct Answerer<'a> {
    pub(super) record: &'a Record,
    pub(super) fetcher: &'a Fetcher,
    pub(super) pool: &'a Pool,
    pub(super) effects: &'a MetadataWriter,
}

impl Record {
    pub(super) fn new(names: Vec<String>, redactor: Redactor) -> Self {
        Self { names, redactor, events: Mutex::default() }
    }

    /// The name of the rule at `index`.
    pub(super) fn name(&self, index: usize) -> String {
        self.names.get(index).cloned().unwrap_or_default()
    }

    /// The name of the rule that runs; empty before the first.
    pub(super) fn current(&self) -> String {
        self.lock().index.map(|index| self.name(index)).unwrap_or_default()
    }

    /// Hands the console and the fetches over.
    pub(super) fn take(&self) -> (Vec<ConsoleLine>, Vec<FetchRecord>) {
        let mut events = self.lock();
        (std::mem::take(&mut events.console), std::mem::take(&mut events.fetches))
    }

    /// Events are only ever added whole, so a poisoned lock still holds good ones.
    fn lock(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answerer<'_> {
    /// Runs one login on `worker`. `run` is its frame. Also tells whether the worker can take another login; after an
    /// error it can not. Not cancel-safe: a worker whose conversation was dropped is to be killed.
    pub(super) async fn hold(&self, worker: &mut Worker, run: Vec<u8>) -> io::Result<(Verdict, bool)> {
        let (ask, asked) = mpsc::unbounded_channel();
        let (tell, told) = mpsc::unbounded_channel();
        let mut write = pin!(write(&mut worker.stdin, run, told));
        let verdict = {
            let read = pin!(self.read(&mut worker.stdout, ask));
            let answer = pin!(self.answer(asked, tell));
            tokio::select! {
                verdict = read => verdict?,
                never = answer => match never {},
                // It ends only by failing while there is someone to tell.
                written = &mut write => return Err(written.err().unwrap_or_else(closed)),
            }
        };
        // A reply that has been begun is finished: half a frame would garble the next login.
        let whole = write.await.is_ok();
        Ok((verdict, whole))
    }

    async fn read(&self, from: &mut ChildStdout, ask: UnboundedSender<(u64, Call)>) -> io::Result<Verdict> {
        loop {
            match ipc::read_async(from).await? {
                FromWorker::Begin(index) => self.record.lock().index = Some(index),
                FromWorker::Say(level, text) => {
                    let script = self.record.current();
                    let console = &mut self.record.lock().console;
                    if console.len() < CONSOLE_LINES {
                        console.push(ConsoleLine { script, level, text });
                    }
                }
                FromWorker::Call(id, call) => {
                    let mut events = self.record.lock();
                    events.under_way += 1;
                    // A timer that was cleared is still under way here, hence the double.
                    if events.under_way > 2 * CALLS_AT_ONCE {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "too many calls at once"));
                    }
                    drop(events);
                    ask.send((id, call)).map_err(|_| closed())?;
                }
                FromWorker::End(verdict) => return Ok(verdict),
                FromWorker::Ready => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the worker started again"));
                }
            }
        }
    }

    async fn answer(
        &self,
        mut asked: UnboundedReceiver<(u64, Call)>,
        tell: UnboundedSender<Vec<u8>>,
    ) -> Infallible {
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some((id, call)) = asked.recv() => under_way.push(self.reply(id, call)),
                Some(reply) = under_way.next() => {
                    self.record.lock().under_way -= 1;
                    let id = reply.id;
                    let frame = ipc::frame(&ToWorker::Reply(reply), TO_WORKER_LIMIT).or_else(|error| {
                        let result = Err(CallError::new("ETOOBIG", error.to_string()));
                        ipc::frame(&ToWorker::Reply(Reply { id, result }), TO_WORKER_LIMIT)
                    });
                    if let Ok(frame) = frame {
                        // The writer is gone only when the conversation is over.
                        drop(tell.send(frame));
                    }
                }
                else => std::future::pending().await,
            }
        }
    }

    async fn reply(&self, id: u64, call: Call) -> Reply {
        let result = match call {
            Call::Fetch(call) => self.fetch(call).await,
            Call::Metadata(update) => {
                let count = {
                    let mut events = self.record.lock();
                    events.updated += 1;
                    events.updated
                };
                if count > UPDATES {
                    let message = format!("a login may update metadata {UPDATES} times");
                    Err(CallError::new("ELIMIT", message))
                } else {
                    let effects = Arc::clone(self.effects);
                    match self.pool.run(move || effects(update)).await {
                        Ok(Ok(())) => Ok(Value::Null),
                        Ok(Err(message)) => Err(CallError::new("EMETADATA", message)),
                        Err(error) => Err(pool_error(error)),
                    }
                }
            }
            Call::Sleep(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok(Value::Null)
            }
        };
        Reply { id, result }
    }

    async fn fetch(&self, call: FetchCall) -> Result<Value, CallError> {
        let allowed = self.fetcher.judge(call)?;
        let place = {
            let script = self.record.current();
            let mut events = self.record.lock();
            events.fetched += 1;
            if events.fetched > FETCHES {
                return Err(CallError::new("ELIMIT", format!("fetch: a login may make {FETCHES} of them")));
            }
            let url = self.record.redactor.redact(&allowed.address).into_owned();
            events.fetches.push(FetchRecord { script, method: allowed.method.clone(), url, status: None });
            events.fetches.len() - 1
        };
        let answer = self.fetcher.make(allowed).await?;
        if let Some(fetch) = self.record.lock().fetches.get_mut(place) {
            fetch.status = Some(answer.status);
        }
        Ok(answer.into_value())
    }
}

/// Writes the login, then the replies as they come, until nobody is left to tell more.
async fn write(to: &mut ChildStdin, run: Vec<u8>, mut told: UnboundedReceiver<Vec<u8>>) -> io::Result<()> {
    to.write_all(&run).await?;
    while let Some(frame) = told.recv().await {
        to.write_all(&frame).await?;
    }
    Ok(())
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the worker has closed its pipe")
}
