//! The commands of a developer: `dev` in one terminal, `token` and `explain` in another.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use vestibule::cli::http_client::HttpClient;
use vestibule::store::Store;

use crate::dev_server::bundle_with;
use crate::executable::{Process, output, vestibule};
use crate::test_server::{INTERNAL, PUBLIC, TestServer};

/// Runs a command in the second terminal.
fn run(args: &[&str], set: &[String]) -> Output {
    output(vestibule(args, set), "")
}

/// The output of a command that succeeds.
fn succeed(args: &[&str], set: &[String]) -> String {
    let output = run(args, set);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The error of a command that fails with exit code 1.
fn fail(args: &[&str], set: &[String]) -> String {
    let output = run(args, set);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

fn audience(token: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let aud = serde_json::from_slice::<Value>(&payload).unwrap()["aud"].take();
    // A person's token has the audience of `/userinfo` too.
    aud.as_array().map_or_else(|| aud.clone(), |all| all[0].clone())
}

/// Starts `dev`. Also returns its tenant's address, as a setting for the other terminal.
fn dev(set: &[String]) -> (Process, String) {
    let mut dev = Process::start("dev", set);
    let http = tenant_http(&mut dev);
    (dev, http)
}

fn tenant_http(dev: &mut Process) -> String {
    let issuer = dev.line("Dev tenant");
    let port = issuer.strip_prefix("http://localhost:").unwrap().split('/').next().unwrap();
    format!("tenant.http=127.0.0.1:{port}")
}

#[test]
fn dev_keeps_running_while_a_rule_denies_a_login() {
    let denying = "function (user, context, callback) { callback(new UnauthorizedError('not today')); }";
    let bundle = bundle_with("rules/track-sign-up.js", denying);
    let bundle = format!("tenant.bundle={}", bundle.path().display());
    let (mut process, http) = dev(std::slice::from_ref(&bundle));
    let error = fail(&["token", "--as", "ada@example.com"], &[bundle, http]);
    assert!(error.contains("not today") && !error.contains("running?"), "{error}");
    assert_eq!(process.stop("-INT"), Some(0));
}

#[test]
fn dev_refuses_a_database_that_has_served_production() {
    let mut server = TestServer::open(&[]);
    let path = server.config.store.path.clone();
    assert!(!Store::has_served_production(&server.config.store), "the development profile leaves no mark");
    server.config.profile = "production".to_owned();
    server.reopen();
    server.close();
    let copy = path.with_file_name("copy.db");
    let error = |path: &Path| fail(&["dev"], &[format!("store.path={}", path.display())]);
    assert!(error(&path).contains("has served production"), "{}", error(&path));
    Store::backup(&server.config.store, &copy).unwrap();
    assert!(error(&copy).contains("copy.db has served production"), "a backup too");
    server.reopen();
    assert_eq!(server.user_count(), 0, "no sample user was added");
}

#[test]
fn commands_find_the_tenant_on_another_port() {
    let (dev, http) = dev(&[]);
    let store = format!("store.path={}", dev.database().display());
    let token = succeed(&["token", "--as", "Ada@Example.com"], std::slice::from_ref(&http));
    let explanation = succeed(&["--profile", "development", "explain", &token], &[http.clone(), store]);
    assert!(explanation.contains("Accepted."), "{explanation}");
    let table = succeed(&["--profile", "development", "config"], std::slice::from_ref(&http));
    let issuer = table.lines().find(|line| line.trim_start().starts_with("issuer ")).unwrap();
    assert!(issuer.contains(&http.replace("tenant.http=127.0.0.1", "http://localhost")), "{issuer}");
    assert!(issuer.ends_with("the dev tenant's address, tenant.http"), "{issuer}");
}

#[test]
fn tokens_are_issued_for_the_api_that_their_client_or_person_may_use() {
    let (_dev, http) = dev(&[]);
    let issuer = format!("{}/", http.replace("tenant.http=127.0.0.1", "http://localhost"));
    let of = |args: &[&str], set: &str| audience(&succeed(&[&["token"], args].concat(), &[set.to_owned()]));
    assert_eq!(of(&["--as", "ada@example.com"], &http), PUBLIC);
    assert_eq!(of(&["--client", "reports"], &http), INTERNAL);
    assert_eq!(of(&[], &http), format!("{issuer}api/v2/"));
    // An issuer that is not at `tenant.http`, as an external tenant.
    assert_eq!(of(&[], &format!("auth0.issuer={issuer}")), format!("{issuer}api/v2/"));
    let ungranted = fail(&["token", "--door", "internal"], &[http]);
    assert!(ungranted.contains("client-grant") && !ungranted.contains("running?"), "{ungranted}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_script_process_inherits_no_descriptor_but_its_three_pipes() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec 7</dev/zero; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_vestibule")]);
    let mut dev = Process::start_by(shell, "dev", &[]);
    let http = tenant_http(&mut dev);
    // After a login, so the rules have run.
    succeed(&["token", "--as", "ada@example.com"], &[http]);
    let open = |pid: u32| {
        let all = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let mut all: Vec<u32> =
            all.map(|fd| fd.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
        all.sort_unstable();
        all
    };
    assert!(open(dev.id()).contains(&7), "the executable inherits it");
    let parent = format!("PPid:\t{}\n", dev.id());
    let is_child = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| status.contains(&parent))
    };
    let all = std::fs::read_dir("/proc").unwrap();
    let workers: Vec<u32> =
        all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).filter(is_child).collect();
    assert!(!workers.is_empty());
    for worker in workers {
        assert_eq!(open(worker), [0, 1, 2]);
    }
}

