//! One run on a worker, on the host's side: sends it, handles its scripts' calls, and waits for the verdict.
//!
//! Reading, handling and writing run concurrently, so that several fetches can run at once and neither process blocks on
//! a full pipe.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use url::Url;

use super::action::Trigger;
use super::action_cache::ActionCache;
use super::action_run::Resume;
use super::api_calls::Circumstances;
use super::effects::Effects;
use super::fetch::{Fetcher, pool_error};
use super::ipc::{self, API_CALLS, CALLS_AT_ONCE, CONSOLE_LINES, Call, CallError, FetchCall, TEXT_LIMIT};
use super::ipc::{FromWorker, ModuleRequest, Scripts, TO_WORKER_LIMIT, ToWorker, Verdict};
use super::login::{MetadataUpdate, MetadataWriter};
use super::packages::Packages;
use super::process::Worker;
use super::reads::{self, Reads};
use super::redact::Redactor;
use super::stubs::Stubs;
use super::trace::{ApiCall, Change, ConsoleLine, FetchRecord, ScriptKind, ScriptRun, Trace};
use crate::clock::Clock;

/// The most fetches of one run; as many refused ones are recorded besides.
const FETCHES: usize = 20;
/// The most metadata updates of one run.
const UPDATES: usize = 20;
/// The most changes of one script that are recorded.
const CHANGES: usize = 100;
/// The most files of npm packages that one run may look for.
const MODULES: usize = 10_000;

/// What the scripts of a run did. Outlives the run, so the log of a killed one is kept.
pub(super) struct RunLog {
    kind: ScriptKind,
    names: Vec<String>,
    redactor: Redactor,
    clock: Clock,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    /// The index of the script that runs, and when it started.
    current: Option<(usize, Duration)>,
    trace: Trace,
    effects: Effects,
    /// What the script that runs has read.
    reads: Reads,
    /// Metadata updates, including those over the limit.
    updates: usize,
    /// Files of npm packages looked for.
    modules: usize,
}

/// The most lines of a script that are counted.
const LINES: u32 = 100_000;

/// Handles the calls of a run.
pub(super) struct CallHandler<'a> {
    pub(super) log: &'a RunLog,
    pub(super) fetcher: &'a Fetcher,
    pub(super) packages: &'a Packages,
    /// Of a test: the answers to its requests.
    pub(super) stubs: Option<&'a Stubs>,
    /// Of rules only.
    pub(super) metadata_writer: Option<&'a MetadataWriter>,
    /// Of actions only.
    pub(super) api: Option<ApiHandler<'a>>,
}

/// What the host knows of a run of actions.
pub(super) struct ApiHandler<'a> {
    pub(super) trigger: Trigger,
    pub(super) resume: Option<Resume>,
    pub(super) cache: &'a Mutex<ActionCache>,
}

impl RunLog {
    /// An empty log; the effects of a resumed run are those before its suspension.
    pub(super) fn new(scripts: &Scripts, clock: Clock) -> Self {
        let effects = match scripts {
            Scripts::Rules { .. } => Effects::default(),
            Scripts::Actions { input, .. } => input.effects.clone(),
        };
        let entries = Mutex::new(Entries { effects, ..Entries::default() });
        Self { kind: scripts.kind(), names: scripts.names(), redactor: scripts.redactor(), clock, entries }
    }

    pub(super) fn name(&self, index: usize) -> String {
        self.names.get(index).cloned().unwrap_or_default()
    }

    /// The name of the script that runs; empty before the first.
    pub(super) fn current(&self) -> String {
        self.index().map(|index| self.name(index)).unwrap_or_default()
    }

    /// The index of the script that runs.
    pub(super) fn index(&self) -> Option<usize> {
        self.lock().current.map(|(index, _)| index)
    }

    /// The trace and the effects. Ends the running script.
    pub(super) fn take(&self) -> (Trace, Effects) {
        let mut entries = self.lock();
        self.end_script(&mut entries);
        (std::mem::take(&mut entries.trace), std::mem::take(&mut entries.effects))
    }

    fn start_script(&self, index: usize) {
        let mut entries = self.lock();
        self.end_script(&mut entries);
        entries.current = Some((index, self.clock.elapsed()));
        // A worker that was taken over may report more scripts than there are.
        if entries.trace.scripts.len() < self.names.len() {
            let (name, kind) = (self.name(index), self.kind);
            let (reads, changes) = (Vec::new(), Vec::new());
            entries.trace.scripts.push(ScriptRun { name, kind, duration: Duration::ZERO, reads, changes });
        }
    }

    fn end_script(&self, entries: &mut Entries) {
        if let (Some((_, started)), Some(run)) = (entries.current, entries.trace.scripts.last_mut()) {
            run.duration = self.clock.elapsed().saturating_sub(started);
            let paths = std::mem::take(&mut entries.reads).paths();
            run.reads.extend(paths.iter().map(|path| self.redact_and_cut(path)));
        }
    }

