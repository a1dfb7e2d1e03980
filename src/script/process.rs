//! A worker process, on the host's side.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::ipc::{self, FromWorker, TO_WORKER_LIMIT, ToWorker, WorkerLimits};

/// How long a new worker may take to become ready.
const START_TIME: Duration = Duration::from_secs(10);

/// The most keys kept of a worker; it keeps as many contexts.
const WARM: usize = 32;

/// The first file descriptor after the three standard ones.
const FIRST_OTHER: i32 = 3;

/// A worker that is ready for a login. Dropping it kills the process.
pub(super) struct Worker {
    child: Child,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    /// How long it has run logins. At least the CPU time it has used, since it has one thread.
    pub(super) busy: Duration,
    /// The [keys](super::ipc::Scripts::key) of scripts whose contexts it may still have.
    warm: BTreeSet<u64>,
}

impl Worker {
    /// Starts a worker with an empty environment and no files but its pipes, in its own process group, so that only the
    /// host gets a Ctrl-C from the terminal.
    pub(super) async fn start(program: &Path, args: &[String], limits: WorkerLimits) -> io::Result<Self> {
        // Descriptors that our parent process left open (a shell's `7<file`) lack close-on-exec; the worker would get them.
        close_fds::set_fds_cloexec_threadsafe(FIRST_OTHER, &[]);
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the worker has no pipes"));
        };
        let mut worker = Self { child, stdin, stdout, busy: Duration::ZERO, warm: BTreeSet::new() };
        let ready = tokio::time::timeout(START_TIME, worker.handshake(limits)).await;
        let too_slow = io::Error::new(io::ErrorKind::TimedOut, "the worker did not become ready");
        if let Err(error) = ready.unwrap_or(Err(too_slow)) {
            worker.kill().await;
            return Err(error);
        }
        Ok(worker)
    }

    /// Notes that scripts ran well.
    pub(super) fn add_warm(&mut self, key: u64) {
        if self.warm.len() >= WARM && !self.warm.contains(&key) {
            self.warm.clear();
        }
        self.warm.insert(key);
    }

    /// How well it suits scripts: one that has run them, else the one that would lose the least.
    pub(super) fn fitness(&self, key: u64) -> (bool, Reverse<usize>) {
        (self.warm.contains(&key), Reverse(self.warm.len()))
    }

    /// Whether the process still runs. Reaps it if it died.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the process (SIGKILL) and reaps it.
    pub(super) async fn kill(mut self) {
        // Fails only when the process was already reaped.
        drop(self.child.kill().await);
    }

    async fn handshake(&mut self, limits: WorkerLimits) -> io::Result<()> {
        self.stdin.write_all(&ipc::frame(&ToWorker::Start(limits), TO_WORKER_LIMIT)?).await?;
        match ipc::read_async(&mut self.stdout).await? {
            FromWorker::Ready => Ok(()),
            _ => Err(io::Error::other("the worker sent another message before Ready")),
        }
    }
}
