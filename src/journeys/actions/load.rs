//! What three rules cost a login, as a ratio to a login without scripts. Run with a release build: `make load`.

use std::time::Duration;

use vestibule::clock::Clock;

use super::browser::{Scripts, location};

const RUNS: usize = 100;

#[test]
#[ignore = "measures: make load"]
fn three_rules_cost_a_login_under_10_ms() {
    let rule = "function (user, context, callback) {
        context.idToken['https://ns/' + context.stats.loginsCount] = user.email;
        user.app_metadata = Object.assign({ plan: 'free' }, user.app_metadata);
        callback(null, user, context);
      }";
    let bare = Scripts::new().serve();
    let ruled = Scripts::new().rule("one", rule).rule("two", rule).rule("three", rule).serve();
    let tenants = [bare.browser(), ruled.browser()];
    let (clock, mut times) = (Clock::system(), [Vec::new(), Vec::new()]);
    // In turn, because the machine may do other work. The first logins start the workers.
    for run in 0..=RUNS {
        for (browser, times) in tenants.iter().zip(&mut times) {
            let started = clock.elapsed();
            let response = browser.log_in_with("auth0|ada", &[("prompt", "login")]);
            assert!(location(&response).contains("code="), "{}", response.body);
            if run > 0 {
                times.push(clock.elapsed().saturating_sub(started));
            }
        }
    }
    let [bare, ruled] = times.map(|mut times| {
        times.sort_unstable();
        times[RUNS / 2]
    });
    let (cost, ratio) = (ruled.saturating_sub(bare), ruled.as_secs_f64() / bare.as_secs_f64());
    println!("a login takes {bare:.2?}, with three rules {ruled:.2?}: {cost:.2?} more, × {ratio:.2}");
    assert!(cost < Duration::from_millis(10), "{cost:?}");
}
