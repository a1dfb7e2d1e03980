//! One login: runs the rules for an authenticated user and reads their output.
//!
//! The only file that runs scripts. It holds no lock and no transaction while rules run: a rule may call our Internal
//! API, which may ask this tenant's Management API for the same user.

use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::Inner;
use super::super::db::timestamp;
use super::super::exchanges::{Direction, HttpExchange};
use super::super::oauth_error::OAuthError;
use super::super::request::HttpRequest;
use super::super::users::TenantUser;
use super::claims;
use super::login_log::LoginStory;
use crate::bundle::{Client, Organization, Rule};
use crate::script::{
    Auth0Global, ConsoleLine, Denied, DenyReason, FetchRecord, LoginInput, LoginOutput, MetadataUpdate,
    MetadataWriter, ScriptRunner,
};
use crate::telemetry::plain;

type RuleResult = Result<LoginOutput, Denied>;
type RunRules =
    dyn Fn(LoginInput, MetadataWriter) -> Pin<Box<dyn Future<Output = RuleResult> + Send>> + Send + Sync;

/// The rules, ready to run. Tests use a function instead of scripts.
#[derive(Clone)]
pub(in crate::tenant) struct LoginRules(Arc<RunRules>);

impl LoginRules {
    /// The bundle's enabled login rules, run by `scripts`.
    pub(in crate::tenant) fn new(scripts: ScriptRunner, rules: &[Rule]) -> Self {
        let at_login = |rule: &&Rule| rule.enabled && rule.stage == "login_success";
        let rules: Arc<[Rule]> = rules.iter().filter(at_login).cloned().collect();
        Self(Arc::new(move |login, metadata_writer| {
            let (scripts, rules) = (scripts.clone(), Arc::clone(&rules));
            Box::pin(async move { scripts.run_rules(&rules, login, metadata_writer).await })
        }))
    }

    #[cfg(test)]
    pub(in crate::tenant) fn from_fn(
        run: impl Fn(LoginInput, MetadataWriter) -> RuleResult + Clone + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |login, metadata_writer| {
            let run = run.clone();
            Box::pin(async move { run(login, metadata_writer) })
        }))
    }
}

/// An authenticated user and the request.
pub(super) struct LoginAttempt<'a> {
    pub(super) user: TenantUser,
    pub(super) client: &'a Client,
    /// Auth0's name: `oidc-basic-profile` or `oauth2-password`.
    pub(super) protocol: &'static str,
    /// Whether the user authenticated just now. A login by an existing session is not counted.
    pub(super) is_fresh: bool,
    pub(super) session: Option<&'a str>,
    pub(super) organization: Option<&'a Organization>,
    pub(super) request: &'a HttpRequest,
    /// The request's parameters, without secrets.
    pub(super) query: Value,
    pub(super) body: Value,
}

/// A login that the rules accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LoginResult {
    pub(super) user_id: String,
    /// The user as the rules left it.
    pub(super) user: Map<String, Value>,
    /// `context.accessToken` as the rules left it, without `scope`.
    pub(super) access: Map<String, Value>,
    /// `context.idToken` as the rules left it.
    pub(super) id: Map<String, Value>,
    /// `context.accessToken.scope`, if a rule set it: replaces the granted scopes.
    pub(super) scope: Option<Vec<String>>,
}

