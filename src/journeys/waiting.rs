//! Waiting for work in the background, with a deadline.

use std::time::Duration;

use vestibule::clock::Clock;

/// The longest any test waits. Far longer than the work takes, even on a busy machine: only a failure reaches it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// Polls until `condition` holds; panics at the [`DEADLINE`].
#[expect(clippy::disallowed_methods, reason = "a pause between two polls")]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let clock = Clock::system();
    while !condition() {
        assert!(clock.elapsed() < DEADLINE, "this never happened: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
