//! What every request meets: the host check, routing, bounds, CORS, discovery.

use serde_json::json;
use warp::http;

use super::*;

#[tokio::test]
async fn discovery_and_keys_are_public_and_agree() {
    let world = World::open();
    let found = world.get("/.well-known/openid-configuration", &[("origin", "http://localhost:5173")]).await;
    let document = found.json();
    assert_eq!(document["issuer"], ISSUER);
    assert_eq!(document["token_endpoint"], format!("{ISSUER}oauth/token"));
    assert_eq!(found.header("access-control-allow-origin"), "http://localhost:5173");
    let keys = document["jwks_uri"].as_str().unwrap().strip_prefix("http://127.0.0.1:4002").unwrap();
    assert_eq!(world.get(keys, &[]).await.json(), world.tenant.0.key.jwks());
}

#[tokio::test]
async fn names_that_are_not_loopback_are_misdirected() {
    let world = World::open();
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
        let request = http::Request::get("/.well-known/jwks.json").header("host", host.as_bytes());
        assert_eq!(world.send(request, "").await.status, status, "{host}");
    }
    let nameless = http::Request::get("/.well-known/jwks.json");
    assert_eq!(world.send(nameless, "").await.status, 421);
}

#[tokio::test]
async fn unknown_paths_methods_and_bodies_have_answers_of_their_own() {
    let world = World::open();
    assert_eq!(world.get("/nope", &[]).await.status, 404);
    let wrong_method = world.get("/oauth/token", &[]).await;
    assert_eq!((wrong_method.status, wrong_method.header("allow")), (405, "POST"));
    let long = "x".repeat(64 * 1024 + 1);
    let long = world.token(&[("grant_type", &long)]).await;
    assert_eq!((long.status, long.error().1.as_str()), (413, "invalid_request"));
    let headers = [("content-type", "text/plain")];
    let request = with_headers(http::Request::post("/oauth/token"), &headers);
    assert_eq!(world.send(request, "grant_type=x").await.error().1, "invalid_request");
    assert_eq!(world.send(with_headers(http::Request::put("/authorize"), &[]), "").await.status, 405);
}

#[tokio::test]
async fn browsers_may_read_from_a_clients_origins_alone() {
    let world = World::open();
    for (origin, allowed) in [
        ("http://localhost:5173", true),
        ("http://127.0.0.1:3000", true),
        ("https://evil.example", false),
        ("http://localhost.evil:1", false),
        ("null", false),
    ] {
        let request = http::Request::options("/oauth/token");
        let preflight = world.send(with_headers(request, &[("origin", origin)]), "").await;
        assert_eq!((preflight.status, preflight.header("vary")), (204, "Origin"));
        let expected = if allowed { origin } else { "" };
        assert_eq!(preflight.header("access-control-allow-origin"), expected, "{origin}");
        assert!(!preflight.headers.contains_key("access-control-allow-credentials"));
    }
    let page = world.get("/authorize", &[("origin", "http://localhost:5173")]).await;
    assert!(!page.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn someone_signs_up_once_and_logs_in() {
    let world = World::open();
    let sign_up = async |email: &str, password: &str| {
        let connection = ("connection", people::CONNECTION);
        let form = [("client_id", "spa"), connection, ("email", email), ("password", password)];
        world.post_form("/dbconnections/signup", &form, &[]).await
    };
    let new = sign_up("New@example.com", "long enough").await;
    assert_eq!((new.status, &new.json()["email_verified"]), (200, &json!(false)));
    assert_eq!(new.json()["email"], "new@example.com");
    assert_eq!(sign_up("new@example.com", "long enough").await.json()["code"], "invalid_signup");
    assert_eq!(sign_up("ada@example.com", "long enough").await.json()["code"], "invalid_signup");
    assert_eq!(sign_up("x@example.com", "short").await.json()["code"], "invalid_password");
    assert_eq!(sign_up("nonsense", "long enough").await.json()["code"], "invalid_signup");

    let grant = [("grant_type", "password"), ("client_id", "spa"), ("audience", PUBLIC)];
    let log_in = async |password| {
        world
            .token(&[grant.as_slice(), &[("username", "new@example.com"), ("password", password)]].concat())
            .await
    };
    let claims = world.claims(&log_in("long enough").await);
    assert_eq!(claims["sub"], format!("auth0|{}", new.json()["_id"].as_str().unwrap()));
    assert_eq!(log_in("wrong enough").await.error().1, "invalid_grant");
}
