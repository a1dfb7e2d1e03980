//! A dev tenant with scripts of a test, and a browser that logs in there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;
use vestibule::cli::http_client::HttpResponse;

use crate::dev_server::{DevServer, bundle_with};
use crate::test_server::PUBLIC;
use crate::tokens;

const CALLBACK: &str = "http://localhost/callback";
// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The fixtures' bundle with other scripts.
pub(super) struct Scripts {
    folder: TempDir,
    triggers: BTreeMap<String, Vec<Value>>,
    order: u32,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let folder = bundle_with("clients/manager.json", &json!({
            "client_id": "manager", "client_secret": "secret", "name": "Manager", "app_type": "non_interactive",
            "grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_post",
        }).to_string());
        for scripts in ["rules", "actions", "triggers"] {
            let _ = std::fs::remove_dir_all(folder.path().join(scripts));
        }
        let grant =
            r###"{"client_id": "manager", "audience": "##ISSUER##api/v2/", "allow_all_scopes": true}"###;
        Self { folder, triggers: BTreeMap::new(), order: 0 }.file("grants/manager.json", grant)
    }

    pub(super) fn file(self, path: &str, text: &str) -> Self {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// A rule's function, after those before it.
    pub(super) fn rule(mut self, name: &str, function: &str) -> Self {
        self.order += 1;
        let members =
            json!({"name": name, "script": format!("./{name}.js"), "order": self.order, "enabled": true});
        self.file(&format!("rules/{name}.js"), function)
            .file(&format!("rules/{name}.json"), &members.to_string())
    }

    /// A deployed action, bound after those of its trigger before it.
    pub(super) fn action(self, trigger: &str, name: &str, code: &str) -> Self {
        self.action_with(trigger, name, code, &json!({}))
    }

    /// The same, with other members.
    pub(super) fn action_with(mut self, trigger: &str, name: &str, code: &str, more: &Value) -> Self {
        let mut members = json!({
            "name": name, "code": format!("./actions/{name}/code.js"), "runtime": "node22", "deployed": true,
            "supported_triggers": [{"id": trigger, "version": "v3"}], "secrets": [{"name": "KEY", "value": "a secret of the action"}],
        });
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.triggers
            .entry(trigger.to_owned())
            .or_default()
            .push(json!({"action_name": name, "display_name": name}));
        let triggers = json!(self.triggers).to_string();
        self.file(&format!("actions/{name}/code.js"), code)
            .file(&format!("actions/{name}.json"), &members.to_string())
            .file("triggers/triggers.json", &triggers)
    }

    pub(super) fn serve(self) -> Tenant {
        self.serve_with(&[])
    }

    pub(super) fn serve_with(self, set: &[&str]) -> Tenant {
        let bundle = format!("tenant.bundle={}", self.folder.path().display());
        // Slow machines compile a worker's first scripts slowly.
        let set = [set, &[bundle.as_str(), "script.time=20s"]].concat();
        Tenant { dev: DevServer::open(&set), folder: self.folder }
    }
}

/// A running dev tenant.
pub(super) struct Tenant {
    pub(super) dev: DevServer,
    folder: TempDir,
}

impl Tenant {
    pub(super) fn bundle(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{}", self.dev.issuer, path.trim_start_matches('/'))
    }

    pub(super) fn browser(&self) -> Browser<'_> {
        Browser { tenant: self, cookies: RefCell::default() }
    }

    /// A request to the token endpoint by the client `spa`.
    pub(super) fn token(&self, body: &Value) -> HttpResponse {
        let mut members = json!({"client_id": "spa"});
        members.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        self.dev.http.post_json(&self.url("oauth/token"), &[], &members).unwrap()
    }

    pub(super) fn password(&self, name: &str) -> HttpResponse {
        self.dev.token(name, PUBLIC)
    }

    /// A call of the Management API.
    pub(super) fn manage(&self, method: &str, path: &str, body: &Value) -> HttpResponse {
        let grant = json!({
            "grant_type": "client_credentials", "client_id": "manager", "client_secret": "secret",
            "audience": self.url("api/v2/"),
        });
        let token = self.dev.http.post_json(&self.url("oauth/token"), &[], &grant).unwrap();
        let bearer = format!(
            "Bearer {}",
            token.at("/access_token").as_str().unwrap_or_else(|| panic!("{}", token.body))
        );
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response =
            self.dev.http.send(method, &self.url(&format!("api/v2/{path}")), &headers, body).unwrap();
        assert!(response.status < 300, "{method} {path}: {}", response.body);
        response
    }

    pub(super) fn user(&self, id: &str) -> Value {
        self.manage("GET", &format!("users/{id}"), &Value::Null).json()
    }

    /// The stories of the login log, the newest first.
    pub(super) fn log(&self) -> Vec<Value> {
        let log = self.dev.http.get(&self.url("dev/logins"), &[]).unwrap();
        log.json()["logins"].as_array().unwrap().clone()
    }
}

