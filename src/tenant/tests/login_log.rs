//! The login log, as JSON and as a page.

use serde_json::json;

use super::*;
use crate::script::{ConsoleLevel, ConsoleLine, Denied, DenyReason, ScriptKind, ScriptRun, Trace};

/// Denies `grace`; adds a claim for others.
fn rules(login: LoginInput, writer: MetadataWriter) -> Result<LoginOutput, Denied> {
    let (script, text) = ("gate".to_owned(), "<b>seen</b>".to_owned());
    let line = ConsoleLine { script: script.clone(), level: ConsoleLevel::Log, text };
    let (name, duration) = (script.clone(), Duration::from_millis(7));
    let run = ScriptRun { name, kind: ScriptKind::Rule, duration, reads: Vec::new(), changes: Vec::new() };
    let trace = Trace { scripts: vec![run], console: vec![line], ..Trace::default() };
    if login.user["user_id"] == "auth0|grace" {
        return Err(Denied {
            trace: Box::new(trace),
            ..Denied::new(script, DenyReason::Unauthorized, "not you")
        });
    }
    let mut output = accept(login, writer)?;
    output.context["accessToken"]["https://ns/plan"] = json!("free");
    Ok(LoginOutput { trace, ..output })
}

#[tokio::test]
async fn each_login_has_its_story_the_newest_first() {
    let tenant = TestTenant::with(|_| {}, rules);
    tenant.user_tokens("ada", &[("audience", PUBLIC)]).await;
    tenant.user_tokens("grace", &[("audience", PUBLIC)]).await;
    let wrong = [
        ("grant_type", "password"),
        ("client_id", "spa"),
        ("username", "x@example.com"),
        ("password", "secret1"),
    ];
    assert_eq!(tenant.token(&wrong).await.status, 403);
    let log = tenant.get("/dev/logins", &[]).await;
    let stories = log.json()["logins"].as_array().unwrap().clone();
    let outcomes: Vec<_> = stories.iter().map(|story| story["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["Wrong email or password.", "not you", "logged in"]);
    assert_eq!((&stories[1]["denied_by"], &stories[1]["error"]), (&json!("gate"), &json!("unauthorized")));
    let ada = &stories[2];
    assert_eq!(
        (&ada["number"], &ada["client_id"], &ada["email"]),
        (&json!(1), &json!("spa"), &json!("ada@example.com"))
    );
    assert_eq!(ada["access_token"], json!({"https://ns/plan": "free"}));
    assert_eq!(
        ada["scripts"],
        json!([{"name": "gate", "kind": "rule", "trigger": "login_success", "milliseconds": 7, "fetches": [], "calls": [],
            "console": [{"level": "log", "text": "<b>seen</b>"}]}])
    );
    for secret in ["secret1", "dev-only-ada", "eyJ"] {
        assert!(!log.text.contains(secret), "{secret}");
    }

    let page = tenant.get("/", &[]).await;
    assert!(
        page.text.contains("data-last=\"3\"") && page.text.contains("not you (the script &quot;gate&quot;)"),
        "{}",
        page.text
    );
    assert!(page.text.contains("&lt;b&gt;seen") && !page.text.contains("<b>seen"));
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
}

#[tokio::test]
async fn the_log_is_bounded() {
    let tenant = TestTenant::open();
    for _ in 0..105 {
        let wrong =
            [("grant_type", "password"), ("client_id", "spa"), ("username", "x@x"), ("password", "p")];
        tenant.token(&wrong).await;
    }
    let log = tenant.get("/dev/logins", &[]).await.json();
    assert_eq!((log["logins"].as_array().unwrap().len(), &log["logins"][0]["number"]), (100, &json!(105)));
}
