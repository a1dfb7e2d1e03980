//! `/authorize`, the login page and codes.

use serde_json::json;

use super::*;
use crate::script::{Denied, DenyReason};

pub(super) const CALLBACK: &str = "http://127.0.0.1:3000/callback";
// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The path of an authorization request; `change` replaces, adds or (with an empty value) removes parameters.
pub(super) fn request(change: &[(&str, &str)]) -> String {
    let mut params = BTreeMap::from([
        ("response_type", "code"),
        ("client_id", "spa"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid profile"),
        ("audience", PUBLIC),
        ("state", "s&t"),
        ("nonce", "n"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    params.extend(change.iter().copied());
    params.retain(|_, value| !value.is_empty());
    format!(
        "/authorize?{}",
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish()
    )
}

/// A parameter of the redirect to the callback.
pub(super) fn param(response: &TestResponse, name: &str) -> Option<String> {
    let location = response.header("location");
    let url = url::Url::parse(location)
        .unwrap_or_else(|_| panic!("{} {location} {}", response.status, response.text));
    assert!(location.starts_with("http://127.0.0.1:3000/callback?"), "{location}");
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

impl TestTenant {
    /// Starts a login and returns its state.
    pub(super) async fn begin(&self, change: &[(&str, &str)]) -> String {
        let response = self.get(&request(change), &[]).await;
        let state = response.header("location").strip_prefix("/u/login?state=");
        state.unwrap_or_else(|| panic!("{} {}", response.status, response.header("location"))).to_owned()
    }

    pub(super) async fn click(&self, state: &str, user: &str) -> TestResponse {
        self.post_form("/u/login", &[("state", state), ("user", user)], &[]).await
    }

    async fn code(&self, user: &str) -> String {
        let response = self.click(&self.begin(&[]).await, user).await;
        param(&response, "code").unwrap()
    }

    pub(super) async fn exchange(&self, code: &str, change: &[(&str, &str)]) -> TestResponse {
        let mut form = BTreeMap::from([
            ("grant_type", "authorization_code"),
            ("client_id", "spa"),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("code", code),
        ]);
        form.extend(change.iter().copied());
        self.token(&form.into_iter().collect::<Vec<_>>()).await
    }
}

#[tokio::test]
async fn a_one_click_login_gives_a_code_and_the_code_tokens() {
    let tenant = TestTenant::open();
    let state = tenant.begin(&[]).await;
    let page = tenant.get(&format!("/u/login?state={state}"), &[]).await;
    assert_eq!(page.status, 200);
    for shown in [
        "value=\"auth0|ada\"",
        "Grace Hopper",
        "email not verified",
        "Development tenant",
        "Log in to Frontend",
    ] {
        assert!(page.text.contains(shown), "{shown}");
    }
    let back = tenant.click(&state, "auth0|ada").await;
    assert_eq!((back.status, param(&back, "state").as_deref()), (302, Some("s&t")));
    let response = tenant.exchange(&param(&back, "code").unwrap(), &[]).await;
    let claims = tenant.claims(&response);
    assert_eq!((&claims["sub"], &claims["azp"]), (&json!("auth0|ada"), &json!("spa")));
    assert_eq!(claims["aud"], json!([PUBLIC, format!("{ISSUER}userinfo")]));
    assert!(claims.get("gty").is_none());
    let (_, id) = tenant.decode(response.json()["id_token"].as_str().unwrap());
    assert_eq!((&id["nonce"], &id["name"]), (&json!("n"), &json!("Ada Lovelace")));
    assert!(id["sid"].is_string());
}

#[tokio::test]
async fn a_login_by_email_and_password_allows_a_second_try() {
    let tenant = TestTenant::open();
    let state = tenant.begin(&[("login_hint", "grace@example.com")]).await;
    let page = tenant.get(&format!("/u/login?state={state}"), &[]).await;
    assert!(page.text.contains("value=\"grace@example.com\""));
    let log_in = async |password| {
        let form = [("state", state.as_str()), ("email", "Grace@example.com"), ("password", password)];
        tenant.post_form("/u/login", &form, &[]).await
    };
    let wrong = log_in("wrong").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("Wrong email or password."));
    assert!(param(&log_in("dev-only-grace").await, "code").is_some());
    assert_eq!(log_in("dev-only-grace").await.status, 400, "a login can be completed once");
}

#[tokio::test]
async fn a_code_works_once_with_its_verifier_and_callback_and_expires() {
    let tenant = TestTenant::open();
    let code = tenant.code("auth0|ada").await;
    assert_eq!(tenant.exchange(&code, &[]).await.status, 200);
    let (status, error, description) = tenant.exchange(&code, &[]).await.error();
    assert_eq!(
        (status, error.as_str(), description.as_str()),
        (403, "invalid_grant", "Invalid authorization code")
    );

    let wrong = "a".repeat(43);
    for (change, error) in [
        (("code_verifier", wrong.as_str()), "invalid_grant"),
        (("code_verifier", ""), "invalid_request"),
        (("redirect_uri", "http://127.0.0.1:3001/callback"), "unauthorized_client"),
        (("redirect_uri", ""), "unauthorized_client"),
    ] {
        let code = tenant.code("auth0|ada").await;
        assert_eq!(tenant.exchange(&code, &[change]).await.error().1, error, "{change:?}");
        assert_eq!(
            tenant.exchange(&code, &[]).await.error().1,
            "invalid_grant",
            "a code presented wrongly is spent"
        );
    }
    let code = tenant.code("auth0|ada").await;
    tenant.advance(60);
    assert_eq!(tenant.exchange(&code, &[]).await.error().1, "invalid_grant");
}

#[tokio::test]
async fn a_code_is_bound_to_its_client() {
    let tenant = TestTenant::with_other_client();
    let code = tenant.code("auth0|ada").await;
    let refused = tenant.exchange(&code, &[("client_id", "other")]).await;
    assert_eq!(refused.error().1, "invalid_grant");
}

#[tokio::test]
async fn a_wrong_client_or_callback_shows_an_error_page_and_does_not_redirect() {
    let tenant = TestTenant::open();
    for change in [
        ("client_id", "unknown"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "http://127.0.0.1:3000/callback/../x"),
        ("redirect_uri", "http://127.0.0.1:3000@evil.example/callback"),
        ("redirect_uri", "javascript:alert(1)"),
    ] {
        let response = tenant.get(&request(&[change]), &[]).await;
        assert!(response.status >= 400 && response.header("location").is_empty(), "{change:?}");
        assert!(response.text.contains("This login cannot continue"));
    }
}

#[tokio::test]
async fn other_errors_go_to_the_callback() {
    let tenant = TestTenant::open();
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", ""), "invalid_request"),
        (("response_mode", "telepathy"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("audience", "https://nope/"), "access_denied"),
        (("prompt", "none"), "login_required"),
        (("response_mode", "fragment+"), "invalid_request"),
        (("connection", "unknown"), "invalid_request"),
        (("organization", "org_unknown"), "invalid_request"),
        (("request", "e30.e30."), "request_not_supported"),
        (("request_uri", "https://x.example"), "request_uri_not_supported"),
        (("dpop_jkt", "x"), "invalid_request"),
        (("authorization_details", "[]"), "invalid_request"),
        (("max_age", "soon"), "invalid_request"),
    ] {
        let response = tenant.get(&request(&[change]), &[]).await;
        assert_eq!(param(&response, "error").as_deref(), Some(error), "{change:?}");
        assert_eq!(param(&response, "state").as_deref(), Some("s&t"));
        assert!(param(&response, "error_description").is_some_and(|description| !description.is_empty()));
    }
}

#[tokio::test]
async fn a_denied_login_returns_the_rules_message_and_creates_no_session() {
    let tenant = TestTenant::with(
        |_| {},
        |_, _| Err(Denied::new("gate", DenyReason::Unauthorized, "not on a Sunday")),
    );
    let back = tenant.click(&tenant.begin(&[]).await, "auth0|ada").await;
    assert_eq!(param(&back, "error").as_deref(), Some("unauthorized"));
    assert_eq!(param(&back, "error_description").as_deref(), Some("not on a Sunday"));
    assert_eq!(param(&back, "state").as_deref(), Some("s&t"));
    assert!(param(&back, "code").is_none() && back.header("set-cookie").is_empty());
}

#[tokio::test]
async fn a_session_logs_in_until_it_is_too_old_or_ended() {
    let tenant = TestTenant::open();
    let back = tenant.click(&tenant.begin(&[]).await, "auth0|ada").await;
    let set = back.header("set-cookie");
    assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    let ask = async |change: &[(&str, &str)]| tenant.get(&request(change), &[("cookie", &cookie)]).await;

    let silent = ask(&[("prompt", "none")]).await;
    let claims = tenant.claims(&tenant.exchange(&param(&silent, "code").unwrap(), &[]).await);
    assert_eq!(claims["sub"], "auth0|ada");
    assert!(param(&ask(&[]).await, "code").is_some());
    assert!(ask(&[("prompt", "login")]).await.header("location").starts_with("/u/login"));
    tenant.advance(61);
    assert!(ask(&[("max_age", "60")]).await.header("location").starts_with("/u/login"));
    assert!(param(&ask(&[("max_age", "62")]).await, "code").is_some());
    // A login by session is not counted.
    let ada = tenant.tenant.0.load().users.find("auth0|ada").unwrap().unwrap();
    assert_eq!(ada.user["logins_count"], 1);

    let out =
        tenant.get("/v2/logout?client_id=spa&returnTo=http://localhost:3000/", &[("cookie", &cookie)]).await;
    assert_eq!((out.status, out.header("location")), (302, "http://localhost:3000/"));
    assert_eq!(param(&ask(&[("prompt", "none")]).await, "error").as_deref(), Some("login_required"));
    let evil = tenant.get("/v2/logout?client_id=spa&returnTo=https://evil.example/", &[]).await;
    assert_eq!((evil.status, evil.header("location")), (400, ""));
}

#[tokio::test]
async fn a_form_from_another_site_is_refused() {
    let tenant = TestTenant::open();
    let state = tenant.begin(&[]).await;
    let form = [("state", state.as_str()), ("user", "auth0|ada")];
    for origin in ["https://evil.example", "null", "http://127.0.0.1:3000"] {
        assert_eq!(tenant.post_form("/u/login", &form, &[("origin", origin)]).await.status, 403, "{origin}");
    }
    assert_eq!(tenant.post_form("/u/login", &form, &[("origin", "http://127.0.0.1:4002")]).await.status, 302);
    assert_eq!(tenant.click("nonsense", "auth0|ada").await.status, 400);
    let state = tenant.begin(&[]).await;
    assert_eq!(tenant.click(&state, "auth0|unknown").await.status, 400);
    tenant.advance(15 * 60);
    assert_eq!(tenant.click(&state, "auth0|ada").await.status, 400);
}

/// The posted message that auth0-spa-js waits for in a silent login's frame.
fn posted(response: &TestResponse) -> Value {
    assert_eq!((response.status, response.header("location")), (200, ""), "{}", response.text);
    let (_, message) = response.text.split_once(".postMessage(").unwrap();
    let (message, target) = message.rsplit_once(", \"http://127.0.0.1:3000\");").unwrap();
    assert!(target.starts_with("</script>"), "{target}");
    let message: Value = serde_json::from_str(message).unwrap();
    assert_eq!(message["type"], "authorization_response");
    message["response"].clone()
}

#[tokio::test]
async fn a_silent_login_gets_a_web_message() {
    let tenant = TestTenant::open();
    let silent = request(&[("response_mode", "web_message"), ("prompt", "none")]);
    let no_session = posted(&tenant.get(&silent, &[]).await);
    assert_eq!((&no_session["error"], &no_session["state"]), (&json!("login_required"), &json!("s&t")));

    // A popup: the login page keeps its opener, and the click posts.
    let state = tenant.begin(&[("response_mode", "web_message")]).await;
    let page = tenant.get(&format!("/u/login?state={state}"), &[]).await;
    assert_eq!(page.header("cross-origin-opener-policy"), "unsafe-none");
    let clicked = tenant.click(&state, "auth0|ada").await;
    assert!(posted(&clicked)["code"].is_string());

    let cookie = clicked.header("set-cookie").split(';').next().unwrap().to_owned();
    let message = posted(&tenant.get(&silent, &[("cookie", &cookie)]).await);
    assert_eq!(message["state"], "s&t");
    let tokens = tenant.exchange(message["code"].as_str().unwrap(), &[]).await;
    assert_eq!(tenant.claims(&tokens)["sub"], "auth0|ada");
}

#[tokio::test]
async fn auth_time_is_in_the_id_token_when_max_age_was_requested() {
    let tenant = TestTenant::open();
    let clicked = tenant.click(&tenant.begin(&[]).await, "auth0|ada").await;
    let cookie = clicked.header("set-cookie").split(';').next().unwrap().to_owned();
    tenant.advance(100);
    for (max_age, auth_time) in [("", Value::Null), ("3600", json!(NOW))] {
        let response = tenant.get(&request(&[("max_age", max_age)]), &[("cookie", &cookie)]).await;
        let tokens = tenant.exchange(&param(&response, "code").unwrap(), &[]).await.json();
        let (_, claims) = tenant.decode(tokens["id_token"].as_str().unwrap());
        assert_eq!(claims["auth_time"], auth_time, "max_age={max_age}");
    }
}
