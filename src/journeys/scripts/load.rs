//! What scripts cost a login, as ratios within one run. Run with a release build: `make load`.

use std::time::Duration;

use vestibule::clock::Clock;

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
