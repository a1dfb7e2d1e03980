//! A worker process, seen from the host.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::ipc::{self, FromWorker, Limits, TO_WORKER_LIMIT, ToWorker};

/// How long a new worker may take to say that it is ready.
const START_TIME: Duration = Duration::from_secs(10);

/// The first descriptor that is none of the three standard ones.
const FIRST_OTHER: i32 = 3;

/// A worker that is ready for a login. Dropping it kills the process.
pub(super) struct Worker {
    child: Child,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    /// How long it has run logins so far. More than any CPU time it has used, since it has one thread.
    pub(super) busy: Duration,
}

impl Worker {
    /// Starts one: empty environment, no files but its two pipes, a process group of its own so that a Ctrl-C at the
    /// terminal is the host's to handle.
    pub(super) async fn start(program: &Path, args: &[String], limits: Limits) -> io::Result<Self> {
        // What whoever started us left open (a shell's `7<file`) has no mark of its own, and would be the worker's too.
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
        let mut worker = Self { child, stdin, stdout, busy: Duration::ZERO };
        match tokio::time::timeout(START_TIME, worker.greet(limits)).await {
            Ok(Ok(())) => Ok(worker),
            Ok(Err(error)) => {
                worker.kill().await;
                Err(error)
            }
            Err(_) => {
                worker.kill().await;
                Err(io::Error::new(io::ErrorKind::TimedOut, "the worker did not become ready"))
            }
        }
    }

    /// Whether the process still runs. One that died is reaped by this.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the process (SIGKILL) and reaps it.
    pub(super) async fn kill(mut self) {
        // The only failure is that it has already been reaped.
        drop(self.child.kill().await);
    }

    async fn greet(&mut self, limits: Limits) -> io::Result<()> {
        self.stdin.write_all(&ipc::frame(&ToWorker::Start(limits), TO_WORKER_LIMIT)?).await?;
        match ipc::read_async(&mut self.stdout).await? {
            FromWorker::Ready => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the worker spoke before it was ready")),
        }
    }
}
