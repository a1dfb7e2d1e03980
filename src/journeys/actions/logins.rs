//! Which scripts run at a login, in which order, and what their calls change.

use serde_json::{Value, json};

use super::browser::{Scripts, claims, error, location, param};
use crate::test_server::PUBLIC;

const LIST: &str = "https://ns/list";

/// An action that appends a word to the list in its metadata, which later actions do not see in `event`.
fn marks(name: &str) -> String {
    format!(
        "exports.onExecutePostLogin = async (event, api) => {{
           api.accessToken.setCustomClaim('https://ns/{name}', Object.keys(event.user.app_metadata).join());
           api.user.setAppMetadata('{name}', event.stats.logins_count);
           event.user.app_metadata.leak = 1;
         }};"
    )
}

#[test]
fn rules_run_before_actions_and_actions_in_the_order_of_their_bindings() {
    let tenant = Scripts::new()
        .rule("first", "function (user, context, callback) { context.accessToken['https://ns/list'] = ['rule']; callback(null, user, context); }")
        .action("post-login", "b-second", "exports.onExecutePostLogin = (event, api) => api.accessToken.setCustomClaim('https://ns/order', 'b');")
        .action("post-login", "a-third", "exports.onExecutePostLogin = (event, api) => api.accessToken.setCustomClaim('https://ns/order', 'a');")
        .action_with("post-login", "draft", "exports.onExecutePostLogin = (event, api) => api.access.deny('a draft ran');", &json!({"deployed": false}))
        .serve();
    let tokens = tenant.browser().tokens(&tenant.browser().log_in("auth0|ada"));
    let access = claims(&tokens, "access_token");
    assert_eq!((&access[LIST], &access["https://ns/order"]), (&json!(["rule"]), &json!("a")));
    let scripts = tenant.log()[0]["scripts"].clone();
    let names: Vec<_> =
        scripts.as_array().unwrap().iter().map(|script| (&script["kind"], &script["name"])).collect();
    let expected = [("rule", "first"), ("action", "b-second"), ("action", "a-third")];
    assert_eq!(
        names,
        expected
            .map(|(kind, name)| (json!(kind), json!(name)))
            .iter()
            .map(|(a, b)| (a, b))
            .collect::<Vec<_>>()
    );
}

#[test]
fn metadata_is_saved_once_at_the_end_and_actions_share_no_event() {
    let tenant = Scripts::new()
        .action("post-login", "one", &marks("one"))
        .action("post-login", "two", &marks("two"))
        .serve();
    let access = claims(&tenant.password("ada"), "access_token");
    assert_eq!((&access["https://ns/one"], &access["https://ns/two"]), (&json!(""), &json!("")));
    assert_eq!(tenant.user("auth0%7Cada")["app_metadata"], json!({"one": 1, "two": 1}));
    let access = claims(&tenant.password("ada"), "access_token");
    assert_eq!(access["https://ns/two"], "one,two");
}

#[test]
fn a_denial_goes_to_the_application_in_the_actions_words_and_saves_metadata() {
    let tenant = Scripts::new()
        .action("post-login", "gate", "exports.onExecutePostLogin = async (event, api) => { api.user.setUserMetadata('seen', true); api.access.deny('not on a Sunday'); };")
        .action("post-login", "later", "exports.onExecutePostLogin = async (event, api) => api.user.setUserMetadata('later', true);")
        .serve();
    let refused = tenant.browser().log_in("auth0|ada");
    assert_eq!(error(&refused), ("access_denied".to_owned(), "not on a Sunday".to_owned()));
    assert!(!location(&refused).contains("gate"));
    assert_eq!(tenant.user("auth0%7Cada")["user_metadata"], json!({"seen": true}));
    let story = tenant.log()[0].clone();
    assert_eq!((&story["denied_by"], &story["outcome"]), (&json!("gate"), &json!("not on a Sunday")));
    assert!(
        error(&tenant.browser().authorize(&[("prompt", "none")])).0.contains("login_required"),
        "a session was kept"
    );
}

#[test]
fn an_action_that_throws_fails_the_login() {
    let tenant = Scripts::new()
        .action("post-login", "breaks", "exports.onExecutePostLogin = async () => { null.x; };")
        .serve();
    assert_eq!(error(&tenant.browser().log_in("auth0|ada")).0, "access_denied");
    assert_eq!(tenant.password("ada").status, 403);
}

