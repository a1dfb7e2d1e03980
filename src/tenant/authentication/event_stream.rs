//! The events of users, given to the actions of `event-stream`. At Auth0 a stream with an action as its destination does that;
//! here every bound action gets every event, after the request that caused it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::super::Inner;
use super::super::response::object;
use super::background;
use super::login_log::LoginStory;
use crate::script::Trigger;

/// Runs the bound actions for the events that are new since the last call.
pub(in crate::tenant) fn deliver(tenant: &Arc<Inner>) {
    if tenant.scripts.bound(Trigger::EventStream).is_none() {
        return;
    }
    let delivered = tenant.delivered_events.load(Ordering::Acquire);
    let events = match tenant.db.events_after(delivered) {
        Ok(events) => events,
        Err(error) => return tracing::error!(%error, "the events for event-stream cannot be read"),
    };
    let Some((last, ..)) = events.last() else { return };
    let claimed =
        tenant.delivered_events.compare_exchange(delivered, *last, Ordering::AcqRel, Ordering::Acquire);
    // Another request delivers them.
    if claimed.is_err() {
        return;
    }
    for (_, _, message) in events {
        let user = message.pointer("/data/object/user_id").and_then(Value::as_str).map(str::to_owned);
        let trigger = Trigger::EventStream;
        let story =
            LoginStory { user_id: user, protocol: Some(trigger.name().to_owned()), ..LoginStory::default() };
        background::run(tenant, trigger, object(json!({"message": message})), story);
    }
}
