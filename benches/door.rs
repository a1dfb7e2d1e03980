//! The cost of a door's stages behind the gate, in one process and without a network: `cargo bench --bench door`.
//!
//! | case | what runs |
//! |---|---|
//! | `healthz` | the route and an empty answer |
//! | `refused` | the route, the gate without a token, and the refusal as JSON |
//! | `field` | all of a request: an anonymous caller, the body, a document that is kept, one field, its JSON |
//! | `document` | as `field`, but the document is parsed, measured and validated: the difference is *prepare* |
//! | `fields` | as `field`, with 20 fields: the difference is *execute*, 19 times, and little JSON |
//! | `text` | as `field`, with a text of 64 KiB: the difference is *render*, and a copy of the text |

#![expect(clippy::expect_used, reason = "a bench that fails to set up measures nothing")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use juniper::{EmptyMutation, EmptySubscription, RootNode, graphql_object};
use serde_json::json;
use vestibule::api::{self, Context, TrustedDocuments};
use vestibule::app::{Doors, Listener, Vestibule};
use vestibule::clock::Clock;
use vestibule::config::{self, DEVELOPMENT, Sources};
use vestibule::script::WorkerCommand;
use warp::http::Request;

struct Query;

#[graphql_object(context = Context)]
impl Query {
    fn field() -> i32 {
        1
    }

    fn text() -> String {
        "a".repeat(64 * 1024)
    }
}

fn schema() -> api::Schema {
    api::Schema::synchronous(RootNode::new(Query, EmptyMutation::new(), EmptySubscription::new()))
}

fn the_door(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _context = runtime.enter();
    let folder = tempfile::tempdir().expect("a folder");
    // A closed port: no token is verified.
    let sources = Sources::new(DEVELOPMENT)
        .with_override("auth0.issuer", "http://127.0.0.1:1/")
        .with_override("public.anonymous", "true")
        .with_override("store.path", folder.path().join("bench.db").display().to_string());
    let config = config::load(sources).expect("settings");
    let bind = |key| runtime.block_on(Listener::bind(([127, 0, 0, 1], 0).into(), key)).expect("a port");
    let worker = WorkerCommand { program: "none".into(), args: Vec::new() };
    let vestibule = Vestibule::default();
    let doors = Doors::open(vestibule, &config, bind("public"), bind("internal"), (worker, Clock::system()));
    let services = doors.as_ref().expect("both doors open").services().clone();

    let mut group = criterion.benchmark_group("door");
    let mut case =
        |name: &str, anonymous: bool, kept: usize, request: &dyn Fn() -> Request<String>, status: u16| {
            let mut settings = config.public.clone();
            (settings.anonymous, settings.limits.kept) = (anonymous, kept);
            let rules = Arc::new(settings.rules(&config.claims));
            let trusted = TrustedDocuments::default();
            let (routes, _) =
                api::door("public", &settings, &rules, services.clone(), (schema(), ""), trusted);
            let service = TowerToHyperService::new(warp::service(routes));
            group.bench_function(name, |bench| {
                bench.iter(|| {
                    let response = service.call(black_box(request())).now_or_never();
                    let response = response.expect("nothing is waited for").expect("it cannot fail");
                    assert_eq!(response.status().as_u16(), status, "{name}");
                    response
                });
            });
        };
    let post = |query: &str| {
        let (query, uri) = (json!({ "query": query }).to_string(), "http://127.0.0.1:4000/graphql");
        move || {
            let request = Request::post(uri).header("host", "127.0.0.1:4000");
            request.header("content-type", "application/json").body(query.clone()).expect("a request")
        }
    };
    let healthz = || Request::get("http://127.0.0.1:4000/healthz").body(String::new()).expect("a request");
    let fields: String = (0..20).map(|number| format!(" a{number}: field")).collect();
    case("healthz", true, 1, &healthz, 200);
    case("refused", false, 1, &post("{ field }"), 401);
    case("field", true, 1, &post("{ field }"), 200);
    case("document", true, 0, &post("{ field }"), 200);
    case("fields", true, 1, &post(&format!("{{{fields} }}")), 200);
    case("text", true, 1, &post("{ text }"), 200);
    group.finish();
    runtime.block_on(doors.expect("both doors open").stop());
}

criterion_group!(benches, the_door);
criterion_main!(benches);
