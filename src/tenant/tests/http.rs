//! The host check, routing, limits, CORS and discovery.

use super::*;

#[tokio::test]
async fn discovery_names_the_keys_and_both_are_public() {
    let tenant = TestTenant::open();
    let found = tenant.get("/.well-known/openid-configuration", &[("origin", "http://localhost:5173")]).await;
    let document = found.json();
    assert_eq!(document["issuer"], ISSUER);
    assert_eq!(document["token_endpoint"], format!("{ISSUER}oauth/token"));
    assert_eq!(found.header("access-control-allow-origin"), "*");
    let keys = document["jwks_uri"].as_str().unwrap().strip_prefix("http://127.0.0.1:4002").unwrap();
    assert_eq!(tenant.get(keys, &[]).await.json(), tenant.tenant.0.load().key.jwks);
}

#[tokio::test]
async fn names_that_are_not_loopback_are_misdirected() {
    let tenant = TestTenant::open();
    for (host, status) in [
        ("127.0.0.1:4002", 200),
        ("localhost:4002", 200),
        ("LOCALHOST", 200),
        ("[::1]:4002", 200),
        ("127.1.2.3", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil", 421),
        ("0.0.0.0", 421),
        ("u@evil:1@x", 421),
        ("ü", 421),
    ] {
        let request = warp::http::Request::get("/.well-known/jwks.json").header("host", host.as_bytes());
        assert_eq!(tenant.send(request, "").await.status, status, "{host}");
    }
    let nameless = warp::http::Request::get("/.well-known/jwks.json");
    assert_eq!(tenant.send(nameless, "").await.status, 421);
}

#[tokio::test]
async fn unknown_paths_methods_and_bodies_get_their_own_errors() {
    let tenant = TestTenant::open();
    assert_eq!(tenant.get("/nope", &[]).await.status, 404);
    let wrong_method = tenant.get("/oauth/token", &[]).await;
    assert_eq!((wrong_method.status, wrong_method.header("allow")), (405, "POST"));
    let long = "x".repeat(64 * 1024 + 1);
    let long = tenant.token(&[("grant_type", &long)]).await;
    assert_eq!((long.status, long.error().1.as_str()), (413, "invalid_request"));
    let headers = [("content-type", "text/plain")];
    let request = with_headers(warp::http::Request::post("/oauth/token"), &headers);
    assert_eq!(tenant.send(request, "grant_type=x").await.error().1, "invalid_request");
    assert_eq!(tenant.send(with_headers(warp::http::Request::put("/authorize"), &[]), "").await.status, 405);
}

#[tokio::test]
async fn only_a_clients_origins_may_read_responses() {
    let tenant = TestTenant::open();
    let asked = |origin| [("origin", origin), ("access-control-request-headers", "auth0-client, dpop")];
    for (origin, allowed) in [
        ("http://localhost:5173", true),
        ("http://127.0.0.1:3000", true),
        ("https://evil.example", false),
        ("http://localhost.evil:1", false),
        ("null", false),
    ] {
        let request = warp::http::Request::options("/oauth/token");
        let preflight = tenant.send(with_headers(request, &asked(origin)), "").await;
        assert_eq!((preflight.status, preflight.header("vary")), (204, "Origin"));
        let headers = preflight.header("access-control-allow-headers");
        assert_eq!(headers, if allowed { "auth0-client, dpop" } else { "" });
        let expected = if allowed { origin } else { "" };
        assert_eq!(preflight.header("access-control-allow-origin"), expected, "{origin}");
        assert!(!preflight.headers.contains_key("access-control-allow-credentials"));
    }
    let page = tenant.get("/authorize", &[("origin", "http://localhost:5173")]).await;
    assert!(!page.headers.contains_key("access-control-allow-origin"));
}
