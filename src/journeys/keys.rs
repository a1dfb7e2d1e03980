//! Signing keys over HTTP: rotation, removal, floods of unknown keys, bad responses, a start without Auth0.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::auth0_stub::{Auth0Stub, KeysReply};
use crate::test_server::{NAMESPACE, PUBLIC, TestServer, manual_clock};
use crate::tokens::{self, jwk};
use crate::waiting::wait_until;

/// A token with a payload, signed with the published key or with the other one.
pub(crate) fn token(server: &TestServer, kid: &str, first: bool) -> String {
    let mut claims = server.auth0.claims("auth0|1", PUBLIC);
    let user = server.insert_user("auth0|1");
    claims[format!("{NAMESPACE}user")] = json!({"id": user.id, "auth0Id": "auth0|1", "roles": []});
    tokens::sign_with_header(&json!({"alg": "RS256", "kid": kid}), &claims, first)
}

pub(crate) fn publish(server: &TestServer, keys: &[Value]) {
    server.auth0.publish_keys(&json!({ "keys": keys }).to_string());
}

/// Makes the doors fetch the keys, and waits until they are in use.
pub(crate) fn refresh(server: &TestServer) {
    let keys = server.doors().services().gate.keys();
    // A fetch begins only when the one before has been applied.
    for _ in 0..2 {
        let before = keys.fetches();
        keys.refresh();
        wait_until("the keys are fetched", || keys.fetches() > before);
    }
}

#[test]
fn a_removed_key_stops_verifying_at_once_even_for_cached_tokens() {
    let server = TestServer::open(&[]);
    let old = token(&server, "stub", true);
    for _ in 0..3 {
        assert_eq!(server.me(&old).status, 200);
    }
    publish(&server, &[jwk("next", false)]);
    refresh(&server);
    assert_eq!(server.me(&old).code().as_deref(), Some("UNKNOWN_KEY"));
    assert_eq!(server.me(&token(&server, "next", false)).status, 200);
}

#[test]
fn a_reused_key_id_does_not_keep_the_old_key() {
    let server = TestServer::open(&[]);
    let old = token(&server, "stub", true);
    assert_eq!(server.me(&old).status, 200);
    publish(&server, &[jwk("stub", false)]);
    refresh(&server);
    assert_eq!(server.me(&old).code().as_deref(), Some("BAD_SIGNATURE"));
}

#[test]
fn a_new_key_is_fetched_once_for_all_concurrent_first_tokens() {
    let server = TestServer::open(&[]);
    publish(&server, &[jwk("stub", true), jwk("next", false)]);
    let new = token(&server, "next", false);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(|| server.me(&new).status)).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(server.doors().services().gate.keys().fetches(), 2, "one at the start, one for all tokens");
}

#[test]
fn frequent_key_rotations_refuse_no_token() {
    let server = TestServer::open(&[]);
    for i in 0..6 {
        let (kid, first) = (format!("rotated-{i}"), i % 2 == 0);
        publish(&server, &[jwk(&kid, first)]);
        assert_eq!(server.me(&token(&server, &kid, first)).status, 200, "{kid}");
    }
    assert_eq!(server.doors().services().gate.keys().fetches(), 7);
}

#[test]
fn a_flood_of_unknown_keys_causes_one_fetch() {
    let server = TestServer::open(&[]);
    let claims = server.auth0.claims("auth0|1", PUBLIC);
    for i in 0..200 {
        // The signature of an unknown key is not checked.
        let flood =
            tokens::sign_with_header(&json!({"alg": "RS256", "kid": format!("unknown-{i}")}), &claims, true);
        assert_eq!(server.me(&flood).code().as_deref(), Some("UNKNOWN_KEY"));
    }
    assert_eq!(server.doors().services().gate.keys().fetches(), 2);
    assert_eq!(server.me(&token(&server, "stub", true)).status, 200);
}

/// Advances the clock by a minute, with two tokens a second.
#[test]
fn a_minute_of_unknown_keys_causes_at_most_three_fetches() {
    let clock = manual_clock();
    let server = TestServer::open_with_clock(clock.clone(), &[]);
    let claims = server.auth0.claims("auth0|1", PUBLIC);
    let good = token(&server, "stub", true);
    let before = server.doors().services().gate.keys().fetches();
    for i in 0..120 {
        let header = json!({"alg": "RS256", "kid": format!("unknown-{i}")});
        let flood = tokens::sign_with_header(&header, &claims, true);
        assert_eq!(server.me(&flood).code().as_deref(), Some("UNKNOWN_KEY"));
        clock.advance(Duration::from_millis(500));
    }
    let caused = server.doors().services().gate.keys().fetches() - before;
    assert!((1..=3).contains(&caused), "{caused}");
    assert_eq!(server.me(&good).status, 200);
}

#[test]
fn keys_are_dropped_at_their_maximum_age() {
    let clock = manual_clock();
    let mut server = TestServer::open_with_clock(clock.clone(), &["claims.keys_max_age=2h"]);
    let good = token(&server, "stub", true);
    assert_eq!(server.me(&good).status, 200);
    server.auth0.stop();
    clock.advance(Duration::from_secs(3000));
    assert_eq!(server.me(&good).status, 200, "Auth0 is down, and its keys are still in use");
    clock.advance(Duration::from_secs(2 * 3600));
    assert_eq!(server.me(&good).code().as_deref(), Some("KEYS_UNAVAILABLE"), "cached or not");
    let ready = server.public().replace("/graphql", "/readyz");
    assert_eq!(server.http.get(&ready, &[]).unwrap().status, 503);
}

