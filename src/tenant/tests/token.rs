//! `/oauth/token` and `/userinfo`: machines and passwords.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use warp::http;

use super::*;
use crate::script::{Denied, DenyReason, MetadataKind, MetadataUpdate};

#[tokio::test]
async fn a_machine_gets_its_grants_scopes() {
    let world = World::open();
    let reply = world.machine("reports", INTERNAL).await;
    assert_eq!(reply.header("cache-control"), "no-store");
    let json = reply.json();
    assert_eq!(
        (&json["token_type"], &json["expires_in"], &json["scope"]),
        (&json!("Bearer"), &json!(86_400), &json!("users:read"))
    );
    let (header, claims) = world.read(json["access_token"].as_str().unwrap());
    assert_eq!(header.typ.as_deref(), Some("JWT"));
    assert_eq!(
        claims,
        json!({"iss": ISSUER, "sub": "reports@clients", "aud": INTERNAL, "iat": NOW, "exp": NOW + 86_400,
            "azp": "reports", "gty": "client-credentials", "scope": "users:read"})
    );
}

#[tokio::test]
async fn json_and_basic_do_as_well_as_a_form() {
    let world = World::open();
    let request = with_headers(http::Request::post("/oauth/token"), &[("content-type", "application/json")]);
    let body = json!({"grant_type": "client_credentials", "client_id": "rules", "audience": INTERNAL,
        "client_secret": "dev-only-secret-of-rules"});
    assert_eq!(world.claims(&world.send(request, &body.to_string()).await)["azp"], "rules");

    // rules:dev-only-secret-of-rules
    let basic = [("authorization", "Basic cnVsZXM6ZGV2LW9ubHktc2VjcmV0LW9mLXJ1bGVz")];
    let form = [("grant_type", "client_credentials"), ("audience", INTERNAL)];
    assert_eq!(world.claims(&world.post_form("/oauth/token", &form, &basic).await)["azp"], "rules");
}

#[tokio::test]
async fn machines_are_refused_in_auth0s_words() {
    let world = World::with(
        |bundle| {
            bundle
                .clients
                .iter_mut()
                .for_each(|client| client.grant_types = Some(vec!["client_credentials".into()]))
        },
        pass,
    );
    let cases = [
        (
            world.machine("reports", PUBLIC).await,
            403,
            "access_denied",
            "Client is not authorized to access \"https://public",
        ),
        (
            world.machine("reports", "https://nope/").await,
            403,
            "access_denied",
            "Service not found: https://nope/",
        ),
        (world.machine("reports", "").await, 403, "access_denied", "Non-global clients are not allowed"),
        (world.machine("nobody", INTERNAL).await, 401, "access_denied", "Unauthorized"),
        (
            world.machine("spa", INTERNAL).await,
            403,
            "unauthorized_client",
            "Grant type 'client_credentials' not allowed",
        ),
        (world.token(&[]).await, 400, "invalid_request", "Missing required parameter: grant_type"),
        (
            world.token(&[("grant_type", "x")]).await,
            400,
            "unsupported_grant_type",
            "Unsupported grant type: x",
        ),
        (
            world.token(&[("grant_type", "password")]).await,
            400,
            "invalid_request",
            "Missing required parameter: client_id",
        ),
        (world.person("ada", &[]).await, 403, "unauthorized_client", "not allowed for the client"),
    ];
    for (reply, status, error, description) in cases {
        let (got_status, got, told) = reply.error();
        assert_eq!((got_status, got.as_str()), (status, error), "{told}");
        assert!(told.contains(description), "{told}");
    }
}

#[tokio::test]
async fn a_password_becomes_a_users_tokens() {
    let world = World::open();
    let reply =
        world.person("ada", &[("audience", PUBLIC), ("scope", "openid profile email nonsense")]).await;
    let json = reply.json();
    assert_eq!(json["scope"], "openid profile email");
    assert_eq!(
        world.claims(&reply),
        json!({"iss": ISSUER, "sub": "auth0|ada", "aud": [PUBLIC, format!("{ISSUER}userinfo")], "iat": NOW,
            "exp": NOW + 86_400, "azp": "spa", "gty": "password", "scope": "openid profile email"})
    );
    let (_, id) = world.read(json["id_token"].as_str().unwrap());
    assert_eq!(
        (&id["aud"], &id["sub"], &id["email"]),
        (&json!("spa"), &json!("auth0|ada"), &json!("ada@example.com"))
    );
    assert_eq!((&id["name"], &id["exp"]), (&json!("Ada Lovelace"), &json!(NOW + 36_000)));

    // Without openid: no ID token, one audience. Without a scope: everything the API has.
    let reply = world.person("katherine", &[("audience", INTERNAL)]).await;
    let claims = world.claims(&reply);
    assert_eq!(claims["aud"], INTERNAL);
    assert!(
        claims["scope"].as_str().unwrap().contains("users:read") && reply.json().get("id_token").is_none()
    );
}

