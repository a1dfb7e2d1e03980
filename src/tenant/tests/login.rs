//! Rules at login.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::script::{Denied, DenyReason, MetadataKind, MetadataUpdate};

#[tokio::test]
async fn rules_get_auth0s_user_and_context_and_change_tokens() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&seen);
    let tenant = TestTenant::with(
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
            assert_eq!(effects(update("auth0|unknown")).unwrap_err(), "The user does not exist.");
            let mut context = login.context.clone();
            context["accessToken"]["https://ns/roles"] = context["authorization"]["roles"].clone();
            context["accessToken"]["roles"] = json!(["king"]);
            context["idToken"]["https://ns/plan"] = json!("free");
            let LoginInput { user, .. } = login;
            Ok(LoginOutput { user, context, trace: crate::script::Trace::default() })
        },
    );
    let response = tenant.user_tokens("katherine", &[("audience", PUBLIC), ("scope", "openid")]).await;
    let claims = tenant.claims(&response);
    assert_eq!(claims["https://ns/roles"], json!(["admin"]));
    assert!(claims.get("roles").is_none());
    let (_, id) = tenant.decode(response.json()["id_token"].as_str().unwrap());
    assert_eq!(id["https://ns/plan"], "free");
    let bearer = format!("Bearer {}", response.json()["access_token"].as_str().unwrap());
    let description = tenant.get("/userinfo", &[("authorization", &bearer)]).await.json();
    assert_eq!(description, json!({"sub": "auth0|katherine", "https://ns/plan": "free"}));
    tenant.user_tokens("katherine", &[("audience", PUBLIC)]).await;

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
async fn a_login_denied_by_a_rule_gets_no_token() {
    let deny = |reason| move |_: LoginInput, _: MetadataWriter| Err(Denied::new("gate", reason, "no entry"));
    let tenant = TestTenant::with(|_| {}, deny(DenyReason::Unauthorized));
    let refused = tenant.user_tokens("ada", &[("audience", PUBLIC)]).await;
    assert_eq!(refused.error(), (401, "unauthorized".to_owned(), "no entry".to_owned()));
    let tenant = TestTenant::with(|_| {}, deny(DenyReason::TimedOut));
    let refused = tenant.user_tokens("ada", &[("audience", PUBLIC)]).await;
    assert_eq!(refused.error(), (403, "access_denied".to_owned(), "no entry".to_owned()));
    assert_eq!(tenant.get("/dev/logins", &[]).await.json()["logins"][0]["denied_by"], "gate");
}

#[tokio::test]
async fn a_user_blocked_at_the_tenant_gets_no_token() {
    let tenant = TestTenant::with(
        |bundle| drop(bundle.users[0].profile.insert("blocked".to_owned(), Value::from(true))),
        |_, _| panic!("no rule runs for a blocked user"),
    );
    let refused = tenant.user_tokens("ada", &[("audience", PUBLIC)]).await.error();
    assert_eq!(refused, (401, "unauthorized".to_owned(), "user is blocked".to_owned()));
}