#[test]
fn scopes_reserved_claims_and_secrets() {
    let code = "exports.onExecutePostLogin = async (event, api) => {
        api.accessToken.addScope('extra').accessToken.removeScope('email');
        api.accessToken.setCustomClaim('roles', ['king']);
        api.accessToken.setCustomClaim('https://ns/secret', event.secrets.KEY.length);
        api.idToken.setCustomClaim('sub', 'auth0|evil');
        api.idToken.setCustomClaim('plan', 'free');
    };";
    let tenant = Scripts::new().action("post-login", "claims", code).serve();
    let tokens = tenant.browser().tokens(&tenant.browser().log_in("auth0|ada"));
    let (access, id) = (claims(&tokens, "access_token"), claims(&tokens, "id_token"));
    let scope = access["scope"].as_str().unwrap().split(' ').collect::<Vec<_>>();
    assert!(scope.contains(&"extra") && !scope.contains(&"email") && scope.contains(&"profile"), "{scope:?}");
    assert_eq!((access.get("roles"), &access["https://ns/secret"]), (None, &json!(22)));
    assert_eq!((&id["sub"], &id["plan"]), (&json!("auth0|ada"), &json!("free")));
    assert_eq!(tenant.log()[0]["dropped_claims"], json!(["roles", "sub"]));
}

#[test]
fn scripts_run_at_silent_logins_refreshes_and_passwords_but_not_for_machines() {
    let tenant = Scripts::new()
        .rule("rule", "function (user, context, callback) { context.accessToken['https://ns/rule'] = context.protocol; callback(null, user, context); }")
        .action("post-login", "action", "exports.onExecutePostLogin = async (event, api) => api.accessToken.setCustomClaim('https://ns/action', event.transaction.protocol);")
        .serve();
    let browser = tenant.browser();
    let fresh = browser.tokens(&browser.log_in("auth0|ada"));
    let silent = browser.tokens(&browser.authorize(&[("prompt", "none")]));
    let refreshed =
        tenant.token(&json!({"grant_type": "refresh_token", "refresh_token": fresh.at("/refresh_token")}));
    for (tokens, protocol) in [
        (fresh, "oidc-basic-profile"),
        (silent, "oidc-basic-profile"),
        (refreshed, "oauth2-refresh-token"),
        (tenant.password("ada"), "oauth2-password"),
    ] {
        let access = claims(&tokens, "access_token");
        assert_eq!(
            (&access["https://ns/rule"], &access["https://ns/action"]),
            (&json!(protocol), &json!(protocol))
        );
    }
    let stories = tenant.log().len();
    tenant.user("auth0%7Cada");
    assert_eq!(tenant.log().len(), stories, "a machine's token ran scripts");
}

#[test]
fn what_the_management_api_deploys_and_binds_counts_for_the_next_login() {
    let claim = |value: &str| {
        format!(
            "exports.onExecutePostLogin = async (event, api) => api.accessToken.setCustomClaim('https://ns/v', '{value}' + event.secrets.S);"
        )
    };
    let tenant = Scripts::new().serve();
    let seen = || claims(&tenant.password("ada"), "access_token").get("https://ns/v").cloned();
    let new = json!({
        "name": "made here", "code": claim("one"), "supported_triggers": [{"id": "post-login", "version": "v3"}],
        "secrets": [{"name": "S", "value": "!"}],
    });
    let action = tenant.manage("POST", "actions/actions", &new).at("/id");
    let path = format!("actions/actions/{}", action.as_str().unwrap());
    tenant.manage("POST", &format!("{path}/deploy"), &Value::Null);
    assert_eq!(seen(), None, "deployed, not bound");
    let bindings =
        json!({"bindings": [{"ref": {"type": "action_name", "value": "made here"}, "display_name": "x"}]});
    tenant.manage("PATCH", "actions/triggers/post-login/bindings", &bindings);
    assert_eq!(seen(), Some(json!("one!")));
    tenant.manage("PATCH", &path, &json!({"code": claim("two")}));
    assert_eq!(seen(), Some(json!("one!")), "the draft does not run");
    tenant.manage("POST", &format!("{path}/deploy"), &Value::Null);
    assert_eq!(seen(), Some(json!("two!")));
    tenant.manage("PATCH", "actions/triggers/post-login/bindings", &json!({"bindings": []}));
    assert_eq!(seen(), None);
}

#[test]
fn an_action_requires_the_modules_of_its_bundle() {
    let action = "const { greet } = require('actions:greeter');
        exports.onExecutePostLogin = async (event, api) => api.accessToken.setCustomClaim('https://ns/greeting', greet(event.user.name));";
    let module = json!({"name": "greeter", "code": "./action-modules/greeter/code.js", "dependencies": [], "secrets": []});
    let tenant = Scripts::new()
        .file("action-modules/greeter/code.js", "module.exports = { greet: (name) => 'Hello, ' + name };")
        .file("action-modules/greeter.json", &module.to_string())
        .action_with(
            "post-login",
            "greets",
            action,
            &json!({"modules": [{"module_name": "greeter", "module_version_number": 1}]}),
        )
        .serve();
    assert_eq!(claims(&tenant.password("ada"), "access_token")["https://ns/greeting"], "Hello, Ada Lovelace");
}

