//! What is on the disk, by a library in front of the system's that records syncs and can let them fail.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use vestibule::cli::http_client::{HttpClient, HttpResponse};

use crate::auth0_stub::{Auth0Stub, ProfileReply};
use crate::executable::{ServerProcess, run_on, vestibule_on};
use crate::test_server::PUBLIC;
use crate::tokens;

/// Appends `sync PATH` and `truncate PATH` to `$SYNC_LOG`. A sync fails with EIO while the file `$SYNC_FAILS` exists.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static void note(const char *what, int fd) {
    char link[64], path[4096], line[5000];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    int log = open(getenv("SYNC_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int size = snprintf(line, sizeof line, "%s %s\n", what, path);
    if (write(log, line, size) != size) abort();
    close(log);
}
static int sync_file(int fd) {
    if (access(getenv("SYNC_FAILS"), F_OK) == 0) { errno = EIO; return -1; }
    note("sync", fd);
    return syscall(SYS_fsync, fd);
}
int fsync(int fd) { return sync_file(fd); }
int fdatasync(int fd) { return sync_file(fd); }
int ftruncate(int fd, off_t length) { note("truncate", fd); return syscall(SYS_ftruncate, fd, length); }
int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }
"#;

/// A server whose syncs are recorded.
struct Recorded {
    server: ServerProcess,
    auth0: Auth0Stub,
    folder: tempfile::TempDir,
}

impl Recorded {
    fn start() -> Self {
        let (auth0, folder) = (Auth0Stub::start(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("syncs.c"), LIBRARY).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([at("syncs.so"), at("syncs.c")])
            .status();
        assert!(compiled.unwrap().success());
        std::fs::create_dir(at("data")).unwrap();
        let mut serve = vestibule_on(&at("data/vestibule.db"), Some(&auth0), &["serve"]);
        serve.env("LD_PRELOAD", at("syncs.so")).env("SYNC_LOG", at("log")).env("SYNC_FAILS", at("fails"));
        Self { server: ServerProcess::start_by(serve), auth0, folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ask(&self, sub: &str, document: &str) -> HttpResponse {
        ask(&self.auth0, &self.server.public, sub, document)
    }

    fn is_ready(&self) -> bool {
        let ready = self.server.public.replace("/graphql", "/readyz");
        HttpClient::new().get(&ready, &[]).unwrap().status == 200
    }

    /// What was recorded so far, by the names in the folder.
    fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.at("log")).unwrap();
        let folder = self.folder.path().canonicalize().unwrap();
        log.lines().map(|line| line.replace(&format!("{}/", folder.display()), "")).collect()
    }
}

fn ask(auth0: &Auth0Stub, public: &str, sub: &str, document: &str) -> HttpResponse {
    let profile = json!({"user_id": sub, "email": format!("{sub}@example.com").replace('|', "-")});
    auth0.set_profile(sub, ProfileReply::Json(profile));
    let token = tokens::sign(&auth0.claims(sub, PUBLIC));
    HttpClient::new().graphql(public, Some(&token), document, Value::Null).unwrap()
}

#[test]
fn an_erasure_is_on_the_disk_before_it_is_answered() {
    let test = Recorded::start();
    let me = test.ask("auth0|1", "{ me { id } }").json();
    let id = me["data"]["me"]["id"].as_str().unwrap();
    let before = test.log().len();
    let erase = format!(r#"mutation {{ eraseMe(input: {{ confirmId: "{id}" }}) {{ clientMutationId }} }}"#);
    let answer = test.ask("auth0|1", &erase);
    assert!(answer.json()["errors"].is_null(), "{}", answer.body);
    let log = test.log().split_off(before);
    let last =
        log.iter().rposition(|line| line == "truncate data/vestibule.db-wal").expect("the log is emptied");
    assert_eq!(log[last + 1..], ["sync data/vestibule.db-wal", "sync data"], "{log:?}");
}

#[test]
fn after_a_failed_sync_nothing_is_written_until_the_restart() {
    let test = Recorded::start();
    assert_eq!(test.ask("auth0|1", "{ me { id } }").status, 200);
    assert!(test.is_ready());
    std::fs::write(test.at("fails"), "").unwrap();
    let (auth0, public) = (&test.auth0, test.server.public.as_str());
    std::thread::scope(|threads| {
        let me = |i| move || ask(auth0, public, &format!("auth0|at-once-{i}"), "{ me { id } }").status;
        let asking: Vec<_> = (0..8).map(|i| threads.spawn(me(i))).collect();
        asking.into_iter().for_each(|asking| assert_eq!(asking.join().unwrap(), 503));
    });
    // The disk stores again, but what the failed sync was about may be gone.
    std::fs::remove_file(test.at("fails")).unwrap();
    assert_eq!(test.ask("auth0|3", "{ me { id } }").status, 503);
    let update = test
        .ask("auth0|1", r#"mutation { updateMe(input: { nickname: "ada" }) { clientMutationId } }"#)
        .json();
    assert!(update["errors"][0]["message"].as_str().unwrap().contains("disk failed"), "{update}");
    assert_eq!(test.ask("auth0|1", "{ me { id } }").status, 200, "known users are served");
    assert!(!test.is_ready());
    let before = test.log().len();
    let (log, server) = (test.server.log(), test.server);
    assert!(log.contains("only read from now on"), "{log}");
    assert_eq!(server.stop("-TERM"), Some(0));
    let rest = std::fs::read_to_string(test.folder.path().join("log")).unwrap().lines().skip(before).count();
    assert_eq!(rest, 0, "the end writes nothing either");
    let database = test.folder.path().join("data/vestibule.db");
    assert_eq!(run_on(&database, &["check"]).status.code(), Some(0));
}
