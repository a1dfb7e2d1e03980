//! Signing keys over the wire: rotation, revocation, floods of unknown keys, bad answers, an outage at a cold start.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::stub::{self, Published, jwk};
use crate::yard::{NAMESPACE, PUBLIC, Yard};

/// A token that needs no profile, signed with the first or the other key under `kid`.
pub(crate) fn token(yard: &Yard, kid: &str, first: bool) -> String {
    let mut claims = yard.stub.claims("auth0|1", PUBLIC);
    claims[format!("{NAMESPACE}user")] = json!({"id": "01890000-0000-7000-8000-000000000001", "auth0Id": "auth0|1", "email": "a@example.com", "roles": []});
    stub::signed(&json!({"alg": "RS256", "kid": kid}), &claims, first)
}

pub(crate) fn publish(yard: &Yard, keys: &[Value]) {
    yard.stub.publish(&json!({ "keys": keys }).to_string());
}

/// Makes the doors fetch the keys, and waits until they did.
pub(crate) fn refresh(yard: &Yard) {
    let keys = yard.doors().services().gate.keys();
    let before = yard.stub.calls("/.well-known/jwks.json");
    keys.refresh();
    for _ in 0..500 {
        if yard.stub.calls("/.well-known/jwks.json") > before {
            // The answer still has to arrive and be judged.
            yard.rest(Duration::from_millis(100));
            return;
        }
        yard.rest(Duration::from_millis(10));
    }
    panic!("the keys were not fetched");
}

#[test]
fn a_key_that_left_the_set_ends_at_once_even_for_tokens_just_seen() {
    let yard = Yard::open(&[]);
    let old = token(&yard, "stub", true);
    for _ in 0..3 {
        assert_eq!(yard.me(&old).status, 200);
    }
    publish(&yard, &[jwk("next", false)]);
    refresh(&yard);
    assert_eq!(yard.me(&old).code().as_deref(), Some("UNKNOWN_KEY"));
    assert_eq!(yard.me(&token(&yard, "next", false)).status, 200);
}

#[test]
fn a_key_under_a_name_that_was_another_s_is_not_taken_for_it() {
    let yard = Yard::open(&[]);
    let old = token(&yard, "stub", true);
    assert_eq!(yard.me(&old).status, 200);
    publish(&yard, &[jwk("stub", false)]);
    refresh(&yard);
    assert_eq!(yard.me(&old).code().as_deref(), Some("BAD_SIGNATURE"));
}

#[test]
fn a_new_key_is_taken_on_its_first_token_by_all_who_bring_one() {
    let yard = Yard::open(&[]);
    publish(&yard, &[jwk("stub", true), jwk("next", false)]);
    let new = token(&yard, "next", false);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(|| yard.me(&new).status)).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(yard.doors().services().gate.keys().fetches(), 2, "one at the start, one for all of them");
}

#[test]
fn keys_may_rotate_as_often_as_the_tenant_likes() {
    let yard = Yard::open(&[]);
    for i in 0..6 {
        let (kid, first) = (format!("rotated-{i}"), i % 2 == 0);
        publish(&yard, &[jwk(&kid, first)]);
        assert_eq!(yard.me(&token(&yard, &kid, first)).status, 200, "{kid}");
    }
    assert_eq!(yard.doors().services().gate.keys().fetches(), 7);
}

#[test]
fn a_flood_of_unknown_keys_causes_one_fetch() {
    let yard = Yard::open(&[]);
    let claims = yard.stub.claims("auth0|1", PUBLIC);
    for i in 0..200 {
        // The signature is never looked at, so any will do.
        let flood = stub::signed(&json!({"alg": "RS256", "kid": format!("unknown-{i}")}), &claims, true);
        assert_eq!(yard.me(&flood).code().as_deref(), Some("UNKNOWN_KEY"));
    }
    assert_eq!(yard.doors().services().gate.keys().fetches(), 2);
    assert_eq!(yard.me(&token(&yard, "stub", true)).status, 200);
}

/// A clock that stands still, so far ahead that tokens issued while the doors open are not from its future.
fn a_minute_ahead() -> Clock {
    Clock::manual(Clock::system().now() + Duration::from_secs(60))
}

