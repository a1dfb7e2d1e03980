//! `/userinfo`.

use serde_json::json;

use super::*;

#[tokio::test]
async fn userinfo_accepts_opaque_and_signed_tokens_with_its_audience_and_openid() {
    let tenant = TestTenant::open();
    let ask =
        async |token: &str| tenant.get("/userinfo", &[("authorization", &format!("Bearer {token}"))]).await;
    let access = |response: &TestResponse| response.json()["access_token"].as_str().unwrap().to_owned();

    let opaque = access(&tenant.user_tokens("edsger", &[("scope", "openid email")]).await);
    assert!(!opaque.contains('.'));
    let expected = json!({"sub": "auth0|edsger", "email": "edsger@example.com", "email_verified": false});
    assert_eq!(ask(&opaque).await.json(), expected);
    let signed =
        access(&tenant.user_tokens("edsger", &[("scope", "openid email"), ("audience", PUBLIC)]).await);
    assert_eq!(ask(&signed).await.json(), expected);

    let without_openid =
        access(&tenant.user_tokens("edsger", &[("scope", "email"), ("audience", PUBLIC)]).await);
    let machine = access(&tenant.machine_tokens("reports", INTERNAL).await);
    for bad in [&without_openid, &machine, "", "nonsense", &format!("{signed}x")] {
        assert_eq!(ask(bad).await.status, 401, "{bad}");
    }
    assert_eq!(tenant.get("/userinfo", &[]).await.status, 401);
    tenant.advance(86_401);
    assert_eq!((ask(&opaque).await.status, ask(&signed).await.status), (401, 401));
}
