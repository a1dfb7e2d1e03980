//! The executable as an operator meets it: started, asked, told to stop.

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::auth0_stub::Auth0Stub;
use crate::test_server::PUBLIC;
use crate::tokens;
use vestibule::cli::http_client::HttpClient;

/// A process of ours that is killed when a test fails before it stopped.
pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    dir: tempfile::TempDir,
}

impl Process {
    pub(crate) fn start(command: &str, set: &[String]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_vestibule")), command, set)
    }

    /// `process` is the executable, or what becomes it.
    pub(crate) fn start_by(mut process: Command, command: &str, set: &[String]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        process.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear().args([
            "--profile",
            "development",
            command,
        ]);
        let own = [
            "public.listen=127.0.0.1:0".to_owned(),
            "internal.listen=127.0.0.1:0".to_owned(),
            "tenant.http=127.0.0.1:0".to_owned(),
            format!("store.path={}", file("vestibule.db")),
            format!("tenant.data={}", file("tenant.db")),
        ];
        for set in own.iter().chain(set) {
            process.args(["--set", set]);
        }
        let mut child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, dir }
    }

    /// The database it was told to use.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("vestibule.db")
    }

    /// The rest of the first line that begins with `word`, spaces aside.
    pub(crate) fn line(&mut self, word: &str) -> String {
        for line in self.lines.by_ref() {
            if let Some(rest) = line.unwrap().trim().strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
        panic!("the process never said {word}");
    }

    fn send(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it logged, all of it; it must have ended.
    pub(crate) fn logged(&mut self) -> String {
        std::io::read_to_string(self.child.stderr.take().unwrap()).unwrap()
    }

    /// Sends a signal and gives the exit code.
    pub(crate) fn signal(&mut self, signal: &str) -> Option<i32> {
        self.send(signal);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn serve_answers_and_stops_cleanly_on_either_signal() {
    let auth0 = Auth0Stub::start();
    for signal in ["-TERM", "-INT"] {
        let mut process = Process::start("serve", &[format!("auth0.issuer={}", auth0.issuer)]);
        let public = process.line("Public");
        let wire = HttpClient::new();
        assert_eq!(wire.get(&public.replace("/graphql", "/healthz"), &[]).unwrap().status, 200);
        let mut claims = auth0.claims("m1@clients", PUBLIC);
        claims["gty"] = json!("client-credentials");
        let token = tokens::sign(&claims);
        let me = || wire.graphql(&public, Some(&token), "{ me { id } }", Value::Null).unwrap();
        while me().status == 503 {
            std::thread::yield_now();
        }
        assert_eq!(me().json(), json!({"data": {"me": null}}));
        let fetched = auth0.calls("/.well-known/jwks.json");
        process.send("-HUP");
        while auth0.calls("/.well-known/jwks.json") == fetched {
            std::thread::yield_now();
        }
        assert_eq!(process.signal(signal), Some(0), "{signal}");
        assert!(wire.get(&public, &[]).is_err(), "nobody listens any more");
    }
}

#[test]
fn a_taken_port_is_told_with_the_setting_to_change() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let process = Process::start(
        "serve",
        &["auth0.issuer=http://127.0.0.1:1/".into(), format!("public.listen={address}")],
    );
    let mut child = process;
    let status = child.child.wait().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains(&address.to_string()) && said.contains("public.listen"), "{said}");
}

#[test]
fn dev_introduces_itself_with_lines_that_work_when_pasted() {
    let mut process = Process::start("dev", &[]);
    for place in ["Public API", "Internal API", "Dev tenant"] {
        assert!(process.line(place).starts_with("http://127.0.0.1:"), "{place}");
    }
    for expected in ["\"name\":\"Ada Lovelace\"", "\"email\":\"katherine@example.com\""] {
        let line = format!("curl {}", process.line("curl"));
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(process.signal("-INT"), Some(0));
}

#[test]
fn the_demo_holds() {
    let output = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .arg("demo")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Every step held.") && !said.contains('✗'), "{said}");
}
