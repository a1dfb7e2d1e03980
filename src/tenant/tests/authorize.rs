//! `/authorize`, the login page and codes.

use serde_json::json;

use super::*;
use crate::script::{Denied, DenyReason};

const CALLBACK: &str = "http://127.0.0.1:3000/callback";
// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The path of an authorization request; `change` replaces, adds or (with an empty value) removes parameters.
fn request(change: &[(&str, &str)]) -> String {
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

/// A parameter of the callback's URL.
fn param(reply: &Reply, name: &str) -> Option<String> {
    let location = reply.header("location");
    let url =
        url::Url::parse(location).unwrap_or_else(|_| panic!("{} {location} {}", reply.status, reply.text));
    assert!(location.starts_with("http://127.0.0.1:3000/callback?"), "{location}");
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

impl World {
    /// From `/authorize` to the login page: names the login under way.
    async fn begin(&self, change: &[(&str, &str)]) -> String {
        let reply = self.get(&request(change), &[]).await;
        let state = reply.header("location").strip_prefix("/u/login?state=");
        state.unwrap_or_else(|| panic!("{} {}", reply.status, reply.header("location"))).to_owned()
    }

    async fn click(&self, state: &str, user: &str) -> Reply {
        self.post_form("/u/login", &[("state", state), ("user", user)], &[]).await
    }

    async fn code(&self, user: &str) -> String {
        let reply = self.click(&self.begin(&[]).await, user).await;
        param(&reply, "code").unwrap()
    }

    async fn exchange(&self, code: &str, change: &[(&str, &str)]) -> Reply {
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
async fn one_click_becomes_a_code_and_a_code_becomes_tokens() {
    let world = World::open();
    let state = world.begin(&[]).await;
    let page = world.get(&format!("/u/login?state={state}"), &[]).await;
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
    let back = world.click(&state, "auth0|ada").await;
    assert_eq!((back.status, param(&back, "state").as_deref()), (302, Some("s&t")));
    let reply = world.exchange(&param(&back, "code").unwrap(), &[]).await;
    let claims = world.claims(&reply);
    assert_eq!((&claims["sub"], &claims["azp"]), (&json!("auth0|ada"), &json!("spa")));
    assert_eq!(claims["aud"], json!([PUBLIC, format!("{ISSUER}userinfo")]));
    assert!(claims.get("gty").is_none());
    let (_, id) = world.read(reply.json()["id_token"].as_str().unwrap());
    assert_eq!((&id["nonce"], &id["name"]), (&json!("n"), &json!("Ada Lovelace")));
    assert!(id["sid"].is_string());
}

#[tokio::test]
async fn email_and_password_do_too_and_can_be_mistyped() {
    let world = World::open();
    let state = world.begin(&[("login_hint", "grace@example.com")]).await;
    let page = world.get(&format!("/u/login?state={state}"), &[]).await;
    assert!(page.text.contains("value=\"grace@example.com\""));
    let log_in = async |password| {
        let form = [("state", state.as_str()), ("email", "Grace@example.com"), ("password", password)];
        world.post_form("/u/login", &form, &[]).await
    };
    let wrong = log_in("wrong").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("Wrong email or password."));
    assert!(param(&log_in("dev-only-grace").await, "code").is_some());
    assert_eq!(log_in("dev-only-grace").await.status, 400, "a login under way ends once");
}

#[tokio::test]
async fn a_code_is_good_once_for_whoever_asked_and_not_for_long() {
    let world = World::open();
    let code = world.code("auth0|ada").await;
    assert_eq!(world.exchange(&code, &[]).await.status, 200);
    let (status, error, told) = world.exchange(&code, &[]).await.error();
    assert_eq!((status, error.as_str(), told.as_str()), (403, "invalid_grant", "Invalid authorization code"));

    let wrong = "a".repeat(43);
    for (change, error) in [
        (("code_verifier", wrong.as_str()), "invalid_grant"),
        (("code_verifier", ""), "invalid_request"),
        (("redirect_uri", "http://127.0.0.1:3001/callback"), "unauthorized_client"),
        (("redirect_uri", ""), "unauthorized_client"),
    ] {
        let code = world.code("auth0|ada").await;
        assert_eq!(world.exchange(&code, &[change]).await.error().1, error, "{change:?}");
        assert_eq!(
            world.exchange(&code, &[]).await.error().1,
            "invalid_grant",
            "a code shown wrongly is spent"
        );
    }
    let code = world.code("auth0|ada").await;
    world.advance(60);
    assert_eq!(world.exchange(&code, &[]).await.error().1, "invalid_grant");
}

#[tokio::test]
async fn a_code_is_bound_to_its_client() {
    let world = World::with(
        |bundle| {
            let mut other = bundle.clients.iter().find(|client| client.client_id == "spa").unwrap().clone();
            other.client_id = "other".to_owned();
            bundle.clients.push(other);
        },
        pass,
    );
    let code = world.code("auth0|ada").await;
    let refused = world.exchange(&code, &[("client_id", "other")]).await;
    assert_eq!(refused.error().1, "invalid_grant");
}

#[tokio::test]
async fn a_wrong_client_or_callback_is_told_to_the_person_and_redirects_nowhere() {
    let world = World::open();
    for change in [
        ("client_id", "nobody"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "http://127.0.0.1:3000/callback/../x"),
        ("redirect_uri", "http://127.0.0.1:3000@evil.example/callback"),
        ("redirect_uri", "javascript:alert(1)"),
    ] {
        let reply = world.get(&request(&[change]), &[]).await;
        assert!(reply.status >= 400 && reply.header("location").is_empty(), "{change:?}");
        assert!(reply.text.contains("This login can not go on"));
    }
}

#[tokio::test]
async fn other_mistakes_go_back_to_the_application() {
    let world = World::open();
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
    ] {
        let reply = world.get(&request(&[change]), &[]).await;
        assert_eq!(param(&reply, "error").as_deref(), Some(error), "{change:?}");
        assert_eq!(param(&reply, "state").as_deref(), Some("s&t"));
        assert!(param(&reply, "error_description").is_some_and(|told| !told.is_empty()));
    }
}

#[tokio::test]
async fn a_denied_login_goes_back_with_the_rules_words_and_leaves_no_session() {
    let world = World::with(
        |_| {},
        |_, _| {
            let (rule, message) = ("gate".to_owned(), "not on a Sunday".to_owned());
            let reason = DenyReason::Unauthorized;
            Err(Denied { rule, reason, message, console: Vec::new(), fetches: Vec::new() })
        },
    );
    let back = world.click(&world.begin(&[]).await, "auth0|ada").await;
    assert_eq!(param(&back, "error").as_deref(), Some("unauthorized"));
    assert_eq!(param(&back, "error_description").as_deref(), Some("not on a Sunday"));
    assert_eq!(param(&back, "state").as_deref(), Some("s&t"));
    assert!(param(&back, "code").is_none() && back.header("set-cookie").is_empty());
}

#[tokio::test]
async fn a_session_speaks_for_the_person_until_it_is_too_old_or_ended() {
    let world = World::open();
    let back = world.click(&world.begin(&[]).await, "auth0|ada").await;
    let set = back.header("set-cookie");
    assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    let ask = async |change: &[(&str, &str)]| world.get(&request(change), &[("cookie", &cookie)]).await;

    let silent = ask(&[("prompt", "none")]).await;
    let claims = world.claims(&world.exchange(&param(&silent, "code").unwrap(), &[]).await);
    assert_eq!(claims["sub"], "auth0|ada");
    assert!(param(&ask(&[]).await, "code").is_some());
    assert!(ask(&[("prompt", "login")]).await.header("location").starts_with("/u/login"));
    world.advance(61);
    assert!(ask(&[("max_age", "60")]).await.header("location").starts_with("/u/login"));
    assert!(param(&ask(&[("max_age", "62")]).await, "code").is_some());
    // A session that speaks for the person is no login of theirs.
    let ada = world.tenant.0.people.find("auth0|ada").unwrap().unwrap();
    assert_eq!(ada.user["logins_count"], 1);

    let out =
        world.get("/v2/logout?client_id=spa&returnTo=http://localhost:3000/", &[("cookie", &cookie)]).await;
    assert_eq!((out.status, out.header("location")), (302, "http://localhost:3000/"));
    assert_eq!(param(&ask(&[("prompt", "none")]).await, "error").as_deref(), Some("login_required"));
    let evil = world.get("/v2/logout?client_id=spa&returnTo=https://evil.example/", &[]).await;
    assert_eq!((evil.status, evil.header("location")), (400, ""));
}

#[tokio::test]
async fn no_other_site_presses_the_buttons() {
    let world = World::open();
    let state = world.begin(&[]).await;
    let form = [("state", state.as_str()), ("user", "auth0|ada")];
    for origin in ["https://evil.example", "null", "http://127.0.0.1:3000"] {
        assert_eq!(world.post_form("/u/login", &form, &[("origin", origin)]).await.status, 403, "{origin}");
    }
    assert_eq!(world.post_form("/u/login", &form, &[("origin", "http://127.0.0.1:4002")]).await.status, 302);
    assert_eq!(world.click("nonsense", "auth0|ada").await.status, 400);
    let state = world.begin(&[]).await;
    assert_eq!(world.click(&state, "auth0|nobody").await.status, 400);
    world.advance(15 * 60);
    assert_eq!(world.click(&state, "auth0|ada").await.status, 400);
}

/// What auth0-spa-js waits for in a silent login's frame: the posted message.
fn posted(reply: &Reply) -> Value {
    assert_eq!((reply.status, reply.header("location")), (200, ""), "{}", reply.text);
    let (_, message) = reply.text.split_once(".postMessage(").unwrap();
    let (message, target) = message.rsplit_once(", \"http://127.0.0.1:3000\");").unwrap();
    assert!(target.starts_with("</script>"), "{target}");
    let message: Value = serde_json::from_str(message).unwrap();
    assert_eq!(message["type"], "authorization_response");
    message["response"].clone()
}

#[tokio::test]
async fn a_silent_login_is_answered_by_a_message() {
    let world = World::open();
    let silent = request(&[("response_mode", "web_message"), ("prompt", "none")]);
    let nobody = posted(&world.get(&silent, &[]).await);
    assert_eq!((&nobody["error"], &nobody["state"]), (&json!("login_required"), &json!("s&t")));

    // A popup: the login page keeps its opener, and the click posts.
    let state = world.begin(&[("response_mode", "web_message")]).await;
    let page = world.get(&format!("/u/login?state={state}"), &[]).await;
    assert_eq!(page.header("cross-origin-opener-policy"), "unsafe-none");
    let clicked = world.click(&state, "auth0|ada").await;
    assert!(posted(&clicked)["code"].is_string());

    let cookie = clicked.header("set-cookie").split(';').next().unwrap().to_owned();
    let answer = posted(&world.get(&silent, &[("cookie", &cookie)]).await);
    assert_eq!(answer["state"], "s&t");
    let tokens = world.exchange(answer["code"].as_str().unwrap(), &[]).await;
    assert_eq!(world.claims(&tokens)["sub"], "auth0|ada");
}

#[tokio::test]
async fn whoever_asks_how_long_ago_the_login_was_is_told_when_it_was() {
    let world = World::open();
    let clicked = world.click(&world.begin(&[]).await, "auth0|ada").await;
    let cookie = clicked.header("set-cookie").split(';').next().unwrap().to_owned();
    world.advance(100);
    for (max_age, auth_time) in [("", Value::Null), ("3600", json!(NOW))] {
        let reply = world.get(&request(&[("max_age", max_age)]), &[("cookie", &cookie)]).await;
        let tokens = world.exchange(&param(&reply, "code").unwrap(), &[]).await.json();
        let (_, claims) = world.read(tokens["id_token"].as_str().unwrap());
        assert_eq!(claims["auth_time"], auth_time, "max_age={max_age}");
    }
}
