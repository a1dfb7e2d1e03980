//! A bundle that is only a tenant's export: what is missing is supplied, and a person uses the Public API.

use serde_json::json;

use crate::dev_server::DevServer;
use crate::test_server::PUBLIC;

#[test]
fn a_supplied_person_logs_in_and_is_found_at_the_public_api() {
    let folder = tempfile::tempdir().unwrap();
    for (file, content) in [
        (
            "clients/Shop.json",
            json!({"name": "Shop", "app_type": "spa", "callbacks": ["https://shop.example/"]}),
        ),
        ("clients/Vestibule.json", json!({"client_id": "vestibule", "name": "Vestibule"})),
        ("resource-servers/Orders.json", json!({"name": "Orders", "identifier": "https://orders.example/"})),
        (
            "database-connections/Customers/database.json",
            json!({"name": "Customers", "strategy": "auth0", "enabled_clients": ["Shop"]}),
        ),
    ] {
        let file = folder.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content.to_string()).unwrap();
    }
    let bundle = format!("tenant.bundle={}", folder.path().display());
    let server = DevServer::open(&[&bundle, "tenant.supply=true"]);
    let login = |realm: &str| {
        let login = json!({
            "grant_type": "http://auth0.com/oauth/grant-type/password-realm", "realm": realm, "client_id": "spa",
            "username": "dev@example.com", "password": "dev-only-dev", "audience": PUBLIC, "scope": "openid email",
        });
        server.http.post_json(&format!("{}oauth/token", server.issuer), &[], &login).unwrap()
    };
    let tokens = login("Customers");
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    let me = server.me(tokens.json()["access_token"].as_str().unwrap());
    assert_eq!(me.json()["data"]["me"]["email"], "dev@example.com", "{}", me.body);
    assert_eq!(login("Username-Password-Authentication").status, 403);
}
