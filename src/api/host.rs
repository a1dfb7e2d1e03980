//! The host names a door answers to. A page of any site can make its own name lead to a loopback address (DNS
//! rebinding) and so reach what listens there; it can not make the browser send another `Host`.

use std::sync::Arc;

use warp::filters::BoxedFilter;
use warp::http::header::HOST;
use warp::http::{HeaderMap, StatusCode};
use warp::path::FullPath;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::DoorSettings;

/// Probes come by address, and tell nothing.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Lets through to `routes` what is addressed to one of `settings.hosts`; all there is, if there are none. Else 421
/// (RFC 9110 §15.5.20). `door` is how the settings call the door.
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
            let passes = PROBES.contains(&path.as_str()) || is_one_of(&hosts, &headers);
            std::future::ready(if passes { Err(warp::reject()) } else { Ok::<_, Rejection>(()) })
        })
        .untuple_one()
        .map(move || {
            let told = format!("This server does not answer to that host name (`{door}.hosts`).\n");
            warp::reply::with_status(told, StatusCode::MISDIRECTED_REQUEST).into_response()
        });
    misdirected.or(routes).unify().boxed()
}

fn is_one_of(hosts: &[String], headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(HOST).iter();
    let (Some(one), None) = (sent.next(), sent.next()) else { return false };
    let Ok(host) = one.to_str() else { return false };
    // Without the port; an IPv6 address has colons of its own, in brackets.
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
    fn a_name_counts_without_its_port_and_whatever_its_case() {
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        for (host, known) in [
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
            assert_eq!(is_one_of(&hosts, &headers), known, "{host}");
        }
        assert!(!is_one_of(&hosts, &HeaderMap::new()));
    }
}
