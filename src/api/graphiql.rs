//! GraphiQL at `/` of a door: a page to run operations, with a login. Embedded in the executable, so it works offline.
//!
//! `assets/graphiql/` has the page's sources, and its README says how to build the bundle.

use std::sync::Arc;

use aws_lc_rs::digest::{Context as Digest, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use url::Url;
use warp::filters::BoxedFilter;
use warp::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use warp::http::{HeaderMap, HeaderName, HeaderValue};
use warp::hyper::body::Bytes;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::services::Services;
use super::settings::DoorSettings;
use crate::auth::DoorRules;

const PAGE: &str = include_str!("../../assets/graphiql/page.html");

/// Path, media type and gzip'd bytes. Every browser accepts gzip.
const ASSETS: [(&str, &str, &[u8]); 3] = [
    (
        "graphiql.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../assets/graphiql/dist/graphiql.js.gz"),
    ),
    ("graphiql.css", "text/css; charset=utf-8", include_bytes!("../../assets/graphiql/dist/graphiql.css.gz")),
    (
        "LICENSES.txt",
        "text/plain; charset=utf-8",
        include_bytes!("../../assets/graphiql/dist/LICENSES.txt.gz"),
    ),
];

/// Cached for a year, because an asset's path contains its version.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// The page of one door.
struct Graphiql {
    version: String,
    page: Bytes,
    /// What the page needs to know about its door, as JSON.
    door: Bytes,
    policy: HeaderValue,
}

/// The page, its assets and its door's data. Rejects every request unless `settings.graphiql`. The editor starts with the query
/// `example`.
pub(super) fn routes(
    name: &str,
    settings: &DoorSettings,
    issuer: &str,
    example: &str,
) -> BoxedFilter<(Response,)> {
    let graphiql = settings.graphiql.then(|| Arc::new(Graphiql::new(name, settings, issuer, example)));
    warp::get()
        .and(warp::path::full())
        .and_then(move |path: warp::path::FullPath| {
            let response = graphiql.as_ref().and_then(|graphiql| graphiql.respond(path.as_str()));
            async move { response.ok_or_else(warp::reject::not_found) as Result<Response, Rejection> }
        })
        .boxed()
}

/// Explains a caller's token to its own page, at `rules`' door; `other` are the rules of the other one. Rejects every request
/// unless `settings.graphiql`.
///
/// A page of another origin cannot send the Authorization header here: no preflight is answered.
pub fn explanation(
    name: &'static str,
    settings: &DoorSettings,
    services: &Services,
    rules: &Arc<DoorRules>,
    other: &Arc<DoorRules>,
) -> BoxedFilter<(Response,)> {
    let (enabled, gate) = (settings.graphiql, services.gate.clone());
    let doors = (Arc::clone(rules), Arc::clone(other));
    warp::path!("graphiql" / "explain")
        .and(warp::post())
        .and_then(move || std::future::ready(if enabled { Ok(()) } else { Err(warp::reject::not_found()) }))
        .untuple_one()
        .and(warp::header::headers_cloned())
        .then(move |headers: HeaderMap| {
            let (gate, (rules, other)) = (gate.clone(), doors.clone());
            async move {
                let value =
                    headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
                let token = value.split_once(' ').map_or("", |(_, token)| token.trim());
                let explanation = gate.explain(name, &rules, &other, token).await;
                let body = serde_json::to_vec(&explanation).unwrap_or_default();
                response(&body.into(), "application/json", "no-store")
            }
        })
        .boxed()
}

impl Graphiql {
    fn new(name: &str, settings: &DoorSettings, issuer: &str, example: &str) -> Self {
        let mut digest = Digest::new(&SHA256);
        ASSETS.iter().for_each(|(_, _, bytes)| digest.update(bytes));
        let version: String = URL_SAFE_NO_PAD.encode(digest.finish()).chars().take(16).collect();
        let mut title = name.to_owned();
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let door = json!({
            "title": format!("{title} API"),
            "issuer": issuer,
            "audience": settings.audience,
            "clientId": settings.graphiql_client_id,
            "anonymous": settings.anonymous,
            "toTry": example,
        });
        Self {
            page: PAGE.replace("@VERSION@", &version).into(),
            door: door.to_string().into(),
            policy: policy(issuer),
            version,
        }
    }

