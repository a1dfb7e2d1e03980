//! One login: the person is known, the rules run, and what they made of it is ready for tokens.
//!
//! The one place that meets `script`. No lock and no transaction is held here while rules run: a rule may call our
//! Internal API, and that may ask this tenant's Management API for the very same person.

use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Inner;
use super::exchanges::{Direction, HttpExchange};
use super::people::{Account, CONNECTION};
use super::refusal::Refusal;
use super::state::stamp;
use crate::bundle::{Client, Rule};
use crate::script::{
    ConsoleLine, Denied, DenyReason, FetchRecord, LoginInput, LoginOutput, MetadataUpdate, MetadataWriter,
    ScriptRunner,
};
use crate::telemetry::plain;

/// What the rules of one login answer.
type Ran = Result<LoginOutput, Denied>;
type Run = dyn Fn(LoginInput, MetadataWriter) -> Pin<Box<dyn Future<Output = Ran> + Send>> + Send + Sync;

/// The rules, ready to run. Tests put a function in the scripts' place.
#[derive(Clone)]
pub(super) struct Rules(Arc<Run>);

impl Rules {
    /// The bundle's rules that run at login, on real workers.
    pub(super) fn of(scripts: ScriptRunner, rules: &[Rule]) -> Self {
        let at_login = |rule: &&Rule| rule.enabled && rule.stage == "login_success";
        let rules: Arc<[Rule]> = rules.iter().filter(at_login).cloned().collect();
        Self(Arc::new(move |login, effects| {
            let (scripts, rules) = (scripts.clone(), Arc::clone(&rules));
            Box::pin(async move { scripts.run_rules(&rules, login, effects).await })
        }))
    }

    #[cfg(test)]
    pub(super) fn from_fn(
        run: impl Fn(LoginInput, MetadataWriter) -> Ran + Clone + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |login, effects| {
            let run = run.clone();
            Box::pin(async move { run(login, effects) })
        }))
    }
}

/// Someone who proved who they are, and the circumstances.
pub(super) struct Attempt<'a> {
    pub(super) account: Account,
    pub(super) client: &'a Client,
    /// In Auth0's words: `oidc-basic-profile`, `oauth2-password`.
    pub(super) protocol: &'static str,
    /// Whether they did it just now; a session that speaks for them counts as no login.
    pub(super) is_fresh: bool,
    pub(super) session: Option<&'a str>,
    pub(super) visitor: &'a Visitor,
    /// What the request said, without secrets.
    pub(super) query: Value,
    pub(super) body: Value,
}

/// Who is at the other end.
#[derive(Debug, Clone, Default)]
pub(super) struct Visitor {
    pub(super) ip: String,
    pub(super) user_agent: String,
}

/// A login that the rules let through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LoggedIn {
    /// Whose.
    pub(super) user_id: String,
    /// The user as the rules left it.
    pub(super) user: Map<String, Value>,
    /// `context.accessToken` as the rules left it, without `scope`.
    pub(super) access: Map<String, Value>,
    /// `context.idToken` as the rules left it.
    pub(super) id: Map<String, Value>,
    /// `context.accessToken.scope`, if a rule set it: then it is what is granted.
    pub(super) scope: Option<Vec<String>>,
}

/// Counts the login, runs the rules and reads what they answer.
pub(super) async fn login(tenant: &Arc<Inner>, attempt: Attempt<'_>) -> Result<LoggedIn, Refusal> {
    let user_id = attempt.account.user_id().to_owned();
    if attempt.account.is_blocked() {
        return Err(Refusal::unauthorized("user is blocked"));
    }
    let account = if attempt.is_fresh {
        count(tenant, &user_id, &attempt.visitor.ip).await?
    } else {
        attempt.account.clone()
    };
    let login = LoginInput {
        user: Value::Object(account.for_rules()),
        context: context(tenant, &account, &attempt),
        configuration: tenant.bundle.rules_configs.clone(),
    };
    let ran = (tenant.rules.0)(login, effects(tenant)).await;
    let (console, fetches) = match &ran {
        Ok(outcome) => (&outcome.console, &outcome.fetches),
        Err(denied) => (&denied.console, &denied.fetches),
    };
    note(tenant, console, fetches);
    match ran {
        Ok(outcome) => read(user_id, outcome),
        Err(denied) => {
            tracing::info!(rule = %denied.rule, reason = ?denied.reason, "a login was denied");
            Err(refusal(&denied))
        }
    }
}

async fn count(tenant: &Arc<Inner>, user_id: &str, ip: &str) -> Result<Account, Refusal> {
    let (inner, id, ip) = (Arc::clone(tenant), user_id.to_owned(), ip.to_owned());
    let counted = tenant.in_pool(move || {
        inner.state.count_login(&id, &ip, inner.clock.now())?;
        inner.people.find(&id)
    });
    counted.await?.ok_or_else(|| Refusal::access_denied("The user does not exist."))
}

