//! The actions around an account: before and after a sign-up, after a change of its password, and those that send its mails.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::oauth_error::OAuthError;
use super::super::response::{object, without_null};
use super::super::users::{TenantUser, merge_metadata};
use super::super::{Inner, clients};
use super::authorization_request::AuthorizationRequest;
use super::login_event::{authorization_value, event_user};
use super::login_log::LoginStory;
use super::script_request::{self, ScriptConnection, ScriptRequest, TENANT};
use super::{background, scripts};
use crate::script::{ActionsInput, ApiFacts, Effects, Outcome, Trigger};

/// A request about an account.
pub(super) struct AccountRequest<'a> {
    pub(super) client_id: &'a str,
    /// The name of the account's connection.
    pub(super) connection: &'a str,
    /// The request of `/authorize` whose page it was, if it was one.
    pub(super) authorization: Option<&'a AuthorizationRequest>,
    pub(super) request: ScriptRequest<'a>,
}

/// Why an action refused a sign-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignUpDenial {
    /// For the log, and the response of the API.
    pub(super) reason: String,
    /// For the person who signs up.
    pub(super) message: String,
}

impl AccountRequest<'_> {
    /// The `event` of an account, given as its trigger has it.
    fn event(&self, tenant: &Inner, user: &Value) -> Map<String, Value> {
        let connection = ScriptConnection::find(&tenant.bundle, self.connection, "auth0");
        without_null(json!({
            "client": clients::find(&tenant.bundle, self.client_id).map(script_request::client),
            "connection": connection.event(),
            "request": self.request.event(tenant),
            "tenant": {"id": TENANT},
            "transaction": self.authorization.map(authorization_value),
            "user": user,
        }))
    }

    fn story(&self, trigger: Trigger, email: Option<&str>) -> LoginStory {
        LoginStory {
            email: email.map(str::to_owned),
            connection: Some(self.connection.to_owned()),
            protocol: Some(trigger.name().to_owned()),
            ..LoginStory::of(self.client_id)
        }
    }
}

/// Runs the actions of pre-user-registration for a profile that has no `user_id` yet, and adds the metadata that they set.
pub(super) async fn before_sign_up(
    tenant: &Arc<Inner>,
    account: &AccountRequest<'_>,
    profile: &mut Map<String, Value>,
) -> Result<Result<(), SignUpDenial>, OAuthError> {
    let trigger = Trigger::PreUserRegistration;
    let Some(actions) = tenant.scripts.bound(trigger) else { return Ok(Ok(())) };
    let mut user = profile.clone();
    for member in ["user_id", "identities", "created_at", "updated_at", "email_verified"] {
        user.remove(member);
    }
    let event = account.event(tenant, &user.into()).into();
    let mut story = account.story(trigger, profile.get("email").and_then(Value::as_str));
    let (facts, effects) = (ApiFacts::default(), Effects::default());
    let input = ActionsInput { trigger, actions, resume: None, event, facts, effects };
    let output = match scripts::run_actions(tenant, input, &mut story).await {
        Ok(output) => output,
        Err(error) => {
            story.record(tenant, Err(&error));
            return if error.status == 503 {
                Err(error)
            } else {
                Ok(Err(SignUpDenial { reason: error.description.clone(), message: error.description }))
            };
        }
    };
    if let Outcome::Denied { action, denial } = output.outcome {
        let message = denial.user_message.clone().unwrap_or_else(|| denial.reason.clone());
        let error = scripts::denied(action, denial);
        story.record(tenant, Err(&error));
        return Ok(Err(SignUpDenial { reason: error.description, message }));
    }
    for (member, changes) in
        [("app_metadata", &output.effects.app_metadata), ("user_metadata", &output.effects.user_metadata)]
    {
        if !changes.is_empty() {
            profile.insert(member.to_owned(), merge_metadata(profile.get(member), changes));
        }
    }
    story.record(tenant, Ok("sign-up allowed"));
    Ok(Ok(()))
}

/// Runs the actions of post-user-registration, after the answer.
pub(super) fn after_sign_up(tenant: &Arc<Inner>, account: &AccountRequest<'_>, user: &TenantUser) {
    after(tenant, Trigger::PostUserRegistration, account, user, Map::new());
}

/// Runs the actions of post-change-password, after the answer.
pub(super) fn after_password_change(tenant: &Arc<Inner>, account: &AccountRequest<'_>, user: &TenantUser) {
    after(tenant, Trigger::PostChangePassword, account, user, Map::new());
}

/// A mail to a user.
pub(super) struct Message<'a> {
    /// Auth0's name of its kind: `verify_email`, `reset_email`.
    pub(super) message_type: &'static str,
    pub(super) subject: &'static str,
    pub(super) link: &'a str,
}

/// Gives a mail to the action of custom-email-provider, if there is one.
pub(super) fn send_mail(
    tenant: &Arc<Inner>,
    account: &AccountRequest<'_>,
    user: &TenantUser,
    mail: &Message<'_>,
) {
    let Message { message_type, subject, link } = mail;
    let notification = json!({
        "message_type": message_type, "to": user.email(), "from": "dev@localhost", "subject": subject, "locale": "en",
        "html": format!("<p>{subject}: <a href=\"{link}\">{link}</a></p>"), "text": format!("{subject}: {link}"),
    });
    let more = object(json!({"notification": notification}));
    after(tenant, Trigger::CustomEmailProvider, account, user, more);
}

/// Runs a trigger's actions with `more` in their event.
fn after(
    tenant: &Arc<Inner>,
    trigger: Trigger,
    account: &AccountRequest<'_>,
    user: &TenantUser,
    more: Map<String, Value>,
) {
    let mut event = account.event(tenant, &event_user(user));
    event.extend(more);
    let story =
        LoginStory { user_id: Some(user.user_id().to_owned()), ..account.story(trigger, Some(user.email())) };
    background::run(tenant, trigger, event, story);
}
