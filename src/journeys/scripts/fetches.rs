//! Requests of rules: fetch, request and axios.

use std::time::Duration;

use serde_json::json;
use vestibule::clock::Clock;
use vestibule::script::DenyReason;

use super::http_stub::{HttpStub, Request, StubResponse, response};
use super::script_host::{ScriptHost, settings};

fn echo(request: &Request) -> StubResponse {
    let shown =
        json!({ "method": request.method, "path": request.path, "head": request.head, "body": request.body });
    match request.path.as_str() {
        "/missing" => response(404, "{\"error\":\"nothing here\"}"),
        "/moved" => StubResponse {
            status: 302,
            headers: vec![("location", "/target".to_owned())],
            body: String::new(),
        },
        "/big" => response(200, "x".repeat(1024 * 1024 + 1)),
        "/largest" => response(200, "\u{1}".repeat(1024 * 1024)),
        "/token" => response(200, "{\"access_token\":\"t\",\"expires_in\":3600}"),
        _ => {
            StubResponse { status: 200, headers: vec![("x-seen", "yes".to_owned())], body: shown.to_string() }
        }
    }
}

#[tokio::test]
async fn a_fetch_goes_out_and_is_recorded_without_its_query() {
    let stub = HttpStub::open(1, echo).await;
    let host = ScriptHost::open(&settings(), &[&stub.origin]).configured(&[("BASE", &stub.origin)]);
    let script = "async function (user, context, callback) {
        const response = await fetch(configuration.BASE + '/path?token=abc', {
          method: 'put', headers: { 'X-Custom': 'v', Host: 'evil.example' }, body: JSON.stringify({ a: 1 }),
        });
        user.seen = [response.ok, response.status, response.headers.get('X-Seen'), await response.json()];
        callback(null, user, context);
      }";
    let outcome = host.one(script).await.unwrap();
    let seen = &outcome.user["seen"];
    assert_eq!((&seen[0], &seen[1], &seen[2]), (&json!(true), &json!(200), &json!("yes")));
    assert_eq!((&seen[3]["method"], &seen[3]["body"]), (&json!("PUT"), &json!("{\"a\":1}")));
    assert_eq!(seen[3]["path"], "/path?token=abc");
    let head = seen[3]["head"].as_str().unwrap();
    assert!(head.contains("x-custom: v") && !head.contains("evil.example"), "{head}");
    let fetch = &outcome.trace.fetches[0];
    assert_eq!((fetch.script.as_str(), fetch.method.as_str(), fetch.status), ("only-rule", "PUT", Some(200)));
    assert_eq!(fetch.url, stub.url("/path"));
}

#[tokio::test]
async fn a_request_to_an_unlisted_origin_is_refused_and_not_sent() {
    let (allowed, other) = (HttpStub::open(1, echo).await, HttpStub::open(1, echo).await);
    let host = ScriptHost::open(&settings(), &[&allowed.origin]).configured(&[("OTHER", &other.origin)]);
    let denied =
        host.one("async function () { await fetch(configuration.OTHER + '/x'); }").await.unwrap_err();
    assert_eq!(denied.reason, DenyReason::Failed);
    assert!(denied.message.contains(&other.origin), "{denied}");
    assert!(denied.message.contains("tenant.allow_fetch"), "{denied}");
    assert!(other.requests("/x").is_empty());
    // It is recorded, also when the script swallows the error.
    let script = "async function (u, c, cb) {
        await fetch(configuration.OTHER + '/x?secret=1').catch(() => {});
        await fetch('nonsense').catch(() => {});
        cb(null, u, c);
      }";
    let fetches = host.one(script).await.unwrap().trace.fetches;
    let refused = fetches[0].refused.as_ref().unwrap();
    assert!(refused.contains(&other.origin) && refused.contains("tenant.allow_fetch"), "{refused}");
    assert_eq!((fetches[0].script.as_str(), &fetches[0].url), ("only-rule", &other.url("/x")));
    assert!(fetches[1].refused.as_ref().unwrap().contains("not an absolute URL"), "{fetches:?}");
}

