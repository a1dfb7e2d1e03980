//! One login, step by step: it is counted, the rules run, the actions run, a second factor is asked for, the effects apply.
//!
//! Rules come before actions, as at Auth0. A step may have to wait for the browser: `pending.rs` keeps the login meanwhile.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::oauth_error::OAuthError;
use super::super::users::TenantUser;
use super::super::{Inner, clients};
use super::effects;
use super::login_event::login_event;
use super::login_log::LoginStory;
use super::login_result::LoginResult;
use super::pending::Wait;
use super::rule_context::{rule_context, rule_globals};
use super::script_request::ScriptRequest;
use super::scripts;
use super::transaction::{Step, Transaction};
use super::{claims, organizations};
use crate::bundle::Client;
use crate::script::{ActionsInput, ApiFacts, LoginInput, LoginOutput, Outcome, Trigger};

/// How far a login came.
pub(super) enum Progress {
    /// To its end: tokens may be issued.
    Done(Box<Transaction>),
    /// It waits for the browser.
    Waits(Box<Transaction>, Wait),
}

/// Runs a login of a grant without a browser.
pub(super) async fn log_in(
    tenant: &Arc<Inner>,
    transaction: Transaction,
    request: &ScriptRequest<'_>,
) -> Result<Transaction, OAuthError> {
    match advance(tenant, transaction, request).await? {
        Progress::Done(transaction) => Ok(*transaction),
        Progress::Waits(..) => Err(OAuthError::interaction_required("The login needs a browser")),
    }
}

/// Runs a login from its next step on.
pub(super) async fn advance(
    tenant: &Arc<Inner>,
    transaction: Transaction,
    request: &ScriptRequest<'_>,
) -> Result<Progress, OAuthError> {
    let mut transaction = Box::new(transaction);
    let mut story = LoginStory::of(&transaction.client_id);
    let started = tenant.clock.elapsed();
    let result = run(tenant, &mut transaction, request, &mut story).await;
    let took = tenant.clock.elapsed().saturating_sub(started);
    story.milliseconds = u64::try_from(took.as_millis()).ok();
    let is_management = transaction.audience.as_deref().is_some_and(super::super::apis::is_management);
    let login = &transaction.login;
    story.dropped_claims = claims::dropped(&login.access, is_management);
    story.dropped_claims.extend(claims::dropped(&login.id, false));
    story.ignored = transaction.effects.ignored.iter().cloned().collect();
    if result.is_ok() {
        story.access_token = claims::permitted(&login.access, is_management);
        story.id_token = claims::permitted(&login.id, false);
    }
    match &result {
        Ok(None) => story.record(tenant, Ok("logged in")),
        Ok(Some(wait)) => story.record(tenant, Ok(&wait.outcome())),
        Err(error) => story.record(tenant, Err(error)),
    }
    Ok(match result? {
        None => Progress::Done(transaction),
        Some(wait) => Progress::Waits(transaction, wait),
    })
}

/// Returns what the login waits for, if it is not at its end.
async fn run(
    tenant: &Arc<Inner>,
    transaction: &mut Transaction,
    request: &ScriptRequest<'_>,
    story: &mut LoginStory,
) -> Result<Option<Wait>, OAuthError> {
    let client =
        clients::find(&tenant.bundle, &transaction.client_id).ok_or_else(OAuthError::unknown_client)?;
    let user = find_user(tenant, &transaction.user_id)?;
    describe(tenant, transaction, &user, story);
    if user.is_blocked() {
        return Err(OAuthError::unauthorized("user is blocked"));
    }
    let mut user = user;
    if transaction.step == Step::Count {
        user = count_login(tenant, &transaction.user_id, request.http.ip()).await?;
        transaction.step = Step::Rules { is_redirect_callback: false };
    }
    if let Step::Rules { .. } = transaction.step {
        if let Some(wait) = run_rules(tenant, transaction, &user, client, request, story).await? {
            return wait_for(transaction, wait).map(Some);
        }
        transaction.step = Step::Actions(None);
        // A rule may have changed the metadata that actions see.
        user = find_user(tenant, &transaction.user_id)?;
    }
    if let Step::Actions(_) = transaction.step {
        if let Some(wait) = run_actions(tenant, transaction, &user, client, request, story).await? {
            return wait_for(transaction, wait).map(Some);
        }
        transaction.step = Step::SecondFactor;
    }
    if transaction.step == Step::SecondFactor {
        transaction.step = Step::Finish;
        let wanted = match &transaction.effects.multifactor {
            Some(wanted) => wanted.provider != "none",
            None => transaction.is_factor_wanted,
        };
        if wanted {
            return wait_for(transaction, Wait::any_factor()).map(Some);
        }
    }
    effects::apply(tenant, transaction).await?;
    Ok(None)
}

/// What the login log shows before scripts run.
fn describe(tenant: &Inner, transaction: &Transaction, user: &TenantUser, story: &mut LoginStory) {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let organization = organizations::find(tenant, transaction.organization.as_deref());
    story.user_id = text(user.user_id());
    story.email = text(user.email());
    story.connection = text(user.connection());
    story.organization = organization.map(|organization| organization.name.clone());
    story.protocol = text(&transaction.protocol);
}

fn find_user(tenant: &Inner, user_id: &str) -> Result<TenantUser, OAuthError> {
    tenant.users.find(user_id)?.ok_or_else(|| OAuthError::access_denied("The user does not exist."))
}

async fn count_login(tenant: &Arc<Inner>, user_id: &str, ip: String) -> Result<TenantUser, OAuthError> {
    let id = user_id.to_owned();
    tenant.in_pool(move |tenant| tenant.db.count_login(&id, &ip)).await?;
    find_user(tenant, user_id)
}

