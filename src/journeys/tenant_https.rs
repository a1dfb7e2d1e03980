//! The dev tenant's listeners: https with its own authority, the issuer setting, both loopback addresses.

use serde_json::json;
use vestibule::cli::http_client::HttpClient;

use crate::dev_server::DevServer;
use crate::test_server::PUBLIC;

#[test]
fn an_https_issuer_is_trusted_by_clients_with_its_authority_and_by_the_doors() {
    let dev = DevServer::open(&["tenant.issuer=https://localhost:0/"]);
    let tenant = &dev.development().tenant;
    assert_eq!(dev.issuer, tenant.https());
    assert!(dev.http.get(&dev.issuer, &[]).is_err(), "a client without the authority connects");
    let http = HttpClient::trusting(Some(tenant.ca_file())).unwrap();
    let port = dev.issuer.trim_start_matches("https://localhost:").to_owned();
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let found = http.get(&format!("https://{host}:{port}.well-known/openid-configuration"), &[]).unwrap();
        assert_eq!(found.json()["issuer"], dev.issuer.as_str(), "{host}");
    }
    let login = json!({"grant_type": "password", "client_id": "spa", "username": "ada@example.com",
        "password": "dev-only-ada", "audience": PUBLIC, "scope": "openid email"});
    let token = http.post_json(&format!("{}oauth/token", dev.issuer), &[], &login).unwrap();
    let token = token.json()["access_token"].as_str().unwrap().to_owned();
    let me = dev.me(&token);
    assert_eq!(me.json()["data"]["me"]["email"], "ada@example.com", "{}", me.body);
}

#[test]
fn one_tenant_answers_on_both_addresses_and_listeners_and_its_authority_is_kept() {
    let dev = DevServer::open(&["tenant.issuer="]);
    let tenant = &dev.development().tenant;
    let port = dev.issuer.strip_prefix("http://localhost:").unwrap();
    let https = tenant.https();
    let http = HttpClient::trusting(Some(tenant.ca_file())).unwrap();
    for base in [format!("http://127.0.0.1:{port}"), format!("http://[::1]:{port}"), https.to_owned()] {
        let found = http.get(&format!("{base}.well-known/openid-configuration"), &[]).unwrap();
        assert_eq!(found.json()["issuer"], dev.issuer.as_str(), "{base}");
    }
    // Each of its audiences is the Management API.
    for audience in [format!("{}api/v2/", dev.issuer), format!("{https}api/v2/")] {
        let machine = json!({"grant_type": "client_credentials", "client_id": "vestibule",
            "client_secret": "dev-only-secret-of-vestibule", "audience": audience});
        let token = http.post_json(&format!("{https}oauth/token"), &[], &machine).unwrap().json();
        let bearer =
            format!("Bearer {}", token["access_token"].as_str().unwrap_or_else(|| panic!("{token}")));
        let users = format!("{https}api/v2/users-by-email?email=ada@example.com");
        assert_eq!(http.get(&users, &[("authorization", &bearer)]).unwrap().status, 200);
    }
    let before = std::fs::read(tenant.ca_file()).unwrap();
    let again =
        DevServer::open(&[&format!("tenant.data={}", dev.config.tenant.data.display()), "tenant.issuer="]);
    assert_eq!(before, std::fs::read(again.development().tenant.ca_file()).unwrap());
}