#[tokio::test]
async fn a_redirect_is_a_request_of_its_own_and_its_origin_is_checked_too() {
    let (stub, other) = (HttpStub::open(1, echo).await, HttpStub::open(1, echo).await);
    let away = other.url("/moved-here");
    let stub_away = HttpStub::open(1, move |_| StubResponse {
        status: 307,
        headers: vec![("location", away.clone())],
        body: String::new(),
    })
    .await;
    let host = ScriptHost::open(&settings(), &[&stub.origin, &stub_away.origin])
        .configured(&[("BASE", &stub.origin), ("AWAY", &stub_away.origin)]);
    let script = "async function (user, context, callback) {
        const followed = await fetch(configuration.BASE + '/moved', { method: 'POST', body: 'x' });
        const { method, path } = await followed.json();
        const manual = await fetch(configuration.BASE + '/moved', { redirect: 'manual' });
        const refused = await fetch(configuration.AWAY).catch((error) => error.code);
        user.seen = [followed.redirected, method, path, manual.status, manual.headers.get('location'), refused];
        callback(null, user, context);
      }";
    let output = host.one(script).await.unwrap();
    assert_eq!(output.user["seen"], json!([true, "GET", "/target", 302, "/target", "ENOTALLOWED"]));
    assert_eq!(output.trace.fetches.len(), 5);
    assert!(output.trace.fetches[4].refused.is_some() && other.requests("/moved-here").is_empty());
}

#[tokio::test]
async fn a_response_of_one_mebibyte_arrives_and_a_longer_one_does_not() {
    let stub = HttpStub::open(1, echo).await;
    let host = ScriptHost::open(&settings(), &[&stub.origin]).configured(&[("BASE", &stub.origin)]);
    let script = "async function (user, context, callback) {
        user.length = (await (await fetch(configuration.BASE + '/largest')).text()).length;
        user.error = await fetch(configuration.BASE + '/big').then(() => 'none', (error) => error.code);
        callback(null, user, context);
      }";
    let user = host.one(script).await.unwrap().user;
    assert_eq!((&user["length"], &user["error"]), (&json!(1024 * 1024), &json!("ETOOBIG")));
}

#[tokio::test]
async fn fetches_run_concurrently_and_the_twenty_first_is_refused() {
    // It responds when five requests have arrived.
    let stub = HttpStub::open(5, |_| response(200, "x".repeat(200_000))).await;
    let host = ScriptHost::open(&settings(), &[&stub.origin]).configured(&[("BASE", &stub.origin)]);
    let script = "async function (user, context, callback) {
        const some = (count, path) => Promise.all(Array.from({ length: count }, () => fetch(configuration.BASE + path)));
        await some(5, '/meet');
        user.more = (await some(15, '/more')).length;
        user.error = await fetch(configuration.BASE + '/last').then(() => 'none', (error) => error.code);
        callback(null, user, context);
      }";
    let outcome = host.one(script).await.unwrap();
    assert_eq!((&outcome.user["more"], &outcome.user["error"]), (&json!(15), &json!("ELIMIT")));
    assert_eq!(outcome.trace.fetches.len(), 21);
    assert!(outcome.trace.fetches[20].refused.as_ref().unwrap().contains("20 times"));
    assert!(stub.requests("/last").is_empty());
}

#[tokio::test]
async fn a_silent_or_absent_server_rejects_and_the_rule_can_continue() {
    let stub = HttpStub::open(1, echo).await;
    let mut settings = settings();
    settings.fetch_timeout = Duration::from_millis(200);
    let away = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let host = ScriptHost::open(&settings, &[&stub.origin, &away])
        .configured(&[("BASE", &stub.origin), ("AWAY", &away)]);
    let script = "function (user, context, callback) {
        const request = require('request@2.88.0');
        request({ url: configuration.BASE + '/silence', timeout: 50 }, (first) => {
          request.get(configuration.BASE + '/silence', (second) => {
            request.get(configuration.AWAY, (third) => {
              user.codes = [first.code, second.code, third.code];
              callback(null, user, context);
            });
          });
        });
      }";
    let outcome = host.one(script).await.unwrap();
    assert_eq!(outcome.user["codes"], json!(["ETIMEDOUT", "ETIMEDOUT", "EFETCH"]));
    assert!(outcome.trace.fetches.iter().all(|fetch| fetch.status.is_none()));
}

