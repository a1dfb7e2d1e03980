//! `/oauth/token`: client credentials and passwords.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_machine_gets_its_grants_scopes() {
    let tenant = TestTenant::open();
    let response = tenant.machine_tokens("reports", INTERNAL).await;
    assert_eq!(response.header("cache-control"), "no-store");
    let json = response.json();
    assert_eq!(
        (&json["token_type"], &json["expires_in"], &json["scope"]),
        (&json!("Bearer"), &json!(86_400), &json!("users:read"))
    );
    let (header, claims) = tenant.decode(json["access_token"].as_str().unwrap());
    assert_eq!(header.typ.as_deref(), Some("JWT"));
    assert_eq!(
        claims,
        json!({"iss": ISSUER, "sub": "reports@clients", "aud": INTERNAL, "iat": NOW, "exp": NOW + 86_400,
            "azp": "reports", "gty": "client-credentials", "scope": "users:read"})
    );
}

#[tokio::test]
async fn parameters_as_json_and_credentials_in_basic_are_accepted() {
    let tenant = TestTenant::open();
    let request =
        with_headers(warp::http::Request::post("/oauth/token"), &[("content-type", "application/json")]);
    let body = json!({"grant_type": "client_credentials", "client_id": "rules", "audience": INTERNAL,
        "client_secret": "dev-only-secret-of-rules"});
    assert_eq!(tenant.claims(&tenant.send(request, &body.to_string()).await)["azp"], "rules");

    // rules:dev-only-secret-of-rules
    let basic = [("authorization", "Basic cnVsZXM6ZGV2LW9ubHktc2VjcmV0LW9mLXJ1bGVz")];
    let form = [("grant_type", "client_credentials"), ("audience", INTERNAL)];
    assert_eq!(tenant.claims(&tenant.post_form("/oauth/token", &form, &basic).await)["azp"], "rules");
}

#[tokio::test]
async fn machines_are_refused_with_auth0s_errors() {
    let tenant = TestTenant::with(
        |bundle| {
            bundle
                .clients
                .iter_mut()
                .for_each(|client| client.grant_types = Some(vec!["client_credentials".into()]))
        },
        accept,
    );
    let cases = [
        (
            tenant.machine_tokens("reports", PUBLIC).await,
            403,
            "access_denied",
            "Client is not authorized to access \"https://public",
        ),
        (
            tenant.machine_tokens("reports", "https://nope/").await,
            403,
            "access_denied",
            "Service not found: https://nope/",
        ),
        (
            tenant.machine_tokens("reports", "").await,
            403,
            "access_denied",
            "Non-global clients are not allowed",
        ),
        (tenant.machine_tokens("unknown", INTERNAL).await, 401, "access_denied", "Unauthorized"),
        (
            tenant.machine_tokens("spa", INTERNAL).await,
            403,
            "unauthorized_client",
            "Grant type 'client_credentials' not allowed",
        ),
        (
            tenant
                .token(&[
                    ("grant_type", "client_credentials"),
                    ("client_id", "reports"),
                    ("client_secret", "dev-only-secret-of-reports"),
                    ("audience", INTERNAL),
                    ("organization", "org_a"),
                ])
                .await,
            400,
            "invalid_request",
            "does not support organization",
        ),
        (tenant.token(&[]).await, 400, "invalid_request", "Missing required parameter: grant_type"),
        (
            tenant.token(&[("grant_type", "x")]).await,
            400,
            "unsupported_grant_type",
            "Unsupported grant type: x",
        ),
        (
            tenant.token(&[("grant_type", "password")]).await,
            400,
            "invalid_request",
            "Missing required parameter: client_id",
        ),
        (tenant.user_tokens("ada", &[]).await, 403, "unauthorized_client", "not allowed for the client"),
    ];
    for (response, status, error, description) in cases {
        let (got_status, got_error, got_description) = response.error();
        assert_eq!((got_status, got_error.as_str()), (status, error), "{got_description}");
        assert!(got_description.contains(description), "{got_description}");
    }
}

