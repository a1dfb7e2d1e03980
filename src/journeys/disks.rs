//! Full, read-only and damaged disks, and two processes on one file. Each failure is a clear error with its exit code, or
//! users are still served. Nothing panics, and no row is lost.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use vestibule::cli::http_client::{HttpClient, HttpResponse};
use vestibule::clock::Clock;
use vestibule::store::{Actor, LinkEmail, PageArgs, Provisioned, Store, StoreError, UserFilter, UserOrder};
use vestibule::user::User;

use crate::auth0_stub::{Auth0Stub, ProfileReply};
use crate::executable::{ServerProcess, exit_code_and_error, run_on, store_settings, vestibule_on};
use crate::test_server::{PUBLIC, identity};
use crate::tokens;

/// A closed database with this many users.
fn database_with(dir: &Path, users: usize) -> PathBuf {
    let database = dir.join("vestibule.db");
    let store = Store::open(&store_settings(&database), Clock::system()).unwrap();
    for i in 0..users {
        insert(&store, i).unwrap();
    }
    store.close().unwrap();
    database
}

fn insert(store: &Store, i: usize) -> Result<Provisioned, StoreError> {
    let identity = identity(&format!("auth0|{i}"), Some(&format!("u{i}@example.com")));
    store.provision(&identity, LinkEmail::Verified, &Actor::Gate)
}

fn me(server: &ServerProcess, auth0: &Auth0Stub, sub: &str) -> HttpResponse {
    let token = tokens::sign(&auth0.claims(sub, PUBLIC));
    HttpClient::new().graphql(&server.public, Some(&token), "{ me { id } }", Value::Null).unwrap()
}

/// A file system in memory, with a size of its own.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None` where this user may not mount.
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0777");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "vestibule"]).arg(dir.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        println!("not tested: this user may not mount a file system");
        None
    }

    fn remount(&self, option: &str) {
        let options = format!("remount,{option}");
        assert!(Command::new("mount").args(["-o", &options]).arg(self.0.path()).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).status());
    }
}

#[test]
fn a_full_disk_refuses_new_users_only_until_there_is_room() {
    let Some(disk) = Disk::mount("4m") else { return };
    let (auth0, dir) = (Auth0Stub::start(), disk.0.path());
    let database = database_with(dir, 1);
    let server = ServerProcess::start(&database, &auth0);
    let profile = |sub: &str| {
        let profile = json!({"user_id": sub, "email": format!("{sub}@example.com").replace('|', "-"),
            "email_verified": true, "name": "n".repeat(2000)});
        auth0.set_profile(sub, ProfileReply::Json(profile));
    };
    profile("auth0|before");
    assert_eq!(me(&server, &auth0, "auth0|before").status, 200);
    // Takes the rest of the disk, to the last page.
    let filler = dir.join("filler");
    drop(std::fs::write(&filler, vec![0; 4 << 20]));

    profile("auth0|new");
    let refused = (0..50).map(|i| format!("auth0|new{i}")).find_map(|sub| {
        profile(&sub);
        let answer = me(&server, &auth0, &sub);
        (answer.status != 200).then_some((sub, answer))
    });
    let (sub, refused) = refused.expect("the disk never became full");
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("BUSY")), "{}", refused.body);
    for known in ["auth0|0", "auth0|before"] {
        assert_eq!(me(&server, &auth0, known).status, 200, "{known}");
    }
    let (code, error) =
        exit_code_and_error(&run_on(&database, &["backup", &dir.join("b.db").display().to_string()]));
    assert!(matches!(code, Some(73 | 74)), "{error}");
    assert!(!dir.join("b.db").exists());

    std::fs::remove_file(filler).unwrap();
    assert_eq!(me(&server, &auth0, &sub).status, 200, "there is room again");
    server.kill();
    assert_eq!(run_on(&database, &["check"]).status.code(), Some(0));
}

#[test]
fn a_read_only_file_system_is_a_one_line_error() {
    let Some(disk) = Disk::mount("4m") else { return };
    let database = database_with(disk.0.path(), 1);
    disk.remount("ro");
    let (code, error) = exit_code_and_error(&run_on(&database, &["serve"]));
    assert_eq!(code, Some(73), "{error}");
    assert!(error.contains("vestibule.db.lock") && error.contains("Read-only file system"), "{error}");
    disk.remount("rw");
    assert_eq!(run_on(&database, &["check"]).status.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_read_only_database_file_is_a_one_line_error() {
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let dir = tempfile::tempdir().unwrap();
    let database = database_with(dir.path(), 1);
    // root may write everything, so the process has another user.
    let lock = dir.path().join("vestibule.db.lock");
    if [dir.path(), &database, &lock].iter().any(|path| chown(path, Some(NOBODY), Some(NOBODY)).is_err()) {
        println!("not tested: this user cannot give files away");
        return;
    }
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o400)).unwrap();
    let copy = dir.path().join("vestibule");
    // By a process of its own: a child that another test starts here would inherit the open file, and a file that is open
    // for writing cannot be executed.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_vestibule")).arg(&copy).status();
    assert!(copied.unwrap().success());
    let serve = vestibule_on(&database, None, &["serve"]);
    let output = Command::new(&copy)
        .args(serve.get_args())
        .current_dir(dir.path())
        .args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/config")])
        .env_clear()
        .uid(NOBODY)
        .gid(NOBODY)
        .output();
    if output.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied) {
        println!("not tested: other users may not enter the folder for temporary files");
        return;
    }
    let output = output.unwrap();
    let (code, error) = exit_code_and_error(&output);
    assert_eq!(code, Some(77), "{error}");
    assert!(error.contains("can only be read"), "{error}");
}

