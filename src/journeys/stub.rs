//! A tenant that does as it is told: publishes a key, answers for profiles, counts its calls, fails on request.
//!
//! For what the dev tenant would never do: sign nonsense, answer 429, tell of somebody else.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use warp::Filter;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::{Reply, Response};

/// The key the stub publishes, and one it does not. Made once: it takes a while.
static KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
static OTHER_KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

/// How the stub answers for a profile.
#[derive(Debug, Clone)]
pub(crate) enum Profile {
    /// As Auth0 does.
    Is(Value),
    /// With this status and these headers.
    Fails(u16, Vec<(&'static str, String)>),
    /// With a page that is not JSON.
    Page,
    /// Not at all, while the connection stays open.
    Hangs,
}

/// How the stub answers for its signing keys.
#[derive(Debug, Clone, Default)]
pub(crate) enum Published {
    /// With the one key it signs with.
    #[default]
    Good,
    /// With this text.
    Text(String),
    /// With a redirect to where the good keys are.
    Redirect,
    /// With as many bytes as anybody reads, up to 100 MB.
    Endless,
    /// Not at all, while the connection stays open.
    Hangs,
}

#[derive(Debug, Default)]
struct Told {
    profiles: HashMap<String, Profile>,
    calls: Vec<String>,
    keys: Published,
    delay: Duration,
}

/// The stub, serving.
pub(crate) struct Stub {
    pub(crate) issuer: String,
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
    /// Of its own, so that ending it ends every connection.
    runtime: Option<Runtime>,
}

impl Stub {
    pub(crate) fn start() -> Self {
        let mut stub = Self {
            issuer: String::new(),
            address: ([127, 0, 0, 1], 0).into(),
            told: Arc::default(),
            runtime: None,
        };
        stub.resume();
        stub.issuer = format!("http://{}/", stub.address);
        stub
    }

    /// Goes away, like a tenant that is down: connections are refused.
    pub(crate) fn pause(&mut self) {
        drop(self.runtime.take());
    }

    /// Comes (back), on the same port.
    #[expect(clippy::disallowed_methods, reason = "a stub needs no timeouts")]
    pub(crate) fn resume(&mut self) {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind(self.address)).unwrap();
        self.address = listener.local_addr().unwrap();
        let told = Arc::clone(&self.told);
        let issuer = format!("http://{}/", self.address);
        let routes = warp::method().and(warp::path::full()).and(warp::header::headers_cloned()).then(
            move |_method, path: warp::path::FullPath, headers| {
                let answer = answer(&told, &issuer, path.as_str(), &headers);
                let delay = told.lock().unwrap().delay;
                async move {
                    tokio::time::sleep(delay).await;
                    match answer {
                        Some(answer) => answer,
                        None => std::future::pending().await,
                    }
                }
            },
        );
        runtime.spawn(warp::serve(routes).incoming(listener).run());
        self.runtime = Some(runtime);
    }

    /// Answers so for the profile of `sub` from now on.
    pub(crate) fn profile(&self, sub: &str, profile: Profile) {
        self.told.lock().unwrap().profiles.insert(sub.to_owned(), profile);
    }

    /// Takes so long for each answer from now on.
    pub(crate) fn slow_down(&self, delay: Duration) {
        self.told.lock().unwrap().delay = delay;
    }

    /// Publishes `text` in place of its keys.
    pub(crate) fn publish(&self, text: &str) {
        self.publish_as(Published::Text(text.to_owned()));
    }

    /// Answers so for its keys from now on.
    pub(crate) fn publish_as(&self, keys: Published) {
        self.told.lock().unwrap().keys = keys;
    }

    /// How many calls there were whose path begins so.
    pub(crate) fn calls(&self, path: &str) -> usize {
        self.told.lock().unwrap().calls.iter().filter(|call| call.starts_with(path)).count()
    }

    /// Claims of a user's token, good for an hour.
    pub(crate) fn claims(&self, sub: &str, audience: &str) -> Value {
        let now = now();
        json!({"iss": self.issuer, "sub": sub, "aud": audience, "azp": "spa", "iat": now, "exp": now + 3600})
    }
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the stub has a clock of its own, as a tenant has")]
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A token with `claims`, signed with the published key.
pub(crate) fn token(claims: &Value) -> String {
    signed(&json!({"alg": "RS256", "typ": "JWT", "kid": "stub"}), claims, true)
}

/// A token with any header; signed with the published key, or with one that nobody published.
pub(crate) fn signed(header: &Value, claims: &Value, published: bool) -> String {
    signed_text(&header.to_string(), &claims.to_string(), published)
}

/// What of a token is signed.
pub(crate) fn message(header: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

/// A token with these exact texts.
pub(crate) fn signed_text(header: &str, payload: &str, published: bool) -> String {
    let message = message(header, payload);
    let key = if published { &*KEY } else { &*OTHER_KEY };
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The published key as a key set.
pub(crate) fn key_set() -> Value {
    json!({"keys": [jwk("stub", true)]})
}

/// One of the two keys under a name: the one published at first, or the other.
pub(crate) fn jwk(kid: &str, first: bool) -> Value {
    let key = if first { &*KEY } else { &*OTHER_KEY };
    let n = URL_SAFE_NO_PAD.encode(key.public_key().modulus().big_endian_without_leading_zero());
    json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": "AQAB"})
}

/// The answer to a call; none when the stub is to keep silent.
fn answer(told: &Mutex<Told>, issuer: &str, path: &str, headers: &HeaderMap) -> Option<Response> {
    let mut told = told.lock().unwrap();
    told.calls.push(path.to_owned());
    let json = |value: Value| warp::reply::json(&value).into_response();
    if let Some(id) = path.strip_prefix("/api/v2/users/") {
        assert_eq!(headers.get("authorization").unwrap(), "Bearer management");
        let id = percent_encoding::percent_decode_str(id).decode_utf8().unwrap();
        return Some(match told.profiles.get(&*id) {
            Some(Profile::Is(profile)) => json(profile.clone()),
            Some(Profile::Hangs) => return None,
            Some(Profile::Page) => warp::reply::html("<h1>Welcome</h1>").into_response(),
            Some(Profile::Fails(status, headers)) => {
                let mut response = json(json!({"statusCode": status}));
                *response.status_mut() = StatusCode::from_u16(*status).unwrap();
                for (name, value) in headers {
                    response.headers_mut().insert(*name, value.parse().unwrap());
                }
                response
            }
            None => {
                let error = json!({"statusCode": 404, "error": "Not Found", "errorCode": "inexistent_user"});
                warp::reply::with_status(warp::reply::json(&error), StatusCode::NOT_FOUND).into_response()
            }
        });
    }
    Some(match path {
        "/.well-known/openid-configuration" => {
            json(json!({"issuer": issuer, "jwks_uri": format!("{issuer}.well-known/jwks.json")}))
        }
        "/.well-known/jwks.json" => match &told.keys {
            Published::Good => json(key_set()),
            Published::Text(text) => text.clone().into_response(),
            Published::Redirect => {
                let uri = warp::http::Uri::from_static("/elsewhere/jwks.json");
                warp::redirect::temporary(uri).into_response()
            }
            Published::Endless => {
                let chunk = || Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b' '; 64 * 1024]));
                let chunks = futures_util::stream::iter(std::iter::repeat_with(chunk).take(1600));
                warp::reply::stream(chunks).into_response()
            }
            Published::Hangs => return None,
        },
        "/elsewhere/jwks.json" => json(key_set()),
        "/oauth/token" => json(json!({"access_token": "management", "expires_in": 86_400})),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
}
