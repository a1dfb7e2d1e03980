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
