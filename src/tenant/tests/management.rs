//! The Management API's users.

use serde_json::json;

use super::*;

impl TestTenant {
    async fn management(&self, path: &str) -> TestResponse {
        let token = self.machine_tokens("vestibule", &format!("{ISSUER}api/v2/")).await.json();
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        self.get(path, &[("authorization", &bearer)]).await
    }
}

#[tokio::test]
async fn a_user_is_returned_by_id_and_by_email() {
    let tenant = TestTenant::open();
    let ada = tenant.management("/api/v2/users/auth0%7Cada").await;
    assert_eq!(ada.status, 200);
    let user = ada.json();
    assert_eq!((&user["user_id"], &user["email_verified"]), (&json!("auth0|ada"), &json!(true)));
    assert_eq!(user["identities"][0]["user_id"], "ada");
    for absent in ["app_metadata", "user_metadata", "password", "note", "roles", "logins_count"] {
        assert!(user.get(absent).is_none(), "{absent}");
    }
    assert_eq!(tenant.management("/api/v2/users/auth0|ada").await.json(), user);
    let found = tenant.management("/api/v2/users-by-email?email=ada%40example.com").await.json();
    let ids: Vec<&str> =
        found.as_array().unwrap().iter().map(|user| user["user_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["auth0|ada", "google-oauth2|ada"], "each identity that has the email");
    assert_eq!(found[0], user);
    assert_eq!(tenant.management("/api/v2/users-by-email?email=Ada%40example.com").await.json(), json!([]));
    let some = tenant.management("/api/v2/users/auth0%7Cada?fields=user_id,email").await.json();
    assert_eq!(some, json!({"user_id": "auth0|ada", "email": "ada@example.com"}));
    let rest = tenant.management("/api/v2/users/auth0%7Cada?fields=email&include_fields=false").await.json();
    assert!(rest.get("email").is_none() && rest.get("name").is_some());
}

#[tokio::test]
async fn responses_have_rate_limit_headers_and_errors_auth0s_shape() {
    let tenant = TestTenant::open();
    let missing = tenant.management("/api/v2/users/auth0%7Cunknown").await;
    assert_eq!(
        missing.json(),
        json!({"statusCode": 404, "error": "Not Found", "message": "The user does not exist.", "errorCode": "inexistent_user"})
    );
    assert_eq!(missing.header("x-ratelimit-limit"), "1000");
    assert_eq!(missing.header("x-ratelimit-remaining"), "999");
    assert_eq!(missing.header("x-ratelimit-reset"), (NOW + 1).to_string());
    assert_eq!(tenant.management("/api/v2/users-by-email").await.json()["errorCode"], "invalid_query_string");
    assert_eq!(tenant.management("/api/v2/users/%ff").await.json()["errorCode"], "invalid_uri");
    assert_eq!(tenant.management("/api/v2/nowhere").await.status, 404);
    let put = with_headers(warp::http::Request::put("/api/v2/users/auth0%7Cada"), &[]);
    let refused = tenant.send(put, "").await;
    assert_eq!((refused.status, refused.header("allow")), (405, "DELETE, GET, PATCH"));
}

#[tokio::test]
async fn only_a_management_token_with_the_scope_is_accepted() {
    let tenant = TestTenant::with(
        |bundle| {
            let grant = bundle.client_grants.iter_mut().find(|grant| grant.client_id == "vestibule").unwrap();
            grant.scope = vec!["read:clients".to_owned()];
        },
        accept,
    );
    let path = "/api/v2/users/auth0%7Cada";
    assert_eq!(tenant.get(path, &[]).await.json()["message"], "Missing authentication");
    let scopeless = tenant.management(path).await;
    assert_eq!(
        scopeless.json(),
        json!({"statusCode": 403, "error": "Forbidden", "errorCode": "insufficient_scope",
            "message": "Insufficient scope, expected any of: read:users"})
    );
    let machine = tenant.machine_tokens("reports", INTERNAL).await.json();
    let person = tenant.user_tokens("ada", &[("audience", PUBLIC), ("scope", "openid")]).await.json();
    let own = tenant
        .user_tokens("ada", &[("audience", &format!("{ISSUER}api/v2/")), ("scope", "read:users")])
        .await
        .json();
    for (token, status) in [(&machine, 401), (&person, 401), (&own, 403)] {
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        assert_eq!(tenant.get(path, &[("authorization", &bearer)]).await.status, status);
        let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
        assert_eq!(tenant.get(path, &twice).await.status, 401);
    }
    assert_eq!(
        tenant.get(path, &[("authorization", "Bearer nonsense")]).await.json()["message"],
        "Invalid token"
    );
    let who: Vec<_> =
        tenant.tenant.exchanges().into_iter().filter(|e| e.path == path).map(|e| e.actor).collect();
    assert_eq!(who[1].as_deref(), Some("vestibule"));
}

#[tokio::test]
async fn a_patch_blocks_merges_metadata_and_refuses_unknown_members() {
    let tenant = TestTenant::open();
    let token = tenant.machine_tokens("vestibule", &format!("{ISSUER}api/v2/")).await.json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let patch = async |id: &str, body: Value| {
        let request = warp::http::Request::patch(format!("/api/v2/users/{id}"));
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        tenant.send(with_headers(request, &headers), &body.to_string()).await
    };
    let user = patch("auth0%7Cada", json!({"blocked": true, "app_metadata": {"a": 1, "b": 2}})).await.json();
    assert_eq!((&user["blocked"], &user["app_metadata"]), (&json!(true), &json!({"a": 1, "b": 2})));
    assert_eq!(tenant.management("/api/v2/users/auth0%7Cada").await.json(), user);
    let login = tenant.user_tokens("ada", &[("audience", PUBLIC)]).await;
    assert!(login.json()["error_description"].as_str().unwrap().contains("blocked"), "{}", login.json());

    let user = patch("auth0%7Cada", json!({"blocked": false, "app_metadata": {"a": null}})).await.json();
    assert_eq!((&user["blocked"], &user["app_metadata"]), (&json!(false), &json!({"b": 2})));
    assert_eq!(tenant.user_tokens("ada", &[("audience", PUBLIC)]).await.status, 200);
    assert_eq!(
        patch("auth0%7Cunknown", json!({"blocked": true})).await.json()["errorCode"],
        "inexistent_user"
    );
    for bad in [json!({"blocked": "yes"}), json!({"email": "ab"}), json!({"evil": 1}), json!([])] {
        let refused = patch("auth0%7Cada", bad.clone()).await;
        assert_eq!((refused.status, &refused.json()["errorCode"]), (400, &json!("invalid_body")), "{bad}");
    }
}
