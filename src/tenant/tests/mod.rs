//! The endpoints, against a tenant with a manual clock and with functions instead of rules.

mod authorize;
mod connections;
mod faults;
mod front_channel;
mod http;
mod login;
mod login_log;
mod logout;
mod management;
mod management_api;
mod management_objects;
mod management_rest;
mod openapi;
mod organizations;
mod refresh;
mod signup;
mod token;
mod userinfo;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use hyper::body::Body as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use super::authentication::Scripts;
use super::*;
use crate::pool;
use crate::script::{LoginInput, LoginOutput, MetadataWriter};

pub(super) const ISSUER: &str = "http://127.0.0.1:4002/";
pub(super) const PUBLIC: &str = "https://public.vestibule.example/";
pub(super) const INTERNAL: &str = "https://internal.vestibule.example/";
const NOW: i64 = 1_800_000_000;

/// A tenant that serves the fixture bundle.
pub(super) struct TestTenant {
    pub(super) tenant: Tenant,
    pub(super) clock: Clock,
    _folder: tempfile::TempDir,
}

/// A response, read whole.
pub(super) struct TestResponse {
    pub(super) status: u16,
    pub(super) headers: warp::http::HeaderMap,
    pub(super) text: String,
}

impl TestResponse {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("{} is not JSON: {}", self.status, self.text))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, `error` and `error_description`.
    #[track_caller]
    pub(super) fn error(&self) -> (u16, String, String) {
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        (self.status, text("error"), text("error_description"))
    }
}

impl TestTenant {
    /// A tenant with a second client like `spa`, called `other`. Its rules accept every login.
    pub(super) fn with_other_client() -> Self {
        let add = |bundle: &mut Bundle| {
            let mut other = bundle.clients.iter().find(|client| client.client_id == "spa").unwrap().clone();
            other.client_id = "other".to_owned();
            bundle.clients.push(other);
        };
        Self::with(add, accept)
    }

    /// Opens it without rules.
    pub(super) fn open() -> Self {
        Self::with(|_| {}, accept)
    }

