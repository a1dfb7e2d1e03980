//! GraphiQL at `/` of a door: a page to try operations on, with a log in. Served from the executable, so it works offline.
//!
//! `assets/graphiql/` holds the page's sources and says how the bundle is made and what it may load.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use url::Url;
use warp::filters::BoxedFilter;
use warp::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use warp::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use warp::hyper::body::Bytes;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::DoorSettings;

const PAGE: &str = include_str!("../../assets/graphiql/page.html");

/// Path, media type, and the bytes as gzip made them. Every browser takes gzip, so nothing else is kept.
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

/// A year: an asset's path names its version.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// What the page and its assets are, for one door.
struct Graphiql {
    version: String,
    page: Bytes,
    /// What the page has to know of its door, as JSON.
    door: Bytes,
    policy: HeaderValue,
}

/// The page, its assets and what it has to know of the door; without `settings.graphiql` a filter that takes nothing.
/// `to_try` is the query that the editor begins with.
pub(super) fn routes(
    name: &str,
    settings: &DoorSettings,
    issuer: &str,
    to_try: &str,
) -> BoxedFilter<(Response,)> {
    let graphiql = || Arc::new(Graphiql::new(name, settings, issuer, to_try));
    let Some(graphiql) = settings.graphiql.then(graphiql) else {
        return warp::any().and_then(|| async { Err::<Response, _>(warp::reject::not_found()) }).boxed();
    };
    warp::get()
        .and(warp::path::full())
        .and(warp::header::headers_cloned())
        .and_then(move |path: warp::path::FullPath, headers: HeaderMap| {
            let answer = graphiql.answer(path.as_str(), &headers);
            async move { answer.ok_or_else(warp::reject::not_found) as Result<Response, Rejection> }
        })
        .boxed()
}

impl Graphiql {
    fn new(name: &str, settings: &DoorSettings, issuer: &str, to_try: &str) -> Self {
        let version = version(ASSETS.iter().map(|(_, _, bytes)| *bytes));
        let mut title = name.to_owned();
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let door = json!({
            "title": format!("{title} API"),
            "issuer": issuer,
            "audience": settings.audience,
            "clientId": settings.graphiql_client_id,
            "toTry": to_try,
        });
        Self {
            page: PAGE.replace("@VERSION@", &version).into(),
            door: door.to_string().into(),
            policy: policy(issuer),
            version,
        }
    }

    /// `None` for a path that is not GraphiQL's.
    fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        match path.strip_prefix('/')? {
            "" => Some(self.page(headers)),
            "graphiql/door.json" => Some(reply(&self.door, "application/json", "no-store")),
            asset => self.asset(asset.strip_prefix("graphiql/")?, headers),
        }
    }

    fn page(&self, headers: &HeaderMap) -> Response {
        let mut response = reply(&self.page, "text/html; charset=utf-8", "no-cache");
        let set = response.headers_mut();
        set.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        set.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        // A login comes back to this page with a code in its query.
        set.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        for isolated in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
            set.insert(HeaderName::from_static(isolated), HeaderValue::from_static("same-origin"));
        }
        unless_known(response, &version([self.page.as_ref()]), headers)
    }

    fn asset(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let (version, name) = path.split_once('/')?;
        let (_, media, bytes) = ASSETS.into_iter().find(|(known, ..)| *known == name)?;
        if version != self.version {
            return None;
        }
        let mut response = reply(&Bytes::from_static(bytes), media, FOR_EVER);
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        Some(unless_known(response, version, headers))
    }
}

/// Nothing but our own script and style, and no connection but to this door and to the tenant.
fn policy(issuer: &str) -> HeaderValue {
    let tenant = Url::parse(issuer).map(|issuer| issuer.origin().ascii_serialization()).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' {tenant}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn reply(body: &Bytes, media: &'static str, cache: &'static str) -> Response {
    let mut response = Response::new(body.clone().into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// 304 in place of what the client has already (RFC 9110 §13.1.2).
fn unless_known(mut response: Response, version: &str, headers: &HeaderMap) -> Response {
    let tag = format!("\"{version}\"");
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known =
        known.flat_map(|value| value.split(',')).any(|known| known.trim().trim_start_matches("W/") == tag);
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Bytes::new().into();
    }
    response
}

/// Names bytes by what they are.
fn version<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let digests: Vec<u8> =
        parts.into_iter().flat_map(|part| digest(&SHA256, part).as_ref().to_vec()).collect();
    let whole = URL_SAFE_NO_PAD.encode(digest(&SHA256, &digests));
    whole.chars().take(16).collect()
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

    fn knows(tag: &HeaderValue) -> HeaderMap {
        HeaderMap::from_iter([(IF_NONE_MATCH, tag.clone())])
    }

    #[test]
    fn all_that_the_page_loads_is_there_packed_and_kept_for_ever() {
        let graphiql = graphiql("https://t.example/");
        let page = String::from_utf8(graphiql.page.to_vec()).unwrap();
        let paths: Vec<&str> = page.split('"').filter(|text| text.starts_with("graphiql/")).collect();
        assert_eq!(paths.len(), ASSETS.len(), "{paths:?}");
        for path in paths {
            let asset = graphiql.answer(&format!("/{path}"), &HeaderMap::new()).unwrap();
            assert_eq!(asset.status(), 200, "{path}");
            assert_eq!(asset.headers()[CONTENT_ENCODING], "gzip");
            assert!(asset.headers()[CACHE_CONTROL].to_str().unwrap().ends_with("immutable"));
            let again = graphiql.answer(&format!("/{path}"), &knows(&asset.headers()[ETAG])).unwrap();
            assert_eq!(again.status(), 304, "{path}");
        }
        assert!(ASSETS.iter().all(|(_, _, bytes)| bytes.starts_with(b"\x1f\x8b") && bytes.len() > 1000));
        for other in ["/graphiql/old/graphiql.js", "/graphiql/", "/graphql", "/graphiql/x/../page.html", ""] {
            assert!(graphiql.answer(other, &HeaderMap::new()).is_none(), "{other}");
        }
    }

    #[test]
    fn the_page_may_reach_its_door_and_its_tenant_and_run_nothing_inline() {
        let page = graphiql("https://t.example/").answer("/", &HeaderMap::new()).unwrap();
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("connect-src 'self' https://t.example;"), "{policy}");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers()[CACHE_CONTROL], "no-cache");
    }

    #[test]
    fn the_page_learns_whom_to_ask_for_a_token_and_what_to_begin_with() {
        let graphiql = graphiql("https://t.example/");
        let told: serde_json::Value = serde_json::from_slice(&graphiql.door).unwrap();
        let expected = json!({"title": "Public API", "issuer": "https://t.example/",
            "audience": "https://api.example/", "clientId": "spa", "toTry": "{ me { id } }"});
        assert_eq!(told, expected);
    }
}