#[test]
fn a_damaged_file_is_refused_with_65_and_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let database = database_with(dir.path(), 200);
    let whole = std::fs::read(&database).unwrap();
    let mut wrong_magic = whole.clone();
    wrong_magic[..6].copy_from_slice(b"SQLate");
    let cut = whole[..whole.len() / 2].to_vec();
    let cut_in_its_last_page = whole[..whole.len() - 1000].to_vec();
    for (what, bytes) in [
        ("wrong magic", wrong_magic),
        ("cut", cut),
        ("cut in its last page", cut_in_its_last_page),
        ("empty", Vec::new()),
    ] {
        std::fs::write(&database, &bytes).unwrap();
        for command in ["check", "serve"] {
            let output = run_on(&database, &[command]);
            let (code, error) = exit_code_and_error(&output);
            assert_eq!(
                code,
                Some(65),
                "{what}, {command}: {error}{}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
        assert_eq!(std::fs::read(&database).unwrap().len(), bytes.len(), "{what}");
    }
}

/// No bit may cause a panic, and where `check` finds the file sound, reads return what was written. Every value of these
/// users is stored twice or constrained, except the time of the last fetch, where no check can find a flipped bit.
#[test]
fn a_flipped_bit_is_detected_or_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let database = database_with(dir.path(), 400);
    let whole = std::fs::read(&database).unwrap();
    let read = |store: &Store| -> Result<Vec<User>, StoreError> {
        let mut all = store
            .list_users(&UserFilter::default(), UserOrder::Created, false, &PageArgs::first(1000))?
            .items;
        for i in 0..100 {
            all.extend(store.user_by_auth0_id(&format!("auth0|{i}").parse().unwrap())?);
            all.extend(store.user_by_email(&format!("u{i}@example.com").parse().unwrap())?);
        }
        all.iter_mut().for_each(|user| user.profile_fetched_at = None);
        Ok(all)
    };
    let written = Store::open(&store_settings(&database), Clock::system()).unwrap();
    let (users, closed) = (read(&written).unwrap(), written.close());
    closed.unwrap();
    assert_eq!(users.len(), 600);
    let mut faults = 0;
    for i in 0..90 {
        let mut bytes = whole.clone();
        let at = (i * 7919 + 100) % bytes.len();
        bytes[at] ^= 1 << (i % 8);
        std::fs::write(&database, &bytes).unwrap();
        let sound = Store::check(&store_settings(&database)).is_ok_and(|found| found.is_sound());
        faults += usize::from(!sound);
        let Ok(store) = Store::open(&store_settings(&database), Clock::system()) else { continue };
        let found = read(&store);
        if sound {
            assert_eq!(found.unwrap(), users, "bit {} of byte {at}", i % 8);
        }
        drop(insert(&store, 1000));
        drop(store.close());
        for suffix in ["-wal", "-shm"] {
            drop(std::fs::remove_file(dir.path().join(format!("vestibule.db{suffix}"))));
        }
    }
    assert!(faults > 20, "{faults} of 90 found");
}

#[test]
fn two_servers_share_a_database_and_block_a_restore() {
    let (auth0, dir) = (Auth0Stub::start(), tempfile::tempdir().unwrap());
    let database = database_with(dir.path(), 1);
    let backup = dir.path().join("monday.db").display().to_string();
    let (one, other) = (ServerProcess::start(&database, &auth0), ServerProcess::start(&database, &auth0));
    auth0.set_profile(
        "auth0|new",
        ProfileReply::Json(json!({"user_id": "auth0|new", "email": "n@example.com"})),
    );
    let first = me(&one, &auth0, "auth0|new");
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(me(&other, &auth0, "auth0|new").json(), first.json());
    assert_eq!(run_on(&database, &["backup", &backup]).status.code(), Some(0));
    one.kill();
    let (code, error) = exit_code_and_error(&run_on(&database, &["restore", &backup]));
    assert_eq!(code, Some(75), "{error}");
    assert!(error.contains("in use"), "{error}");
    assert_eq!(me(&other, &auth0, "auth0|new").json(), first.json());
    other.kill();
    let restored = run_on(&database, &["restore", &backup]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    let server = ServerProcess::start(&database, &auth0);
    assert_eq!(me(&server, &auth0, "auth0|new").json(), first.json());
}

#[test]
fn when_a_command_has_returned_a_running_server_applies_its_change() {
    let (auth0, dir) = (Auth0Stub::start(), tempfile::tempdir().unwrap());
    let database = database_with(dir.path(), 1);
    let server = ServerProcess::start(&database, &auth0);
    for round in 0..5 {
        // Counts as issued when it is first seen: after the last block.
        let mut claims = auth0.claims("auth0|0", PUBLIC);
        (claims["iat"], claims["jti"]) = (json!(tokens::now() + 2), json!(round.to_string()));
        let token = tokens::sign(&claims);
        let ask =
            || HttpClient::new().graphql(&server.public, Some(&token), "{ me { id } }", Value::Null).unwrap();
        let first = ask();
        assert_eq!(first.status, 200, "round {round}: {}", first.body);
        // Requests all the time, so that the server has just read which users changed.
        let stop = AtomicBool::new(false);
        let (output, answer) = std::thread::scope(|scope| {
            scope
                .spawn(|| (0..10_000).take_while(|_| !stop.load(Ordering::SeqCst)).for_each(|_| drop(ask())));
            let outcome = (run_on(&database, &["users", "block", "auth0|0"]), ask());
            stop.store(true, Ordering::SeqCst);
            outcome
        });
        assert_eq!(
            (output.status.code(), answer.code().as_deref()),
            (Some(0), Some("BLOCKED")),
            "round {round}"
        );
        assert_eq!(run_on(&database, &["users", "unblock", "auth0|0"]).status.code(), Some(0));
    }
}