#[test]
fn dev_warns_about_actions_that_it_does_not_run() {
    let triggers = r#"{"post-login": [{"action_name": "deny-everyone", "display_name": "Deny"}]}"#;
    let bundle = bundle_with("triggers/triggers.json", triggers);
    let (mut dev, _) = dev(&[format!("tenant.bundle={}", bundle.path().display())]);
    assert_eq!(dev.stop("-TERM"), Some(0));
    let log = dev.log();
    let warning = log.lines().find(|line| line.contains("WARN")).unwrap_or_else(|| panic!("{log}"));
    for part in ["deny-everyone", "post-login", "does not exist"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
}

#[test]
fn dev_reports_scripts_that_do_not_compile_with_file_and_line() {
    let rule = "function (user, context, callback) {\n  callback(null user);\n}";
    let bundle = bundle_with("rules/track-sign-up.js", rule);
    let action = bundle.path().join("actions/populate-profile/code.js");
    std::fs::write(&action, "// One line.\n\nexports.onExecutePostLogin = (event, api) => await 1;\n")
        .unwrap();
    let (mut dev, _) = dev(&[format!("tenant.bundle={}", bundle.path().display())]);
    assert_eq!(dev.stop("-TERM"), Some(0));
    let log = dev.log();
    for place in ["rules/track-sign-up.js:2: ", "actions/populate-profile/code.js:3: "] {
        let warning =
            log.lines().find(|line| line.contains(place)).unwrap_or_else(|| panic!("{place}: {log}"));
        assert!(warning.contains("WARN") && warning.contains("does not compile"), "{warning}");
    }
    assert_eq!(log.matches("does not compile").count(), 2, "{log}");
}

#[test]
fn a_rule_cannot_forge_log_lines() {
    let logging = "function (user, context, callback) { console.log('one\\n2026 WARN forged\\u001b[2J'); callback(null, user, context); }";
    let bundle = bundle_with("rules/track-sign-up.js", logging);
    let bundle = format!("tenant.bundle={}", bundle.path().display());
    let (mut dev, http) = dev(std::slice::from_ref(&bundle));
    succeed(&["token", "--as", "ada@example.com"], &[bundle, http]);
    assert_eq!(dev.stop("-TERM"), Some(0));
    let log = dev.log();
    assert!(log.contains("one\u{fffd}2026 WARN forged\u{fffd}[2J"), "{log}");
}

/// Runs a command in `folder`, and returns its output.
fn run_in(folder: &Path, args: &[&str], set: &[String]) -> String {
    let mut command = vestibule(args, set);
    let output = output(std::mem::replace(command.current_dir(folder), Command::new("")), "");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_empty_folder_is_enough_for_demo_dev_and_token() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run_in(folder.path(), &["demo"], &[]).contains("All checks passed."));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the demo leaves nothing behind");
    let program = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    let mut dev = Process::start_in(folder.path(), program, "dev", &[]);
    let http = tenant_http(&mut dev);
    let token = run_in(folder.path(), &["token", "--as", "grace@example.com"], &[http]);
    assert_eq!(audience(token.trim()), PUBLIC);
    assert_eq!(dev.stop("-INT"), Some(0));
}