    pub(super) fn with(
        change: impl FnOnce(&mut Bundle),
        rules: impl Fn(LoginInput, MetadataWriter) -> Result<LoginOutput, crate::script::Denied>
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut bundle = bundle();
        change(&mut bundle);
        let clock = Clock::manual(Timestamp::from_second(NOW).unwrap());
        let settings = settings(&folder);
        let pool = Pool::start(&pool::Settings { threads: 2, queue: 64 }).unwrap();
        let scripts = Scripts::from_fn(rules);
        let tenant =
            Tenant::with_scripts(&settings, ISSUER, bundle, scripts, None, pool, clock.clone()).unwrap();
        Self { tenant, clock, _folder: folder }
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(super) async fn send(&self, request: warp::http::request::Builder, body: &str) -> TestResponse {
        let request = request.body(body.to_owned()).unwrap();
        let service = TowerToHyperService::new(warp::service(self.tenant.filter(Duration::from_secs(60))));
        let response = service.call(request).await.unwrap();
        let (parts, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            if let Ok(data) = frame.unwrap().into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        let text = String::from_utf8(bytes).unwrap();
        TestResponse { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> TestResponse {
        self.send(with_headers(warp::http::Request::get(path), headers), "").await
    }

    pub(super) async fn post_form(
        &self,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> TestResponse {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = with_headers(warp::http::Request::post(path), headers);
        self.send(request.header("content-type", "application/x-www-form-urlencoded"), &body).await
    }

    pub(super) async fn token(&self, form: &[(&str, &str)]) -> TestResponse {
        self.post_form("/oauth/token", form, &[]).await
    }

    /// A machine's tokens, by client credentials.
    pub(super) async fn machine_tokens(&self, client: &str, audience: &str) -> TestResponse {
        let secret = format!("dev-only-secret-of-{client}");
        let grant = ("grant_type", "client_credentials");
        self.token(&[grant, ("client_id", client), ("client_secret", &secret), ("audience", audience)]).await
    }

    /// A test user's tokens, by password.
    pub(super) async fn user_tokens(&self, name: &str, more: &[(&str, &str)]) -> TestResponse {
        let (email, password) = (format!("{name}@example.com"), format!("dev-only-{name}"));
        let mut form = vec![
            ("grant_type", "http://auth0.com/oauth/grant-type/password-realm"),
            ("realm", users::CONNECTION),
            ("client_id", "spa"),
            ("username", &email),
            ("password", &password),
        ];
        form.extend(more);
        self.token(&form).await
    }

    /// The header and claims of a token, after a check of its signature with the published keys.
    #[track_caller]
    pub(super) fn decode(&self, token: &str) -> (jsonwebtoken::Header, Value) {
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let keys: JwkSet = serde_json::from_value(self.tenant.0.load().key.jwks.clone()).unwrap();
        let header = decode_header(token).unwrap();
        let key = keys.find(header.kid.as_deref().unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_aud = false;
        validation.validate_exp = false;
        let decoded = decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap();
        (header, decoded.claims)
    }

    #[track_caller]
    pub(super) fn claims(&self, response: &TestResponse) -> Value {
        let json = response.json();
        self.decode(json["access_token"].as_str().unwrap_or_else(|| panic!("no token in {json}"))).1
    }
}

/// Rules that accept every login unchanged.
pub(super) fn accept(login: LoginInput, _: MetadataWriter) -> Result<LoginOutput, crate::script::Denied> {
    let LoginInput { user, context, .. } = login;
    Ok(LoginOutput { user, context, trace: crate::script::Trace::default() })
}

fn with_headers(
    mut request: warp::http::request::Builder,
    headers: &[(&str, &str)],
) -> warp::http::request::Builder {
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:4002");
    }
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

fn settings(folder: &tempfile::TempDir) -> Settings {
    Settings {
        http: ([127, 0, 0, 1], 4002).into(),
        https: None,
        issuer: Some(ISSUER.to_owned()),
        bundle: "fixtures/tenant".into(),
        scripts: true,
        data: folder.path().join("tenant.db"),
        supply: false,
        allow_fetch: Vec::new(),
        keywords: BTreeMap::new(),
    }
}

/// The fixture bundle without its rules.
fn bundle() -> Bundle {
    let keywords = [
        ("ISSUER", ISSUER),
        ("INTERNAL_API", "http://127.0.0.1:4001/graphql"),
        ("TOKEN_URL", "http://127.0.0.1:4002/oauth/token"),
        ("SIGNUP_URL", ""),
    ]
    .map(|(key, value)| (key.to_owned(), Value::from(value)));
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tenant");
    let mut bundle = Bundle::read(&folder, &keywords.into()).unwrap();
    bundle.rules.clear();
    bundle.objects.lists.remove(&crate::bundle::Kind::Rule);
    bundle
}

#[test]
fn only_a_loopback_issuer_is_served() {
    for issuer in
        ["http://127.0.0.1:4002/", "http://localhost/", "https://127.0.0.1:4003/", "http://[::1]:1/"]
    {
        assert!(is_loopback(issuer), "{issuer}");
    }
    for issuer in [
        "http://127.0.0.1:4002",
        "http://127.0.0.1/x/",
        "http://0.0.0.0:4002/",
        "https://t.eu.auth0.com/",
        "127.0.0.1",
        "http://u@localhost/",
        "http://localhost.evil/",
        "ftp://localhost/",
        "http://LOCALHOST/",
        "http://192.168.0.1/",
    ] {
        assert!(!is_loopback(issuer), "{issuer}");
    }
}

#[tokio::test]
async fn the_key_and_its_id_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let pool = Pool::start(&pool::Settings { threads: 1, queue: 8 }).unwrap();
        let scripts = Scripts::from_fn(accept);
        Tenant::with_scripts(&settings(&folder), ISSUER, bundle(), scripts, None, pool, Clock::system())
            .unwrap()
    };
    let before = open().0.load().key.jwks.clone();
    assert_eq!(before, open().0.load().key.jwks);
    assert_eq!(before["keys"][0]["alg"], "RS256");
    // 2048 bits in base64url.
    assert_eq!(before["keys"][0]["n"].as_str().unwrap().len(), 342);
}

#[tokio::test]
async fn a_change_of_objects_keeps_the_bound_on_background_runs() {
    let folder = tempfile::tempdir().unwrap();
    let pool = Pool::start(&pool::Settings { threads: 1, queue: 8 }).unwrap();
    let limits = crate::script::Settings {
        workers: 1,
        time: Duration::from_secs(1),
        memory_mib: 32,
        fetch_timeout: Duration::from_secs(1),
    };
    let worker = crate::script::WorkerCommand { program: "absent".into(), args: Vec::new() };
    let runner = ScriptRunner::new(&limits, worker, Vec::new(), pool.clone());
    let tenant = Tenant::open(&settings(&folder), ISSUER, bundle(), runner, pool, Clock::system()).unwrap();
    let before = tenant.0.load_full();
    let _running = before.background.try_acquire_many(16).unwrap();
    before.reload().unwrap();
    assert_eq!(tenant.0.load().background.available_permits(), 0);
}

#[tokio::test]
async fn exchanges_are_recorded_without_secrets() {
    let tenant = TestTenant::open();
    tenant.machine_tokens("reports", INTERNAL).await;
    tenant.get("/v2/logout?client_id=spa&secret=1", &[]).await;
    let exchanges = tenant.tenant.exchanges();
    let seen: Vec<_> = exchanges
        .iter()
        .map(|e| (e.method.as_str(), e.path.as_str(), e.status, e.actor.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [("POST", "/oauth/token", Some(200), Some("reports")), ("GET", "/v2/logout", Some(302), None)]
    );
}
