//! Actions around an account: sign-up, and change of a password.

use serde_json::{Value, json};

use super::browser::{Scripts, Tenant, claims, location, param};
use crate::waiting::wait_until;

fn sign_up(tenant: &Tenant, email: &str) -> vestibule::cli::http_client::HttpResponse {
    let body = json!({
        "client_id": "spa", "connection": "Username-Password-Authentication", "email": email, "password": "Long-enough-1",
        "user_metadata": {"lang": "en"},
    });
    tenant.dev.http.post_json(&tenant.url("dbconnections/signup"), &[], &body).unwrap()
}

/// The story of a trigger's run, once it is logged.
fn story(tenant: &Tenant, trigger: &str) -> Value {
    let find = || tenant.log().into_iter().find(|story| story["protocol"] == trigger);
    wait_until("the run is logged", || find().is_some());
    find().unwrap()
}

const BEFORE: &str = "exports.onExecutePreUserRegistration = async (event, api) => {
    if (event.user.email.endsWith('@blocked.example')) return api.access.deny('domain_blocked', 'Ask your admin.');
    if (event.user.email.endsWith('@short.example')) return api.validation.error('too_short', 'Too short.');
    api.user.setUserMetadata('seen', [event.user.user_metadata && event.user.user_metadata.lang, event.user.user_id === undefined, event.transaction ? event.transaction.protocol : null]);
    api.user.setAppMetadata('client', event.client.name);
};";

#[test]
fn pre_user_registration_refuses_and_adds_metadata() {
    let tenant = Scripts::new().action("pre-user-registration", "before", BEFORE).serve();
    let refused = sign_up(&tenant, "x@blocked.example");
    assert_eq!(
        (refused.status, refused.at("/code"), refused.at("/description"), refused.at("/friendly_message")),
        (400, json!("extensibility_error"), json!("domain_blocked"), json!("Ask your admin."))
    );
    assert_eq!(sign_up(&tenant, "x@short.example").at("/description"), "Too short.");
    assert_eq!(tenant.log()[0]["denied_by"], "before");
    let new = sign_up(&tenant, "new@example.com");
    assert_eq!(new.status, 200, "{}", new.body);
    let user = tenant.user(&format!("auth0%7C{}", new.at("/_id").as_str().unwrap()));
    assert_eq!(user["user_metadata"], json!({"lang": "en", "seen": ["en", true, null]}));
    assert_eq!(user["app_metadata"], json!({"client": "Frontend"}));

    let browser = tenant.browser();
    let page = location(&browser.authorize(&[("screen_hint", "signup")]));
    let state = param(&page, "state").unwrap();
    let form = |email| {
        browser.post("u/signup", &[("state", &state), ("email", email), ("password", "Long-enough-1")])
    };
    assert!(form("y@blocked.example").body.contains("Ask your admin."));
    let tokens = browser.tokens(&form("page@example.com"));
    let id = claims(&tokens, "id_token")["sub"].as_str().unwrap().replace('|', "%7C");
    assert_eq!(tenant.user(&id)["user_metadata"]["seen"][2], "oidc-basic-profile");
}

/// The link of a mail to Ada that resets her password.
fn reset_link(tenant: &Tenant) -> String {
    let ask = json!({"client_id": "spa", "connection": "Username-Password-Authentication", "email": "ada@example.com"});
    tenant.dev.http.post_json(&tenant.url("dbconnections/change_password"), &[], &ask).unwrap();
    let mail = tenant.log().into_iter().find(|story| !story["mail"].is_null()).unwrap();
    let ticket = param(mail["mail"]["link"].as_str().unwrap(), "ticket").unwrap();
    format!("u/reset-password?ticket={ticket}")
}