#[test]
fn a_rule_changed_in_the_folder_of_init_changes_the_next_login() {
    let folder = tempfile::tempdir().unwrap();
    let written = run_in(folder.path(), &["init"], &[]);
    assert!(written.contains("written  ./fixtures/tenant/rules/track-sign-up.js"), "{written}");
    assert!(written.contains("`vestibule tenant test`"), "{written}");
    assert!(run_in(folder.path(), &["tenant", "test"], &[]).contains(", 0 failed"));
    let rule = folder.path().join("fixtures/tenant/rules/track-sign-up.js");
    let denying = "function (user, context, callback) { callback(new UnauthorizedError('not today')); }";
    std::fs::write(&rule, denying).unwrap();
    assert!(
        run_in(folder.path(), &["init"], &[]).contains("kept     ./fixtures/tenant/rules/track-sign-up.js")
    );
    assert_eq!(std::fs::read_to_string(&rule).unwrap(), denying, "init keeps what is there");
    let program = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    let mut dev = Process::start_in(folder.path(), program, "dev", &[]);
    let http = tenant_http(&mut dev);
    let mut token = vestibule(&["token", "--as", "grace@example.com"], &[http]);
    token.current_dir(folder.path());
    let refused = String::from_utf8(output(token, "").stderr).unwrap();
    assert!(refused.contains("not today"), "{refused}");
}

#[test]
fn fresh_forgets_what_earlier_starts_stored() {
    let folder = tempfile::tempdir().unwrap();
    let databases =
        ["store.path", "tenant.data"].map(|key| format!("{key}={}", folder.path().join(key).display()));
    let start = |command: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        if command == "--fresh" {
            program = Command::new("sh");
            program.args(["-c", "exec \"$0\" \"$@\" --fresh", env!("CARGO_BIN_EXE_vestibule")]);
        }
        let mut dev = Process::start_by(program, "dev", &databases);
        dev.line("Dev tenant");
        dev
    };
    assert_eq!(start("").stop("-INT"), Some(0));
    succeed(&["--profile", "development", "users", "create", "--email", "new@example.com"], &databases);
    let users = || succeed(&["--profile", "development", "users", "list"], &databases);
    assert!(users().contains("new@example.com"));
    let mut again = start("");
    assert!(users().contains("new@example.com"), "a start keeps them");
    let in_use = run(&["dev", "--fresh", "--set", "public.listen=127.0.0.1:0"], &databases);
    assert_eq!(in_use.status.code(), Some(75), "a database in use is not removed");
    assert_eq!(again.stop("-INT"), Some(0));
    assert_eq!(start("--fresh").stop("-INT"), Some(0));
    assert!(!users().contains("new@example.com"));
}

#[test]
fn a_missing_configured_file_has_its_own_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent").display().to_string();
    let store = format!("store.path={}", dir.path().join("vestibule.db").display());
    let data = format!("tenant.data={}", dir.path().join("tenant.db").display());
    let ports = ["public.listen", "internal.listen", "tenant.http"].map(|key| format!("{key}=127.0.0.1:0"));
    let code = |command: &str, set: &str| {
        let set = [&ports[..], &[store.clone(), data.clone(), set.to_owned()]].concat();
        let output = run(&["--profile", "development", command], &set);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (command, key) in [
        ("dev", "tenant.bundle"),
        ("dev", "store.seed"),
        ("serve", "public.documents.dir"),
        ("config", "public.documents.dir"),
    ] {
        let (code, error) = code(command, &format!("{key}={absent}"));
        assert_eq!(code, Some(66), "{command} {key}: {error}");
        assert!(error.contains(key) && error.contains(&absent), "{error}");
    }
    std::fs::create_dir(&absent).unwrap();
    let (code, error) = code("migrate", &format!("store.path={absent}"));
    assert_eq!(code, Some(73), "{error}");
    assert!(error.contains("is a folder") && !dir.path().join("absent.lock").exists(), "{error}");
}

#[test]
fn token_asks_whether_dev_is_running_when_the_tenant_does_not_answer() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fail(&["token", "--as", "ada@example.com"], &[format!("tenant.http={closed}")]);
    assert!(error.contains("is `vestibule dev` running?"), "{error}");
    assert!(HttpClient::new().get(&format!("http://{closed}/"), &[]).is_err());
}