    fn change(&self, path: &[String], value: String) {
        let member = self.redact_and_cut(&reads::text(path));
        let mut entries = self.lock();
        let run = entries.trace.scripts.last_mut().filter(|run| run.changes.len() < CHANGES);
        run.into_iter()
            .for_each(|run| run.changes.push(Change { member: member.clone(), value: value.clone() }));
    }

    /// Redacts secrets, then cuts: cut first, half a secret could remain.
    fn redact_and_cut(&self, text: &str) -> String {
        self.redactor.redact_and_cut(text, TEXT_LIMIT)
    }

    /// Entries are only added whole, so they are consistent even after a panic.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallHandler<'_> {
    /// Runs scripts on `worker`; `frame` is its [`ToWorker::Run`]. Also returns whether the worker can run another. After
    /// an error it cannot. Not cancel-safe: kill a worker whose run was dropped. Calls that the scripts did not wait for are
    /// made all the same; metadata updates end before the run does, but for those that take until `limit`.
    pub(super) async fn run(
        &self,
        worker: &mut Worker,
        frame: Vec<u8>,
        limit: Instant,
    ) -> io::Result<(Verdict, bool)> {
        let (call_sender, calls) = mpsc::channel(1);
        let (reply_sender, replies) = mpsc::unbounded_channel();
        let mut write = pin!(write(&mut worker.stdin, frame, replies));
        let verdict = {
            let read = pin!(self.read(&mut worker.stdout, call_sender));
            let mut handle = pin!(self.handle(calls, reply_sender));
            let verdict = tokio::select! {
                verdict = read => verdict?,
                // Neither ends, but by an error, before the run.
                () = &mut handle => return Err(closed()),
                written = &mut write => return Err(written.err().unwrap_or_else(closed)),
            };
            let _ended = tokio::time::timeout_at(limit, handle).await;
            verdict
        };
        // Completes a partly written reply: half a frame would garble the next login.
        let reusable = write.await.is_ok();
        Ok((verdict, reusable))
    }

