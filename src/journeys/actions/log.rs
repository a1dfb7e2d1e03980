//! The login log: what each script did, as JSON and as a page.

use serde_json::{Value, json};

use super::browser::Scripts;

#[test]
fn each_script_has_its_console_fetches_calls_and_duration() {
    let rule = "function (user, context, callback) {
        console.warn('first\\nsecond');
        fetch('http://127.0.0.1:1/refused?secret=1').catch(() => callback(null, user, context));
    }";
    let action = "exports.onExecutePostLogin = async (event, api) => {
        await fetch(`http://${event.request.hostname}/.well-known/jwks.json`);
        console.log(event.secrets.KEY);
        api.idToken.setCustomClaim('plan', 'free');
        api.samlResponse.setAttribute('a', 'b');
    };";
    let tenant = Scripts::new().rule("swallows", rule).action("post-login", "acts", action).serve();
    assert_eq!(tenant.password("ada").status, 200);
    let story = tenant.log()[0].clone();
    let (rule, action) = (&story["scripts"][0], &story["scripts"][1]);
    assert_eq!((&rule["name"], &rule["trigger"]), (&json!("swallows"), &json!("login_success")));
    assert_eq!(rule["console"], json!([{"level": "warn", "text": "first\nsecond"}]));
    let refused = &rule["fetches"][0];
    assert_eq!((&refused["url"], &refused["status"]), (&json!("http://127.0.0.1:1/refused"), &Value::Null));
    let why = refused["refused"].as_str().unwrap();
    assert!(why.contains("http://127.0.0.1:1") && why.contains("tenant.allow_fetch"), "{why}");
    assert_eq!((&action["trigger"], &action["kind"]), (&json!("post-login"), &json!("action")));
    assert_eq!(
        (&action["fetches"][0]["status"], &action["fetches"][0]["refused"]),
        (&json!(200), &Value::Null)
    );
    assert_eq!(
        action["calls"][0],
        json!({"member": "idToken.setCustomClaim", "arguments": "[\"plan\",\"free\"]"})
    );
    assert!(action["milliseconds"].is_u64() && story["milliseconds"].is_u64());
    assert_eq!(story["ignored"], json!(["samlResponse.setAttribute"]));
    assert!(!json!(story).to_string().contains("a secret of the action"));

    let page = tenant.dev.http.get(&tenant.url(""), &[]).unwrap().body;
    for part in [
        "swallows (login_success), ",
        "acts (post-login), ",
        "tenant.allow_fetch",
        "api.idToken.setCustomClaim",
        "Without effect here",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}
