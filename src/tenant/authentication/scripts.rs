//! The tenant's scripts, ready to run: the rules, and the actions of each trigger.
//!
//! The only file that runs scripts. It holds no lock and no transaction meanwhile: a script may call our Internal API, which
//! may ask this tenant's Management API for the same user.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use super::super::Inner;
use super::super::exchanges::{Direction, HttpExchange};
use super::super::oauth_error::OAuthError;
use super::bound_actions::{self, BoundActions};
use super::login_log::LoginStory;
use crate::bundle::{Bundle, Rule};
use crate::script::{
    ActionsInput, ActionsOutput, ApiFacts, Denial, DenialKind, Denied, DenyReason, Effects, LoginInput,
    LoginOutput, MetadataUpdate, MetadataWriter, Outcome, ScriptRunner, Trace, Trigger,
};
use crate::telemetry::plain;

type Running<T> = Pin<Box<dyn Future<Output = Result<T, Denied>> + Send>>;
type RunRules = dyn Fn(LoginInput, MetadataWriter) -> Running<LoginOutput> + Send + Sync;
type RunActions = dyn Fn(ActionsInput) -> Running<ActionsOutput> + Send + Sync;

/// The scripts of a bundle. Tests use functions instead.
#[derive(Clone)]
pub(in crate::tenant) struct Scripts {
    rules: Arc<RunRules>,
    actions: Arc<RunActions>,
    /// The ids of the rules that run at a login.
    pub(super) rule_ids: Arc<[String]>,
    /// Whether a rule names `auth0.accessToken`.
    pub(super) uses_access_token: bool,
    bound: BTreeMap<Trigger, BoundActions>,
}

impl Scripts {
    /// The bundle's enabled login rules and its bound actions, run by `runner`.
    pub(in crate::tenant) fn new(runner: ScriptRunner, bundle: &Bundle) -> Self {
        let at_login = |rule: &&Rule| rule.enabled && rule.stage == "login_success";
        let rules: Arc<[Rule]> = bundle.rules.iter().filter(at_login).cloned().collect();
        let for_actions = runner.clone();
        Self {
            rule_ids: bound_actions::rule_ids(bundle, &rules),
            uses_access_token: rules.iter().any(|rule| rule.script.contains("accessToken")),
            bound: bound_actions::bound(bundle),
            rules: Arc::new(move |login, metadata_writer| {
                let (runner, rules) = (runner.clone(), Arc::clone(&rules));
                Box::pin(async move { runner.run_rules(&rules, login, metadata_writer).await })
            }),
            actions: Arc::new(move |input| {
                let runner = for_actions.clone();
                Box::pin(async move { runner.run_actions(input).await })
            }),
        }
    }

    /// A function in the place of rules, and no actions.
    #[cfg(test)]
    pub(in crate::tenant) fn from_fn(
        rules: impl Fn(LoginInput, MetadataWriter) -> Result<LoginOutput, Denied> + Clone + Send + Sync + 'static,
    ) -> Self {
        Self {
            rule_ids: Arc::new([]),
            uses_access_token: false,
            bound: BTreeMap::new(),
            rules: Arc::new(move |login, metadata_writer| {
                let rules = rules.clone();
                Box::pin(async move { rules(login, metadata_writer) })
            }),
            actions: Arc::new(|_| panic!("no action is bound")),
        }
    }

    /// The actions bound to a trigger, in order; `None` when there are none.
    pub(super) fn bound(&self, trigger: Trigger) -> Option<BoundActions> {
        self.bound.get(&trigger).filter(|actions| !actions.is_empty()).cloned()
    }
}

/// Runs the rules, and adds what they did to the story.
pub(super) async fn run_rules(
    tenant: &Arc<Inner>,
    input: LoginInput,
    story: &mut LoginStory,
) -> Result<LoginOutput, OAuthError> {
    let result = (tenant.scripts.rules)(input, metadata_writer(tenant)).await;
    let trace = result.as_ref().map_or_else(|denied| &*denied.trace, |output| &output.trace);
    record(tenant, "login_success", trace, story);
    result.map_err(refusal)
}

