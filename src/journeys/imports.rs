//! An import of many users, killed with SIGKILL while the database is laid bare for it: the file says what it lacks, and
//! the next start makes it whole.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::clock::Clock;
use vestibule::store::Store;
use vestibule::store::rusqlite::{Connection, OpenFlags};

use crate::server_process::{exit_code_and_error, run, sleep, store_settings, vestibule_command};

/// More than are added before the database is laid bare, and a batch more.
const USERS: usize = 24_000;

/// How many users there are when the import is killed, round by round: as soon as the database is bare, and after a batch
/// has gone into it.
const KILLED_AT: [usize; 2] = [0, 10_001];

#[test]
fn an_import_that_is_killed_loses_nothing_it_committed_and_can_be_run_again() {
    let dir = tempfile::tempdir().unwrap();
    let export = dir.path().join("users.json");
    std::fs::write(&export, lines()).unwrap();
    let export = export.to_str().unwrap();
    for (round, at) in KILLED_AT.into_iter().enumerate() {
        let database = dir.path().join(format!("{round}.db"));
        killed(&database, export, at);
        // The first to meet the log that it left.
        let (code, said) = exit_code_and_error(&run(&database, &["users", "list"]));
        assert!(code == Some(1) && said.contains("run `vestibule migrate`"), "{code:?} {said}");
        let migrate = run(&database, &["migrate"]);
        let told = String::from_utf8(migrate.stdout).unwrap();
        assert!(migrate.status.code() == Some(0) && told.contains("completed after an import"), "{told}");
        sound(&database);
        let before = users(&database);
        assert!(before >= at.max(10_000), "{before}");
        let again = run(&database, &["users", "import", export]);
        let told = String::from_utf8(again.stdout).unwrap();
        let (added, unchanged) = (USERS - before, before);
        let expected = format!("added {added}, changed 0, so already {unchanged}, skipped 0\n");
        assert_eq!((again.status.code(), told), (Some(0), expected), "round {round}");
        assert_eq!(users(&database), USERS);
        sound(&database);
    }
}

/// An export of Auth0's.
fn lines() -> String {
    (0..USERS).fold(String::new(), |mut lines, number| {
        let user = json!({"user_id": format!("auth0|{number}"), "email": format!("{number}@example.com"),
            "email_verified": true, "name": format!("Name {number}")});
        writeln!(lines, "{user}").unwrap();
        lines
    })
}

/// Begins an import, which waits for more than there is, and kills it when the database is bare and holds `at` users.
fn killed(database: &Path, export: &str, at: usize) {
    assert_eq!(run(database, &["migrate"]).status.code(), Some(0));
    let mut import = vestibule_command(database, None, &["users", "import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = import.stdin.take().unwrap();
    std::io::copy(&mut std::fs::File::open(export).unwrap(), &mut input).unwrap();
    while !is_bare(database, at) {
        assert!(import.try_wait().unwrap().is_none(), "it ended by itself");
        sleep(Duration::from_millis(1));
    }
    import.kill().unwrap();
    import.wait().unwrap();
}

/// Whether the file says so, and holds `at` users.
fn is_bare(database: &Path, at: usize) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let shell = Connection::open_with_flags(database, flags).unwrap();
    let sql = "SELECT user_version <> 0 AND (SELECT max(rowid) FROM users) >= ?1 FROM pragma_user_version";
    shell.query_one(sql, [i64::try_from(at).unwrap()], |row| row.get(0)).unwrap()
}

fn sound(database: &Path) {
    let check = run(database, &["check", "--json"]);
    let found: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert!(check.status.code() == Some(0) && found["sound"] == true, "{found}");
}

/// How many there are. Each is found by whatever they can be found by.
fn users(database: &Path) -> usize {
    let store = Store::open(&store_settings(database), Clock::system()).unwrap();
    let mut after = None;
    let mut found = 0;
    loop {
        let page = store.users(1_000, after).unwrap();
        for user in &page.users {
            let by_auth0_id = store.user_by_auth0_id(user.auth0_id.as_ref().unwrap()).unwrap();
            assert_eq!(by_auth0_id.as_ref(), Some(user));
            assert_eq!(store.user_by_email(user.email.as_ref().unwrap()).unwrap().as_ref(), Some(user));
            assert_eq!(store.identities(user.id).unwrap().len(), 1);
        }
        found += page.users.len();
        after = page.users.last().map(|user| user.id);
        if !page.has_next {
            store.close().unwrap();
            return found;
        }
    }
}
