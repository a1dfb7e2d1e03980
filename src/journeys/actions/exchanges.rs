//! Actions of machines' credentials and of custom token exchange.

use serde_json::{Value, json};

use super::browser::{Scripts, Tenant, claims};
use crate::test_server::{INTERNAL, PUBLIC};

fn machine(tenant: &Tenant, more: Value) -> vestibule::cli::http_client::HttpResponse {
    let mut body = json!({
        "grant_type": "client_credentials", "client_id": "reports", "client_secret": "dev-only-secret-of-reports", "audience": INTERNAL,
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    tenant.token(&body)
}

#[test]
fn credentials_exchange_sets_claims_denies_with_a_code_and_sees_the_request() {
    let code = "exports.onExecuteCredentialsExchange = async (event, api) => {
        if (event.request.body.deny) return api.access.deny('invalid_scope', 'not these');
        if (event.request.body.less) api.transaction.removeTargetScope('users:read');
        api.accessToken.setCustomClaim('https://ns/seen', [event.client.client_id, event.accessToken.scope, event.transaction.requested_scopes, event.resource_server.identifier]);
        api.accessToken.setCustomClaim('azp', 'someone else');
    };";
    let tenant = Scripts::new().action("credentials-exchange", "machines", code).serve();
    let access = claims(&machine(&tenant, json!({"scope": "users:read"})), "access_token");
    assert_eq!(access["https://ns/seen"], json!(["reports", ["users:read"], ["users:read"], INTERNAL]));
    assert_eq!((&access["azp"], &access["gty"]), (&json!("reports"), &json!("client-credentials")));
    let less = claims(&machine(&tenant, json!({"less": "1"})), "access_token");
    assert_eq!(less.get("scope"), None);
    let denied = machine(&tenant, json!({"deny": "1"}));
    assert_eq!(
        (denied.status, denied.at("/error"), denied.at("/error_description")),
        (400, json!("invalid_scope"), json!("not these"))
    );
    let log = tenant.log();
    assert_eq!((&log[0]["denied_by"], &log[2]["dropped_claims"]), (&json!("machines"), &json!(["azp"])));
    assert_eq!(log[2]["scripts"][0]["trigger"], "credentials-exchange");
    let claim = &claims(&tenant.password("ada"), "access_token")["https://ns/seen"];
    assert_eq!(*claim, Value::Null, "a person's login ran it");
}

const EXCHANGE: &str = "exports.onExecuteCustomTokenExchange = async (event, api) => {
    const token = event.transaction.subject_token;
    if (token === 'bad') return api.access.rejectInvalidSubjectToken('not one of ours');
    if (token === 'denied') return api.access.deny('not_allowed', 'go away');
    if (token === 'nothing') return;
    if (token.startsWith('legacy:')) {
      api.authentication.setUserByConnection('Username-Password-Authentication', { user_id: token.slice(7), email: token.slice(7) + '@legacy.example' }, { creationBehavior: 'create_if_not_exists', updateBehavior: 'none' });
      api.user.setAppMetadata('from', 'legacy');
      return;
    }
    if (token.startsWith('known:')) {
      return api.authentication.setUserByConnection('Username-Password-Authentication', { user_id: token.slice(6), given_name: 'Countess' }, { creationBehavior: 'none', updateBehavior: 'replace' });
    }
    api.authentication.setUserById(token);
    if (event.request.body.agent) api.authentication.setActor({ sub: 'agent', agent: 1 });
};";

fn exchanging() -> Tenant {
    let spa =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tenant/clients/spa.json"))
            .unwrap();
    let mut spa: Value = serde_json::from_str(&spa).unwrap();
    spa["token_exchange"] = json!({"allow_any_profile_of_type": ["custom_authentication"]});
    let profile = json!({
        "name": "Legacy", "subject_token_type": "urn:team:legacy", "type": "custom_authentication", "action_id": "exchange",
    });
    let post_login = "exports.onExecutePostLogin = async (event, api) => api.accessToken.setCustomClaim('https://ns/seen',
        [event.transaction.protocol, event.transaction.subject_token_type, event.user.app_metadata.from || null]);";
    Scripts::new()
        .file("clients/spa.json", &spa.to_string())
        .file("token-exchange-profiles/legacy.json", &profile.to_string())
        .action("custom-token-exchange", "exchange", EXCHANGE)
        .action("post-login", "after", post_login)
        .serve()
}

#[test]
fn a_custom_token_becomes_a_user_who_logs_in() {
    let tenant = exchanging();
    let exchange = |token: &str, more: Value| {
        let mut body = json!({
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token_type": "urn:team:legacy",
            "subject_token": token, "audience": PUBLIC, "scope": "openid email",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        tenant.token(&body)
    };
    let known = exchange("auth0|grace", json!({}));
    let access = claims(&known, "access_token");
    assert_eq!((&access["sub"], access.get("gty"), access.get("act")), (&json!("auth0|grace"), None, None));
    assert_eq!(access["https://ns/seen"], json!(["oauth2-token-exchange", "urn:team:legacy", null]));
    assert_eq!(known.at("/issued_token_type"), "urn:ietf:params:oauth:token-type:access_token");
    assert_eq!(claims(&known, "id_token")["email"], "grace@example.com");
    let acted = claims(&exchange("auth0|grace", json!({"agent": "1"})), "access_token");
    assert_eq!(acted["act"], json!({"sub": "agent", "agent": 1}));

    let new = claims(&exchange("legacy:42", json!({})), "access_token");
    assert_eq!((&new["sub"], &new["https://ns/seen"][2]), (&json!("auth0|42"), &json!("legacy")));
    assert_eq!(tenant.user("auth0%7C42")["email"], "42@legacy.example");
    assert_eq!(tenant.user("auth0%7C42")["nickname"], "42");
    let before = tenant.user("auth0%7Cada");
    assert_eq!(claims(&exchange("known:ada", json!({})), "access_token")["sub"], "auth0|ada");
    let mut after = tenant.user("auth0%7Cada");
    assert_eq!(after["given_name"], "Countess");
    for member in ["name", "nickname", "picture", "created_at", "identities", "email_verified"] {
        assert_eq!(after[member].take(), before[member], "{member}: an update added defaults");
    }
    for (token, error, text) in [
        ("bad", "invalid_request", "not one of ours"),
        ("denied", "not_allowed", "go away"),
        ("auth0|unknown", "invalid_request", "The user whom the action set does not exist"),
        ("nothing", "invalid_request", "The action set no user for the transaction"),
    ] {
        let refused = exchange(token, json!({}));
        assert_eq!(
            (refused.at("/error"), refused.at("/error_description")),
            (json!(error), json!(text)),
            "{token}"
        );
    }
    let other = exchange("x", json!({"subject_token_type": "urn:team:other"}));
    assert_eq!(other.at("/error"), "invalid_request", "{}", other.body);
    assert!(!json!(tenant.log()).to_string().contains("legacy:42"), "the subject token is in the log");
}

#[test]
fn a_client_without_the_setting_may_not_exchange() {
    let profile = json!({"name": "Legacy", "subject_token_type": "urn:team:legacy", "type": "custom_authentication", "action_id": "exchange"});
    let tenant = Scripts::new()
        .file("token-exchange-profiles/legacy.json", &profile.to_string())
        .action("custom-token-exchange", "exchange", EXCHANGE)
        .serve();
    let body = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token_type": "urn:team:legacy",
        "subject_token": "auth0|ada", "audience": PUBLIC,
    });
    assert_eq!(tenant.token(&body).at("/error"), "unauthorized_client");
}