#[test]
fn a_bad_response_never_replaces_a_good_key_set() {
    let server = TestServer::open(&["auth0.timeout=500ms"]);
    let good = token(&server, "stub", true);
    let mut private = jwk("leak", false);
    private["d"] = json!("AQAB");
    for bad in [
        "<html>Down for maintenance</html>".to_owned(),
        json!({"keys": []}).to_string(),
        json!({"keys": [private, jwk("stub", true)]}).to_string(),
        json!({"keys": [{"kty": "oct", "k": "AQAB", "kid": "stub"}]}).to_string(),
        format!("{{\"keys\":[],\"padding\":\"{}\"}}", "x".repeat(100 * 1024)),
        String::new(),
    ] {
        server.auth0.publish_keys(&bad);
        refresh(&server);
        assert_eq!(server.me(&good).status, 200, "{bad:.60}");
    }
    for bad in [KeysReply::Redirect, KeysReply::Endless, KeysReply::Hangs] {
        server.auth0.answer_keys_with(bad.clone());
        refresh(&server);
        assert_eq!(server.me(&good).status, 200, "{bad:?}");
    }
    assert_eq!(server.auth0.calls("/elsewhere"), 0, "a redirect is not followed");
}

/// The body of `/readyz` at the public door.
fn readyz(server: &TestServer) -> (u16, Value) {
    let answer = server.http.get(&server.public().replace("/graphql", "/readyz"), &[]).unwrap();
    (answer.status, answer.json())
}

#[test]
fn readyz_names_each_key_that_cannot_be_used_and_why() {
    let mut encrypts = jwk("enc-1", false);
    encrypts["use"] = json!("enc");
    let only = json!({"keys": [encrypts]}).to_string();
    let server = TestServer::open_without_waiting(&[], |auth0| auth0.publish_keys(&only));
    let problem = || readyz(&server).1["issuers"][0]["problems"][0].as_str().unwrap_or_default().to_owned();
    let reason = "key `enc-1`: its `use` is `enc`, not `sig`";
    wait_until("the reason is known", || problem().contains(reason));
    assert_eq!(readyz(&server).0, 503);
    // With a good key beside it, the door is ready and still names it.
    publish(&server, &[encrypts, jwk("stub", true)]);
    refresh(&server);
    assert_eq!((readyz(&server).0, problem()), (200, reason.to_owned()));
    publish(&server, &[jwk("stub", true)]);
    refresh(&server);
    assert_eq!(readyz(&server).1["issuers"][0]["problems"], json!([]));
}

#[test]
fn an_additional_issuer_that_is_down_is_named_and_does_not_make_the_door_unready() {
    let mut other = Auth0Stub::start();
    other.stop();
    let also = format!("auth0.also=[{{issuer=\"{}\"}}]", other.issuer);
    let server = TestServer::open_without_waiting(&[&also], |_| {});
    wait_until("the tenant's keys are known", || readyz(&server).0 == 200);
    let named = || readyz(&server).1["issuers"][1].clone();
    wait_until("the failure is known", || named()["problems"] != json!([]));
    assert_eq!((&named()["issuer"], &named()["ready"]), (&json!(other.issuer), &json!(false)));
    assert!(!named()["problems"].to_string().contains("127.0.0.1"), "a detail of the network: {}", named());
    assert_eq!(server.me(&token(&server, "stub", true)).status, 200);
    let mut claims = other.claims("m1@clients", PUBLIC);
    claims["gty"] = json!("client-credentials");
    assert_eq!(server.me(&tokens::sign(&claims)).code().as_deref(), Some("KEYS_UNAVAILABLE"));
    other.restart();
    wait_until("the other issuer is ready", || named()["ready"] == json!(true));
    assert_eq!(server.me(&tokens::sign(&claims)).status, 200);
}

#[test]
fn a_restart_without_auth0_uses_the_saved_keys() {
    let mut server = TestServer::open(&[]);
    let good = token(&server, "stub", true);
    assert_eq!(server.me(&good).status, 200);
    wait_until("the keys are saved", || server.store().load_keys(&server.auth0.issuer).unwrap().is_some());
    server.auth0.stop();
    server.reopen();
    assert_eq!(server.me(&good).status, 200);
    let ready = server.public().replace("/graphql", "/readyz");
    assert_eq!(server.http.get(&ready, &[]).unwrap().status, 200);
}

#[test]
fn too_old_keys_are_fetched_at_the_first_request_after_sleep() {
    let clock = Clock::manual(Clock::system().now());
    let server = TestServer::open_with_clock(clock.clone(), &["claims.keys_max_age=1h"]);
    let fetches = || server.doors().services().gate.keys().fetches();
    let before = fetches();
    clock.advance(Duration::from_secs(2 * 3600));
    let mut claims = server.auth0.claims("m1@clients", PUBLIC);
    claims["gty"] = json!("client-credentials");
    claims["exp"] = json!(tokens::now() + 3 * 3600);
    let token = tokens::sign(&claims);
    assert_eq!(server.me(&token).code().as_deref(), Some("KEYS_UNAVAILABLE"));
    server.wait_until_ready();
    assert_eq!((server.me(&token).status, fetches()), (200, before + 1));
}