/// A minute on the doors' clock, with one token in five hundred of those that a real flood would bring.
#[test]
fn a_minute_of_unknown_keys_causes_at_most_three_fetches() {
    let clock = a_minute_ahead();
    let yard = Yard::open_at(clock.clone(), &[]);
    let claims = yard.stub.claims("auth0|1", PUBLIC);
    let good = token(&yard, "stub", true);
    let before = yard.doors().services().gate.keys().fetches();
    for i in 0..120 {
        let header = json!({"alg": "RS256", "kid": format!("unknown-{i}")});
        let flood = stub::signed(&header, &claims, true);
        assert_eq!(yard.me(&flood).code().as_deref(), Some("UNKNOWN_KEY"));
        clock.advance(Duration::from_millis(500));
    }
    let caused = yard.doors().services().gate.keys().fetches() - before;
    assert!((1..=3).contains(&caused), "{caused}");
    assert_eq!(yard.me(&good).status, 200);
}

#[test]
fn keys_of_the_last_run_end_when_they_are_too_old() {
    let clock = a_minute_ahead();
    let mut yard = Yard::open_at(clock.clone(), &["claims.keys_max_age=2h"]);
    let good = token(&yard, "stub", true);
    assert_eq!(yard.me(&good).status, 200);
    yard.stub.pause();
    clock.advance(Duration::from_secs(3000));
    assert_eq!(yard.me(&good).status, 200, "the tenant is away, its keys serve on");
    clock.advance(Duration::from_secs(2 * 3600));
    assert_eq!(yard.me(&good).code().as_deref(), Some("KEYS_UNAVAILABLE"), "cached or not");
    let ready = yard.public().replace("/graphql", "/readyz");
    assert_eq!(yard.wire.get(&ready, &[]).unwrap().status, 503);
}

#[test]
fn a_bad_answer_never_replaces_a_good_set() {
    let yard = Yard::open(&["auth0.timeout=500ms"]);
    let good = token(&yard, "stub", true);
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
        yard.stub.publish(&bad);
        refresh(&yard);
        assert_eq!(yard.me(&good).status, 200, "{bad:.60}");
    }
    for bad in [Published::Redirect, Published::Endless, Published::Hangs] {
        yard.stub.publish_as(bad.clone());
        refresh(&yard);
        assert_eq!(yard.me(&good).status, 200, "{bad:?}");
    }
    assert_eq!(yard.stub.calls("/elsewhere"), 0, "a redirect is not followed");
}

#[test]
fn the_last_good_set_serves_a_cold_start_without_the_tenant() {
    let mut yard = Yard::open(&[]);
    let good = token(&yard, "stub", true);
    assert_eq!(yard.me(&good).status, 200);
    while yard.store().load_keys(&yard.stub.issuer).unwrap().is_none() {
        yard.rest(Duration::from_millis(10));
    }
    yard.stub.pause();
    yard.reopen();
    assert_eq!(yard.me(&good).status, 200);
    let ready = yard.public().replace("/graphql", "/readyz");
    assert_eq!(yard.wire.get(&ready, &[]).unwrap().status, 200);
}

#[test]
fn keys_that_grew_too_old_while_the_machine_slept_are_fetched_with_the_first_request() {
    let clock = Clock::manual(Clock::system().now());
    let yard = Yard::open_at(clock.clone(), &["claims.keys_max_age=1h"]);
    let fetches = || yard.doors().services().gate.keys().fetches();
    let before = fetches();
    clock.advance(Duration::from_secs(2 * 3600));
    let mut claims = yard.stub.claims("m1@clients", PUBLIC);
    claims["gty"] = json!("client-credentials");
    claims["exp"] = json!(stub::now() + 3 * 3600);
    let token = stub::token(&claims);
    assert_eq!(yard.me(&token).code().as_deref(), Some("KEYS_UNAVAILABLE"));
    assert!(yard.runtime.block_on(yard.doors().ready(Duration::from_secs(60))), "they were not fetched");
    assert_eq!((yard.me(&token).status, fetches()), (200, before + 1));
}