#[tokio::test]
async fn a_login_does_not_wait_for_a_request_that_its_rule_ignores() {
    let stub = HttpStub::open(1, echo).await;
    let mut settings = settings();
    settings.fetch_timeout = Duration::from_secs(9);
    let host = ScriptHost::open(&settings, &[&stub.origin]).configured(&[("BASE", &stub.origin)]);
    // A request that is never answered.
    let script = "function (user, context, callback) {
        request.post(configuration.BASE + '/silence');
        callback(null, user, context);
      }";
    let clock = Clock::system();
    host.one(script).await.unwrap();
    assert!(clock.elapsed() < settings.fetch_timeout, "{:?}", clock.elapsed());
}

#[tokio::test]
async fn request_supports_its_common_options() {
    let stub = HttpStub::open(1, echo).await;
    let host = ScriptHost::open(&settings(), &[&stub.origin]).configured(&[("BASE", &stub.origin)]);
    let script = "function (user, context, callback) {
        const request = require('request');
        const url = configuration.BASE;
        const calls = [
          (done) => request({ uri: url + '/a', method: 'POST', json: { x: 1 }, auth: { bearer: 'tok' } }, done),
          (done) => request.get(url + '/b', { qs: { q: 'a b' }, json: true, auth: { user: 'u', pass: 'p' } }, done),
          (done) => request.post({ url: url + '/c', form: { k: 'v&w' }, headers: { 'X-A': '1' } }, done),
          (done) => request.delete(url + '/missing', done),
          (done) => request.defaults({ baseUrl: url, json: true }).patch('/d', { body: { y: 2 } }, done),
        ];
        const seen = [];
        const next = () => {
          if (!calls.length) {
            user.seen = seen;
            return callback(null, user, context);
          }
          calls.shift()((error, response, body) => {
            if (error) return callback(error);
            seen.push([response.statusCode, response.headers['x-seen'], body]);
            next();
          });
        };
        next();
      }";
    let user = host.one(script).await.unwrap().user;
    let seen = |index: usize| &user["seen"][index];
    let head = |index: usize| seen(index)[2]["head"].as_str().unwrap().to_owned();
    assert_eq!(
        (&seen(0)[0], &seen(0)[1], &seen(0)[2]["body"]),
        (&json!(200), &json!("yes"), &json!("{\"x\":1}"))
    );
    assert!(
        head(0).contains("authorization: Bearer tok") && head(0).contains("content-type: application/json")
    );
    assert_eq!((&seen(1)[2]["path"], &seen(1)[2]["method"]), (&json!("/b?q=a%20b"), &json!("GET")));
    assert!(head(1).contains("authorization: Basic dTpw"));
    let form: serde_json::Value = serde_json::from_str(seen(2)[2].as_str().unwrap()).unwrap();
    assert_eq!(form["body"], "k=v%26w");
    assert!(form["head"].as_str().unwrap().contains("application/x-www-form-urlencoded"));
    assert_eq!((&seen(3)[0], &seen(3)[2]), (&json!(404), &json!("{\"error\":\"nothing here\"}")));
    assert_eq!((&seen(4)[2]["method"], &seen(4)[2]["body"]), (&json!("PATCH"), &json!("{\"y\":2}")));
}

#[tokio::test]
async fn axios_resolves_with_data_and_rejects_with_the_response() {
    let stub = HttpStub::open(1, echo).await;
    let host = ScriptHost::open(&settings(), &[&stub.origin]).configured(&[("BASE", &stub.origin)]);
    let script = "async function (user, context, callback) {
        const axios = require('axios');
        const posted = await axios.post(configuration.BASE + '/a', { x: 1 }, { headers: { 'X-A': '1' } });
        const got = await axios({ baseURL: configuration.BASE, url: '/b', params: { q: 1 } });
        const missing = await axios.get(configuration.BASE + '/missing').catch((error) => error.response);
        user.seen = [posted.data.body, got.data.path, missing.status, missing.data.error];
        callback(null, user, context);
      }";
    let user = host.one(script).await.unwrap().user;
    assert_eq!(user["seen"], json!(["{\"x\":1}", "/b?q=1", 404, "nothing here"]));
}