/// Runs a trigger's actions, and adds what they did to the story.
pub(super) async fn run_actions(
    tenant: &Arc<Inner>,
    input: ActionsInput,
    story: &mut LoginStory,
) -> Result<ActionsOutput, OAuthError> {
    let trigger = input.trigger.name();
    let result = (tenant.scripts.actions)(input).await;
    let trace = result.as_ref().map_or_else(|denied| &*denied.trace, |output| &output.trace);
    record(tenant, trigger, trace, story);
    result.map_err(refusal)
}

/// Runs actions that cannot be suspended. Returns what they asked for; a denial is the error.
pub(super) async fn run_once(
    tenant: &Arc<Inner>,
    trigger: Trigger,
    actions: BoundActions,
    event: Value,
    story: &mut LoginStory,
) -> Result<Effects, OAuthError> {
    let (facts, effects) = (ApiFacts::default(), Effects::default());
    let input = ActionsInput { trigger, actions, resume: None, event, facts, effects };
    let output = run_actions(tenant, input, story).await?;
    match output.outcome {
        Outcome::Denied { action, denial } => Err(denied(action, denial)),
        _ => Ok(output.effects),
    }
}

/// The error of an action's denial, in the action's words.
pub(super) fn denied(action: String, denial: Denial) -> OAuthError {
    let Denial { kind, code, reason, .. } = denial;
    let error = match (kind, code) {
        (DenialKind::Access, Some(code)) => OAuthError::new(400, code, reason),
        (DenialKind::InvalidSubjectToken, _) => OAuthError::invalid_request(reason),
        _ => OAuthError::access_denied(reason),
    };
    OAuthError { script: Some(action), ..error }
}

/// As Auth0: an `UnauthorizedError` is `unauthorized`, any other error `access_denied`, each with its own text.
fn refusal(denied: Denied) -> OAuthError {
    tracing::warn!(script = %denied.script, reason = ?denied.reason, "a login was denied");
    let (status, error) = match denied.reason {
        DenyReason::Unauthorized => (401, "unauthorized"),
        DenyReason::Busy | DenyReason::Stopped => (503, "temporarily_unavailable"),
        _ => (403, "access_denied"),
    };
    let script = Some(denied.script).filter(|script| !script.is_empty());
    OAuthError { script, ..OAuthError::new(status, error, denied.message) }
}

fn metadata_writer(tenant: &Arc<Inner>) -> MetadataWriter {
    let tenant = Arc::clone(tenant);
    Arc::new(move |update: MetadataUpdate| match tenant.users.find(&update.user_id) {
        Ok(Some(_)) => tenant.users.update_metadata(update).map_err(|error| error.to_string()),
        Ok(None) => Err("The user does not exist.".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

/// Adds a run to the story; logs its console and its refused requests, and lists the others among the exchanges.
fn record(tenant: &Inner, trigger: &'static str, trace: &Trace, story: &mut LoginStory) {
    for line in &trace.console {
        tracing::debug!(script = %line.script, level = ?line.level, "{}", plain(&line.text));
    }
    for fetch in &trace.fetches {
        if let Some(refused) = &fetch.refused {
            tracing::warn!(script = %fetch.script, "a request was refused: {}", plain(refused));
            continue;
        }
        tenant.exchanges.record(HttpExchange {
            direction: Direction::Out,
            method: fetch.method.clone(),
            path: fetch.url.clone(),
            status: fetch.status,
            actor: Some(fetch.script.clone()),
        });
    }
    story.add_run(trigger, trace);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_becomes_auth0s_error_and_names_the_script() {
        for (reason, status, error) in [
            (DenyReason::Unauthorized, 401, "unauthorized"),
            (DenyReason::Failed, 403, "access_denied"),
            (DenyReason::TimedOut, 403, "access_denied"),
            (DenyReason::Busy, 503, "temporarily_unavailable"),
        ] {
            let refused = refusal(Denied::new("gate", reason, "no entry"));
            assert_eq!((refused.status, &*refused.error), (status, error));
            assert_eq!((refused.description.as_str(), refused.script.as_deref()), ("no entry", Some("gate")));
        }
    }
}
