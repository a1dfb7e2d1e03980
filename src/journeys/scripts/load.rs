//! What scripts cost a login, as ratios within one run. Run with a release build: `make load`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vestibule::clock::Clock;

use super::hostile;
use super::script_host::{ScriptHost, action, event, rule, settings};

const RUNS: usize = 200;

/// The median and the longest of the runs after the first, and the first.
async fn measure(run: impl AsyncFn()) -> (Duration, Duration, Duration) {
    let clock = Clock::system();
    let mut took = Vec::new();
    for _ in 0..=RUNS {
        let started = clock.elapsed();
        run().await;
        took.push(clock.elapsed().saturating_sub(started));
    }
    let first = took.remove(0);
    took.sort();
    (took[RUNS / 2], took[RUNS - 1], first)
}

#[tokio::test]
#[ignore = "measures: make load"]
async fn three_rules_or_actions_cost_under_10_ms() {
    let mut settings = settings();
    settings.workers = 1;
    let rules: Vec<_> = (0..3)
        .map(|n| {
            let script = "function (user, context, callback) {
                global.runs = (global.runs || 0) + 1;
                context.idToken['https://ns/runs'] = global.runs;
                user.app_metadata = Object.assign({ plan: 'free' }, user.app_metadata);
                callback(null, user, context);
              }";
            rule(&format!("rule {n}"), n, script)
        })
        .collect();
    let code = "let runs = 0;
        exports.onExecutePostLogin = async (event, api) => {
          api.idToken.setCustomClaim('https://ns/runs', ++runs);
          api.user.setAppMetadata('plan', event.user.app_metadata.plan);
        };";
    let actions: Vec<_> = (0..3).map(|n| action(&format!("action {n}"), code)).collect();
    let host = ScriptHost::open(&settings, &[]);
    let bare = measure(async || drop(host.run(&[]).await.unwrap())).await;
    let with_rules = measure(async || drop(host.run(&rules).await.unwrap())).await;
    let with_actions = measure(async || drop(host.act(&actions, event()).await.unwrap())).await;
    println!(
        "(median, longest, first) without scripts {bare:?}, three rules {with_rules:?}, three actions {with_actions:?}"
    );
    for (median, ..) in [with_rules, with_actions] {
        assert!(median.saturating_sub(bare.0) < Duration::from_millis(10), "{median:?}");
    }
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// Logs in with one rule every 10 ms while `on` is true. Returns the times.
async fn neighbour(host: &ScriptHost, on: impl Fn(Duration) -> bool) -> Vec<Duration> {
    let passing = [rule("passes", 1, "function (u, c, cb) { u.seen = true; cb(null, u, c); }")];
    let (clock, mut times) = (Clock::system(), Vec::new());
    while on(clock.elapsed()) {
        let started = clock.elapsed();
        host.run(&passing).await.unwrap();
        let took = clock.elapsed().saturating_sub(started);
        times.push(took);
        tokio::time::sleep(Duration::from_millis(10).saturating_sub(took)).await;
    }
    times
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: make load"]
async fn hostile_scripts_slow_a_neighbour_by_half_at_most() {
    let mut settings = settings();
    (settings.workers, settings.time) = (2, hostile::LIMIT);
    let host = ScriptHost::open(&settings, &[]);
    let alone = async || neighbour(&host, |elapsed| elapsed < Duration::from_secs(20)).await;
    drop(neighbour(&host, |elapsed| elapsed < Duration::from_secs(1)).await);
    let mut calm = alone().await;
    let over = AtomicBool::new(false);
    let attack = async {
        let (clock, mut longest, mut count) = (Clock::system(), Duration::ZERO, 0);
        for script in hostile::scripts() {
            let started = clock.elapsed();
            host.one(script).await.unwrap_err();
            longest = longest.max(clock.elapsed().saturating_sub(started));
            count += 1;
        }
        over.store(true, Ordering::Relaxed);
        (longest, count)
    };
    let (mut beside, (longest, count)) =
        tokio::join!(neighbour(&host, |_| !over.load(Ordering::Relaxed)), attack);
    // Before and after, because the machine may do other work.
    calm.extend(alone().await);
    let [before, during] =
        [&mut calm, &mut beside].map(|times| (percentile(times, 50), percentile(times, 99)));
    let ratio = during.1.as_secs_f64() / before.1.as_secs_f64();
    println!("{count} hostile scripts, the longest ended after {longest:.0?} (limit {:?})", hostile::LIMIT);
    println!(
        "a neighbour's logins (p50, p99): {before:.2?} alone, {during:.2?} beside them: p99 × {ratio:.2}"
    );
    assert!(longest < hostile::LIMIT + Duration::from_millis(250), "{longest:?}");
    assert!(ratio <= 1.5, "{ratio}");
}

/// A package of lodash's size: 540 KB in one file of 5,400 functions.
fn large_package() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("node_modules/lodash");
    std::fs::create_dir_all(&package).unwrap();
    let functions = (0..5400).map(|n| {
        format!("  function f{n}(array, size) {{ return array == null ? [] : array.slice(0, size + {n}).filter(Boolean); }}\n  lodash.f{n} = f{n};\n")
    });
    let code = format!(
        ";(function () {{ const lodash = {{}};\n{}  module.exports = lodash; }}.call(this));",
        functions.collect::<String>()
    );
    std::fs::write(package.join("lodash.js"), code).unwrap();
    std::fs::write(package.join("package.json"), "{\"name\":\"lodash\",\"main\":\"lodash.js\"}").unwrap();
    folder
}

#[tokio::test]
#[ignore = "measures: make load"]
async fn the_first_require_of_a_large_package_costs_under_30_ms() {
    let folder = large_package();
    let mut settings = settings();
    settings.workers = 1;
    let host = ScriptHost::open(&settings, &[]).with_packages(folder.path());
    let clock = Clock::system();
    let run = async |code: &str, n: usize| {
        let code = format!("{code} exports.onExecutePostLogin = async (event, api) => {{}}; // {n}");
        let started = clock.elapsed();
        host.act(&[action("requires", &code)], event()).await.unwrap();
        clock.elapsed().saturating_sub(started)
    };
    run("", 0).await;
    let (mut without, mut first, mut later) = (Vec::new(), Vec::new(), Vec::new());
    // Each code has a context of its own.
    for n in 1..=20 {
        without.push(run("", n).await);
        first.push(run("require('lodash').f7([1], 1);", n).await);
        later.push(run("require('lodash').f7([1], 1);", n).await);
    }
    let [without, first, later] = [&mut without, &mut first, &mut later].map(|times| percentile(times, 50));
    let cost = first.saturating_sub(without);
    println!(
        "the first require of 540 KB costs {cost:.1?} (a new context without it {without:.1?}, a later run {later:.1?})"
    );
    assert!(cost < Duration::from_millis(30), "{cost:?}");
}
