//! Faults and the moved clock.

use serde_json::json;

use super::*;

impl TestTenant {
    async fn post_json(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> TestResponse {
        let json = [("content-type", "application/json")];
        let headers = [headers, if headers.is_empty() { &json[..] } else { &[] }].concat();
        self.send(with_headers(warp::http::Request::post(path), &headers), &body.to_string()).await
    }

    async fn fault(&self, fault: Value) {
        let added = self.post_json("/dev/faults", &fault, &[]).await;
        assert_eq!(
            (added.status, added.json()["path"].clone()),
            (201, fault["path"].clone()),
            "{}",
            added.text
        );
    }
}

const DISCOVERY: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn a_path_fails_as_asked_and_as_often() {
    let tenant = TestTenant::open();
    tenant.fault(json!({"path": DISCOVERY, "answer": 503, "times": 2})).await;
    for status in [503, 503, 200] {
        let response = tenant.get(DISCOVERY, &[]).await;
        assert_eq!(response.status, status);
        assert_eq!(response.json().get("error").is_some(), status == 503);
    }
    tenant.fault(json!({"path": "/api/v2/*", "method": "GET", "answer": 429})).await;
    let limited = tenant.get("/api/v2/users/x", &[]).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, "1"));
    assert_eq!(
        (limited.header("x-ratelimit-remaining"), limited.json()["errorCode"].as_str()),
        ("0", Some("too_many_requests"))
    );
    assert_eq!(limited.header("x-ratelimit-reset"), (NOW + 1).to_string());
    assert_eq!(tenant.get(DISCOVERY, &[]).await.status, 200);
    let delete = with_headers(warp::http::Request::delete("/dev/faults"), &[]);
    assert_eq!(tenant.send(delete, "").await.status, 204);
    assert_eq!(tenant.get("/api/v2/users/x", &[]).await.status, 401);
    assert_eq!(tenant.get("/dev/faults", &[]).await.json(), json!({"faults": []}));
}

#[tokio::test]
async fn bodies_are_html_or_cut_in_half() {
    let tenant = TestTenant::open();
    let whole = tenant.get(DISCOVERY, &[]).await.text;
    tenant.fault(json!({"path": DISCOVERY, "answer": "truncated", "times": 1})).await;
    let cut = tenant.get(DISCOVERY, &[]).await;
    assert_eq!((cut.status, cut.text.as_str()), (200, &whole[..whole.len() / 2]));
    tenant.fault(json!({"path": DISCOVERY, "answer": "html", "times": 1})).await;
    let html = tenant.get(DISCOVERY, &[]).await;
    assert_eq!((html.status, html.header("content-type")), (502, "text/html"));
}

#[tokio::test]
async fn a_response_is_late_or_does_not_come() {
    let tenant = TestTenant::open();
    tenant.fault(json!({"path": DISCOVERY, "delay_ms": 50, "times": 1})).await;
    let started = tokio::time::Instant::now();
    assert_eq!(tenant.get(DISCOVERY, &[]).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(50));
    tenant.fault(json!({"path": DISCOVERY, "answer": "none", "times": 1})).await;
    let response = tokio::time::timeout(Duration::from_millis(300), tenant.get(DISCOVERY, &[])).await;
    assert!(response.is_err(), "a response came");
    assert_eq!(tenant.get(DISCOVERY, &[]).await.status, 200);
}

#[tokio::test]
async fn tokens_expire_when_the_clock_is_moved() {
    let tenant = TestTenant::open();
    let token = tenant.user_tokens("ada", &[("scope", "openid")]).await.json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    for (seconds, status) in [(86_399, 200), (86_401, 401), (0, 200)] {
        let moved = tenant.post_json("/dev/clock", &json!({"seconds": seconds}), &[]).await.json();
        assert_eq!(moved["seconds"], seconds);
        assert_eq!(tenant.get("/userinfo", &[("authorization", &bearer)]).await.status, status, "{seconds}");
    }
}

#[tokio::test]
async fn nonsense_and_other_sites_pages_are_refused() {
    let tenant = TestTenant::open();
    for fault in [
        json!({}),
        json!({"path": "x"}),
        json!({"path": "/", "answer": 200}),
        json!({"path": "/", "times": 0}),
        json!({"path": "/", "delay_ms": 600_001}),
        json!({"path": "/", "unknown": 1}),
    ] {
        assert_eq!(tenant.post_json("/dev/faults", &fault, &[]).await.status, 400, "{fault}");
    }
    assert_eq!(tenant.post_json("/dev/clock", &json!({"seconds": 400_000_000}), &[]).await.status, 400);
    let fault = json!({"path": "/*", "answer": 500});
    for headers in [
        [("content-type", "text/plain"), ("x-a", "b")],
        [("content-type", "application/json"), ("origin", "https://evil.example")],
    ] {
        assert_eq!(tenant.post_json("/dev/faults", &fault, &headers).await.status, 403, "{headers:?}");
    }
    let delete =
        with_headers(warp::http::Request::delete("/dev/faults"), &[("origin", "https://evil.example")]);
    assert_eq!(tenant.send(delete, "").await.status, 405);
}

#[tokio::test]
async fn rotated_keys_sign_and_older_ones_still_verify() {
    let tenant = TestTenant::open();
    let kid = async || {
        let token = tenant.machine_tokens("reports", INTERNAL).await.json();
        tenant.decode(token["access_token"].as_str().unwrap()).0.kid.unwrap()
    };
    let before = kid().await;
    let rotate =
        with_headers(warp::http::Request::post("/dev/keys/rotate"), &[("origin", "https://evil.example")]);
    assert_eq!(tenant.send(rotate, "").await.status, 405);
    assert_eq!(kid().await, before);
    let rotate = with_headers(warp::http::Request::post("/dev/keys/rotate"), &[]);
    assert_eq!(tenant.send(rotate, "").await.status, 204);
    assert_ne!(kid().await, before);
    let keys = tenant.get("/.well-known/jwks.json", &[]).await.json();
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == before.as_str()), "{keys}");
}