/// The hidden field of a page's form.
fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect(page);
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn password_reset_post_challenge_runs_between_the_mail_and_the_form() {
    let code = "exports.onExecutePostChallenge = async (event, api) => {
        if (event.user.app_metadata.frozen) return api.access.deny('Ask your administrator.');
        console.log(event.user.email, event.authentication.methods[0].name, event.client.name, event.connection.name);
        api.redirect.sendUserTo('https://verify.example/');
      };
      exports.onContinuePostChallenge = async (event, api) => {
        console.log(event.request.query.checked);
        api.transaction.setResultUrl('https://done.example/', { query: { a: '1' } });
        api.authentication.challengeWith({ type: 'otp' });
      };";
    let tenant = Scripts::new().action("password-reset-post-challenge", "guard", code).serve();
    let (browser, link) = (tenant.browser(), reset_link(&tenant));
    let (_, ticket) = link.split_once('=').unwrap();
    let form = |ticket: &str| {
        browser.post("u/reset-password", &[("ticket", ticket), ("password", "Another-long-1")])
    };
    assert_eq!(form(ticket).status, 400, "the link alone changes nothing");

    let away = location(&browser.get(&link));
    assert!(away.starts_with("https://verify.example/?state="), "{away}");
    let console = |n: usize| tenant.log()[0]["scripts"][0]["console"][n]["text"].clone();
    assert_eq!(console(0), "ada@example.com email Frontend Username-Password-Authentication");
    let state = param(&away, "state").unwrap();
    let mfa = location(&browser.get(&format!("continue?state={state}&checked=yes")));
    assert_eq!((&tenant.log()[0]["outcome"], console(0)), (&json!("asks for a second factor"), json!("yes")));
    let page = browser.post("u/mfa", &[("state", &param(&mfa, "state").unwrap()), ("outcome", "otp")]).body;
    assert_eq!(tenant.log()[0]["outcome"], "may reset the password");
    let ticket = hidden(&page, "ticket");
    let done = form(&ticket);
    assert!(done.body.contains("https://done.example/?a=1"), "{}", done.body);
    assert_eq!(form(&ticket).status, 400, "a form changes a password once");
    assert_eq!(browser.get(&link).status, 400, "the link ends with the change");

    let patch = json!({"app_metadata": {"frozen": true}});
    tenant.manage("PATCH", "users/auth0%7Cada", &patch);
    let refused = browser.get(&reset_link(&tenant));
    assert!(refused.status == 403 && refused.body.contains("Ask your administrator."), "{}", refused.body);
    assert_eq!(tenant.log()[0]["denied_by"], "guard");
}

#[test]
fn post_user_registration_and_post_change_password_run_after_the_answer() {
    let registered = "exports.onExecutePostUserRegistration = async (event) => console.log(event.user.user_id.split('|')[0], event.user.email, event.connection.name);";
    let changed = "exports.onExecutePostChangePassword = async (event) => { console.log(event.user.email); throw new Error('too late'); };";
    let tenant = Scripts::new()
        .action("post-user-registration", "registered", registered)
        .action("post-change-password", "changed", changed)
        .serve();
    assert_eq!(sign_up(&tenant, "new@example.com").status, 200);
    let run = story(&tenant, "post-user-registration");
    assert_eq!(run["outcome"], "post-user-registration ran");
    assert_eq!(
        run["scripts"][0]["console"][0]["text"],
        "auth0 new@example.com Username-Password-Authentication"
    );

    let ask = json!({"client_id": "spa", "connection": "Username-Password-Authentication", "email": "ada@example.com"});
    tenant.dev.http.post_json(&tenant.url("dbconnections/change_password"), &[], &ask).unwrap();
    let link = tenant.log()[0]["mail"]["link"].as_str().unwrap().to_owned();
    let ticket = param(&link, "ticket").unwrap();
    let browser = tenant.browser();
    let done = browser.post("u/reset-password", &[("ticket", &ticket), ("password", "Another-long-1")]);
    assert!(done.body.contains("was changed"), "{}", done.body);
    let run = story(&tenant, "post-change-password");
    assert_eq!(
        (&run["denied_by"], &run["scripts"][0]["console"][0]["text"]),
        (&json!("changed"), &json!("ada@example.com"))
    );
}
