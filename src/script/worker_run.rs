//! One login on a worker, on the host's side: sends it, handles its scripts' calls, and waits for the verdict.
//!
//! Reading, handling and writing run concurrently, so that several fetches can run at once and neither process blocks on
//! a full pipe.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};

use super::fetch::{Fetcher, pool_error};
use super::ipc::{self, CALLS_AT_ONCE, CONSOLE_LINES, Call, CallError, FetchCall};
use super::ipc::{FromWorker, TO_WORKER_LIMIT, ToWorker, Verdict};
use super::login::{ConsoleLine, FetchRecord, MetadataUpdate, MetadataWriter};
use super::process::Worker;
use super::redact::Redactor;

/// The most fetches of one login.
const FETCHES: usize = 20;
/// The most metadata updates of one login.
const UPDATES: usize = 20;

/// The actions of a login's scripts. Outlives the run, so the log of a killed login is kept.
pub(super) struct RunLog {
    names: Vec<String>,
    redactor: Redactor,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    /// The rule that runs.
    index: Option<usize>,
    console: Vec<ConsoleLine>,
    fetches: Vec<FetchRecord>,
    /// Metadata updates, including those over the limit.
    updates: usize,
}

/// Handles the calls of a login.
pub(super) struct CallHandler<'a> {
    pub(super) log: &'a RunLog,
    pub(super) fetcher: &'a Fetcher,
    pub(super) metadata_writer: &'a MetadataWriter,
}

impl RunLog {
    pub(super) fn new(names: Vec<String>, redactor: Redactor) -> Self {
        Self { names, redactor, entries: Mutex::default() }
    }

    pub(super) fn name(&self, index: usize) -> String {
        self.names.get(index).cloned().unwrap_or_default()
    }

    /// The name of the rule that runs; empty before the first.
    pub(super) fn current(&self) -> String {
        self.lock().index.map(|index| self.name(index)).unwrap_or_default()
    }

    pub(super) fn take(&self) -> (Vec<ConsoleLine>, Vec<FetchRecord>) {
        let mut entries = self.lock();
        (std::mem::take(&mut entries.console), std::mem::take(&mut entries.fetches))
    }

    /// Entries are only added whole, so they are consistent even after a panic.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallHandler<'_> {
    /// Runs one login on `worker`; `frame` is its [`ToWorker::Run`]. Also returns whether the worker can run another. After
    /// an error it cannot. Not cancel-safe: kill a worker whose run was dropped.
    pub(super) async fn run(&self, worker: &mut Worker, frame: Vec<u8>) -> io::Result<(Verdict, bool)> {
        let (call_sender, calls) = mpsc::channel(1);
        let (reply_sender, replies) = mpsc::unbounded_channel();
        let mut write = pin!(write(&mut worker.stdin, frame, replies));
        let verdict = {
            let read = pin!(self.read(&mut worker.stdout, call_sender));
            let handle = pin!(self.handle(calls, reply_sender));
            tokio::select! {
                verdict = read => verdict?,
                never = handle => match never {},
                // It ends only by an error while `handle` holds the sender.
                written = &mut write => return Err(written.err().unwrap_or_else(closed)),
            }
        };
        // Completes a partly written reply: half a frame would garble the next login.
        let reusable = write.await.is_ok();
        Ok((verdict, reusable))
    }

    async fn read(&self, from: &mut ChildStdout, calls: Sender<(u64, Call)>) -> io::Result<Verdict> {
        loop {
            match ipc::read_async(from).await? {
                FromWorker::RuleStarted(index) => self.log.lock().index = Some(index),
                FromWorker::Console(level, text) => {
                    let script = self.log.current();
                    let console = &mut self.log.lock().console;
                    if console.len() < CONSOLE_LINES {
                        console.push(ConsoleLine { script, level, text });
                    }
                }
                FromWorker::Call(id, call) => calls.send((id, call)).await.map_err(|_| closed())?,
                FromWorker::Finished(verdict) => return Ok(verdict),
                FromWorker::Ready => return Err(io::Error::other("the worker started again")),
            }
        }
    }

    async fn handle(
        &self,
        mut calls: Receiver<(u64, Call)>,
        replies: UnboundedSender<Vec<u8>>,
    ) -> Infallible {
        let mut pending = FuturesUnordered::new();
        loop {
            tokio::select! {
                // Beyond the limit the worker has to wait. Twice the limit, because cleared timers are pending here.
                Some((id, call)) = calls.recv(), if pending.len() < 2 * CALLS_AT_ONCE => {
                    pending.push(self.reply(id, call));
                }
                Some((id, result)) = pending.next() => {
                    let frame = ipc::frame(&ToWorker::Reply(id, result), TO_WORKER_LIMIT).or_else(|error| {
                        let too_big = Err(CallError::new("ETOOBIG", error.to_string()));
                        ipc::frame(&ToWorker::Reply(id, too_big), TO_WORKER_LIMIT)
                    });
                    if let Ok(frame) = frame {
                        // The receiver is gone only when the run has ended.
                        drop(replies.send(frame));
                    }
                }
                else => std::future::pending().await,
            }
        }
    }

    async fn reply(&self, id: u64, call: Call) -> (u64, Result<Value, CallError>) {
        let result = match call {
            Call::Fetch(call) => self.fetch(call).await,
            Call::Metadata(update) => self.update_metadata(update).await,
            Call::Sleep(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok(Value::Null)
            }
        };
        (id, result)
    }

    async fn update_metadata(&self, update: MetadataUpdate) -> Result<Value, CallError> {
        self.log.lock().updates += 1;
        if self.log.lock().updates > UPDATES {
            return Err(CallError::new("ELIMIT", format!("a login may update metadata {UPDATES} times")));
        }
        let write = Arc::clone(self.metadata_writer);
        let written = self.fetcher.pool.run(move || write(update)).await.map_err(pool_error)?;
        written.map(|()| Value::Null).map_err(|message| CallError::new("EMETADATA", message))
    }

    async fn fetch(&self, call: FetchCall) -> Result<Value, CallError> {
        let request = self.fetcher.check(call)?;
        let index = {
            let script = self.log.current();
            let mut entries = self.log.lock();
            if entries.fetches.len() >= FETCHES {
                return Err(CallError::new("ELIMIT", format!("fetch: a login may fetch {FETCHES} times")));
            }
            let method = request.request.method().to_string();
            let url = self.log.redactor.redact(&request.address).into_owned();
            entries.fetches.push(FetchRecord { script, method, url, status: None });
            entries.fetches.len() - 1
        };
        let response = self.fetcher.send(request).await?;
        if let Some(fetch) = self.log.lock().fetches.get_mut(index) {
            fetch.status = Some(response.status);
        }
        Ok(json!(response))
    }
}

/// Writes the login, then the replies, until the sender is dropped.
async fn write(
    to: &mut ChildStdin,
    login: Vec<u8>,
    mut replies: UnboundedReceiver<Vec<u8>>,
) -> io::Result<()> {
    to.write_all(&login).await?;
    while let Some(frame) = replies.recv().await {
        to.write_all(&frame).await?;
    }
    Ok(())
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the worker has closed its pipe")
}
