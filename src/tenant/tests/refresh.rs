//! Refresh tokens: `offline_access`, rotation, reuse, revocation.

use serde_json::json;

use super::*;

const OFFLINE: [(&str, &str); 2] = [("audience", PUBLIC), ("scope", "openid email offline_access")];
const UNKNOWN: (u16, &str, &str) = (403, "invalid_grant", "Unknown or invalid refresh token.");

impl TestTenant {
    async fn refresh(&self, token: &str, more: &[(&str, &str)]) -> TestResponse {
        let form = [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", token)];
        self.token(&[&form, more].concat()).await
    }

    /// The first refresh token of a login.
    async fn offline_login(&self) -> String {
        refresh_token(&self.user_tokens("ada", &OFFLINE).await)
    }
}

#[track_caller]
fn refresh_token(response: &TestResponse) -> String {
    response.json()["refresh_token"].as_str().unwrap_or_else(|| panic!("{}", response.text)).to_owned()
}

#[track_caller]
fn assert_unknown(response: &TestResponse) {
    let (status, error, description) = response.error();
    assert_eq!((status, error.as_str(), description.as_str()), UNKNOWN);
}

/// A tenant whose client `spa` has these members besides.
fn with_policy(members: Value) -> TestTenant {
    let change = move |bundle: &mut Bundle| {
        let client = bundle.clients.iter_mut().find(|client| client.client_id == "spa").unwrap();
        client.refresh_token = serde_json::from_value(members).unwrap();
    };
    TestTenant::with(change, accept)
}

#[tokio::test]
async fn a_refresh_token_gives_new_tokens_of_the_same_login_and_rotates() {
    let tenant = TestTenant::open();
    let first = tenant.offline_login().await;
    tenant.advance(60);
    let response = tenant.refresh(&first, &[]).await;
    assert_eq!(response.json()["scope"], "openid email offline_access", "{}", response.text);
    assert_eq!(
        tenant.claims(&response),
        json!({"iss": ISSUER, "sub": "auth0|ada", "aud": [PUBLIC, format!("{ISSUER}userinfo")], "iat": NOW + 60,
            "exp": NOW + 60 + 86_400, "azp": "spa", "gty": "refresh_token", "scope": "openid email offline_access"})
    );
    let (_, id) = tenant.decode(response.json()["id_token"].as_str().unwrap());
    assert_eq!((&id["sub"], &id["email"]), (&json!("auth0|ada"), &json!("ada@example.com")));

    // Fewer scopes can be requested, not more.
    let second = refresh_token(&response);
    let response = tenant.refresh(&second, &[("scope", "openid profile")]).await;
    assert_eq!(response.json()["scope"], "openid");
    assert_ne!(first, second);
    assert!(tenant.refresh(&refresh_token(&response), &[]).await.status == 200);
}

#[tokio::test]
async fn a_reused_refresh_token_ends_its_family_and_no_other() {
    let tenant = TestTenant::open();
    let (stolen, other) = (tenant.offline_login().await, tenant.offline_login().await);
    let current = refresh_token(&tenant.refresh(&stolen, &[]).await);
    assert_unknown(&tenant.refresh(&stolen, &[]).await);
    assert_unknown(&tenant.refresh(&current, &[]).await);
    assert_eq!(tenant.refresh(&other, &[]).await.status, 200);
}

#[tokio::test]
async fn within_its_leeway_a_rotated_token_is_accepted() {
    let tenant = with_policy(json!({"rotation_type": "rotating", "leeway": 10}));
    let first = tenant.offline_login().await;
    let second = refresh_token(&tenant.refresh(&first, &[]).await);
    tenant.advance(9);
    assert_eq!(tenant.refresh(&first, &[]).await.status, 200);
    assert_eq!(tenant.refresh(&second, &[]).await.status, 200);
    tenant.advance(1);
    assert_unknown(&tenant.refresh(&first, &[]).await);
}

#[tokio::test]
async fn a_token_that_does_not_rotate_is_used_again_until_it_expires() {
    let lifetimes = json!({"rotation_type": "non-rotating", "expiration_type": "expiring", "token_lifetime": 100,
        "idle_token_lifetime": 60});
    let tenant = with_policy(lifetimes);
    let token = tenant.offline_login().await;
    for _ in 0..2 {
        tenant.advance(45);
        let response = tenant.refresh(&token, &[]).await;
        assert_eq!((response.status, response.json().get("refresh_token")), (200, None));
    }
    tenant.advance(10);
    assert_unknown(&tenant.refresh(&token, &[]).await);
    let idle = tenant.offline_login().await;
    tenant.advance(61);
    assert_unknown(&tenant.refresh(&idle, &[]).await);
}

#[tokio::test]
async fn a_lifetime_without_end_outlasts_the_others() {
    for (members, ends) in [
        (json!({"expiration_type": "expiring", "token_lifetime": 100, "idle_token_lifetime": 60}), true),
        (
            json!({"expiration_type": "expiring", "token_lifetime": 100, "idle_token_lifetime": 60,
                "infinite_token_lifetime": true, "infinite_idle_token_lifetime": true}),
            false,
        ),
        (json!({"expiration_type": "non-expiring", "token_lifetime": 100, "idle_token_lifetime": 60}), false),
    ] {
        let tenant = with_policy(members.clone());
        let token = tenant.offline_login().await;
        tenant.advance(101);
        let status = tenant.refresh(&token, &[]).await.status;
        assert_eq!(status, if ends { 403 } else { 200 }, "{members}");
    }
}

#[tokio::test]
async fn other_clients_forged_and_revoked_tokens_are_refused() {
    let tenant = TestTenant::with_other_client();
    let token = tenant.offline_login().await;
    assert_unknown(
        &tenant
            .token(&[("grant_type", "refresh_token"), ("client_id", "other"), ("refresh_token", &token)])
            .await,
    );
    assert_unknown(&tenant.refresh("v1.forged", &[]).await);
    assert_eq!(tenant.refresh("", &[]).await.status, 400);
    let form = |client| [("client_id", client), ("token", token.as_str())];
    // Another client cannot end it.
    assert_eq!(tenant.post_form("/oauth/revoke", &form("other"), &[]).await.status, 200);
    let token = refresh_token(&tenant.refresh(&token, &[]).await);
    let form = [("client_id", "spa"), ("token", token.as_str())];
    assert_eq!(tenant.post_form("/oauth/revoke", &form, &[]).await.status, 200);
    assert_unknown(&tenant.refresh(&token, &[]).await);
    assert_eq!(
        tenant.post_form("/oauth/revoke", &[("client_id", "reports"), ("token", "x")], &[]).await.status,
        401
    );
}

#[tokio::test]
async fn the_api_and_the_client_must_allow_offline_access() {
    let tenant = TestTenant::open();
    let form = [("audience", INTERNAL), ("scope", "openid offline_access")];
    let response = tenant.user_tokens("ada", &form).await.json();
    assert_eq!((response.get("refresh_token"), &response["scope"]), (None, &json!("openid")));
    let grants = |bundle: &mut Bundle| {
        let client = bundle.clients.iter_mut().find(|client| client.client_id == "spa").unwrap();
        client.grant_types.as_mut().unwrap().retain(|grant| grant != "refresh_token");
    };
    let tenant = TestTenant::with(grants, accept);
    assert_eq!(tenant.user_tokens("ada", &OFFLINE).await.json().get("refresh_token"), None);
    assert_eq!(tenant.refresh("v1.x", &[]).await.error().1, "unauthorized_client");
}

#[tokio::test]
async fn a_refused_refresh_leaves_the_token_valid() {
    let denies = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let switch = Arc::clone(&denies);
    let rules = move |login: LoginInput, writer| {
        assert!(
            ["oauth2-password", "oauth2-refresh-token"]
                .contains(&login.context["protocol"].as_str().unwrap())
        );
        if switch.load(std::sync::atomic::Ordering::Relaxed) {
            let reason = crate::script::DenyReason::Busy;
            return Err(crate::script::Denied::new("gate", reason, "not now"));
        }
        accept(login, writer)
    };
    let tenant = TestTenant::with(|_| {}, rules);
    let token = tenant.offline_login().await;
    denies.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(tenant.refresh(&token, &[]).await.status, 503);
    denies.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(tenant.refresh(&token, &[]).await.status, 200);
}