#[tokio::test]
async fn a_wrong_password_realm_or_audience_is_refused() {
    let world = World::open();
    for (more, error) in
        [(("password", "wrong"), "invalid_request"), (("audience", "https://nope/"), "access_denied")]
    {
        assert_eq!(world.person("ada", &[more]).await.error().1, error);
    }
    let grant = ("grant_type", "http://auth0.com/oauth/grant-type/password-realm");
    let who = [("client_id", "spa"), ("username", "ada@example.com")];
    let with =
        async |more: &[(&str, &str)]| world.token(&[&[grant], who.as_slice(), more].concat()).await.error();
    let (status, error, told) = with(&[("realm", people::CONNECTION), ("password", "wrong")]).await;
    assert_eq!((status, error.as_str(), told.as_str()), (403, "invalid_grant", "Wrong email or password."));
    assert_eq!(with(&[("realm", "elsewhere"), ("password", "dev-only-ada")]).await.0, 403);
    assert_eq!(with(&[("password", "dev-only-ada")]).await.0, 400);
}

#[tokio::test]
async fn rules_see_auth0s_user_and_context_and_change_tokens() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&seen);
    let world = World::with(
        |_| {},
        move |login: LoginInput, effects: MetadataWriter| {
            watch.lock().unwrap().push((
                login.user.clone(),
                login.context.clone(),
                login.configuration.clone(),
            ));
            let metadata = json!({"seen": true}).as_object().unwrap().clone();
            let update = |user_id: &str| MetadataUpdate {
                user_id: user_id.to_owned(),
                kind: MetadataKind::App,
                metadata: metadata.clone(),
            };
            effects(update("auth0|katherine")).unwrap();
            assert_eq!(effects(update("auth0|nobody")).unwrap_err(), "The user does not exist.");
            let mut context = login.context.clone();
            context["accessToken"]["https://ns/roles"] = context["authorization"]["roles"].clone();
            context["accessToken"]["roles"] = json!(["king"]);
            context["idToken"]["https://ns/plan"] = json!("free");
            let LoginInput { user, .. } = login;
            Ok(LoginOutput { user, context, console: Vec::new(), fetches: Vec::new() })
        },
    );
    let reply = world.person("katherine", &[("audience", PUBLIC), ("scope", "openid")]).await;
    let claims = world.claims(&reply);
    assert_eq!(claims["https://ns/roles"], json!(["admin"]));
    assert!(claims.get("roles").is_none());
    let (_, id) = world.read(reply.json()["id_token"].as_str().unwrap());
    assert_eq!(id["https://ns/plan"], "free");
    let bearer = format!("Bearer {}", reply.json()["access_token"].as_str().unwrap());
    let told = world.get("/userinfo", &[("authorization", &bearer)]).await.json();
    assert_eq!(told, json!({"sub": "auth0|katherine", "https://ns/plan": "free"}));
    world.person("katherine", &[("audience", PUBLIC)]).await;

    let seen = seen.lock().unwrap();
    let (user, context, configuration) = &seen[0];
    assert_eq!(user["user_id"], "auth0|katherine");
    assert!(user.get("app_metadata").is_none() && user.get("user_metadata").is_none());
    assert_eq!(context["stats"]["loginsCount"], 1);
    assert_eq!((&context["clientID"], &context["clientName"]), (&json!("spa"), &json!("Frontend")));
    assert_eq!(context["protocol"], "oauth2-password");
    assert_eq!((&context["accessToken"], &context["idToken"]), (&json!({}), &json!({})));
    assert_eq!(context["request"]["hostname"], "127.0.0.1:4002");
    assert_eq!(context["request"]["body"]["username"], "katherine@example.com");
    assert!(context["request"]["body"].get("password").is_none() && context.get("multifactor").is_none());
    assert_eq!(configuration["NAMESPACE"], "https://vestibule.example/");
    // The second login sees what the first one's rule kept.
    assert_eq!(
        (&seen[1].0["app_metadata"], &seen[1].1["stats"]["loginsCount"]),
        (&json!({"seen": true}), &json!(2))
    );
}