/// Counts the login, runs the rules and reads their output.
pub(super) async fn login(tenant: &Arc<Inner>, attempt: LoginAttempt<'_>) -> Result<LoginResult, OAuthError> {
    let story = story(tenant, &attempt);
    if attempt.user.is_blocked() {
        let error = OAuthError::unauthorized("user is blocked");
        story.record(tenant, Err(&error));
        return Err(error);
    }
    let user_id = attempt.user.user_id().to_owned();
    let user = if attempt.is_fresh {
        count_login(tenant, &user_id, attempt.request.ip()).await?
    } else {
        attempt.user.clone()
    };
    let login = LoginInput {
        user: Value::Object(user.for_rules()),
        context: context(tenant, &user, &attempt),
        auth0: Auth0Global {
            domain: hostname(tenant).to_owned(),
            base_url: format!("{}api/v2", tenant.issuer),
            access_token: None,
        },
        configuration: tenant.bundle.rules_configs.clone(),
    };
    let started = tenant.clock.elapsed();
    let result = (tenant.rules.0)(login, metadata_writer(tenant)).await;
    let trace = match &result {
        Ok(output) => &output.trace,
        Err(denied) => &denied.trace,
    };
    record(tenant, &trace.console, &trace.fetches);
    let mut story = story.with_run(&trace.console, &trace.fetches);
    let took = tenant.clock.elapsed().saturating_sub(started);
    story.milliseconds = u64::try_from(took.as_millis()).ok();
    let result = match result {
        Ok(output) => parse_output(user_id, output),
        Err(denied) => {
            tracing::warn!(script = %denied.script, reason = ?denied.reason, "a login was denied");
            Err(oauth_error(denied))
        }
    };
    if let Ok(login) = &result {
        (story.access_token, story.id_token) =
            (claims::permitted(&login.access), claims::permitted(&login.id));
    }
    story.record(tenant, result.as_ref().map(|_| "logged in"));
    result
}

/// What the login log shows before the rules run.
fn story(tenant: &Inner, attempt: &LoginAttempt<'_>) -> LoginStory {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let is_run = |rule: &&Rule| rule.enabled;
    LoginStory {
        user_id: text(attempt.user.user_id()),
        email: text(attempt.user.email()),
        connection: text(attempt.user.connection()),
        organization: attempt.organization.map(|organization| organization.name.clone()),
        protocol: Some(attempt.protocol),
        scripts: tenant.bundle.rules.iter().filter(is_run).map(|rule| rule.name.clone()).collect(),
        ..LoginStory::of(&attempt.client.client_id)
    }
}

async fn count_login(tenant: &Arc<Inner>, user_id: &str, ip: String) -> Result<TenantUser, OAuthError> {
    let id = user_id.to_owned();
    let counted = tenant.in_pool(move |tenant| {
        tenant.db.count_login(&id, &ip)?;
        tenant.users.find(&id)
    });
    counted.await?.ok_or_else(|| OAuthError::access_denied("The user does not exist."))
}

/// The rules' `context`. Members that Auth0 leaves undefined are left out.
fn context(tenant: &Inner, user: &TenantUser, attempt: &LoginAttempt<'_>) -> Value {
    let client = attempt.client;
    let name = tenant.bundle.tenant.friendly_name.as_deref().unwrap_or("dev");
    let mut context = json!({
        "tenant": name,
        "clientID": client.client_id,
        "clientName": client.name,
        "clientMetadata": client.client_metadata,
        "connection": user.connection(),
        "connectionID": "con_dev",
        "connectionStrategy": user.provider(),
        "connectionOptions": {},
        "connectionMetadata": {},
        "samlConfiguration": {},
        "protocol": attempt.protocol,
        "stats": {"loginsCount": user.user.get("logins_count").cloned().unwrap_or(Value::from(0))},
        "sso": {"with_auth0": !attempt.is_fresh, "with_dbconn": attempt.is_fresh, "current_clients": [client.client_id]},
        "accessToken": {},
        "idToken": {},
        "request": {
            "userAgent": attempt.request.header("user-agent").unwrap_or_default(),
            "ip": attempt.request.ip(),
            "hostname": hostname(tenant),
            "query": attempt.query,
            "body": attempt.body,
            "geoip": {},
        },
        "authentication": {"methods": [{"name": "pwd", "timestamp": timestamp(tenant.clock.now())}]},
        "authorization": {"roles": user.roles},
    });
    if let Some(members) = context.as_object_mut() {
        members.extend(attempt.session.map(|session| ("sessionID".to_owned(), Value::from(session))));
        members.extend(attempt.organization.map(|organization| {
            let Organization { id, name, display_name, metadata, .. } = organization;
            let value = json!({"id": id, "name": name, "display_name": display_name, "metadata": metadata});
            ("organization".to_owned(), value)
        }));
    }
    context
}

/// The issuer's host, with its port.
fn hostname(tenant: &Inner) -> &str {
    tenant.issuer.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/')
}

