//! What scripts get: the rules' `context` and the actions' `event`, with true values.

use serde_json::{Value, json};

use super::browser::{Scripts, claims};
use crate::test_server::PUBLIC;

const ECHO_RULE: &str = "function (user, context, callback) {
    const { accessToken, idToken, ...rest } = context;
    context.idToken['https://ns/context'] = rest;
    context.idToken['https://ns/user'] = user;
    callback(null, user, context);
}";
const ECHO_ACTION: &str = "exports.onExecutePostLogin = async (event, api) => {
    const { secrets, ...rest } = event;
    api.idToken.setCustomClaim('https://ns/event', JSON.parse(JSON.stringify(rest)));
};";

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_login_by_the_browser_is_described_completely() {
    let connection = json!({
        "id": "con_0123456789abcdef", "name": "Username-Password-Authentication", "strategy": "auth0", "metadata": {"tier": "one"},
        "enabled_clients": ["spa"], "options": {"tenant_domain": "example.com", "customScripts": {}},
    });
    let tenant = Scripts::new()
        .rule("echo", ECHO_RULE)
        .action("post-login", "echo", ECHO_ACTION)
        .file("database-connections/main/database.json", &connection.to_string())
        .serve();
    let browser = tenant.browser();
    let change = [
        ("acr_values", "a b"),
        ("login_hint", "x@example.com"),
        ("correlation_id", "c-1"),
        ("ui_locales", "en de"),
        ("extra", "kept"),
    ];
    let id = claims(&browser.tokens(&browser.log_in_with("auth0|katherine", &change)), "id_token");
    let (context, event) = (&id["https://ns/context"], &id["https://ns/event"]);

    assert_eq!(context["connectionID"], "con_0123456789abcdef");
    assert_eq!(
        (&context["connectionStrategy"], &context["connectionMetadata"]),
        (&json!("auth0"), &json!({"tier": "one"}))
    );
    assert_eq!(context["connectionOptions"], json!({"tenant_domain": "example.com"}));
    assert_eq!(
        (&context["protocol"], &context["stats"]),
        (&json!("oidc-basic-profile"), &json!({"loginsCount": 1}))
    );
    assert_eq!(context["authorization"], json!({"roles": ["admin"]}));
    assert_eq!(context["sso"], json!({"with_auth0": false, "with_dbconn": true, "current_clients": []}));
    assert_eq!(
        (&context["authentication"]["methods"][0]["name"], &context["request"]["query"]["extra"]),
        (&json!("pwd"), &json!("kept"))
    );
    assert_eq!(context["request"]["geoip"]["country_code"], "GB");
    assert_eq!((&context["clientID"], &context["clientName"]), (&json!("spa"), &json!("Frontend")));
    assert!(context.get("riskAssessment").is_none() && context.get("organization").is_none());
    let user = &id["https://ns/user"];
    assert!(user.get("app_metadata").is_none() && user.get("logins_count").is_none());

    assert_eq!(
        keys(event),
        [
            "authentication",
            "authorization",
            "client",
            "connection",
            "request",
            "resource_server",
            "session",
            "stats",
            "tenant",
            "transaction",
            "user"
        ]
    );
    assert_eq!(event["client"], json!({"client_id": "spa", "name": "Frontend", "metadata": {}}));
    assert_eq!(event["connection"]["id"], "con_0123456789abcdef");
    assert_eq!(event["resource_server"], json!({"identifier": PUBLIC}));
    assert_eq!((&event["user"]["app_metadata"], &event["user"]["user_metadata"]), (&json!({}), &json!({})));
    assert_eq!(event["user"]["identities"][0]["userId"], "katherine");
    let transaction = &event["transaction"];
    for (member, expected) in [
        ("protocol", json!("oidc-basic-profile")),
        ("acr_values", json!(["a", "b"])),
        ("ui_locales", json!(["en", "de"])),
        ("requested_scopes", json!(["openid", "profile", "email", "offline_access"])),
        ("redirect_uri", json!("http://localhost/callback")),
        ("response_type", json!(["code"])),
        ("response_mode", json!("query")),
        ("state", json!("s")),
        ("login_hint", json!("x@example.com")),
        ("correlation_id", json!("c-1")),
        ("locale", json!("en")),
        ("metadata", json!({})),
    ] {
        assert_eq!(transaction[member], expected, "{member}");
    }
    assert_eq!(
        (&event["request"]["geoip"]["countryCode"], &event["request"]["method"]),
        (&json!("GB"), &json!("POST"))
    );
    assert_eq!(event["session"]["id"], context["sessionID"]);
    assert_eq!(id["sid"], event["session"]["id"]);

    let again = claims(&browser.tokens(&browser.authorize(&[("prompt", "none")])), "id_token");
    let (context, event) = (&again["https://ns/context"], &again["https://ns/event"]);
    assert_eq!(context["sso"], json!({"with_auth0": true, "with_dbconn": false, "current_clients": ["spa"]}));
    assert_eq!(
        (&event["transaction"]["prompt"], &event["session"]["clients"]),
        (&json!(["none"]), &json!([{"client_id": "spa"}]))
    );
    assert_eq!(event["stats"], json!({"logins_count": 1}));
}

#[test]
fn a_refresh_has_its_token_and_a_social_user_a_federated_method() {
    let tenant = Scripts::new().action("post-login", "echo", ECHO_ACTION).serve();
    let browser = tenant.browser();
    let tokens = browser.tokens(&browser.log_in("google-oauth2|ada"));
    let event = &claims(&tokens, "id_token")["https://ns/event"];
    assert_eq!(
        (&event["connection"]["strategy"], &event["authentication"]["methods"][0]["name"]),
        (&json!("google-oauth2"), &json!("federated"))
    );
    assert!(event.get("refresh_token").is_none());
    let refreshed = tenant.token(
        &json!({"grant_type": "refresh_token", "refresh_token": tokens.at("/refresh_token"), "custom": "x"}),
    );
    let event = &claims(&refreshed, "id_token")["https://ns/event"];
    let token = &event["refresh_token"];
    assert_eq!(
        (&token["client_id"], &token["rotating"], &token["session_id"]),
        (&json!("spa"), &json!(true), &event["session"]["id"])
    );
    assert_eq!(
        (&event["request"]["body"]["custom"], event["request"]["body"].get("refresh_token")),
        (&json!("x"), None)
    );
    assert_eq!(event["transaction"]["protocol"], "oauth2-refresh-token");
    let list = tenant.manage("GET", "users/google-oauth2%7Cada/refresh-tokens", &Value::Null);
    assert_eq!(list.at("/tokens/0/id"), token["id"]);
}

#[test]
fn rules_get_a_token_for_the_management_api_if_they_name_it() {
    let rule = "async function (user, context, callback) {
        const response = await fetch(auth0.baseUrl + '/users/' + encodeURIComponent(user.user_id), { headers: { authorization: 'Bearer ' + auth0.accessToken } });
        context.idToken['https://ns/name'] = (await response.json()).name;
        callback(null, user, context);
    }";
    let tenant = Scripts::new().rule("asks", rule).serve();
    assert_eq!(claims(&tenant.password("ada"), "id_token")["https://ns/name"], "Ada Lovelace");
}
