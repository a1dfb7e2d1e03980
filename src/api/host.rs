//! Checks the `Host` of requests against DNS rebinding: a website can point its own name at a loopback address and so reach a
//! local server, but it can't make the browser send another `Host`.

use std::sync::Arc;

use warp::filters::BoxedFilter;
use warp::http::header::HOST;
use warp::http::{HeaderMap, StatusCode};
use warp::path::FullPath;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::DoorSettings;

/// Probes use addresses instead of names, and their responses reveal nothing.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Serves `routes` only to requests whose `Host` is one of `settings.hosts`, unless that list is empty. Others get 421 (RFC
/// 9110 §15.5.20). `door` is the door's name in the settings.
pub fn restrict_hosts(
    door: &'static str,
    settings: &DoorSettings,
    routes: BoxedFilter<(Response,)>,
) -> BoxedFilter<(Response,)> {
    if settings.hosts.is_empty() {
        return routes;
    }
    let hosts: Arc<[String]> = settings.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    let misdirected = warp::path::full()
        .and(warp::header::headers_cloned())
        .and_then(move |path: FullPath, headers: HeaderMap| {
            let accepted = PROBES.contains(&path.as_str()) || is_host_in(&hosts, &headers);
            std::future::ready(if accepted { Err(warp::reject()) } else { Ok::<_, Rejection>(()) })
        })
        .untuple_one()
        .map(move || {
            let message = format!("The host name of the request is not in `{door}.hosts`.\n");
            warp::reply::with_status(message, StatusCode::MISDIRECTED_REQUEST).into_response()
        });
    misdirected.or(routes).unify().boxed()
}

fn is_host_in(hosts: &[String], headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(HOST).iter();
    let (Some(one), None) = (sent.next(), sent.next()) else { return false };
    let Ok(host) = one.to_str() else { return false };
    // Cut the port off; the colons of an IPv6 address are in brackets.
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use warp::http::HeaderValue;

    #[test]
    fn a_host_matches_without_its_port_and_in_any_case() {
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        for (host, accepted) in [
            ("localhost", true),
            ("LOCALHOST:4001", true),
            ("127.0.0.1:4001", true),
            ("[::1]", true),
            ("[::1]:4001", true),
            ("evil.example", false),
            ("localhost.evil.example:4001", false),
            ("localhost:evil.example:4001", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_str(host).unwrap())]);
            assert_eq!(is_host_in(&hosts, &headers), accepted, "{host}");
        }
        assert!(!is_host_in(&hosts, &HeaderMap::new()));
    }
}