/// A browser: it keeps cookies, and follows no redirect by itself.
pub(super) struct Browser<'a> {
    pub(super) tenant: &'a Tenant,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl Browser<'_> {
    pub(super) fn get(&self, url: &str) -> HttpResponse {
        let url = self.absolute(url);
        self.keep(self.tenant.dev.http.get(&url, &[("cookie", &self.cookie())]).unwrap())
    }

    pub(super) fn post(&self, url: &str, form: &[(&str, &str)]) -> HttpResponse {
        let url = self.absolute(url);
        self.keep(self.tenant.dev.http.post_form(&url, &[("cookie", &self.cookie())], form).unwrap())
    }

    /// The answer to `/authorize`; `change` adds parameters or replaces them.
    pub(super) fn authorize(&self, change: &[(&str, &str)]) -> HttpResponse {
        let mut params = BTreeMap::from([
            ("response_type", "code"),
            ("client_id", "spa"),
            ("redirect_uri", CALLBACK),
            ("scope", "openid profile email offline_access"),
            ("audience", PUBLIC),
            ("state", "s"),
            ("nonce", "n"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        params.extend(change.iter().copied());
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        self.get(&format!("authorize?{query}"))
    }

    /// Logs a user in with one click; returns the answer to the click.
    pub(super) fn log_in(&self, user: &str) -> HttpResponse {
        self.log_in_with(user, &[])
    }

    pub(super) fn log_in_with(&self, user: &str, change: &[(&str, &str)]) -> HttpResponse {
        let page = location(&self.authorize(change));
        let state = param(&page, "state").unwrap_or_else(|| panic!("{page}"));
        self.post("u/login", &[("state", &state), ("user", user)])
    }

    /// The tokens for the code that a response sends to the callback.
    pub(super) fn tokens(&self, response: &HttpResponse) -> HttpResponse {
        let url = location(response);
        let code = param(&url, "code").unwrap_or_else(|| panic!("no code in {url}"));
        self.tenant.token(&json!({
            "grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER, "code": code,
        }))
    }

    fn keep(&self, response: HttpResponse) -> HttpResponse {
        for line in response.headers.get_all("set-cookie") {
            let (name, value) = line.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        response
    }

    fn cookie(&self) -> String {
        let cookies = self.cookies.borrow();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn absolute(&self, url: &str) -> String {
        if url.starts_with("http") { url.to_owned() } else { self.tenant.url(url) }
    }
}

/// Where a response redirects to.
#[track_caller]
pub(super) fn location(response: &HttpResponse) -> String {
    response.header("location").unwrap_or_else(|| panic!("{} {}", response.status, response.body)).to_owned()
}

/// A parameter of a URL's query.
pub(super) fn param(url: &str, name: &str) -> Option<String> {
    let url = Url::options().base_url(Some(&Url::parse("http://base/").unwrap())).parse(url).unwrap();
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// `error` and `error_description` of the redirect to the callback.
#[track_caller]
pub(super) fn error(response: &HttpResponse) -> (String, String) {
    let url = location(response);
    let text = |name| param(&url, name).unwrap_or_else(|| panic!("no {name} in {url}"));
    (text("error"), text("error_description"))
}

/// The claims of a token of a response, unverified.
#[track_caller]
pub(super) fn claims(response: &HttpResponse, token: &str) -> Value {
    let text = response.at(&format!("/{token}"));
    tokens::payload(text.as_str().unwrap_or_else(|| panic!("{}", response.body)))
}
