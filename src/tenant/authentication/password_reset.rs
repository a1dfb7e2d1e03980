//! The actions of password-reset-post-challenge: they run between the link of the mail and the form for the new password.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::oauth_error::OAuthError;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::tickets::TicketKind;
use super::super::users::TenantUser;
use super::super::{Inner, clients};
use super::login_event::login_event;
use super::login_log::LoginStory;
use super::mails::{self, Recipient};
use super::pending::{self, Wait};
use super::script_request::ScriptRequest;
use super::sessions::Method;
use super::transaction::{NewLogin, Step, Transaction};
use super::{html, scripts};
use crate::script::{ActionsInput, ApiFacts, Outcome, Trigger};

pub(super) const TRIGGER: Trigger = Trigger::PasswordResetPostChallenge;

/// How long the form may be filled in, in seconds.
const FORM_LIFETIME: i64 = 600;

/// A reset that the actions allowed: what the ticket of its form holds.
#[derive(Serialize, Deserialize)]
pub(super) struct AllowedReset {
    pub(super) user_id: String,
    /// Where the browser goes after the change.
    pub(super) result_url: Option<String>,
}

/// Runs the actions for the recipient of a mail, who has opened its link.
pub(super) async fn begin(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    recipient: &Recipient,
) -> Result<HttpResponse, OAuthError> {
    let user = find_user(tenant, &recipient.user_id)?;
    let login = NewLogin {
        user: &user,
        client_id: &recipient.client_id,
        protocol: TRIGGER.name(),
        is_fresh: false,
        organization: None,
        audience: None,
        scope: None,
    };
    let methods = vec![Method::new("email", tenant.clock.now())];
    let transaction = Transaction::new(tenant, &login, None)?;
    let transaction = Transaction { methods, step: Step::PasswordReset(None), ..transaction };
    advance(tenant, transaction, &ScriptRequest::with_query(request, serde_json::json!({}))).await
}

/// Runs the next actions, and responds with the form, or with another place for the browser.
pub(super) async fn advance(
    tenant: &Arc<Inner>,
    mut transaction: Transaction,
    request: &ScriptRequest<'_>,
) -> Result<HttpResponse, OAuthError> {
    let user = find_user(tenant, &transaction.user_id)?;
    let mut story = LoginStory {
        user_id: Some(user.user_id().to_owned()),
        email: Some(user.email().to_owned()),
        connection: Some(user.connection().to_owned()),
        protocol: Some(TRIGGER.name().to_owned()),
        ..LoginStory::of(&transaction.client_id)
    };
    match run(tenant, &mut transaction, &user, request, &mut story).await {
        Ok(None) => story.record(tenant, Ok("may reset the password")),
        Ok(Some(wait)) => {
            story.record(tenant, Ok(&wait.outcome()));
            return pending::suspend(tenant, request.http, transaction, wait).await;
        }
        Err(error) => {
            story.record(tenant, Err(&error));
            return Err(error);
        }
    }
    let allowed = AllowedReset { user_id: transaction.user_id, result_url: transaction.effects.result_url };
    let issue = move |tenant: &Inner| tenant.tickets.issue(TicketKind::RESET_FORM, &allowed, FORM_LIFETIME);
    Ok(html::reset_password(&tenant.in_pool(issue).await?, None))
}

/// Returns what the reset waits for, if its actions are not at their end.
async fn run(
    tenant: &Arc<Inner>,
    transaction: &mut Transaction,
    user: &TenantUser,
    request: &ScriptRequest<'_>,
    story: &mut LoginStory,
) -> Result<Option<Wait>, OAuthError> {
    let Some(actions) = tenant.scripts.bound(TRIGGER) else { return Ok(None) };
    let client =
        clients::find(&tenant.bundle, &transaction.client_id).ok_or_else(OAuthError::unknown_client)?;
    let resume = if let Step::PasswordReset(resume) = transaction.step { resume } else { None };
    let mut event = login_event(tenant, transaction, user, client, request);
    if let Some(members) = event.pointer_mut("/transaction").and_then(serde_json::Value::as_object_mut) {
        // It is no login of a protocol.
        members.remove("protocol");
    }
    let facts = ApiFacts { can_redirect: true, ..ApiFacts::default() };
    let effects = transaction.effects.clone();
    let input = ActionsInput { trigger: TRIGGER, actions, resume, event, facts, effects };
    let output = scripts::run_actions(tenant, input, story).await?;
    (transaction.effects, transaction.prompt) = (output.effects, None);
    match output.outcome {
        Outcome::Finished => Ok(None),
        Outcome::Denied { action, denial } => Err(scripts::denied(action, denial)),
        Outcome::Suspended { action, suspension, resume } => {
            transaction.step = Step::PasswordReset(Some(resume));
            Ok(Some(Wait::new(suspension, action)))
        }
    }
}

fn find_user(tenant: &Inner, user_id: &str) -> Result<TenantUser, OAuthError> {
    tenant.users.find(user_id)?.ok_or_else(mails::used)
}
