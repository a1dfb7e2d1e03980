//! The worker processes: how many run, how they end, and the queue for them.

use std::time::Duration;

use vestibule::script::DenyReason;

use super::http_stub::{HttpStub, response};
use super::script_host::{ScriptHost, settings};

const PASSING: &str = "function (u, c, cb) { cb(null, u, c); }";
/// Updates metadata as a sign that it runs, and never ends.
const HANGING: &str =
    "async function (u) { await auth0.users.updateAppMetadata(u.user_id, {}); setTimeout(() => {}, 1e9); }";

#[tokio::test]
async fn two_logins_run_at_once_and_stay_separate() {
    // Neither gets its response before both have sent a request.
    let stub = HttpStub::open(2, |_| response(200, "met")).await;
    let host = ScriptHost::open(&settings(), &[&stub.origin]);
    let script = |mark: &str| {
        let url = stub.url("/meet");
        format!(
            "async function (user, context, callback) {{
               user.met = await (await fetch('{url}')).text() + ' {mark}';
               console.log('{mark}');
               callback(null, user, context);
             }}"
        )
    };
    let (one, other) = (script("one"), script("other"));
    let (one, other) = tokio::join!(host.one(&one), host.one(&other));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((&one.user["met"], &other.user["met"]), (&"met one".into(), &"met other".into()));
    assert_eq!((one.trace.console[0].text.as_str(), other.trace.console.len()), ("one", 1));
}

#[tokio::test]
async fn a_slow_login_does_not_delay_another_worker() {
    let host = ScriptHost::open(&settings(), &[]);
    let slow = host.one(HANGING);
    let quick = async {
        for _ in 0..5 {
            host.one(PASSING).await.unwrap();
        }
    };
    tokio::select! {
        slow = slow => panic!("the slow one ended first: {slow:?}"),
        () = quick => {}
    }
}

#[tokio::test]
async fn scripts_that_are_killed_take_no_warm_worker_from_others() {
    let mut two_workers = settings();
    two_workers.time = Duration::from_secs(1);
    let host = ScriptHost::open(&two_workers, &[]);
    let counting = "function (user, context, callback) {
        global.runs = (global.runs || 0) + 1;
        user.runs = global.runs;
        setTimeout(() => callback(null, user, context), 20);
      }";
    let (first, failed) = tokio::join!(host.one(counting), host.one("function () { throw 1; }"));
    assert_eq!(first.unwrap().user["runs"], 1);
    failed.unwrap_err();
    for runs in 2..4 {
        assert_eq!(host.one(HANGING).await.unwrap_err().reason, DenyReason::TimedOut);
        assert_eq!(host.one(counting).await.unwrap().user["runs"], runs);
    }
}

#[tokio::test]
async fn a_login_that_waits_too_long_for_a_worker_is_denied_as_busy() {
    let mut one_worker = settings();
    (one_worker.workers, one_worker.time) = (1, Duration::from_secs(1));
    let host = ScriptHost::open(&one_worker, &[]);
    host.one(PASSING).await.unwrap();
    // They queue in this order. The second gets a worker when the first times out; that is too long for the third.
    let (first, second, third) = tokio::join!(host.one(HANGING), host.one(HANGING), host.one(PASSING));
    assert_eq!(first.unwrap_err().reason, DenyReason::TimedOut);
    assert_eq!(second.unwrap_err().reason, DenyReason::TimedOut);
    let third = third.unwrap_err();
    assert_eq!((third.reason, third.script.as_str()), (DenyReason::Busy, ""));
    assert!(third.to_string().contains("script.workers"), "{third}");
    host.one(PASSING).await.unwrap();
}

#[tokio::test]
async fn stopping_denies_running_and_later_logins() {
    let host = ScriptHost::open(&settings(), &[]);
    let stop = async {
        host.wait_for_update().await;
        host.scripts.stop().await;
    };
    let (running, ()) = tokio::join!(host.one(HANGING), stop);
    assert_eq!(running.unwrap_err().reason, DenyReason::Stopped);
    assert_eq!(host.one(PASSING).await.unwrap_err().reason, DenyReason::Stopped);
    #[cfg(target_os = "linux")]
    assert!(host.pids().is_empty());
}

#[tokio::test]
async fn a_worker_that_cannot_start_denies_the_login() {
    use vestibule::pool::{self, Pool};
    use vestibule::script::{LoginInput, ScriptRunner, WorkerCommand};
    for (program, args) in
        [("/does/not/exist", vec![]), ("/bin/sh", vec!["-c".to_owned(), "exit 0".to_owned()])]
    {
        let pool = Pool::start(&pool::Settings { threads: 1, queue: 1 }).unwrap();
        let command = WorkerCommand { program: program.into(), args };
        let scripts = ScriptRunner::new(&settings(), command, Vec::new(), pool);
        let login = LoginInput {
            user: super::script_host::user(),
            context: super::script_host::context(),
            auth0: super::script_host::auth0(),
            configuration: std::collections::BTreeMap::new(),
        };
        let rules = [super::script_host::rule("fine", 1, PASSING)];
        // On a task of its own, as a server runs it: the future can move between threads.
        let run = async move { scripts.run_rules(&rules, login, std::sync::Arc::new(|_| Ok(()))).await };
        let denied = tokio::spawn(run).await.unwrap().unwrap_err();
        assert_eq!(denied.reason, DenyReason::Crashed, "{denied}");
    }
}