#[tokio::test]
async fn a_password_gives_a_users_tokens() {
    let tenant = TestTenant::open();
    let response =
        tenant.user_tokens("ada", &[("audience", PUBLIC), ("scope", "openid profile email nonsense")]).await;
    let json = response.json();
    assert_eq!(json["scope"], "openid profile email");
    assert_eq!(
        tenant.claims(&response),
        json!({"iss": ISSUER, "sub": "auth0|ada", "aud": [PUBLIC, format!("{ISSUER}userinfo")], "iat": NOW,
            "exp": NOW + 86_400, "azp": "spa", "gty": "password", "scope": "openid profile email"})
    );
    let (_, id) = tenant.decode(json["id_token"].as_str().unwrap());
    assert_eq!(
        (&id["aud"], &id["sub"], &id["email"]),
        (&json!("spa"), &json!("auth0|ada"), &json!("ada@example.com"))
    );
    assert_eq!((&id["name"], &id["exp"]), (&json!("Ada Lovelace"), &json!(NOW + 36_000)));

    // Without openid: no ID token, one audience. Without a scope: everything the API has.
    let response = tenant.user_tokens("katherine", &[("audience", INTERNAL)]).await;
    let claims = tenant.claims(&response);
    assert_eq!(claims["aud"], INTERNAL);
    assert!(
        claims["scope"].as_str().unwrap().contains("users:read") && response.json().get("id_token").is_none()
    );
}

#[tokio::test]
async fn a_wrong_password_realm_or_audience_is_refused() {
    let tenant = TestTenant::open();
    for (more, error) in
        [(("password", "wrong"), "invalid_request"), (("audience", "https://nope/"), "access_denied")]
    {
        assert_eq!(tenant.user_tokens("ada", &[more]).await.error().1, error);
    }
    let grant = ("grant_type", "http://auth0.com/oauth/grant-type/password-realm");
    let who = [("client_id", "spa"), ("username", "ada@example.com")];
    let with =
        async |more: &[(&str, &str)]| tenant.token(&[&[grant], who.as_slice(), more].concat()).await.error();
    let (status, error, description) = with(&[("realm", users::CONNECTION), ("password", "wrong")]).await;
    assert_eq!(
        (status, error.as_str(), description.as_str()),
        (403, "invalid_grant", "Wrong email or password.")
    );
    assert_eq!(with(&[("realm", "elsewhere"), ("password", "dev-only-ada")]).await.0, 403);
    assert_eq!(with(&[("password", "dev-only-ada")]).await.0, 400);
}

#[tokio::test]
async fn dialects_and_rbac_follow_the_api() {
    let tenant = TestTenant::with(
        |bundle| {
            let api = bundle.resource_servers.iter_mut().find(|api| api.identifier == INTERNAL).unwrap();
            (api.token_dialect, api.enforce_policies) = ("rfc9068_profile_authz".to_owned(), true);
        },
        accept,
    );
    let response =
        tenant.user_tokens("katherine", &[("audience", INTERNAL), ("scope", "users:read audit:read")]).await;
    let (header, claims) = tenant.decode(response.json()["access_token"].as_str().unwrap());
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert_eq!((&claims["client_id"], &claims["scope"]), (&json!("spa"), &json!("users:read audit:read")));
    assert_eq!(claims["permissions"].as_array().unwrap().len(), 6);
    assert!(claims["jti"].is_string() && claims.get("azp").is_none() && claims.get("gty").is_none());
    let without_roles =
        tenant.claims(&tenant.user_tokens("ada", &[("audience", INTERNAL), ("scope", "users:read")]).await);
    assert_eq!(without_roles["permissions"], json!([]));
    assert!(without_roles.get("scope").is_none());
    let machine = tenant.claims(&tenant.machine_tokens("reports", INTERNAL).await);
    assert_eq!(
        (&machine["sub"], &machine["permissions"]),
        (&json!("reports@clients"), &json!(["users:read"]))
    );
}

#[tokio::test]
async fn a_token_request_with_a_dpop_proof_is_refused() {
    let tenant = TestTenant::open();
    let secret = ("client_secret", "dev-only-secret-of-reports");
    let form =
        [("grant_type", "client_credentials"), ("client_id", "reports"), secret, ("audience", INTERNAL)];
    let refused = tenant.post_form("/oauth/token", &form, &[("dpop", "e30.e30.x")]).await;
    assert_eq!((refused.status, refused.error().1.as_str()), (400, "invalid_request"));
}
