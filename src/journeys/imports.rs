//! An import of many users that is killed with SIGKILL: the database is as it was before, and the import can be run again.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{ChildStdin, Stdio};

use serde_json::{Value, json};
use vestibule::clock::Clock;
use vestibule::store::{PageArgs, Store, UserFilter, UserOrder};

use crate::executable::{run_on, store_settings, vestibule_on};
use crate::waiting::wait_until;

/// Enough for the import to drop the list indexes, also when the last 3,000 are still in the pipe.
const USERS: usize = 14_000;

/// When an import is killed.
#[derive(Clone, Copy)]
enum Kill {
    /// When it has added nearly all rows, and waits for more.
    Adding,
    /// When the write-ahead log holds this many bytes of it: while it builds indexes or commits.
    Writing(u64),
}

#[test]
fn a_killed_import_leaves_the_database_as_it_was_and_can_be_run_again() {
    let dir = tempfile::tempdir().unwrap();
    let export = dir.path().join("users.json");
    std::fs::write(&export, lines()).unwrap();
    let kills = [Kill::Adding, Kill::Writing(1), Kill::Writing(6 << 20)];
    for (round, kill) in kills.into_iter().enumerate() {
        let database = dir.path().join(format!("{round}.db"));
        assert_eq!(run_on(&database, &["migrate"]).status.code(), Some(0));
        import_and_kill(&database, &export, kill);
        sound(&database);
        let before = users(&database);
        let may_be_committed = matches!(kill, Kill::Writing(_));
        assert!(before == 0 || (may_be_committed && before == USERS), "round {round}: {before}");
        let again = run_on(&database, &["users", "import", export.to_str().unwrap()]);
        let (added, unchanged) = (USERS - before, before);
        let expected = format!("added {added}, updated 0, unchanged {unchanged}, skipped 0\n");
        let printed = String::from_utf8(again.stdout).unwrap();
        assert_eq!((again.status.code(), printed), (Some(0), expected), "round {round}");
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

fn import_and_kill(database: &Path, export: &Path, kill: Kill) {
    let mut import = vestibule_on(database, None, &["users", "import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input: Option<ChildStdin> = import.stdin.take();
    // When the last byte is in the pipe, all rows but those that fit into its buffers are added.
    std::io::copy(&mut std::fs::File::open(export).unwrap(), input.as_mut().unwrap()).unwrap();
    if let Kill::Writing(bytes) = kill {
        input = None;
        let log = database.with_extension("db-wal");
        // It may be done before this sees its log.
        wait_until("the import writes", || {
            import.try_wait().unwrap().is_some()
                || std::fs::metadata(&log).is_ok_and(|log| log.len() >= bytes)
        });
    }
    import.kill().unwrap();
    import.wait().unwrap();
    drop(input);
}

/// Runs `vestibule check`.
fn sound(database: &Path) {
    let check = run_on(database, &["check", "--json"]);
    let found: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert!(check.status.code() == Some(0) && found["sound"] == true, "{found}");
}

/// How many users there are. Each is found by each of their keys.
fn users(database: &Path) -> usize {
    let store = Store::open(&store_settings(database), Clock::system()).unwrap();
    let mut after = None;
    let mut found = 0;
    loop {
        let args = PageArgs { after, ..PageArgs::first(1_000) };
        let page = store.list_users(&UserFilter::default(), UserOrder::Created, false, &args).unwrap();
        for user in &page.items {
            let by_auth0_id = store.user_by_auth0_id(user.auth0_id.as_ref().unwrap()).unwrap();
            assert_eq!(by_auth0_id.as_ref(), Some(user));
            assert_eq!(store.user_by_email(user.email.as_ref().unwrap()).unwrap().as_ref(), Some(user));
            assert_eq!(store.identities(user.id).unwrap().len(), 1);
        }
        found += page.items.len();
        after = page.items.last().map(|user| UserOrder::Created.cursor(user));
        if !page.more {
            store.close().unwrap();
            return found;
        }
    }
}

#[test]
fn an_import_reports_what_becomes_of_columns_and_fails_if_no_user_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let (database, file) = (folder.path().join("vestibule.db"), folder.path().join("users.json"));
    let import = |content: &str, more: &[&str]| {
        std::fs::write(&file, content).unwrap();
        let done = run_on(&database, &[&["users", "import", file.to_str().unwrap()], more].concat());
        (done.status.code().unwrap(), String::from_utf8(done.stdout).unwrap())
    };
    let ada = r#"{"user_id":"auth0|1","given_name":"Ada","mfa_factors":["sms"],"app_metadata":{},"password_hash":"x"}"#;
    let (code, said) = import(ada, &["--dry-run"]);
    assert_eq!(code, 0, "{said}");
    for line in ["given_name becomes givenName", "mfa_factors is not kept", "would be added 1"] {
        assert!(said.contains(line), "{said}");
    }
    let (code, said) = import(ada, &[]);
    assert!(code == 0 && said.contains("ignored columns: app_metadata, mfa_factors\n"), "{said}");
    assert_eq!(import(ada, &[]).0, 0, "they are there already");
    assert_eq!(import("[]", &[]).0, 0);
    for unusable in [r#"{"given_name":"Ada"}"#, r#"{"email":"ada"}"#, r#"{"user_id":7}"#] {
        assert_eq!(import(unusable, &[]).0, 65, "{unusable}");
    }
    let both = format!("{ada}\n{{\"given_name\":\"Grace\"}}");
    assert_eq!(import(&both, &[]).0, 0, "one was left out, with its reason, and one taken over");
}