#[tokio::test]
async fn a_rule_that_denies_gives_no_token() {
    let deny = |reason| {
        move |_: LoginInput, _: MetadataWriter| {
            let (rule, message) = ("gate".to_owned(), "no entry".to_owned());
            Err(Denied { rule, reason, message, console: Vec::new(), fetches: Vec::new() })
        }
    };
    let world = World::with(|_| {}, deny(DenyReason::Unauthorized));
    let refused = world.person("ada", &[("audience", PUBLIC)]).await;
    assert_eq!(refused.error(), (401, "unauthorized".to_owned(), "no entry".to_owned()));
    let world = World::with(|_| {}, deny(DenyReason::TimedOut));
    let (status, error, told) = world.person("ada", &[("audience", PUBLIC)]).await.error();
    assert_eq!((status, error.as_str()), (403, "access_denied"));
    assert!(told.contains("gate"), "{told}");
}

#[tokio::test]
async fn someone_blocked_at_the_tenant_gets_nothing() {
    let world = World::with(
        |bundle| drop(bundle.users[0].profile.insert("blocked".to_owned(), Value::from(true))),
        |_, _| panic!("no rule runs for the blocked"),
    );
    let refused = world.person("ada", &[("audience", PUBLIC)]).await.error();
    assert_eq!(refused, (401, "unauthorized".to_owned(), "user is blocked".to_owned()));
}

#[tokio::test]
async fn dialects_and_rbac_follow_the_api() {
    let world = World::with(
        |bundle| {
            let api = bundle.resource_servers.iter_mut().find(|api| api.identifier == INTERNAL).unwrap();
            (api.token_dialect, api.enforce_policies) = ("rfc9068_profile_authz".to_owned(), true);
        },
        pass,
    );
    let reply =
        world.person("katherine", &[("audience", INTERNAL), ("scope", "users:read audit:read")]).await;
    let (header, claims) = world.read(reply.json()["access_token"].as_str().unwrap());
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert_eq!((&claims["client_id"], &claims["scope"]), (&json!("spa"), &json!("users:read audit:read")));
    assert_eq!(claims["permissions"].as_array().unwrap().len(), 6);
    assert!(claims["jti"].is_string() && claims.get("azp").is_none() && claims.get("gty").is_none());
    let nobody = world.claims(&world.person("ada", &[("audience", INTERNAL), ("scope", "users:read")]).await);
    assert_eq!(nobody["permissions"], json!([]));
    assert!(nobody.get("scope").is_none());
    let machine = world.claims(&world.machine("reports", INTERNAL).await);
    assert_eq!(
        (&machine["sub"], &machine["permissions"]),
        (&json!("reports@clients"), &json!(["users:read"]))
    );
}

#[tokio::test]
async fn userinfo_takes_opaque_and_signed_tokens_that_are_meant_for_it() {
    let world = World::open();
    let ask =
        async |token: &str| world.get("/userinfo", &[("authorization", &format!("Bearer {token}"))]).await;
    let access = |reply: &Reply| reply.json()["access_token"].as_str().unwrap().to_owned();

    let opaque = access(&world.person("edsger", &[("scope", "openid email")]).await);
    assert!(!opaque.contains('.'));
    let expected = json!({"sub": "auth0|edsger", "email": "edsger@example.com", "email_verified": false});
    assert_eq!(ask(&opaque).await.json(), expected);
    let signed = access(&world.person("edsger", &[("scope", "openid email"), ("audience", PUBLIC)]).await);
    assert_eq!(ask(&signed).await.json(), expected);

    let without_openid = access(&world.person("edsger", &[("scope", "email"), ("audience", PUBLIC)]).await);
    let machine = access(&world.machine("reports", INTERNAL).await);
    for bad in [&without_openid, &machine, "", "nonsense", &format!("{signed}x")] {
        assert_eq!(ask(bad).await.status, 401, "{bad}");
    }
    assert_eq!(world.get("/userinfo", &[]).await.status, 401);
    world.advance(86_401);
    assert_eq!((ask(&opaque).await.status, ask(&signed).await.status), (401, 401));
}
