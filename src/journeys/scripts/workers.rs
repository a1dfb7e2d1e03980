//! The processes: how many, how they end, who waits.

use std::time::Duration;

use vestibule::clock::Clock;
use vestibule::script::DenyReason;

use super::http_stub::{HttpStub, answer};
use super::script_host::{ScriptHost, settings};

const PASSING: &str = "function (u, c, cb) { cb(null, u, c); }";
const HANGING: &str = "function () { setTimeout(() => {}, 1e9); }";

#[tokio::test]
async fn two_logins_run_at_once_and_each_keeps_its_own() {
    // Neither gets its answer before both have asked.
    let stub = HttpStub::open(2, |_| answer(200, "met")).await;
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
    assert_eq!((one.console[0].text.as_str(), other.console.len()), ("one", 1));
}

#[tokio::test]
async fn a_slow_login_does_not_hold_up_another_worker() {
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
async fn who_waits_too_long_for_a_worker_is_told_that_all_are_busy() {
    let mut one_worker = settings();
    (one_worker.workers, one_worker.time) = (1, Duration::from_millis(500));
    let host = ScriptHost::open(&one_worker, &[]);
    host.one(PASSING).await.unwrap();
    let clock = Clock::system();
    let busy = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        (host.one(PASSING).await, clock.elapsed())
    };
    let (first, second, (third, took)) = tokio::join!(host.one(HANGING), host.one(HANGING), busy);
    // The second gets the first's place; the third would have to wait for both.
    assert_eq!(first.unwrap_err().reason, DenyReason::TimedOut);
    assert_eq!(second.unwrap_err().reason, DenyReason::TimedOut);
    let third = third.unwrap_err();
    assert_eq!((third.reason, third.rule.as_str()), (DenyReason::Busy, ""));
    assert!(third.to_string().contains("script.workers"), "{third}");
    assert!(took < Duration::from_millis(1000), "{took:?}");
    host.one(PASSING).await.unwrap();
}

#[tokio::test]
async fn stopping_denies_who_runs_and_who_comes() {
    let host = ScriptHost::open(&settings(), &[]);
    host.one(PASSING).await.unwrap();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        host.scripts.stop().await;
    };
    let (running, ()) = tokio::join!(host.one(HANGING), stop);
    assert_eq!(running.unwrap_err().reason, DenyReason::Stopped);
    assert_eq!(host.one(PASSING).await.unwrap_err().reason, DenyReason::Stopped);
    #[cfg(target_os = "linux")]
    assert!(host.pids().is_empty());
}

#[tokio::test]
async fn a_worker_that_can_not_start_denies_the_login() {
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
    use super::*;

    fn kill(pid: u32) {
        let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
        assert!(killed.success());
    }

    #[tokio::test]
    async fn a_worker_serves_many_logins_and_one_that_died_is_replaced_silently() {
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
    async fn a_worker_killed_in_the_middle_denies_its_login_by_name() {
        let host = ScriptHost::open(&settings(), &[]);
        host.one(PASSING).await.unwrap();
        let pid = host.pids()[0];
        let murder = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            kill(pid);
        };
        let (denied, ()) = tokio::join!(host.one(HANGING), murder);
        let denied = denied.unwrap_err();
        assert_eq!((denied.reason, denied.rule.as_str()), (DenyReason::Crashed, "only-rule"));
        host.one(PASSING).await.unwrap();
    }

    #[tokio::test]
    async fn a_login_that_is_given_up_takes_its_worker_with_it() {
        let host = ScriptHost::open(&settings(), &[]);
        host.one(PASSING).await.unwrap();
        let given_up = tokio::time::timeout(Duration::from_millis(100), host.one(HANGING)).await;
        assert!(given_up.is_err());
        while !host.pids().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
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
    }
}