/// What Auth0 tells rules of a login. Members it leaves undefined are left out.
fn context(tenant: &Inner, account: &Account, attempt: &Attempt<'_>) -> Value {
    let client = attempt.client;
    let hostname =
        tenant.issuer.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let name = tenant.bundle.tenant.friendly_name.as_deref().unwrap_or("dev");
    let mut context = json!({
        "tenant": name,
        "clientID": client.client_id,
        "clientName": client.name,
        "clientMetadata": client.client_metadata,
        "connection": CONNECTION,
        "connectionID": "con_dev",
        "connectionStrategy": "auth0",
        "connectionOptions": {},
        "connectionMetadata": {},
        "samlConfiguration": {},
        "protocol": attempt.protocol,
        "stats": {"loginsCount": account.user.get("logins_count").cloned().unwrap_or(Value::from(0))},
        "sso": {"with_auth0": !attempt.is_fresh, "with_dbconn": attempt.is_fresh, "current_clients": [client.client_id]},
        "accessToken": {},
        "idToken": {},
        "request": {
            "userAgent": attempt.visitor.user_agent,
            "ip": attempt.visitor.ip,
            "hostname": hostname,
            "query": attempt.query,
            "body": attempt.body,
            "geoip": {},
        },
        "authentication": {"methods": [{"name": "pwd", "timestamp": stamp(tenant.clock.now())}]},
        "authorization": {"roles": account.roles},
    });
    if let (Some(session), Some(members)) = (attempt.session, context.as_object_mut()) {
        members.insert("sessionID".to_owned(), Value::from(session));
    }
    context
}

fn effects(tenant: &Arc<Inner>) -> MetadataWriter {
    let tenant = Arc::clone(tenant);
    Arc::new(move |update: MetadataUpdate| {
        let known = tenant.people.find(&update.user_id).map_err(|error| error.to_string())?;
        if known.is_none() {
            return Err("The user does not exist.".to_owned());
        }
        tenant.people.update_metadata(update, tenant.clock.now()).map_err(|error| error.to_string())
    })
}

fn note(tenant: &Inner, console: &[ConsoleLine], fetches: &[FetchRecord]) {
    for line in console {
        tracing::debug!(rule = %line.script, level = %line.level, "{}", plain(&line.text));
    }
    for fetch in fetches {
        tenant.exchanges.note(HttpExchange {
            direction: Direction::Out,
            method: fetch.method.clone(),
            path: fetch.url.clone(),
            status: fetch.status,
            actor: Some(fetch.script.clone()),
        });
    }
}

/// What rules asked for that the tenant does not do is a refusal: silently leaving out a second factor would teach
/// people that it works.
fn read(user_id: String, outcome: LoginOutput) -> Result<LoggedIn, Refusal> {
    let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
    let context = &outcome.context;
    for (member, what) in [("redirect", "a redirect"), ("multifactor", "a second factor")] {
        if context.get(member).is_some_and(is_asked) {
            let say = format!("A rule asks for {what} (context.{member}), which the dev tenant can not do");
            return Err(Refusal::new(403, "interaction_required", say));
        }
    }
    let mut access = object(context.get("accessToken"));
    let scope = access.remove("scope").and_then(|scope| scopes(&scope));
    Ok(LoggedIn {
        user_id,
        user: object(Some(&outcome.user)),
        access,
        id: object(context.get("idToken")),
        scope,
    })
}

fn is_asked(value: &Value) -> bool {
    !(value.is_null() || value == &json!({}) || value == &Value::Bool(false))
}

/// A list of scopes, or one text of them.
fn scopes(scope: &Value) -> Option<Vec<String>> {
    let words: Vec<&str> = match scope {
        Value::String(text) => text.split(' ').collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    Some(words.into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

/// Auth0: an `UnauthorizedError` is `unauthorized` with its own text, anything else `access_denied`. The rule's name
/// is ours, for whoever has to find it.
fn refusal(denied: &Denied) -> Refusal {
    match denied.reason {
        DenyReason::Unauthorized => Refusal::unauthorized(denied.message.clone()),
        DenyReason::Busy | DenyReason::Stopped => {
            Refusal::new(503, "temporarily_unavailable", denied.message.clone())
        }
        _ => Refusal::access_denied(denied.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(context: Value) -> LoginOutput {
        LoginOutput { user: json!({"user_id": "auth0|a"}), context, console: Vec::new(), fetches: Vec::new() }
    }

    #[test]
    fn what_rules_leave_in_the_context_is_read() {
        let context = json!({"accessToken": {"https://ns/a": 1, "scope": ["x", "y"]}, "idToken": {"b": 2}});
        let read = read("auth0|a".to_owned(), outcome(context)).unwrap();
        assert_eq!(Value::Object(read.access), json!({"https://ns/a": 1}));
        assert_eq!(Value::Object(read.id), json!({"b": 2}));
        assert_eq!(read.scope, Some(vec!["x".to_owned(), "y".to_owned()]));
    }

    #[test]
    fn what_rules_ask_for_and_is_not_there_is_refused() {
        let of = |context| read("auth0|a".to_owned(), outcome(context)).map_err(|refusal| refusal.error);
        assert_eq!(of(json!({"redirect": {"url": "https://x"}})), Err("interaction_required"));
        assert_eq!(of(json!({"multifactor": {"provider": "any"}})), Err("interaction_required"));
        assert_eq!(of(json!({"redirect": {}, "multifactor": null})).unwrap().scope, None);
        assert!(of(json!("nonsense")).unwrap().access.is_empty());
    }

    #[test]
    fn a_denial_says_what_auth0_would_and_which_rule() {
        let denied = |reason| Denied {
            rule: "gate".to_owned(),
            reason,
            message: "no entry".to_owned(),
            console: Vec::new(),
            fetches: Vec::new(),
        };
        for (reason, status, error, description) in [
            (DenyReason::Unauthorized, 401, "unauthorized", "no entry"),
            (DenyReason::Failed, 403, "access_denied", "the rule \"gate\" denied the login: no entry"),
            (DenyReason::TimedOut, 403, "access_denied", "the rule \"gate\" denied the login: no entry"),
            (DenyReason::Busy, 503, "temporarily_unavailable", "no entry"),
        ] {
            let refusal = refusal(&denied(reason));
            assert_eq!((refusal.status, refusal.error), (status, error));
            assert_eq!(refusal.description, description);
        }
    }
}
