//! `/v2/logout`, `/oidc/logout` and the end of sessions.

use super::authorize::{param, request};
use super::*;

impl TestTenant {
    /// Logs in and returns the cookie and the ID token.
    async fn session(&self) -> (String, String) {
        let clicked = self.click(&self.begin(&[]).await, "auth0|ada").await;
        let tokens = self.exchange(&param(&clicked, "code").unwrap(), &[]).await.json();
        let cookie = clicked.header("set-cookie").split(';').next().unwrap().to_owned();
        (cookie, tokens["id_token"].as_str().unwrap().to_owned())
    }

    async fn is_logged_in(&self, cookie: &str) -> bool {
        param(&self.get(&request(&[("prompt", "none")]), &[("cookie", cookie)]).await, "code").is_some()
    }
}

/// A tenant with logout URLs of its own, and two of the client.
fn tenant() -> TestTenant {
    let change = |bundle: &mut Bundle| {
        bundle.tenant.allowed_logout_urls = vec!["https://tenant.example/bye".to_owned()];
        let spa = bundle.clients.iter_mut().find(|client| client.client_id == "spa").unwrap();
        spa.allowed_logout_urls =
            vec!["https://app.example/out".to_owned(), "https://*.app.example".to_owned()];
    };
    TestTenant::with(change, accept)
}

#[tokio::test]
async fn a_logout_redirects_to_registered_urls_only() {
    let tenant = tenant();
    for (query, status, location) in [
        ("", 302, "https://tenant.example/bye"),
        ("?returnTo=https://tenant.example/bye", 302, "https://tenant.example/bye"),
        ("?returnTo=https://app.example/out", 400, ""),
        ("?client_id=spa", 302, "https://app.example/out"),
        ("?client_id=spa&returnTo=https://app.example/out?x=1", 302, "https://app.example/out?x=1"),
        ("?client_id=spa&returnTo=https://pr-1.app.example", 302, "https://pr-1.app.example"),
        ("?client_id=spa&returnTo=https://tenant.example/bye", 400, ""),
        ("?client_id=spa&returnTo=https://evil.example/", 400, ""),
        ("?client_id=unknown", 400, ""),
    ] {
        let (cookie, _) = tenant.session().await;
        let response = tenant.get(&format!("/v2/logout{query}"), &[("cookie", &cookie)]).await;
        assert_eq!((response.status, response.header("location")), (status, location), "{query}");
        assert_eq!(tenant.is_logged_in(&cookie).await, status == 400, "{query}");
    }
}

#[tokio::test]
async fn an_id_token_hint_ends_its_session_without_a_question() {
    let tenant = tenant();
    let (cookie, hint) = tenant.session().await;
    tenant.advance(40_000);
    let path = |hint: &str, more: &str| format!("/oidc/logout?id_token_hint={hint}{more}");
    let to = "&post_logout_redirect_uri=https://app.example/out&state=s";
    for refused in [
        path("forged.e30.x", to),
        path(&hint, "&client_id=other"),
        path(&hint, "&post_logout_redirect_uri=https://evil.example/"),
    ] {
        let response = tenant.get(&refused, &[("cookie", &cookie)]).await;
        assert_eq!((response.status, response.header("location")), (400, ""), "{refused}");
    }
    assert!(tenant.is_logged_in(&cookie).await);
    let out = tenant.get(&path(&hint, to), &[("cookie", &cookie)]).await;
    assert_eq!((out.status, out.header("location")), (302, "https://app.example/out?state=s"));
    assert!(!tenant.is_logged_in(&cookie).await);
}

#[tokio::test]
async fn without_a_hint_the_user_is_asked() {
    let tenant = tenant();
    let (cookie, _) = tenant.session().await;
    let to = [("client_id", "spa"), ("post_logout_redirect_uri", "https://app.example/out")];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(to).finish();
    let page = tenant.get(&format!("/oidc/logout?{query}"), &[("cookie", &cookie)]).await;
    assert!(page.status == 200 && page.text.contains("Log out?") && tenant.is_logged_in(&cookie).await);
    let hint = page.text.split("name=\"logout_hint\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = [&to[..], &[("logout_hint", hint)]].concat();
    let out = tenant.post_form("/oidc/logout", &form, &[("cookie", &cookie)]).await;
    assert_eq!(out.header("location"), "https://app.example/out");
    assert!(!tenant.is_logged_in(&cookie).await);
}

#[tokio::test]
async fn a_session_ends_when_it_idles_or_is_too_old() {
    let tenant = tenant();
    let (cookie, _) = tenant.session().await;
    for _ in 0..3 {
        tenant.advance(50 * 3600);
        assert!(tenant.is_logged_in(&cookie).await, "used within 72 hours");
    }
    tenant.advance(20 * 3600);
    assert!(!tenant.is_logged_in(&cookie).await, "older than 168 hours");
    let (cookie, _) = tenant.session().await;
    tenant.advance(73 * 3600);
    assert!(!tenant.is_logged_in(&cookie).await, "not used for 72 hours");
}
