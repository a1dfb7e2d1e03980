//! `/healthz`: the process is alive. `/readyz`: it can serve requests.

use std::sync::Arc;

use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::{Reply, Response};

use super::services::Services;

pub(super) fn routes(services: &Services) -> BoxedFilter<(Response,)> {
    // One reference: warp clones the filter for each request.
    let services = Arc::new(services.clone());
    let alive = warp::path!("healthz").and(warp::get()).map(|| "ok\n".into_response());
    let ready = warp::path!("readyz").and(warp::get()).map(move || ready(&services));
    alive.or(ready).unify().boxed()
}

/// 200 when the signing keys of the tenant are loaded and the database responds, else 503. The body shows which of them is
/// missing, and the issuers whose keys are; another trusted issuer that is down concerns its own tokens only.
fn ready(services: &Services) -> Response {
    let issuers: Vec<_> = services.gate.keys().states().collect();
    let keys = issuers.first().is_some_and(|own| own.ready);
    let store = services.store.ping().is_ok();
    let status = if keys && store { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let state = |ready| if ready { "ready" } else { "not ready" };
    warp::reply::with_status(
        warp::reply::json(&json!({"signingKeys": state(keys), "database": state(store), "issuers": issuers})),
        status,
    )
    .into_response()
}
