//! A stub of an Auth0 tenant: it publishes a key, returns profiles, counts its calls and fails on request.
//!
//! For answers the dev tenant never gives: malformed key sets, 429, another user's profile.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use warp::Filter;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::{Reply, Response};

use crate::tokens::{key_set, now};

/// The stub's answer to a profile request.
#[derive(Debug, Clone)]
pub(crate) enum ProfileReply {
    /// A profile.
    Json(Value),
    /// This status, with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// An HTML page.
    Html,
    /// No answer; the connection stays open.
    Hangs,
}

/// The stub's answer to a request for its signing keys.
#[derive(Debug, Clone, Default)]
pub(crate) enum KeysReply {
    /// The published key.
    #[default]
    Good,
    Text(String),
    /// A redirect to a path that returns the published key.
    Redirect,
    /// 100 MB of spaces.
    Endless,
    /// No answer; the connection stays open.
    Hangs,
}

#[derive(Debug, Default)]
struct Replies {
    profiles: HashMap<String, ProfileReply>,
    calls: Vec<String>,
    keys: KeysReply,
    delay: Duration,
    /// The calls for profiles that are allowed, and those that are left.
    quota: Option<(u32, u32)>,
}

/// A running stub.
pub(crate) struct Auth0Stub {
    pub(crate) issuer: String,
    address: SocketAddr,
    replies: Arc<Mutex<Replies>>,
    /// A runtime of its own: dropping it ends every connection.
    runtime: Option<Runtime>,
}

impl Auth0Stub {
    pub(crate) fn start() -> Self {
        let mut stub = Self {
            issuer: String::new(),
            address: ([127, 0, 0, 1], 0).into(),
            replies: Arc::default(),
            runtime: None,
        };
        stub.restart();
        stub.issuer = format!("http://{}/", stub.address);
        stub
    }

    /// Stops the stub: connections are refused, as with a tenant that is down.
    pub(crate) fn stop(&mut self) {
        drop(self.runtime.take());
    }

    /// Starts the stub again on its port.
    #[expect(clippy::disallowed_methods, reason = "a stub needs no timeouts")]
    pub(crate) fn restart(&mut self) {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind(self.address)).unwrap();
        self.address = listener.local_addr().unwrap();
        let replies = Arc::clone(&self.replies);
        let issuer = format!("http://{}/", self.address);
        let routes = warp::method().and(warp::path::full()).and(warp::header::headers_cloned()).then(
            move |_method, path: warp::path::FullPath, headers| {
                let reply = reply(&replies, &issuer, path.as_str(), &headers);
                let delay = replies.lock().unwrap().delay;
                async move {
                    tokio::time::sleep(delay).await;
                    match reply {
                        Some(reply) => reply,
                        None => std::future::pending().await,
                    }
                }
            },
        );
        runtime.spawn(warp::serve(routes).incoming(listener).run());
        self.runtime = Some(runtime);
    }

    /// Sets the answer to requests for the profile of `sub`.
    pub(crate) fn set_profile(&self, sub: &str, reply: ProfileReply) {
        self.replies.lock().unwrap().profiles.insert(sub.to_owned(), reply);
    }

    /// Adds a user whose profile has this email.
    pub(crate) fn add_user(&self, sub: &str, email: &str, verified: bool) {
        let profile = json!({"user_id": sub, "email": email, "email_verified": verified});
        self.set_profile(sub, ProfileReply::Json(profile));
    }

    /// Delays every answer from now on.
    pub(crate) fn delay_replies(&self, delay: Duration) {
        self.replies.lock().unwrap().delay = delay;
    }

    /// Allows so many calls for profiles from now on; the quota is full again in a minute.
    pub(crate) fn limit_profiles(&self, limit: u32) {
        self.replies.lock().unwrap().quota = Some((limit, limit));
    }

    /// The calls for profiles that are left.
    pub(crate) fn profiles_left(&self) -> u32 {
        self.replies.lock().unwrap().quota.unwrap().1
    }

    /// Publishes `text` in place of the key set.
    pub(crate) fn publish_keys(&self, text: &str) {
        self.answer_keys_with(KeysReply::Text(text.to_owned()));
    }

    /// Sets the answer to requests for the signing keys.
    pub(crate) fn answer_keys_with(&self, reply: KeysReply) {
        self.replies.lock().unwrap().keys = reply;
    }

    /// The number of calls to paths that begin with `path`.
    pub(crate) fn calls(&self, path: &str) -> usize {
        self.replies.lock().unwrap().calls.iter().filter(|call| call.starts_with(path)).count()
    }

    /// Claims of a user's token, valid for an hour.
    pub(crate) fn claims(&self, sub: &str, audience: &str) -> Value {
        let now = now();
        json!({"iss": self.issuer, "sub": sub, "aud": audience, "azp": "spa", "iat": now, "exp": now + 3600})
    }
}

/// The answer to a call; `None` if the stub is to hang.
fn reply(replies: &Mutex<Replies>, issuer: &str, path: &str, headers: &HeaderMap) -> Option<Response> {
    let mut replies = replies.lock().unwrap();
    replies.calls.push(path.to_owned());
    let json = |value: Value| warp::reply::json(&value).into_response();
    if let Some(id) = path.strip_prefix("/api/v2/users/") {
        assert_eq!(headers.get("authorization").unwrap(), "Bearer management");
        let id = percent_encoding::percent_decode_str(id).decode_utf8().unwrap();
        let is_over = replies.quota.is_some_and(|(_, left)| left == 0);
        if let Some((_, left)) = &mut replies.quota {
            *left = left.saturating_sub(1);
        }
        let mut response = match replies.profiles.get(&*id) {
            _ if is_over => StatusCode::TOO_MANY_REQUESTS.into_response(),
            Some(ProfileReply::Json(profile)) => json(profile.clone()),
            Some(ProfileReply::Hangs) => return None,
            Some(ProfileReply::Html) => warp::reply::html("<h1>Welcome</h1>").into_response(),
            Some(ProfileReply::Status(status, headers)) => {
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
        };
        if let Some((limit, left)) = replies.quota {
            for (name, value) in [("limit", limit.into()), ("remaining", left.into()), ("reset", now() + 60)]
            {
                let name = format!("x-ratelimit-{name}").parse::<warp::http::HeaderName>().unwrap();
                response.headers_mut().insert(name, value.into());
            }
        }
        return Some(response);
    }
    Some(match path {
        "/.well-known/openid-configuration" => {
            json(json!({"issuer": issuer, "jwks_uri": format!("{issuer}.well-known/jwks.json")}))
        }
        "/.well-known/jwks.json" => match &replies.keys {
            KeysReply::Good => json(key_set()),
            KeysReply::Text(text) => text.clone().into_response(),
            KeysReply::Redirect => {
                let uri = warp::http::Uri::from_static("/elsewhere/jwks.json");
                warp::redirect::temporary(uri).into_response()
            }
            KeysReply::Endless => {
                let chunk = || Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b' '; 64 * 1024]));
                let chunks = futures_util::stream::iter(std::iter::repeat_with(chunk).take(1600));
                warp::reply::stream(chunks).into_response()
            }
            KeysReply::Hangs => return None,
        },
        "/elsewhere/jwks.json" => json(key_set()),
        "/oauth/token" => json(json!({"access_token": "management", "expires_in": 86_400})),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
}
