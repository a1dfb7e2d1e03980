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
