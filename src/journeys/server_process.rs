//! `vestibule serve` as a process of its own on a given database, in front of the [`Auth0Stub`]; what else is run on that
//! database, and how it ended.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use vestibule::store::Settings;

use crate::auth0_stub::Auth0Stub;

/// Killed, without a chance to tidy up, when it is dropped.
pub(crate) struct ServerProcess {
    child: Child,
    /// Kept open: a server that nobody listens to ends.
    _said: BufReader<ChildStdout>,
    pub(crate) public: String,
}

/// The executable with everything on port 0 and its database at `database`.
pub(crate) fn vestibule_command(database: &Path, auth0: Option<&Auth0Stub>, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear().args(["--profile", "development"]).args(args);
    let issuer = auth0.map_or("http://127.0.0.1:1/", |auth0| auth0.issuer.as_str());
    for set in [
        "public.listen=127.0.0.1:0".to_owned(),
        "internal.listen=127.0.0.1:0".to_owned(),
        format!("store.path={}", database.display()),
        format!("auth0.issuer={issuer}"),
    ] {
        command.args(["--set", &set]);
    }
    command
}

/// How that database is opened without the executable.
pub(crate) fn store_settings(database: &Path) -> Settings {
    Settings {
        path: database.to_owned(),
        readers: 1,
        busy_timeout: Duration::from_secs(5),
        seed: None,
        block_at_auth0: false,
    }
}

/// While other processes work.
#[expect(clippy::disallowed_methods, reason = "they have no clock of ours")]
pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// Runs a command to its end.
pub(crate) fn run(database: &Path, args: &[&str]) -> Output {
    vestibule_command(database, None, args).output().unwrap()
}

/// The exit code of `output` and what it complained of, which must be no panic and, its causes aside, one line.
pub(crate) fn exit_code_and_error(output: &Output) -> (Option<i32>, String) {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    let complaint: Vec<&str> = said.lines().skip_while(|line| !line.starts_with("error: ")).collect();
    assert!(complaint.iter().skip(1).all(|line| line.starts_with("  because: ")), "{said}");
    (output.status.code(), complaint.join("\n"))
}

impl ServerProcess {
    /// Starts it and waits until it listens. Its log goes to `<database>.log`.
    pub(crate) fn start(database: &Path, auth0: &Auth0Stub) -> Self {
        let mut log = database.as_os_str().to_owned();
        log.push(".log");
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut child = vestibule_command(database, Some(auth0), &["serve"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let public = said
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Public").map(|rest| rest.trim().to_owned()));
        let server = Self { child, _said: said, public: public.unwrap_or_default() };
        assert!(!server.public.is_empty(), "the server did not start");
        server
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
