//! `/healthz`: the process lives. `/readyz`: it can answer for its callers.

use serde_json::json;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::Services;

pub(super) fn routes(services: &Services) -> BoxedFilter<(Response,)> {
    let services = services.clone();
    let alive = warp::path!("healthz").and(warp::get()).map(|| "ok\n".into_response());
    let ready = warp::path!("readyz").and(warp::get()).and_then(move || {
        let services = services.clone();
        async move { Ok::<_, Rejection>(ready(&services)) }
    });
    alive.or(ready).unify().boxed()
}

/// 200 when keys are known and the database answers, 503 otherwise; the body says which is missing.
fn ready(services: &Services) -> Response {
    let keys = services.gate.keys().ready();
    let store = services.store.ping().is_ok();
    let status = if keys && store { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |ready| if ready { "ready" } else { "not ready" };
    warp::reply::with_status(
        warp::reply::json(&json!({"signingKeys": word(keys), "database": word(store)})),
        status,
    )
    .into_response()
}
