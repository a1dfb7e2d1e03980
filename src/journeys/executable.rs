//! The executable: commands that run to their end, and servers.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};
use vestibule::cli::http_client::HttpClient;
use vestibule::store::Settings;

use crate::auth0_stub::Auth0Stub;
use crate::waiting::{DEADLINE, wait_until};

/// The executable with these arguments and `--set` values, in an empty environment.
pub(crate) fn vestibule<A: AsRef<OsStr>>(args: &[A], set: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear().args(args);
    for set in set {
        command.args(["--set", set]);
    }
    command
}

/// The executable with everything on port 0 and its database at `database`.
pub(crate) fn vestibule_on(database: &Path, auth0: Option<&Auth0Stub>, args: &[&str]) -> Command {
    let issuer = auth0.map_or("http://127.0.0.1:1/", |auth0| auth0.issuer.as_str());
    let set = [
        "public.listen=127.0.0.1:0".to_owned(),
        "internal.listen=127.0.0.1:0".to_owned(),
        format!("store.path={}", database.display()),
        format!("auth0.issuer={issuer}"),
    ];
    vestibule(&[&["--profile", "development"], args].concat(), &set)
}

/// Runs a command to its end, with `input` as its standard input. Kills it at the deadline.
pub(crate) fn output(mut command: Command, input: &str) -> Output {
    // Files, because a pipe that is not read while the process runs can fill up.
    let (mut stdout, mut stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // A command that fails at once closes its input.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let mut child = Killed(child);
    wait_until("the command ends", || child.0.try_wait().unwrap().is_some());
    let read = |file: &mut std::fs::File| {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    };
    Output { status: child.0.wait().unwrap(), stdout: read(&mut stdout), stderr: read(&mut stderr) }
}

/// Runs a command on `database` to its end.
pub(crate) fn run_on(database: &Path, args: &[&str]) -> Output {
    output(vestibule_on(database, None, args), "")
}

/// The exit code of `output` and its error message: one line, and one for each cause.
pub(crate) fn exit_code_and_error(output: &Output) -> (Option<i32>, String) {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    let error: Vec<&str> = stderr.lines().skip_while(|line| !line.starts_with("error: ")).collect();
    assert!(error.iter().skip(1).all(|line| line.starts_with("  because: ")), "{stderr}");
    (output.status.code(), error.join("\n"))
}

/// Settings that open `database` in the test itself.
pub(crate) fn store_settings(database: &Path) -> Settings {
    Settings {
        path: database.to_owned(),
        readers: 1,
        busy_timeout: Duration::from_secs(5),
        seed: None,
        block_at_auth0: false,
    }
}

/// A child process, killed when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A running process of ours, killed when it is dropped.
pub(crate) struct Process {
    child: Killed,
    lines: Receiver<String>,
    log: NamedTempFile,
    dir: TempDir,
}

impl Process {
    /// Starts a command with everything on port 0 and in a temporary directory.
    pub(crate) fn start(command: &str, set: &[String]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_vestibule")), command, set)
    }

    /// As [`start`](Self::start), with a program that executes the executable.
    pub(crate) fn start_by(program: Command, command: &str, set: &[String]) -> Self {
        Self::start_in(Path::new(env!("CARGO_MANIFEST_DIR")), program, command, set)
    }

    /// The same, with `folder` as its working folder.
    pub(crate) fn start_in(folder: &Path, mut program: Command, command: &str, set: &[String]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        let own = [
            "public.listen=127.0.0.1:0".to_owned(),
            "internal.listen=127.0.0.1:0".to_owned(),
            "tenant.http=127.0.0.1:0".to_owned(),
            format!("store.path={}", file("vestibule.db")),
            format!("tenant.data={}", file("tenant.db")),
        ];
        let words: Vec<_> = ["--profile", "development"].into_iter().chain(command.split(' ')).collect();
        let with_args = vestibule(&words, &[&own[..], set].concat());
        program.current_dir(folder).env_clear().args(with_args.get_args());
        Self::spawn(program, dir)
    }

    #[expect(clippy::disallowed_methods, reason = "reads the process's output, which has no timeout")]
    fn spawn(mut command: Command, dir: TempDir) -> Self {
        let log = NamedTempFile::new().unwrap();
        let child = command.stdout(Stdio::piped()).stderr(log.reopen().unwrap()).spawn().unwrap();
        let mut child = Killed(child);
        let stdout = BufReader::new(child.0.stdout.take().unwrap());
        let (sender, lines) = channel();
        // Reads on to the end: a server ends when its output is closed.
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)))
        });
        Self { child, lines, log, dir }
    }

    /// The database it uses, if it was [started](Self::start) without another one.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("vestibule.db")
    }

    /// The rest of the next line that begins with `word`, spaces aside.
    pub(crate) fn line(&mut self, word: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(DEADLINE) else {
                panic!("no line begins with {word:?}; the log: {}", self.log());
            };
            if let Some(rest) = line.trim().strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// Sends a signal, as `kill` names it.
    pub(crate) fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.id().to_string()]).status().unwrap().success());
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.0.try_wait().unwrap().is_some()
    }

    /// Waits for its end and returns the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        wait_until("the process ends", || self.child.0.try_wait().unwrap().is_some());
        self.child.0.wait().unwrap().code()
    }

    /// Sends a signal, waits for the end and returns the exit code.
    pub(crate) fn stop(&mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.wait()
    }
}

/// A running `vestibule serve` on a given database.
pub(crate) struct ServerProcess {
    process: Process,
    /// The URL of the public API.
    pub(crate) public: String,
}

impl ServerProcess {
    /// Starts the server and waits until it is ready.
    pub(crate) fn start(database: &Path, auth0: &Auth0Stub) -> Self {
        Self::start_by(vestibule_on(database, Some(auth0), &["serve"]))
    }

    /// Starts the server by this command and waits until it is ready.
    pub(crate) fn start_by(serve: Command) -> Self {
        let mut process = Process::spawn(serve, tempfile::tempdir().unwrap());
        let public = process.line("Public");
        wait_until_ready(&public);
        Self { process, public }
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Sends a signal, waits for the end and returns the exit code.
    pub(crate) fn stop(mut self, signal: &str) -> Option<i32> {
        self.process.stop(signal)
    }

    /// Kills the server with SIGKILL.
    pub(crate) fn kill(self) {
        drop(self.process);
    }
}

/// Waits until the door with this URL is ready.
pub(crate) fn wait_until_ready(graphql: &str) {
    let (ready, http) = (graphql.replace("/graphql", "/readyz"), HttpClient::new());
    wait_until("the server is ready", || http.get(&ready, &[]).unwrap().status == 200);
}
