//! The text message of a second factor, given to the action that sends it at Auth0, once the developer chose that factor.

use std::sync::Arc;

use serde_json::{Map, json};

use super::super::response::without_null;
use super::super::users::TenantUser;
use super::super::{Inner, clients};
use super::background;
use super::login_event::event_user;
use super::login_log::LoginStory;
use super::script_request::{self, ScriptRequest, TENANT};
use super::transaction::Transaction;
use crate::script::Trigger;

/// The code in every message: nothing asks for it.
const CODE: &str = "000000";
/// The number of a user without one; it is reserved for fiction.
const NUMBER: &str = "+15555550100";

/// Gives a code's message to the actions of `send-phone-message` and `custom-phone-provider`, if the factor is a phone.
pub(super) fn send_code(
    tenant: &Arc<Inner>,
    transaction: &Transaction,
    user: &TenantUser,
    factor: &str,
    request: &ScriptRequest<'_>,
) {
    if !matches!(factor, "sms" | "phone" | "voice") {
        return;
    }
    let kind = if factor == "voice" { "voice" } else { "sms" };
    let number = user.user.get("phone_number").cloned().unwrap_or_else(|| NUMBER.into());
    let text = format!("Your code is {CODE}");
    let shared = without_null(json!({
        "client": clients::find(&tenant.bundle, &transaction.client_id).map(script_request::client),
        "request": request.event(tenant), "tenant": {"id": TENANT}, "user": event_user(user),
    }));
    let event = |name: &str, members| {
        let mut event: Map<_, _> = shared.clone();
        event.insert(name.to_owned(), members);
        event
    };
    let message = json!({
        "action": "second-factor-authentication", "code": CODE, "message_type": kind, "recipient": number, "text": text,
    });
    let notification = json!({
        "message_type": "otp_verify", "delivery_method": if kind == "sms" { "text" } else { "voice" }, "recipient": number,
        "as_text": text, "as_voice": text, "code": CODE, "locale": "en", "from": "dev",
    });
    for (trigger, event) in [
        (Trigger::SendPhoneMessage, event("message_options", message)),
        (Trigger::CustomPhoneProvider, event("notification", notification)),
    ] {
        let story = LoginStory {
            user_id: Some(user.user_id().to_owned()),
            protocol: Some(trigger.name().to_owned()),
            ..LoginStory::of(&transaction.client_id)
        };
        background::run(tenant, trigger, event, story);
    }
}
