//! The cost of the gate's stages, compared with a bare RSA signature check. The difference of two cases is what the stages
//! between cost.
//!
//! One run (`cargo bench --bench gate`) measures these cases with RS256 tokens and a 2048-bit key:
//!
//! | case | what runs |
//! |---|---|
//! | `bearer` | the first stage |
//! | `cached` | bearer and claims, for a token in the door's cache |
//! | `uncached` | bearer and claims, for a token that is new to the door |
//! | `machine` | all four stages, for a machine's token seen before: nothing of a user |
//! | `payload` | all four stages, for a user in the payload of a token seen before: no query |
//! | `row` | all four stages, for a token seen before without the user: one read by key |
//! | `signature` | jsonwebtoken's signature check alone, without header, JSON or claims |

#![expect(clippy::expect_used, reason = "a bench that fails to set up measures nothing")]

use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::FutureExt;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};
use vestibule::auth::{
    self, Claims, ClaimsSettings, DoorRules, Gate, Grants, Keys, Need, Policy, Presented, Profiles,
    TokenProfile, bearer,
};
use vestibule::auth0::{self, Auth0, Issuer};
use vestibule::clock::Clock;
use vestibule::pool::{self, Pool};
use vestibule::store::{self, Actor, LinkEmail, LinkSettings, NewIdentity, Store};
use vestibule::user::Person;
use warp::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

/// A closed port: the keys come from the database, as after a restart.
const TENANT: &str = "http://127.0.0.1:1/";
const SUBJECT: &str = "auth0|64b1f0c2a9d3e8f7c6b5a4d3";
const MACHINE: &str = "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z";
const AUDIENCE: &str = "https://public.example/";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token like those that Auth0 issues to a user. Each `serial` gives a different token.
fn token(key: &RsaKeyPair, now: i64, serial: u64, user: &Value) -> String {
    token_of(key, now, SUBJECT, &json!({"jti": serial.to_string(), "https://ns.example/user": user}))
}

/// A token of `subject` with more claims than all have.
fn token_of(key: &RsaKeyPair, now: i64, subject: &str, more: &Value) -> String {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "one"});
    let mut claims = json!({
        "iss": TENANT, "sub": subject, "aud": [AUDIENCE, format!("{TENANT}userinfo")],
        "iat": now - 10, "exp": now + 86_400, "azp": MACHINE,
        "scope": "openid profile email", "https://ns.example/roles": ["support"],
    });
    let members = more.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
    claims.as_object_mut().expect("an object").extend(members);
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let mut signature = vec![0; key.public_modulus_len()];
    let signed = key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature);
    signed.expect("a fresh key signs");
    format!("{message}.{}", encode(signature))
}

fn headers(token: &str) -> HeaderMap {
    let value = HeaderValue::try_from(format!("Bearer {token}")).expect("a token is ASCII");
    HeaderMap::from_iter([(AUTHORIZATION, value)])
}

/// The bearer and claims stages, as every request runs them.
fn gate(headers: &HeaderMap, door: &DoorRules, keys: &Keys, clock: &Clock) -> Claims {
    let Ok(Presented::Token(bearer)) = bearer(headers, "query=%7Bme%7D") else {
        unreachable!("it has a token")
    };
    ready(auth::claims(&bearer, door, keys, clock.now())).expect("the token is good")
}

/// Polls twice, because a new token first lets others go before it.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let output = future.as_mut().now_or_never().or_else(|| future.now_or_never());
    output.expect("nothing is waited for")
}