    async fn read(&self, from: &mut ChildStdout, calls: Sender<(u64, Call)>) -> io::Result<Verdict> {
        loop {
            match ipc::read_async(from).await? {
                FromWorker::ScriptStarted(index) => self.log.start_script(index),
                FromWorker::Api(member, args) => self.api(member, &args).map_err(io::Error::other)?,
                // Of one script at a time, which has no more lines than this.
                FromWorker::Reached(line) if line < LINES => drop(self.log.lock().trace.reached.insert(line)),
                FromWorker::Reached(_) => {}
                FromWorker::Read(path) => drop(self.log.lock().reads.add(&path)),
                FromWorker::Changed(path, value) => self.log.change(&path, value),
                FromWorker::Console(level, text) => {
                    let script = self.log.current();
                    let console = &mut self.log.lock().trace.console;
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

    /// Ends when the run has and its metadata is saved.
    async fn handle(&self, mut calls: Receiver<(u64, Call)>, replies: UnboundedSender<Vec<u8>>) {
        let (mut updates, mut others) = (FuturesUnordered::new(), FuturesUnordered::new());
        let send = |(id, result)| {
            let frame = ipc::frame(&ToWorker::Reply(id, result), TO_WORKER_LIMIT).or_else(|error| {
                let too_big = Err(CallError::new("ETOOBIG", error.to_string()));
                ipc::frame(&ToWorker::Reply(id, too_big), TO_WORKER_LIMIT)
            });
            // The receiver is gone only when the run has ended.
            frame.into_iter().for_each(|frame| drop(replies.send(frame)));
        };
        loop {
            tokio::select! {
                // Beyond the limit the worker has to wait. Twice the limit, because cleared timers are pending here.
                call = calls.recv(), if updates.len() + others.len() < 2 * CALLS_AT_ONCE => match call {
                    Some((id, call)) if matches!(call, Call::Metadata(_)) => updates.push(self.reply(id, call)),
                    Some((id, call)) => others.push(self.reply(id, call)),
                    None => break,
                },
                Some(reply) = updates.next() => send(reply),
                Some(reply) = others.next() => send(reply),
            }
        }
        // Requests that were made last: each starts when it is polled, and goes on without us.
        while let Some(Some(_)) = others.next().now_or_never() {}
        while updates.next().await.is_some() {}
    }

    async fn reply(&self, id: u64, call: Call) -> (u64, Result<Value, CallError>) {
        let result = match call {
            Call::Fetch(call) => self.fetch(call).await,
            Call::Metadata(update) => self.update_metadata(update).await,
            Call::Module(request) => self.find_module(request).await,
            Call::Sleep(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok(Value::Null)
            }
        };
        (id, result)
    }

    /// Adds a call of `api` to the run's effects, as the worker did.
    fn api(&self, member: String, args: &[Value]) -> Result<(), String> {
        let Some(api) = &self.api else { return Err("a rule called api".to_owned()) };
        let is_continued =
            api.resume.is_some_and(|resume| resume.continues && self.log.index() == Some(resume.action));
        let script = self.log.current();
        let mut entries = self.log.lock();
        if entries.trace.calls.len() >= API_CALLS {
            return Err(format!("more than {API_CALLS} calls of api"));
        }
        entries.effects.apply(Circumstances { trigger: api.trigger, is_continued }, &member, args)?;
        let arguments = self.log.redact_and_cut(&json!(args).to_string());
        entries.trace.calls.push(ApiCall { script, member: member.clone(), arguments });
        drop(entries);
        if member.starts_with("cache.") {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have far fewer bits")]
            let now = self.log.clock.now().as_millisecond() as f64;
            api.cache.lock().unwrap_or_else(PoisonError::into_inner).call(&member, args, now);
        }
        Ok(())
    }

    async fn find_module(&self, request: ModuleRequest) -> Result<Value, CallError> {
        self.log.lock().modules += 1;
        if self.log.lock().modules > MODULES {
            return Err(CallError::new("ELIMIT", format!("a run may load {MODULES} files of npm packages")));
        }
        let packages = self.packages.clone();
        let found = self.fetcher.pool.run(move || packages.find(&request)).await.map_err(pool_error)?;
        found.map(|file| json!([file.path, file.kind, file.source]))
    }

    async fn update_metadata(&self, update: MetadataUpdate) -> Result<Value, CallError> {
        let Some(writer) = self.metadata_writer else {
            return Err(CallError::new("EMETADATA", "actions update metadata through api.user"));
        };
        self.log.lock().updates += 1;
        if self.log.lock().updates > UPDATES {
            return Err(CallError::new("ELIMIT", format!("a login may update metadata {UPDATES} times")));
        }
        let write = Arc::clone(writer);
        let written = self.fetcher.pool.run(move || write(update)).await.map_err(pool_error)?;
        written.map(|()| Value::Null).map_err(|message| CallError::new("EMETADATA", message))
    }

    async fn fetch(&self, call: FetchCall) -> Result<Value, CallError> {
        let (method, address) = (call.method.to_uppercase(), address(&call.url));
        if let Some(stubs) = self.stubs {
            return self.stubbed(stubs, &call, method, &address);
        }
        let index = {
            let script = self.log.current();
            let url = self.log.redact_and_cut(&address);
            let mut entries = self.log.lock();
            let fetches = &mut entries.trace.fetches;
            let sent = fetches.iter().filter(|fetch| fetch.refused.is_none()).count();
            let request = self.fetcher.check(call).and_then(|request| {
                let limit = || CallError::new("ELIMIT", format!("fetch: a login may fetch {FETCHES} times"));
                if sent < FETCHES { Ok(request) } else { Err(limit()) }
            });
            let refused = request.as_ref().err().map(|error| self.log.redact_and_cut(&error.message));
            if refused.is_none() || fetches.len() - sent < FETCHES {
                fetches.push(FetchRecord { script, method, url, status: None, refused });
            }
            request.map(|request| (request, fetches.len() - 1))
        };
        let (request, index) = index?;
        let response = self.fetcher.send(request).await?;
        if let Some(fetch) = self.log.lock().trace.fetches.get_mut(index) {
            fetch.status = Some(response.status);
        }
        Ok(json!(response))
    }
}

impl CallHandler<'_> {
    /// The answer of a test.
    fn stubbed(
        &self,
        stubs: &Stubs,
        call: &FetchCall,
        method: String,
        address: &str,
    ) -> Result<Value, CallError> {
        let (script, url) = (self.log.current(), self.log.redact_and_cut(address));
        let fetches = &mut self.log.lock().trace.fetches;
        if fetches.len() >= FETCHES {
            return Err(CallError::new("ELIMIT", format!("fetch: a login may fetch {FETCHES} times")));
        }
        let response = stubs.answer(call);
        let status = response.as_ref().ok().map(|response| response.status);
        fetches.push(FetchRecord { script, method, url, status, refused: None });
        response.map(|response| json!(response))
    }
}

/// A URL for the log: without credentials, query and fragment.
fn address(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return url.to_owned() };
    // Fails only for URLs that have no host, such as `data:`; those have no credentials.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// Writes the run, then the replies, until the sender is dropped.
async fn write(to: &mut ChildStdin, run: Vec<u8>, mut replies: UnboundedReceiver<Vec<u8>>) -> io::Result<()> {
    to.write_all(&run).await?;
    while let Some(frame) = replies.recv().await {
        to.write_all(&frame).await?;
    }
    Ok(())
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the worker has closed its pipe")
}
