//! Logins to organizations.

use serde_json::json;

use super::authorize::{param, request};
use super::*;

fn tenant(usage: &'static str, with_names: bool) -> TestTenant {
    let change = move |bundle: &mut Bundle| {
        let organization = json!({"id": "org_a", "name": "acme", "display_name": "Acme"});
        bundle.organizations.push(serde_json::from_value(organization).unwrap());
        bundle.tenant.allow_organization_name_in_authentication_api = with_names;
        let spa = bundle.clients.iter_mut().find(|client| client.client_id == "spa").unwrap();
        spa.organization_usage = Some(usage.to_owned());
        let ada = bundle.users.iter_mut().find(|user| user.user_id == "auth0|ada").unwrap();
        ada.organizations = vec!["acme".to_owned()];
    };
    TestTenant::with(change, |login, writer| {
        assert_eq!(login.context["organization"]["id"], "org_a");
        accept(login, writer)
    })
}

#[tokio::test]
async fn both_tokens_of_a_member_have_the_organization() {
    let tenant = tenant("require", true);
    let state = tenant.begin(&[("organization", "acme"), ("scope", "openid offline_access")]).await;
    let back = tenant.click(&state, "auth0|ada").await;
    let mut tokens = tenant.exchange(&param(&back, "code").unwrap(), &[]).await;
    // A refresh keeps it.
    for _ in 0..2 {
        let (_, id) = tenant.decode(tokens.json()["id_token"].as_str().unwrap());
        for claims in [id, tenant.claims(&tokens)] {
            assert_eq!((&claims["org_id"], &claims["org_name"]), (&json!("org_a"), &json!("acme")));
        }
        let refresh = tokens.json()["refresh_token"].as_str().unwrap().to_owned();
        let form = [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", &refresh)];
        tokens = tenant.token(&form).await;
    }
}

#[tokio::test]
async fn others_are_refused_and_so_is_the_clients_disallowed_usage() {
    let tenant_with_names = tenant("require", true);
    let state = tenant_with_names.begin(&[("organization", "org_a")]).await;
    let back = tenant_with_names.click(&state, "auth0|grace").await;
    assert_eq!(param(&back, "error").as_deref(), Some("access_denied"));
    let description = param(&back, "error_description").unwrap();
    assert_eq!(description, "user auth0|grace is not part of the org_a organization");
    for (usage, with_names, organization) in
        [("require", true, ""), ("deny", true, "org_a"), ("allow", false, "acme"), ("allow", true, "org_b")]
    {
        let response = tenant(usage, with_names).get(&request(&[("organization", organization)]), &[]).await;
        assert_eq!(param(&response, "error").as_deref(), Some("invalid_request"), "{usage} {organization}");
    }
}