fn the_gate(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _context = runtime.enter();
    let (clock, dir) = (Clock::system(), tempfile::tempdir().expect("a folder"));
    let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let modulus = key.public_key().modulus().big_endian_without_leading_zero().to_vec();
    let jwk =
        json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", "n": encode(&modulus), "e": "AQAB"});

    let settings = store::Settings {
        path: dir.path().join("bench.db"),
        readers: 1,
        busy_timeout: Duration::from_secs(5),
        seed: None,
        block_at_auth0: false,
    };
    let store = Store::open(&settings, clock.clone()).expect("a database");
    store.save_keys(TENANT, &json!({ "keys": [jwk] }).to_string(), clock.now()).expect("saved");
    let second = Duration::from_secs(1);
    let settings = auth0::Settings {
        issuer: TENANT.to_owned(),
        jwks_uri: None,
        also: Vec::new(),
        client_id: None,
        client_secret: None,
        ca_file: None,
        connect_timeout: second,
        timeout: second,
        calls: 1,
        profile_max_age: Duration::ZERO,
    };
    let auth0 = Auth0::new(&settings, clock.clone()).expect("a client");
    let pool = Pool::start(&pool::Settings { threads: 1, queue: 8 }).expect("a pool");
    let claims = ClaimsSettings {
        namespace: "https://ns.example/".into(),
        algorithms: vec!["RS256".into()],
        leeway: Duration::from_secs(5),
        max_lifetime: Duration::from_secs(30 * 86_400),
        keys_max_age: Duration::from_secs(86_400),
        profile: TokenProfile::Auth0,
        agents: auth::Agents::Refuse,
        roles_from: auth::RolesFrom::Database,
    };
    let issuers = vec![Issuer { issuer: TENANT.to_owned(), jwks_uri: None, same_users: true }];
    let keys = Keys::start(
        issuers,
        claims.allowed(),
        claims.keys_max_age,
        (auth0.clone(), store.clone(), pool.clone(), clock.clone()),
    );
    let new_door = || {
        let need = Need { permissions: Default::default(), anonymous: false };
        DoorRules::new(Policy::new(&claims, AUDIENCE), need)
    };
    let warm = new_door();
    let now = clock.now().as_second();

    let mut group = criterion.benchmark_group("gate");
    group.throughput(Throughput::Elements(1)).measurement_time(Duration::from_secs(8));
    let cached = headers(&token(&key, now, 0, &Value::Null));
    group.bench_function("bearer", |bench| bench.iter(|| bearer(black_box(&cached), "query=%7Bme%7D")));
    group.bench_function("cached", |bench| bench.iter(|| gate(black_box(&cached), &warm, &keys, &clock)));

    let email = "ada@example.com".parse().ok();
    let person = Person { name: Some("Ada Lovelace".into()), ..Person::default() };
    let auth0_id = SUBJECT.parse().expect("an id");
    let ada = NewIdentity { auth0_id, email, email_verified: true, person, profile: None, blocked: false };
    let ada = store.provision(&ada, LinkEmail::Never, &Actor::Gate).expect("a row").into_user();
    let user =
        json!({"id": ada.id, "auth0Id": SUBJECT, "email": ada.email, "name": ada.person.name, "roles": []});
    let settings = LinkSettings { email: LinkEmail::Never, privileged: false, connections: Vec::new() };
    let (link, users) = (Arc::new(settings), store.clone());
    let profiles = Profiles::new(auth0, users.clone(), pool.clone(), clock.clone(), Arc::clone(&link));
    let grants = Grants { user_issuers: vec![TENANT.to_owned()], ..Grants::default() };
    let whole = Gate::new(keys.clone(), grants, link, profiles, users, pool, clock.clone());
    let machine = token_of(&key, now, &format!("{MACHINE}@clients"), &json!({"gty": "client-credentials"}));
    let (payload, row) = (token(&key, now, 0, &user), token(&key, now, 0, &Value::Null));
    for (name, token) in [("machine", machine), ("payload", payload), ("row", row)] {
        let headers = headers(&token);
        let authenticate = || {
            let presented = bearer(black_box(&headers), "query=%7Bme%7D");
            ready(whole.authenticate(&warm, presented)).expect("the token is good")
        };
        authenticate();
        let before = store.queries();
        authenticate();
        assert_eq!(store.queries(), before, "{name}");
        group.bench_function(name, |bench| bench.iter(authenticate));
    }

    // Each token is new to its door: once the supply is used up, a door with an empty cache replaces the door.
    let supply: Vec<HeaderMap> =
        (1..=1024).map(|serial| headers(&token(&key, now, serial, &Value::Null))).collect();
    let (mut door, mut used) = (Rc::new(new_door()), 0);
    group.bench_function("uncached", |bench| {
        bench.iter_batched(
            || {
                if used == supply.len() {
                    (door, used) = (Rc::new(new_door()), 0);
                }
                used += 1;
                (Rc::clone(&door), supply.get(used - 1).expect("a token is left"))
            },
            // Returns the door, so that dropping it is not measured.
            |(door, headers)| (gate(headers, &door, &keys, &clock), door),
            BatchSize::SmallInput,
        );
    });
    assert_eq!(door.cache.hits_and_misses().0, 0, "a token was in the cache of its new door");
    assert!(warm.cache.hits_and_misses().0 > 0, "no token was in the cache");

    let token = token(&key, now, 0, &Value::Null);
    let (message, signature) = token.rsplit_once('.').expect("a token has parts");
    let decoding = DecodingKey::from_rsa_raw_components(&modulus, &[1, 0, 1]);
    group.bench_function("signature", |bench| {
        bench.iter(|| {
            let message = black_box(message).as_bytes();
            jsonwebtoken::crypto::verify(signature, message, &decoding, Algorithm::RS256)
                .expect("it verifies")
        });
    });
    group.finish();
    runtime.block_on(keys.stop());
}

criterion_group!(benches, the_gate);
criterion_main!(benches);