#[cfg(target_os = "linux")]
mod processes {
    use std::process::Stdio;

    use super::*;
    use crate::dev_server::bundle_with;
    use crate::executable::{Process, vestibule};
    use crate::waiting::wait_until;

    fn kill(pid: u32) {
        let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
        assert!(killed.success());
    }

    #[tokio::test]
    async fn a_worker_runs_many_logins_and_a_dead_one_is_replaced() {
        let host = ScriptHost::open(&settings(), &[]);
        host.one(PASSING).await.unwrap();
        let first = host.pids();
        assert_eq!(first.len(), 1);
        host.one(PASSING).await.unwrap();
        assert_eq!(host.pids(), first);
        kill(first[0]);
        host.one(PASSING).await.unwrap();
        assert_eq!(host.pids().len(), 1);
        assert_ne!(host.pids(), first);
        let (one, other) = tokio::join!(host.one(PASSING), host.one(PASSING));
        assert!(one.is_ok() && other.is_ok());
        host.pids().into_iter().for_each(kill);
        host.one(PASSING).await.unwrap();
    }

    #[tokio::test]
    async fn a_worker_killed_while_a_rule_runs_denies_the_login_and_names_the_rule() {
        let host = ScriptHost::open(&settings(), &[]);
        let kill_worker = async {
            host.wait_for_update().await;
            host.pids().into_iter().for_each(kill);
        };
        let (denied, ()) = tokio::join!(host.one(HANGING), kill_worker);
        let denied = denied.unwrap_err();
        assert_eq!((denied.reason, denied.script.as_str()), (DenyReason::Crashed, "only-rule"));
        host.one(PASSING).await.unwrap();
    }

    #[tokio::test]
    async fn dropping_a_login_kills_its_worker() {
        let host = ScriptHost::open(&settings(), &[]);
        tokio::select! {
            ended = host.one(HANGING) => panic!("it ended: {ended:?}"),
            () = host.wait_for_update() => {}
        }
        wait_until("the worker has exited", || host.pids().is_empty());
        host.one(PASSING).await.unwrap();
    }

    #[tokio::test]
    async fn a_worker_has_no_environment_no_files_and_hard_limits() {
        let host = ScriptHost::open(&settings(), &[]);
        host.one(PASSING).await.unwrap();
        let process = format!("/proc/{}", host.pids()[0]);
        assert_eq!(std::fs::read(format!("{process}/environ")).unwrap(), b"");
        assert_eq!(std::fs::read_link(format!("{process}/cwd")).unwrap().to_str(), Some("/"));
        let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
        let hard = |name: &str| {
            let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
            line.trim_start_matches(name).split_whitespace().nth(1).unwrap().to_owned()
        };
        assert_eq!(hard("Max open files"), "3");
        assert_eq!(hard("Max core file size"), "0");
        assert_eq!(hard("Max file size"), "0");
        assert_eq!(hard("Max address space"), ((32 + 256) * 1024 * 1024).to_string());
        assert_ne!(hard("Max cpu time"), "unlimited");
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let has = |line: &str| {
            status.lines().any(|own| own.split_whitespace().collect::<Vec<_>>().join(" ") == line)
        };
        assert!(has("NoNewPrivs: 1") && has("Seccomp: 2"), "{status}");
    }

    #[test]
    fn a_worker_is_killed_with_its_host_while_a_script_runs() {
        let bundle =
            bundle_with("rules/track-sign-up.js", "function (user, context, callback) { for (;;) {} }");
        let set = [format!("tenant.bundle={}", bundle.path().display()), "script.time=10min".to_owned()];
        let mut dev = Process::start("dev", &set);
        let issuer = dev.line("Dev tenant");
        let port = issuer.strip_prefix("http://localhost:").unwrap().split('/').next().unwrap();
        let token = vestibule(
            &["token", "--as", "ada@example.com"],
            &[set[0].clone(), format!("tenant.http=127.0.0.1:{port}")],
        );
        let mut token = { token }.stderr(Stdio::null()).spawn().unwrap();
        let host = dev.id();
        let is_child = |pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // After the name in parentheses: the state and the parent.
            let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
            parent == Some(&host.to_string())
        };
        let ticks = |pid: u32| -> Option<u64> {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let fields: Vec<_> = stat.rsplit(')').next()?.split_whitespace().collect();
            // A zombie has ended; its new parent may not reap it.
            if fields[0] == "Z" { None } else { fields[11].parse().ok() }
        };
        let mut busy = None;
        wait_until("a worker runs the script", || {
            let pids = std::fs::read_dir("/proc").unwrap();
            let pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
            // A third of a second of CPU time: more than a start takes.
            busy = pids.filter(is_child).find(|pid| ticks(*pid).is_some_and(|ticks| ticks > 33));
            busy.is_some()
        });
        dev.signal("-KILL");
        dev.wait();
        wait_until("the worker is gone", || ticks(busy.unwrap()).is_none());
        token.wait().unwrap();
    }
}
