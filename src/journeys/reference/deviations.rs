//! Where the stock filter deviates over HTTP, and why the doors do not.

use serde_json::json;
use vestibule::cli::http_client::HttpResponse;

use super::stock::{Stock, send};
use crate::test_server::TestServer;

const JSON: (&str, &str) = ("content-type", "application/json");
const TEXT: (&str, &str) = ("content-type", "text/plain");

/// One request, and what each endpoint makes of it: the status, and a part of the body.
struct Deviation {
    why: &'static str,
    method: &'static str,
    query: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: String,
    stock: (u16, &'static str),
    door: (u16, &'static str),
}

/// A deviation of POST; the others change `method` and `query`.
fn post(
    why: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: impl ToString,
    stock: (u16, &'static str),
    door: (u16, &'static str),
) -> Deviation {
    Deviation { why, method: "POST", query: "", headers, body: body.to_string(), stock, door }
}

fn get(
    why: &'static str,
    query: &'static str,
    headers: &'static [(&'static str, &'static str)],
    stock: (u16, &'static str),
    door: (u16, &'static str),
) -> Deviation {
    Deviation { method: "GET", query, ..post(why, headers, "", stock, door) }
}

const TYPENAME: &str = r#"{"data":{"__typename":"Query"}}"#;
const RENAMED: &str = r#"{"data":{"updateMe":{"me":{"name":"Eve"}}}}"#;
const TWO: &str = "?query=query%20A%7Ba:__typename%7Dquery%20B%7Bb:__typename%7D";

#[rustfmt::skip]
fn deviations() -> Vec<Deviation> {
    let rename = r#"mutation { updateMe(input: {name: "Eve"}) { me { name } } }"#;
    let invalid = json!({"query": "{ nothing }"});
    let typename = json!({"query": "{ __typename }"});
    let mutation_by_get =
        "?query=mutation%7BupdateMe(input:%7Bname:%22Eve%22%7D)%7Bme%7Bname%7D%7D%7D";
    let named = |name: &str| format!("{TWO}&{name}=B");
    let aliases = (0..31).map(|i| format!("a{i}: __typename ")).collect::<String>();
    vec![
        // A page of any origin can send these without a preflight, and a link can send the first.
        get("a GET must not change anything", mutation_by_get, &[], (200, RENAMED), (405, "METHOD_NOT_ALLOWED")),
        post("a form or text/plain needs no preflight", &[TEXT], rename, (200, RENAMED), (415, "UNSUPPORTED_MEDIA_TYPE")),
        post("a body without a media type is no JSON", &[], &typename, (200, TYPENAME), (415, "UNSUPPORTED_MEDIA_TYPE")),
        // GraphQL over HTTP names the parameter as the member of the body.
        get("a GET names its operation in operationName", named("operationName").leak(), &[], (400, "errors"), (200, r#"{"data":{"b":"Query"}}"#)),
        get("operation_name is no parameter", named("operation_name").leak(), &[], (200, r#"{"data":{"b":"Query"}}"#), (400, "errors")),
        get("a parameter given twice is ambiguous", "?query=%7B__typename%7D&query=%7Bx:__typename%7D", &[], (200, r#"{"data":{"x":"Query"}}"#), (400, "BAD_REQUEST")),
        get("a missing query gets a JSON error", "", &[], (400, "Missing GraphQL `query` string"), (400, r#"{"errors":[{"message":"#)),
        get("variables are an object", "?query=%7B__typename%7D&variables=%5B7%5D", &[], (200, TYPENAME), (400, "BAD_REQUEST")),
        get("extensions are an object", "?query=%7B__typename%7D&extensions=7", &[], (200, TYPENAME), (400, "BAD_REQUEST")),
        post("variables are an object", &[JSON], json!({"query": "{ __typename }", "variables": [7]}), (200, TYPENAME), (400, "BAD_REQUEST")),
        post("broken JSON gets a JSON error", &[JSON], "{", (400, "Request body deserialize error"), (400, "BAD_REQUEST")),
        // One request could otherwise cost as much as any number of them.
        post("batches have no limit", &[JSON], json!(vec![&typename; 500]), (200, TYPENAME), (400, "BAD_REQUEST")),
        post("aliases have a limit", &[JSON], json!({"query": format!("{{ {aliases} }}")}), (200, r#""a30":"Query""#), (400, "LIMIT_EXCEEDED")),
        // For `application/json` the status says whether the request was well-formed.
        post("clients of application/json expect 200", &[JSON, ("accept", "application/json")], &invalid, (400, "errors"), (200, "errors")),
        get("Accept counts", "?query=%7B__typename%7D", &[("accept", "text/html")], (200, TYPENAME), (406, "NOT_ACCEPTABLE")),
        post("a subscription needs a WebSocket", &[JSON], json!({"query": "subscription { meChanged { id } }"}), (400, "Expected query, got subscription"), (400, "BAD_REQUEST")),
        Deviation { method: "PUT", ..post("an unknown method is 405 with Allow", &[JSON], &typename, (405, ""), (405, "METHOD_NOT_ALLOWED")) },
        Deviation { method: "HEAD", ..get("HEAD is GET without the body", "?query=%7B__typename%7D", &[], (405, ""), (200, "")) },
    ]
}

#[test]
fn the_stock_filter_deviates_from_the_public_door_in_known_ways() {
    let server = TestServer::open(&[]);
    let stock = Stock::start(&server);
    server.insert_person("ada");
    let token = server.token("auth0|ada", json!({}));
    for Deviation { why, method, query, headers, body, stock: expected_stock, door } in deviations() {
        for (url, (status, part)) in [(stock.public_url(), expected_stock), (server.public(), door)] {
            let answer = send(&server, method, &format!("{url}{query}"), Some(&token), headers, &body);
            let known = answer.status == status && answer.body.contains(part);
            assert!(known, "{why}: {method} {url}{query}: {} {}", answer.status, answer.body);
        }
    }
}

#[test]
fn the_stock_filter_gives_one_media_type_whatever_is_accepted() {
    let server = TestServer::open(&[]);
    let stock = Stock::start(&server);
    let media = |url: &str| {
        let url = format!("{url}?query=%7B__typename%7D");
        let answer = send(&server, "GET", &url, Some(&server.public_machine_token()), &[], "");
        answer.header("content-type").map(str::to_owned)
    };
    assert_eq!(media(&stock.public_url()).as_deref(), Some("application/json"));
    assert_eq!(media(&server.public()).as_deref(), Some("application/graphql-response+json; charset=utf-8"));
}

#[test]
fn the_stock_filter_reads_the_body_before_it_knows_the_caller() {
    let server = TestServer::open(&[]);
    let stock = Stock::start(&server);
    let broken = |url: &str| send(&server, "POST", url, None, &[JSON], "{");
    let body = |answer: &HttpResponse| (answer.status, answer.code());
    let theirs = broken(&stock.public_url());
    assert_eq!(theirs.status, 400, "{}", theirs.body);
    assert!(theirs.body.starts_with("Request body deserialize error"), "{}", theirs.body);
    assert_eq!(body(&broken(&server.public())), (401, Some("NO_TOKEN".to_owned())));
}

/// A rejection that nothing recovers becomes warp's own answer, which quotes the value. The doors' gate gives no rejection.
#[test]
fn a_refusal_behind_the_stock_filter_becomes_a_server_error() {
    let server = TestServer::open(&[]);
    let stock = Stock::start(&server);
    let get = |url: &str| send(&server, "GET", &format!("{url}?query=%7B__typename%7D"), None, &[], "");
    let theirs = get(&stock.public_url());
    assert_eq!(theirs.status, 500, "{}", theirs.body);
    assert!(theirs.body.contains("Unhandled rejection: NoToken"), "{}", theirs.body);
    let ours = get(&server.public());
    assert_eq!((ours.status, ours.code().as_deref()), (401, Some("NO_TOKEN")));
    assert!(ours.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer ")));
}

#[test]
fn the_stock_filter_runs_what_is_not_trusted_or_too_expensive() {
    let documents = tempfile::tempdir().unwrap();
    let server = TestServer::open(&[
        &format!("public.documents.dir={}", documents.path().display()),
        "public.documents.only=true",
        "internal.limits.cost=100",
    ]);
    let stock = Stock::start(&server);
    let ask = |url: &str, token: &str, query: &str| {
        send(&server, "POST", url, Some(token), &[JSON], &json!({"query": query}).to_string())
    };
    let token = server.public_machine_token();
    let ours = ask(&server.public(), &token, "{ __typename }");
    assert_eq!((ours.status, ours.code().as_deref()), (400, Some("DOCUMENT_NOT_TRUSTED")));
    assert_eq!(ask(&stock.public_url(), &token, "{ __typename }").body, TYPENAME);
    let (token, expensive) =
        (server.machine_token("users:read"), "{ users(first: 100) { nodes { id email name } } }");
    let ours = ask(&server.internal(), &token, expensive);
    assert_eq!((ours.status, ours.code().as_deref()), (400, Some("LIMIT_EXCEEDED")));
    let theirs = ask(&stock.internal_url(), &token, expensive);
    assert_eq!((theirs.status, theirs.code()), (200, None), "{}", theirs.body);
}

/// juniper unwraps the condition of `@include` and `@skip`, but a variable with a default is allowed there and may be null.
#[test]
fn a_null_condition_panics_in_juniper_and_the_stock_filter_closes_the_connection() {
    let server = TestServer::open(&[]);
    let stock = Stock::start(&server);
    let token = format!("Bearer {}", server.public_machine_token());
    for (document, variables) in [
        ("query ($if: Boolean = true) { viewer { kind @include(if: $if) } }", json!({"if": null})),
        ("query ($if: Boolean = null) { viewer { kind @skip(if: $if) } }", json!({})),
        (
            "query ($if: Boolean = true) { ...A } fragment A on Query { viewer { ... @skip(if: $if) { kind } } }",
            json!({"if": null}),
        ),
    ] {
        let body = json!({"query": document, "variables": variables}).to_string();
        let headers = [JSON, ("authorization", token.as_str())];
        let post = |url: &str| server.http.send("POST", url, &headers, body.clone());
        assert!(post(&stock.public_url()).is_err(), "{document}");
        let ours = post(&server.public()).unwrap();
        assert_eq!((ours.status, ours.code().as_deref()), (400, Some("BAD_REQUEST")), "{}", ours.body);
    }
}
