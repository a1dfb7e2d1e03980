//! `/metrics` on the internal door, in Prometheus' text format. Numbers only, no personal data.

use std::fmt::Write;
use std::sync::Arc;

use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::header::{CONTENT_TYPE, HeaderValue};
use warp::reply::{Reply, Response};

use super::services::Services;
use crate::auth::DoorRules;

/// The route. `doors` are the rules of both doors, by name.
pub fn metrics(services: &Services, doors: Vec<(&'static str, Arc<DoorRules>)>) -> BoxedFilter<(Response,)> {
    let services = services.clone();
    warp::path!("metrics")
        .and(warp::get())
        .map(move || {
            let mut response = text(&services, &doors).into_response();
            let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, format);
            response
        })
        .boxed()
}

fn text(services: &Services, doors: &[(&'static str, Arc<DoorRules>)]) -> String {
    let mut text = String::new();
    let mut family = |name: &str, help: &str, values: Vec<(String, u64)>| {
        // Writing to a string does not fail.
        let _ = write!(text, "# HELP vestibule_{name} {help}\n# TYPE vestibule_{name} counter\n");
        for (labels, value) in values {
            let _ = writeln!(text, "vestibule_{name}{labels} {value}");
        }
    };
    let refused = services.refusals.all();
    let refused = refused
        .into_iter()
        .map(|((door, code), count)| (format!("{{door=\"{door}\",code=\"{code}\"}}"), count))
        .collect();
    family("refusals_total", "Refused requests, by door and code.", refused);
    let tokens = doors.iter().flat_map(|(name, door)| {
        let (cached, verified) = door.cache.hits_and_misses();
        [("cached", cached), ("verified", verified)]
            .map(|(how, count)| (format!("{{door=\"{name}\",how=\"{how}\"}}"), count))
    });
    family("tokens_total", "Tokens found in the cache (cached) or verified.", tokens.collect());
    let fetches = services.gate.keys().fetches();
    family("key_fetches_total", "Fetches of signing keys.", vec![(String::new(), fetches)]);
    text
}
