//! Second factors and forms: the developer chooses on a page of the tenant what comes of them.

use serde_json::json;

use super::browser::{Scripts, claims, error, location, param};

/// The page and the state of a login that waits at `path`.
fn waits_at(url: &str, path: &str) -> String {
    assert!(url.starts_with(&format!("/u/{path}?state=")), "{url}");
    param(url, "state").unwrap()
}

#[test]
fn a_second_factor_at_the_end_is_chosen_on_a_page() {
    let action = "exports.onExecutePostLogin = async (event, api) => {
        if (!event.authentication.methods.some((method) => method.name === 'mfa')) api.multifactor.enable('any');
    };";
    let tenant = Scripts::new().action("post-login", "mfa", action).serve();
    let browser = tenant.browser();
    let page = location(&browser.log_in("auth0|ada"));
    let state = waits_at(&page, "mfa");
    let html = browser.get(&page);
    assert!(
        html.status == 200 && html.body.contains("value=\"otp\"") && html.body.contains("value=\"fail\""),
        "{}",
        html.body
    );
    assert_eq!(tenant.browser().get(&page).status, 403, "another browser saw the page");
    let id =
        claims(&browser.tokens(&browser.post("u/mfa", &[("state", &state), ("outcome", "otp")])), "id_token");
    assert_eq!(id["amr"], json!(["mfa"]));
    // The session remembers it.
    let silent = browser.tokens(&browser.authorize(&[("prompt", "none")]));
    assert_eq!(claims(&silent, "id_token")["amr"], json!(["mfa"]));

    let other = tenant.browser();
    let state = waits_at(&location(&other.log_in("auth0|ada")), "mfa");
    let failed = other.post("u/mfa", &[("state", &state), ("outcome", "fail")]);
    assert_eq!(error(&failed).0, "access_denied");
    assert_eq!(
        other.post("u/mfa", &[("state", &state), ("outcome", "otp")]).status,
        400,
        "after a failure it passed"
    );
    assert_eq!(tenant.password("ada").at("/error"), "mfa_required");
}

#[test]
fn a_rules_second_factor_is_the_same() {
    let rule = "function (user, context, callback) { context.multifactor = { provider: 'any' }; callback(null, user, context); }";
    let tenant = Scripts::new().rule("mfa", rule).serve();
    let browser = tenant.browser();
    let state = waits_at(&location(&browser.log_in("auth0|ada")), "mfa");
    let id =
        claims(&browser.tokens(&browser.post("u/mfa", &[("state", &state), ("outcome", "sms")])), "id_token");
    assert_eq!(id["amr"], json!(["mfa"]));
    assert_eq!(error(&browser.authorize(&[("prompt", "none")])).0, "interaction_required");
    assert_eq!(tenant.password("ada").at("/error"), "mfa_required");
}

#[test]
fn a_challenge_comes_before_the_next_action() {
    let challenge = "exports.onExecutePostLogin = async (event, api) => api.authentication.challengeWithAny([{ type: 'otp' }, { type: 'phone' }]);";
    let next = "exports.onExecutePostLogin = async (event, api) => api.idToken.setCustomClaim('https://ns/methods', event.authentication.methods.map((method) => method.name));";
    let tenant = Scripts::new()
        .action("post-login", "challenge", challenge)
        .action("post-login", "next", next)
        .serve();
    let browser = tenant.browser();
    let page = location(&browser.log_in("auth0|ada"));
    let html = browser.get(&page).body;
    assert!(
        html.contains("value=\"phone\"") && !html.contains("value=\"sms\"") && html.contains("challenge"),
        "{html}"
    );
    let state = waits_at(&page, "mfa");
    let id = claims(
        &browser.tokens(&browser.post("u/mfa", &[("state", &state), ("outcome", "phone")])),
        "id_token",
    );
    assert_eq!(id["https://ns/methods"], json!(["pwd", "mfa"]));
}

#[test]
fn a_forms_fields_reach_the_continue_handler() {
    let code = "exports.onExecutePostLogin = async (event, api) => api.prompt.render('ap_terms', { fields: { lang: 'en' }, vars: { v: 1 } });
        exports.onContinuePostLogin = async (event, api) => api.idToken.setCustomClaim('https://ns/prompt', event.prompt);";
    let tenant = Scripts::new().action("post-login", "form", code).serve();
    let browser = tenant.browser();
    let page = location(&browser.log_in("auth0|ada"));
    let state = waits_at(&page, "prompt");
    assert!(browser.get(&page).body.contains("&quot;lang&quot;: &quot;en&quot;"));
    let wrong = browser.post("u/prompt", &[("state", &state), ("fields", "{")]);
    assert!(wrong.status == 200 && wrong.body.contains("not a JSON object"));
    assert_eq!(
        browser.get(&format!("continue?state={state}")).status,
        400,
        "it does not wait for a redirect"
    );
    let id = claims(
        &browser.tokens(&browser.post("u/prompt", &[("state", &state), ("fields", "{\"accepted\": true}")])),
        "id_token",
    );
    assert_eq!(
        id["https://ns/prompt"],
        json!({"id": "ap_terms", "fields": {"accepted": true}, "vars": {"v": 1}})
    );
}
