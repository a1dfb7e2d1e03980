//! Actions that Auth0 runs after it has answered: they cannot change the answer, only the login log.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::Inner;
use super::super::oauth_error::OAuthError;
use super::login_log::LoginStory;
use super::scripts;
use crate::script::{Notification, Trigger};

/// The most runs at a time.
pub(in crate::tenant) const BACKGROUND_RUNS: usize = 16;

/// Runs a trigger's actions, if there are any, without waiting for them. Beyond [`BACKGROUND_RUNS`] at a time a run is left
/// out, which the log says.
pub(super) fn run(tenant: &Arc<Inner>, trigger: Trigger, event: Map<String, Value>, mut story: LoginStory) {
    let Some(actions) = tenant.scripts.bound(trigger) else { return };
    let tenant = Arc::clone(tenant);
    let Ok(place) = Arc::clone(&tenant.background).try_acquire_owned() else {
        let error = format!(
            "The actions of {} did not run: {BACKGROUND_RUNS} other runs are not done",
            trigger.name()
        );
        return story.record(&tenant, Err(&OAuthError::new(503, "temporarily_unavailable", error)));
    };
    tokio::spawn(async move {
        let result = scripts::run_once(&tenant, trigger, actions, event.into(), &mut story).await;
        let result = result.map(|effects| outcome(trigger, effects.notification));
        story.record(&tenant, result.as_deref());
        drop(place);
    });
}

fn outcome(trigger: Trigger, notification: Option<Notification>) -> String {
    match notification {
        Some(Notification::Dropped(reason)) => format!("{}: dropped, {reason}", trigger.name()),
        Some(Notification::Retry(reason)) => format!("{}: Auth0 would try again, {reason}", trigger.name()),
        None => format!("{} ran", trigger.name()),
    }
}