fn metadata_writer(tenant: &Arc<Inner>) -> MetadataWriter {
    let tenant = Arc::clone(tenant);
    Arc::new(move |update: MetadataUpdate| match tenant.users.find(&update.user_id) {
        Ok(Some(_)) => tenant.users.update_metadata(update).map_err(|error| error.to_string()),
        Ok(None) => Err("The user does not exist.".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

/// Logs the rules' console and records their fetches.
fn record(tenant: &Inner, console: &[ConsoleLine], fetches: &[FetchRecord]) {
    for line in console {
        tracing::debug!(rule = %line.script, level = ?line.level, "{}", plain(&line.text));
    }
    for fetch in fetches.iter().filter(|fetch| fetch.refused.is_none()) {
        tenant.exchanges.record(HttpExchange {
            direction: Direction::Out,
            method: fetch.method.clone(),
            path: fetch.url.clone(),
            status: fetch.status,
            actor: Some(fetch.script.clone()),
        });
    }
}

/// Reads the rules' output. A redirect or a second factor is an error: the dev tenant supports neither, and a login
/// that ignores the second factor would look as if it worked.
fn parse_output(user_id: String, output: LoginOutput) -> Result<LoginResult, OAuthError> {
    let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
    let context = &output.context;
    for (member, feature) in [("redirect", "a redirect"), ("multifactor", "a second factor")] {
        if context.get(member).is_some_and(is_requested) {
            let description = format!(
                "A rule asks for {feature} (context.{member}), which the dev tenant does not support"
            );
            return Err(OAuthError::new(403, "interaction_required", description));
        }
    }
    let mut access = object(context.get("accessToken"));
    let scope = access.remove("scope").and_then(|scope| parse_scopes(&scope));
    Ok(LoginResult {
        user_id,
        user: object(Some(&output.user)),
        access,
        id: object(context.get("idToken")),
        scope,
    })
}

fn is_requested(value: &Value) -> bool {
    !(value.is_null() || value == &json!({}) || value == &Value::Bool(false))
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

/// As Auth0: an `UnauthorizedError` is `unauthorized`, any other error `access_denied`, each with its own text.
fn oauth_error(denied: Denied) -> OAuthError {
    let (status, error) = match denied.reason {
        DenyReason::Unauthorized => (401, "unauthorized"),
        DenyReason::Busy | DenyReason::Stopped => (503, "temporarily_unavailable"),
        _ => (403, "access_denied"),
    };
    let script = Some(denied.script).filter(|script| !script.is_empty());
    OAuthError { script, ..OAuthError::new(status, error, denied.message) }
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
        let login = parse_output("auth0|a".to_owned(), output(context)).unwrap();
        assert_eq!(Value::Object(login.access), json!({"https://ns/a": 1}));
        assert_eq!(Value::Object(login.id), json!({"b": 2}));
        assert_eq!(login.scope, Some(vec!["x".to_owned(), "y".to_owned()]));
    }

    #[test]
    fn a_redirect_or_second_factor_is_an_error() {
        let of = |context| parse_output("auth0|a".to_owned(), output(context)).map_err(|error| error.error);
        assert_eq!(of(json!({"redirect": {"url": "https://x"}})), Err("interaction_required"));
        assert_eq!(of(json!({"multifactor": {"provider": "any"}})), Err("interaction_required"));
        assert_eq!(of(json!({"redirect": {}, "multifactor": null})).unwrap().scope, None);
        assert!(of(json!("nonsense")).unwrap().access.is_empty());
    }

    #[test]
    fn a_denial_becomes_auth0s_error_and_names_the_rule() {
        let denied = |reason| Denied::new("gate", reason, "no entry");
        for (reason, status, error, description) in [
            (DenyReason::Unauthorized, 401, "unauthorized", "no entry"),
            (DenyReason::Failed, 403, "access_denied", "no entry"),
            (DenyReason::TimedOut, 403, "access_denied", "no entry"),
            (DenyReason::Busy, 503, "temporarily_unavailable", "no entry"),
        ] {
            let refused = oauth_error(denied(reason));
            assert_eq!((refused.status, refused.error), (status, error));
            assert_eq!(
                (refused.description.as_str(), refused.script.as_deref()),
                (description, Some("gate"))
            );
        }
    }
}
