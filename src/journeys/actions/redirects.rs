//! `api.redirect`, `context.redirect` and `/continue`.

use serde_json::json;

use super::browser::{Scripts, Tenant, claims, error, location, param};

const ASKS: &str = "
exports.onExecutePostLogin = async (event, api) => {
  api.idToken.setCustomClaim('https://ns/before', true);
  api.transaction.setMetadata('step', 'asked');
  const token = api.redirect.encodeToken({ secret: event.secrets.KEY, expiresInSeconds: 60, payload: { mail: event.user.email } });
  api.redirect.sendUserTo('https://terms.example/accept?lang=en', { query: { session_token: token } });
};
exports.onContinuePostLogin = async (event, api) => {
  api.idToken.setCustomClaim('https://ns/query', event.request.query);
  api.idToken.setCustomClaim('https://ns/step', event.transaction.metadata.step);
  if (event.request.body.answer) {
    const payload = api.redirect.validateToken({ secret: event.secrets.KEY, tokenParameterName: 'answer' });
    api.idToken.setCustomClaim('https://ns/answer', payload.colour);
  }
  api.authentication.recordMethod('https://terms.example/accept');
};";

fn tenant() -> Tenant {
    let counts = "exports.onExecutePostLogin = async (event, api) => api.idToken.setCustomClaim('https://ns/after', event.user.user_id);";
    Scripts::new().action("post-login", "asks", ASKS).action("post-login", "after", counts).serve()
}

#[test]
fn a_login_goes_on_in_the_same_action_once_and_only_in_its_browser() {
    let tenant = tenant();
    let browser = tenant.browser();
    let away = location(&browser.log_in("auth0|ada"));
    assert!(away.starts_with("https://terms.example/accept?lang=en&session_token="), "{away}");
    let token = crate::tokens::payload(&param(&away, "session_token").unwrap());
    assert_eq!((&token["sub"], &token["mail"]), (&json!("auth0|ada"), &json!("ada@example.com")));
    let state = param(&away, "state").unwrap();
    let back = format!("continue?state={state}&colour=red");
    assert_eq!(tenant.log()[0]["outcome"], "redirected to https://terms.example/accept");

    let stranger = tenant.browser();
    stranger.log_in("auth0|grace");
    assert_eq!(stranger.get(&back).status, 403, "another browser continued the login");
    assert_eq!(browser.get("continue?state=unknown").status, 400);
    assert_eq!(browser.get("continue").status, 400);
    let tokens = browser.tokens(&browser.get(&back));
    let id = claims(&tokens, "id_token");
    assert_eq!(id["https://ns/query"], json!({"state": state, "colour": "red"}));
    assert_eq!(
        (&id["https://ns/before"], &id["https://ns/step"], &id["https://ns/after"]),
        (&json!(true), &json!("asked"), &json!("auth0|ada"))
    );
    assert_eq!(id["amr"], json!(["https://terms.example/accept"]));
    assert_eq!(browser.get(&back).status, 400, "a login continued twice");
    assert_eq!(tenant.log()[0]["outcome"], "logged in");
}

#[test]
fn a_signed_answer_is_validated_with_the_state() {
    let tenant = tenant();
    let browser = tenant.browser();
    let sign = |state: &str, secret: &str| {
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let now = vestibule::clock::Clock::system().now().as_second();
        let claims = json!({"state": state, "sub": "auth0|ada", "iss": "terms", "iat": now, "exp": now + 60, "colour": "red"});
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
    };
    let answer = |secret: &str, of_state: Option<&str>| {
        let state =
            param(&location(&browser.log_in_with("auth0|ada", &[("prompt", "login")])), "state").unwrap();
        let answer = sign(of_state.unwrap_or(&state), secret);
        browser.post(&format!("continue?state={state}"), &[("answer", &answer)])
    };
    let id = claims(&browser.tokens(&answer("a secret of the action", None)), "id_token");
    assert_eq!(id["https://ns/answer"], "red");
    assert_eq!(error(&answer("another secret", None)).0, "access_denied");
    assert_eq!(error(&answer("a secret of the action", Some("another"))).0, "access_denied");
}

#[test]
fn a_login_that_cannot_redirect_fails() {
    let code = "exports.onExecutePostLogin = async (event, api) => {
        if (event.request.query.stay || event.request.body.stay) return;
        if (event.request.query.asks || event.request.body.asks) { if (!api.redirect.canRedirect()) return; }
        api.redirect.sendUserTo('https://terms.example/');
    };
    exports.onContinuePostLogin = async () => {};";
    let tenant = Scripts::new().action("post-login", "asks", code).serve();
    let browser = tenant.browser();
    let tokens = browser.tokens(&browser.log_in_with("auth0|ada", &[("stay", "1")]));
    assert_eq!(error(&browser.authorize(&[("prompt", "none")])).0, "interaction_required");
    assert!(param(&location(&browser.authorize(&[("prompt", "none"), ("asks", "1")])), "code").is_some());
    let refresh = json!({"grant_type": "refresh_token", "refresh_token": tokens.at("/refresh_token")});
    for refused in [tenant.token(&refresh), tenant.password("ada")] {
        assert_eq!(refused.at("/error"), "interaction_required", "{}", refused.body);
    }
}

#[test]
fn all_rules_run_again_after_a_rules_redirect() {
    let first = "function (user, context, callback) {
        global.runs = (global.runs || 0) + 1;
        context.idToken['https://ns/first'] = context.protocol;
        callback(null, user, context);
    }";
    let second = "function (user, context, callback) {
        if (context.protocol === 'redirect-callback') {
          context.idToken['https://ns/accepted'] = context.request.query.accepted;
          return callback(null, user, context);
        }
        context.redirect = { url: 'https://terms.example/?x=1' };
        callback(null, user, context);
    }";
    let action = "exports.onExecutePostLogin = async (event, api) => api.idToken.setCustomClaim('https://ns/protocol', event.transaction.protocol);";
    let tenant = Scripts::new()
        .rule("first", first)
        .rule("second", second)
        .action("post-login", "action", action)
        .serve();
    let browser = tenant.browser();
    let away = location(&browser.log_in("auth0|ada"));
    assert!(away.starts_with("https://terms.example/?x=1&state="), "{away}");
    let state = param(&away, "state").unwrap();
    let id =
        claims(&browser.tokens(&browser.get(&format!("continue?state={state}&accepted=yes"))), "id_token");
    assert_eq!(
        (&id["https://ns/first"], &id["https://ns/accepted"]),
        (&json!("redirect-callback"), &json!("yes"))
    );
    assert_eq!(id["https://ns/protocol"], "oidc-basic-profile");
    assert_eq!(tenant.password("ada").at("/error"), "interaction_required");
}

#[test]
fn a_url_that_no_browser_can_go_to_fails_the_login() {
    let rule = "function (user, context, callback) { context.redirect = { url: 'javascript:alert(1)' }; callback(null, user, context); }";
    let tenant = Scripts::new().rule("rule", rule).serve();
    assert_eq!(error(&tenant.browser().log_in("auth0|ada")).0, "access_denied");
}