/// A login without a browser, or with `prompt=none`, cannot wait.
fn wait_for(transaction: &Transaction, wait: Wait) -> Result<Wait, OAuthError> {
    if transaction.can_redirect() {
        return Ok(wait);
    }
    let script = wait.script().map(str::to_owned);
    let error = match wait {
        Wait::Factor { .. } if transaction.authorization.is_none() => OAuthError::mfa_required(),
        Wait::Factor { .. } => OAuthError::interaction_required("Multifactor authentication required"),
        Wait::Redirect { .. } | Wait::Prompt { .. } => OAuthError::interaction_required(
            "The user needs to be redirected elsewhere before authentication can be completed",
        ),
    };
    Err(OAuthError { script, ..error })
}

async fn run_rules(
    tenant: &Arc<Inner>,
    transaction: &mut Transaction,
    user: &TenantUser,
    client: &Client,
    request: &ScriptRequest<'_>,
    story: &mut LoginStory,
) -> Result<Option<Wait>, OAuthError> {
    let input = LoginInput {
        user: Value::Object(user.for_rules()),
        context: rule_context(tenant, transaction, user, client, request),
        auth0: rule_globals(tenant)?,
        configuration: tenant.bundle.rules_configs.clone(),
    };
    let output = scripts::run_rules(tenant, input, story).await?;
    let context = &output.context;
    let redirect = context.get("redirect").filter(|redirect| is_requested(redirect));
    let redirect =
        redirect.map(|redirect| redirect.get("url").and_then(Value::as_str).unwrap_or_default().to_owned());
    transaction.is_factor_wanted = context.get("multifactor").is_some_and(is_factor);
    let primary = context.get("primaryUser").and_then(Value::as_str).map(str::to_owned);
    transaction.effects.primary_user = primary.filter(|primary| *primary != transaction.user_id);
    transaction.executed_rules = tenant.scripts.rule_ids.to_vec();
    transaction.login = parse_output(&transaction.user_id, output);
    Ok(redirect.map(|url| {
        transaction.step = Step::Rules { is_redirect_callback: true };
        Wait::Redirect { url, script: None }
    }))
}

async fn run_actions(
    tenant: &Arc<Inner>,
    transaction: &mut Transaction,
    user: &TenantUser,
    client: &Client,
    request: &ScriptRequest<'_>,
    story: &mut LoginStory,
) -> Result<Option<Wait>, OAuthError> {
    let Some(actions) = tenant.scripts.bound(Trigger::PostLogin) else { return Ok(None) };
    let resume = if let Step::Actions(resume) = transaction.step { resume } else { None };
    let event = login_event(tenant, transaction, user, client, request);
    let facts = ApiFacts {
        can_redirect: transaction.can_redirect(),
        executed_rules: transaction.executed_rules.clone(),
        roles: user.role_objects(&tenant.bundle),
        ..ApiFacts::default()
    };
    let effects = transaction.effects.clone();
    let input = ActionsInput { trigger: Trigger::PostLogin, actions, resume, event, facts, effects };
    let output = scripts::run_actions(tenant, input, story).await?;
    transaction.effects = output.effects;
    transaction.prompt = None;
    match output.outcome {
        Outcome::Finished => Ok(None),
        Outcome::Denied { action, denial } => {
            effects::apply_denied(tenant, transaction).await?;
            Err(scripts::denied(action, denial))
        }
        Outcome::Suspended { action, suspension, resume } => {
            transaction.step = Step::Actions(Some(resume));
            Ok(Some(Wait::new(suspension, action)))
        }
    }
}

/// Reads the rules' output.
fn parse_output(user_id: &str, output: LoginOutput) -> LoginResult {
    let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
    let mut access: Map<String, Value> = object(output.context.get("accessToken"));
    let scope = access.remove("scope").and_then(|scope| parse_scopes(&scope));
    LoginResult {
        user_id: user_id.to_owned(),
        user: object(Some(&output.user)),
        access,
        id: object(output.context.get("idToken")),
        scope,
        ..LoginResult::default()
    }
}

fn is_requested(value: &Value) -> bool {
    !(value.is_null() || value == &json!({}) || value == &Value::Bool(false))
}

/// Whether a rule's `context.multifactor` asks for a factor.
fn is_factor(value: &Value) -> bool {
    is_requested(value) && value.get("provider").and_then(Value::as_str) != Some("none")
}

/// Scopes as a list, or as one text with spaces.
fn parse_scopes(scope: &Value) -> Option<Vec<String>> {
    let words: Vec<&str> = match scope {
        Value::String(text) => text.split(' ').collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    Some(words.into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Trace;

    fn output(context: Value) -> LoginOutput {
        LoginOutput { user: json!({"user_id": "auth0|a"}), context, trace: Trace::default() }
    }

    #[test]
    fn custom_claims_and_scopes_are_read_from_the_context() {
        let context = json!({"accessToken": {"https://ns/a": 1, "scope": ["x", "y"]}, "idToken": {"b": 2}});
        let login = parse_output("auth0|a", output(context));
        assert_eq!(Value::Object(login.access), json!({"https://ns/a": 1}));
        assert_eq!(Value::Object(login.id), json!({"b": 2}));
        assert_eq!(login.scope, Some(vec!["x".to_owned(), "y".to_owned()]));
        assert!(parse_output("auth0|a", output(json!("nonsense"))).access.is_empty());
    }

    #[test]
    fn only_a_provider_asks_for_a_second_factor() {
        for (value, expected) in [
            (json!({"provider": "any"}), true),
            (json!({"provider": "google-authenticator", "allowRememberBrowser": false}), true),
            (json!({"provider": "none"}), false),
            (json!({}), false),
            (json!(false), false),
            (Value::Null, false),
        ] {
            assert_eq!(is_factor(&value), expected, "{value}");
        }
    }
}
