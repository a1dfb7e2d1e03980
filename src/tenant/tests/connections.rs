//! Connections that are enabled for some clients only, and databases without sign-up.

use serde_json::json;

use super::authorize::{param, request};
use super::*;
use crate::bundle::Kind;
use crate::script::{Denied, DenyReason};

/// A tenant with these connections; Grace is of the database `staff`.
fn tenant(connections: Value) -> TestTenant {
    let change = move |bundle: &mut Bundle| {
        let list = serde_json::from_value(connections).unwrap();
        bundle.objects.lists.insert(Kind::Connection, list);
        let grace = bundle.users.iter_mut().find(|user| user.user_id == "auth0|grace").unwrap();
        grace.connection = Some("staff".to_owned());
    };
    TestTenant::with(change, accept)
}

/// The error that a request to `/authorize` ends in.
async fn refusal(tenant: &TestTenant, change: &[(&str, &str)]) -> String {
    param(&tenant.get(&request(change), &[]).await, "error_description").unwrap()
}

async fn realm(tenant: &TestTenant, name: &str, realm: &str) -> (u16, String) {
    let (email, password) = (format!("{name}@example.com"), format!("dev-only-{name}"));
    let grant = ("grant_type", "http://auth0.com/oauth/grant-type/password-realm");
    let form = [grant, ("realm", realm), ("client_id", "spa"), ("username", &email), ("password", &password)];
    let response = tenant.token(&form).await;
    (response.status, response.json()["error_description"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn users_log_in_with_the_clients_connections_only() {
    let tenant = tenant(json!([
        {"id": "con_1", "name": users::CONNECTION, "strategy": "auth0", "enabled_clients": []},
        {"id": "con_2", "name": "staff", "strategy": "auth0", "enabled_clients": ["spa"]},
    ]));
    assert_eq!(refusal(&tenant, &[("connection", users::CONNECTION)]).await, "the connection was disabled");
    let state = tenant.begin(&[]).await;
    let page = tenant.get(&format!("/u/login?state={state}"), &[]).await;
    assert!(page.text.contains("auth0|grace") && !page.text.contains("auth0|ada"), "{}", page.text);
    assert_eq!(tenant.click(&state, "auth0|ada").await.status, 400, "a forged click");
    let typed = [("state", state.as_str()), ("email", "ada@example.com"), ("password", "dev-only-ada")];
    let refused = tenant.post_form("/u/login", &typed, &[]).await;
    assert!(refused.status == 400 && refused.text.contains("Wrong email or password"), "{}", refused.text);
    let back = tenant.click(&state, "auth0|grace").await;
    assert!(param(&back, "code").is_some());

    assert_eq!(realm(&tenant, "grace", "staff").await.0, 200);
    assert_eq!(realm(&tenant, "ada", "staff").await, (403, "Wrong email or password.".to_owned()));
    let disabled = (400, "the connection was disabled".to_owned());
    assert_eq!(realm(&tenant, "ada", users::CONNECTION).await, disabled);
    assert_eq!(realm(&tenant, "grace", "google-oauth2").await.0, 403, "no database");

    let none = self::tenant(json!([
        {"id": "con_1", "name": users::CONNECTION, "strategy": "auth0", "enabled_clients": ["reports"]},
        {"id": "con_2", "name": "staff", "strategy": "auth0", "enabled_clients": []},
    ]));
    assert_eq!(refusal(&none, &[]).await, "no connections enabled for the client");
}

#[tokio::test]
async fn a_session_of_another_connection_does_not_log_in() {
    let both = json!([
        {"id": "con_1", "name": users::CONNECTION, "strategy": "auth0", "enabled_clients": ["spa"]},
        {"id": "con_2", "name": "staff", "strategy": "auth0", "enabled_clients": ["spa"]},
    ]);
    let tenant = tenant(both);
    let back = tenant.click(&tenant.begin(&[]).await, "auth0|grace").await;
    let cookie = back.header("set-cookie").split(';').next().unwrap().to_owned();
    let silent = async |connection: &str| {
        let change = [("prompt", "none"), ("connection", connection)];
        param(&tenant.get(&request(&change), &[("cookie", &cookie)]).await, "error")
    };
    assert_eq!(silent("staff").await, None);
    assert_eq!(silent(users::CONNECTION).await.as_deref(), Some("login_required"));
}

#[tokio::test]
async fn a_sign_up_needs_a_database_that_allows_it() {
    let tenant = tenant(json!([
        {"id": "con_1", "name": users::CONNECTION, "strategy": "auth0", "enabled_clients": ["spa"],
            "options": {"disable_signup": true}},
        {"id": "con_2", "name": "staff", "strategy": "auth0", "enabled_clients": ["reports"]},
        {"id": "con_3", "name": "open", "strategy": "auth0", "enabled_clients": ["spa"],
            "options": {"passwordPolicy": "good"}},
    ]));
    let sign_up = async |connection: &str, password: &str| {
        let form =
            [("client_id", "spa"), ("connection", connection), ("email", "new@x.y"), ("password", password)];
        tenant.post_form("/dbconnections/signup", &form, &[]).await
    };
    let refused = sign_up(users::CONNECTION, "long enough").await;
    assert_eq!((refused.status, refused.json()), (400, json!({"error": "public signup is disabled"})));
    let refused = sign_up("staff", "long enough").await.json();
    assert_eq!(refused, json!({"error": "connection is disabled (client_id: spa - connection: staff)"}));
    assert_eq!(sign_up("google-oauth2", "long enough").await.error().1, "invalid_request");
    assert_eq!(sign_up("open", "too simple").await.json()["code"], "invalid_password");
    assert_eq!(sign_up("open", "Not so simple").await.status, 200);
    let user = tenant.tenant.0.load().users.find_by_email("new@x.y").unwrap().remove(0);
    assert_eq!(user.connection(), "open");

    let location =
        tenant.get(&request(&[("screen_hint", "signup")]), &[]).await.header("location").to_owned();
    let state = location.strip_prefix("/u/login?state=").expect("the default database has no sign-up");
    let page = tenant.get(&location, &[]).await;
    assert!(!page.text.contains("/u/signup"), "{}", page.text);
    let form = [("state", state), ("email", "other@x.y"), ("password", "Long enough 1")];
    let refused = tenant.post_form("/u/signup", &form, &[]).await;
    assert!(refused.status == 400 && refused.text.contains("Sign-up is disabled"), "{}", refused.text);
    let open = tenant.get(&request(&[("screen_hint", "signup"), ("connection", "open")]), &[]).await;
    let state = open.header("location").strip_prefix("/u/signup?state=").unwrap().to_owned();
    let form = [("state", state.as_str()), ("email", "other@x.y"), ("password", "Long enough 1")];
    assert!(param(&tenant.post_form("/u/signup", &form, &[]).await, "code").is_some());
}

#[tokio::test]
async fn a_connection_of_an_organization_makes_members() {
    let change = |bundle: &mut Bundle| {
        let objects = &mut bundle.objects.lists;
        let connection =
            json!({"id": "con_1", "name": "staff", "strategy": "auth0", "enabled_clients": ["spa"]});
        objects.insert(Kind::Connection, vec![serde_json::from_value(connection).unwrap()]);
        let organization = json!({"id": "org_a", "name": "acme", "connections": [
            {"connection_id": "con_1", "assign_membership_on_login": true}]});
        bundle.organizations.push(serde_json::from_value(organization).unwrap());
        let spa = bundle.clients.iter_mut().find(|client| client.client_id == "spa").unwrap();
        spa.organization_usage = Some("allow".to_owned());
        for user in &mut bundle.users {
            match user.user_id.as_str() {
                "auth0|grace" => user.connection = Some("staff".to_owned()),
                "auth0|ada" => user.organizations = vec!["acme".to_owned()],
                _ => {}
            }
        }
    };
    let tenant = TestTenant::with(change, accept);
    let log_in = async |user: &str| {
        let back = tenant.click(&tenant.begin(&[("organization", "org_a")]).await, user).await;
        param(&back, "error")
    };
    let members = || tenant.tenant.0.load().users.find("auth0|grace").unwrap().unwrap().organizations;
    assert!(members().is_empty());
    assert_eq!(log_in("auth0|grace").await, None);
    assert_eq!(members(), ["org_a"]);
    assert_eq!(log_in("auth0|ada").await.as_deref(), Some("access_denied"), "a member by another connection");
}

#[tokio::test]
async fn the_login_page_names_the_script_that_denied_the_last_login() {
    let tenant = TestTenant::with(
        |_| {},
        |_, _| Err(Denied::new("only <staff>", DenyReason::Unauthorized, "Staff only.")),
    );
    let state = tenant.begin(&[]).await;
    let page = async |state: &str| tenant.get(&format!("/u/login?state={state}"), &[]).await.text;
    assert!(!page(&state).await.contains("denied the last login"));
    let back = tenant.click(&state, "auth0|ada").await;
    assert_eq!(param(&back, "error_description").as_deref(), Some("Staff only."));
    let page = page(&tenant.begin(&[]).await).await;
    assert!(page.contains("<strong>only &lt;staff&gt;</strong> denied the last login"), "{page}");
    assert!(!page.contains("Staff only."), "{page}");
}