    /// `None` for a path that isn't GraphiQL's.
    fn respond(&self, path: &str) -> Option<Response> {
        match path.strip_prefix('/')? {
            "" => Some(self.page()),
            "graphiql/door.json" => Some(response(&self.door, "application/json", "no-store")),
            asset => self.asset(asset.strip_prefix("graphiql/")?),
        }
    }

    fn page(&self) -> Response {
        let mut response = response(&self.page, "text/html; charset=utf-8", "no-cache");
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        // A login returns to this page with a code in the query string.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        for isolation in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
            headers.insert(HeaderName::from_static(isolation), HeaderValue::from_static("same-origin"));
        }
        response
    }

    fn asset(&self, path: &str) -> Option<Response> {
        let name = path.strip_prefix(&self.version)?.strip_prefix('/')?;
        let (_, media, bytes) = ASSETS.into_iter().find(|(known, ..)| *known == name)?;
        let mut response = response(&Bytes::from_static(bytes), media, IMMUTABLE);
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        Some(response)
    }
}

/// Allows only our own script and style, and connections to this door and to the tenant.
fn policy(issuer: &str) -> HeaderValue {
    let tenant = Url::parse(issuer).map(|issuer| issuer.origin().ascii_serialization()).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' {tenant}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn response(body: &Bytes, media: &'static str, cache: &'static str) -> Response {
    let mut response = Response::new(body.clone().into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graphiql(issuer: &str) -> Graphiql {
        #[derive(serde::Deserialize)]
        struct Defaults {
            public: DoorSettings,
        }
        let defaults: Defaults = toml::from_str(include_str!("../../config/default.toml")).unwrap();
        let settings = DoorSettings {
            audience: "https://api.example/".to_owned(),
            graphiql: true,
            graphiql_client_id: Some("spa".to_owned()),
            ..defaults.public
        };
        Graphiql::new("public", &settings, issuer, "{ me { id } }")
    }

    #[test]
    fn all_assets_of_the_page_are_served_compressed_and_immutable() {
        let graphiql = graphiql("https://t.example/");
        let page = String::from_utf8(graphiql.page.to_vec()).unwrap();
        let paths: Vec<&str> = page.split('"').filter(|text| text.starts_with("graphiql/")).collect();
        assert_eq!(paths.len(), ASSETS.len(), "{paths:?}");
        for path in paths {
            let asset = graphiql.respond(&format!("/{path}")).unwrap();
            assert_eq!(asset.status(), 200, "{path}");
            assert_eq!(asset.headers()[CONTENT_ENCODING], "gzip");
            assert!(asset.headers()[CACHE_CONTROL].to_str().unwrap().ends_with("immutable"));
        }
        assert!(ASSETS.iter().all(|(_, _, bytes)| bytes.starts_with(b"\x1f\x8b") && bytes.len() > 1000));
        for other in ["/graphiql/old/graphiql.js", "/graphiql/", "/graphql", "/graphiql/x/../page.html", ""] {
            assert!(graphiql.respond(other).is_none(), "{other}");
        }
    }

    #[test]
    fn the_policy_allows_the_door_and_the_tenant_and_nothing_inline() {
        let page = graphiql("https://t.example/").respond("/").unwrap();
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("connect-src 'self' https://t.example;"), "{policy}");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers()[CACHE_CONTROL], "no-cache");
    }

    #[test]
    fn the_page_gets_its_tenant_client_and_example_query() {
        let graphiql = graphiql("https://t.example/");
        let door: serde_json::Value = serde_json::from_slice(&graphiql.door).unwrap();
        let expected = json!({"title": "Public API", "issuer": "https://t.example/",
            "audience": "https://api.example/", "clientId": "spa",
            "anonymous": false, "toTry": "{ me { id } }"});
        assert_eq!(door, expected);
    }
}