#[test]
fn the_primary_user_must_own_the_identity_that_logged_in() {
    let code = "exports.onExecutePostLogin = async (event, api) => {
        api.samlResponse.setAttribute('a', 'b');
        if (event.user.user_id.startsWith('google')) api.authentication.setPrimaryUser('auth0|ada');
    };";
    let tenant = Scripts::new().action("post-login", "links", code).serve();
    let refused = tenant.browser().log_in("google-oauth2|ada");
    assert_eq!(error(&refused).0, "access_denied");
    assert_eq!(tenant.log()[0]["ignored"], json!(["samlResponse.setAttribute"]));
    // The account's identity becomes one of ada's, as an action that links does; who is in a login stays.
    let identities = json!([
        {"connection": "Username-Password-Authentication", "provider": "auth0", "user_id": "ada", "isSocial": false},
        {"connection": "google-oauth2", "provider": "google-oauth2", "user_id": "ada", "isSocial": true},
    ]);
    let people = std::fs::read_to_string(tenant.bundle().join("people.json")).unwrap();
    let mut people: Vec<Value> = serde_json::from_str(&people).unwrap();
    people[0]["identities"] = identities;
    let tenant = Scripts::new()
        .action("post-login", "links", code)
        .file("people.json", &json!(people).to_string())
        .serve();
    let browser = tenant.browser();
    let tokens = browser.tokens(&browser.log_in("google-oauth2|ada"));
    assert_eq!(
        (&claims(&tokens, "access_token")["sub"], &claims(&tokens, "id_token")["sub"]),
        (&json!("auth0|ada"), &json!("auth0|ada"))
    );
}

#[test]
fn session_and_refresh_token_keep_metadata_and_can_be_revoked() {
    let code = "exports.onExecutePostLogin = async (event, api) => {
        api.idToken.setCustomClaim('https://ns/session', event.session ? event.session.metadata : null);
        api.idToken.setCustomClaim('https://ns/token', event.refresh_token ? event.refresh_token.metadata : null);
        if (event.request.query.end || event.request.body.end) {
          return event.refresh_token ? api.refreshToken.revoke('ended') : api.session.revoke('ended');
        }
        if (!event.refresh_token) api.session.setMetadata('device', 'laptop');
        api.refreshToken.setMetadata('family', String(event.stats.logins_count));
    };";
    let tenant = Scripts::new().action("post-login", "keeps", code).serve();
    let browser = tenant.browser();
    let first = browser.tokens(&browser.log_in("auth0|ada"));
    assert_eq!(claims(&first, "id_token")["https://ns/session"], json!({}));
    let second = browser.tokens(&browser.authorize(&[]));
    assert_eq!(claims(&second, "id_token")["https://ns/session"], json!({"device": "laptop"}));
    let refresh = |token: &Value, more: Value| {
        let mut body = json!({"grant_type": "refresh_token", "refresh_token": token});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        tenant.token(&body)
    };
    let refreshed = refresh(&first.at("/refresh_token"), json!({}));
    let id = claims(&refreshed, "id_token");
    assert_eq!(
        (&id["https://ns/token"], &id["https://ns/session"]),
        (&json!({"family": "1"}), &json!({"device": "laptop"}))
    );
    let ended = refresh(&refreshed.at("/refresh_token"), json!({"end": "yes"}));
    assert_eq!(ended.at("/error_description"), "ended", "{}", ended.body);
    assert_eq!(refresh(&refreshed.at("/refresh_token"), json!({})).at("/error"), "invalid_grant");
    assert_eq!(error(&browser.authorize(&[("end", "yes")])).1, "ended");
    assert_eq!(error(&browser.authorize(&[("prompt", "none")])).0, "login_required");
    assert_eq!(
        refresh(&second.at("/refresh_token"), json!({})).at("/error"),
        "invalid_grant",
        "its session was revoked"
    );
}

#[test]
fn a_session_ends_when_an_action_says_so() {
    let code =
        "exports.onExecutePostLogin = async (event, api) => api.session.setExpiresAt(Date.now() - 1000);";
    let tenant = Scripts::new().action("post-login", "ends", code).serve();
    let browser = tenant.browser();
    assert!(param(&location(&browser.log_in("auth0|ada")), "code").is_some());
    assert_eq!(error(&browser.authorize(&[("prompt", "none"), ("audience", PUBLIC)])).0, "login_required");
}
