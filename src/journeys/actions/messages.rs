//! Actions that send the tenant's messages, and those that get the events of users.

use serde_json::{Value, json};

use super::browser::{Scripts, Tenant, location, param};
use crate::waiting::wait_until;

/// The story of a trigger's run, once it is logged.
fn story(tenant: &Tenant, trigger: &str) -> Value {
    let find = || tenant.log().into_iter().find(|story| story["protocol"] == trigger);
    wait_until("the run is logged", || find().is_some());
    find().unwrap()
}

#[test]
fn a_mail_goes_through_the_custom_provider_and_can_be_dropped() {
    let code = "exports.onExecuteCustomEmailProvider = async (event, api) => {
        const { message_type, to, subject, text } = event.notification;
        console.log(message_type, to, subject, text.includes('ticket='));
        api.notification.drop('no mails today');
    };";
    let tenant = Scripts::new().action("custom-email-provider", "mails", code).serve();
    let body = json!({"client_id": "spa", "connection": "Username-Password-Authentication", "email": "ada@example.com"});
    tenant.dev.http.post_json(&tenant.url("dbconnections/change_password"), &[], &body).unwrap();
    let run = story(&tenant, "custom-email-provider");
    assert_eq!(
        run["scripts"][0]["console"][0]["text"],
        "reset_email ada@example.com Reset your password true"
    );
    assert!(run["outcome"].as_str().unwrap().contains("no mails today"), "{run}");
}

#[test]
fn a_phone_factor_sends_its_message() {
    let mfa = "exports.onExecutePostLogin = async (event, api) => api.multifactor.enable('any');";
    let sends = "exports.onExecuteSendPhoneMessage = async (event) => console.log(event.message_options.message_type, event.message_options.recipient, event.user.user_id);";
    let tenant =
        Scripts::new().action("post-login", "mfa", mfa).action("send-phone-message", "sends", sends).serve();
    let browser = tenant.browser();
    let state = param(&location(&browser.log_in("auth0|ada")), "state").unwrap();
    browser.post("u/mfa", &[("state", &state), ("outcome", "sms")]);
    let run = story(&tenant, "send-phone-message");
    assert_eq!(run["scripts"][0]["console"][0]["text"], "sms +15555550100 auth0|ada");
}

#[test]
fn events_of_users_reach_event_stream_actions() {
    let code = "exports.onExecuteEventStream = async (event) => console.log(event.message.type, event.message.data.object.user_id, event.message.data.object.nickname);";
    let tenant = Scripts::new().action("event-stream", "stream", code).serve();
    tenant.manage("PATCH", "users/auth0%7Cada", &json!({"nickname": "countess"}));
    let run = story(&tenant, "event-stream");
    assert_eq!(run["scripts"][0]["console"][0]["text"], "user.updated auth0|ada countess");
    assert_eq!(run["user_id"], "auth0|ada");
}
