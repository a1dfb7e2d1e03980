//! Sign-ups.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_new_user_signs_up_once_and_logs_in() {
    let tenant = TestTenant::open();
    let sign_up = async |email: &str, password: &str| {
        let connection = ("connection", users::CONNECTION);
        let form = [("client_id", "spa"), connection, ("email", email), ("password", password)];
        tenant.post_form("/dbconnections/signup", &form, &[]).await
    };
    let new = sign_up("New@example.com", "long enough").await;
    assert_eq!((new.status, &new.json()["email_verified"]), (200, &json!(false)));
    assert_eq!(new.json()["email"], "new@example.com");
    assert_eq!(sign_up("new@example.com", "long enough").await.json()["code"], "invalid_signup");
    assert_eq!(sign_up("ada@example.com", "long enough").await.json()["code"], "invalid_signup");
    assert_eq!(sign_up("x@example.com", "short").await.json()["code"], "invalid_password");
    assert_eq!(sign_up("nonsense", "long enough").await.json()["code"], "invalid_signup");

    let grant = [("grant_type", "password"), ("client_id", "spa"), ("audience", PUBLIC)];
    let log_in = async |password| {
        tenant
            .token(&[grant.as_slice(), &[("username", "new@example.com"), ("password", password)]].concat())
            .await
    };
    let claims = tenant.claims(&log_in("long enough").await);
    assert_eq!(claims["sub"], format!("auth0|{}", new.json()["_id"].as_str().unwrap()));
    assert_eq!(log_in("wrong enough").await.error().1, "invalid_grant");
}

/// The latest mail's link, as a path.
async fn mail(tenant: &TestTenant, to: &str, subject: &str) -> String {
    let log = tenant.get("/dev/logins", &[]).await.json();
    let mail = &log["logins"][0]["mail"];
    assert_eq!((mail["to"].as_str(), mail["subject"].as_str()), (Some(to), Some(subject)), "{log}");
    mail["link"].as_str().unwrap().strip_prefix(ISSUER.trim_end_matches('/')).unwrap().to_owned()
}

#[tokio::test]
async fn a_person_signs_up_on_the_page_and_verifies_the_email() {
    let tenant = TestTenant::open();
    let to = authorize::request(&[("screen_hint", "signup")]);
    let location = tenant.get(&to, &[]).await.header("location").to_owned();
    let state = location.strip_prefix("/u/signup?state=").unwrap();
    let page = tenant.get(&location, &[]).await;
    assert!(
        page.text.contains("action=\"/u/signup\"") && page.text.contains("Sign up to Frontend"),
        "{}",
        page.text
    );
    assert!(tenant.get(&format!("/u/login?state={state}"), &[]).await.text.contains("Log in to Frontend"));
    let sign_up = async |email, password| {
        tenant
            .post_form("/u/signup", &[("state", state), ("email", email), ("password", password)], &[])
            .await
    };
    for (email, password) in
        [("new@example.com", "short"), ("ada@example.com", "long enough"), ("nonsense", "long enough")]
    {
        let refused = sign_up(email, password).await;
        assert!(refused.status == 400 && refused.text.contains("role=\"alert\""), "{email}");
    }
    let back = sign_up("new@example.com", "long enough").await;
    let code = authorize::param(&back, "code").unwrap();
    let tokens = tenant.exchange(&code, &[]).await;
    let user_id = tenant.claims(&tokens)["sub"].as_str().unwrap().to_owned();
    let is_verified =
        || tenant.tenant.0.load().users.find(&user_id).unwrap().unwrap().user["email_verified"].clone();
    assert_eq!(is_verified(), false);
    let log = tenant.get("/dev/logins", &[]).await.json();
    let link = log["logins"][1]["mail"]["link"].as_str().unwrap().replace(ISSUER, "/");
    assert_eq!(tenant.get(&link, &[]).await.status, 200);
    assert_eq!(is_verified(), true);
    assert_eq!(tenant.get(&link, &[]).await.status, 400, "a link works once");
}

#[tokio::test]
async fn a_password_is_reset_by_the_mails_link_which_ends_refresh_tokens() {
    let tenant = TestTenant::open();
    let offline = [("audience", PUBLIC), ("scope", "offline_access")];
    let refresh =
        tenant.user_tokens("ada", &offline).await.json()["refresh_token"].as_str().unwrap().to_owned();
    let ask = async |email: &str| {
        let form = [("client_id", "spa"), ("connection", users::CONNECTION), ("email", email)];
        tenant.post_form("/dbconnections/change_password", &form, &[]).await
    };
    // The response does not say whether there is an account.
    let (known, unknown) = (ask("ada@example.com").await, ask("nobody@example.com").await);
    assert_eq!((known.status, &known.text), (200, &unknown.text));
    let link = mail(&tenant, "ada@example.com", "Reset your password").await;
    assert!(tenant.get(&link, &[]).await.text.contains("Change your password"));
    let ticket = link.split('=').nth(1).unwrap();
    let change = async |password| {
        tenant.post_form("/u/reset-password", &[("ticket", ticket), ("password", password)], &[]).await
    };
    assert!(change("short").await.text.contains("too weak"));
    assert!(change("a new password").await.text.contains("was changed"));
    assert_eq!(change("another password").await.status, 400);
    assert_eq!(tenant.user_tokens("ada", &offline).await.error().1, "invalid_grant");
    let login = [
        ("grant_type", "password"),
        ("client_id", "spa"),
        ("username", "ada@example.com"),
        ("password", "a new password"),
    ];
    assert_eq!(tenant.token(&login).await.status, 200);
    let form = [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", refresh.as_str())];
    assert_eq!(tenant.token(&form).await.error().1, "invalid_grant");
}
