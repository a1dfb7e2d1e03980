//! Documents and bodies that are meant to exhaust the server: each is refused with its status, and the doors keep serving.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::json;

use crate::test_server::TestServer;
use crate::waiting::DEADLINE;

/// Numbers of repetitions: above every limit, up to the size of a body.
const REPETITIONS: [usize; 6] = [230, 500, 1_000, 3_000, 10_000, 30_000];

/// `open` so many times, then `middle`, then `close` as many times.
fn nested(open: &str, middle: &str, close: &str, times: usize) -> String {
    format!("{}{middle}{}", open.repeat(times), close.repeat(times))
}

fn numbered(times: usize, item: impl Fn(usize) -> String) -> String {
    (0..times).map(item).collect()
}

/// Documents that grow by nesting, fragments, aliases or names.
fn multiplied(times: usize) -> Vec<String> {
    let fragments = |spread: &dyn Fn(usize) -> String, last: &str| {
        let all = numbered(times.min(2_000), |i| format!("fragment f{i} on User {{ {} }} ", spread(i)));
        format!("{{ me {{ ...f0 }} }} {all} fragment f{} on User {{ {last} }}", times.min(2_000))
    };
    vec![
        nested("{ me ", "{ id }", " }", times),
        nested("{ ... ", "{ me { id } }", " }", times),
        nested("{ ... on Query ", "{ me { id } }", " }", times),
        format!("{{ me(a: {}) {{ id }} }}", nested("[", "1", "]", times)),
        format!("{{ me(a: {}) {{ id }} }}", nested("{a: ", "1", "}", times)),
        format!("query ($a: {}) {{ me {{ id }} }}", nested("[", "Int", "]", times)),
        format!("query ($a: Int = {}) {{ me {{ id }} }}", nested("[", "1", "]", times)),
        fragments(&|i| format!("...f{}", i + 1), "id"),
        fragments(&|i| format!("...f{n} ...f{n}", n = i + 1), "id"),
        fragments(&|i| format!("...f{n} ...f{n}", n = i + 1), "...f0"),
        format!("{{ me {{ {} }} }}", numbered(times, |i| format!("a{i}: id "))),
        format!("{{ {} }}", numbered(times, |i| format!("a{i}: me {{ id }} "))),
        format!("{{ {} }}", "me { id } ".repeat(times)),
        format!("{{ me {{ {} }} }}", "id ".repeat(times.max(8_000))),
        format!("{{ me {} {{ id }} }}", "@include(if: true) ".repeat(times)),
        format!("query ({}) {{ me {{ id }} }}", numbered(times, |i| format!("$v{i}: Int "))),
        format!("query ({}) {{ me {{ id }} }}", "$v: Int ".repeat(times)),
        format!("{{ me({}) {{ id }} }}", numbered(times, |i| format!("a{i}: 1 "))),
        numbered(times, |i| format!("query q{i} {{ me {{ id }} }} ")),
        "{ me { id } } ".repeat(times),
        format!("{{ me {{ {} }} }}", "...f ".repeat(times)),
        format!("{{ me {{ {} }} }}", "x".repeat(times)),
        format!("{{ me {{ id(a: {}) }} }}", "9".repeat(times)),
        format!("{{ me {{ id(a: 1e{}) }} }}", "9".repeat(times)),
    ]
}

/// A cycle of fragments around a page whose size is a variable: the parser's limit of fields does not cover it.
fn cycle_of_pages() -> String {
    let spreads =
        |i: usize| format!("fragment f{} on Query {{ {} }} ", i + 1, format!("...f{i} ").repeat(10));
    format!(
        "fragment f0 on Query {{ users(first: $n) {{ totalCount }} ...f9 }} {} query ($n: Int) {{ ...f9 }}",
        numbered(9, spreads)
    )
}

/// Texts that do not parse.
fn garbled(times: usize) -> Vec<String> {
    let mut all: Vec<_> = [
        "{", "}", "[", "(", "...", "$", "@", "!", "&", "|", ",", "#", "\u{feff}", "\0", "-", "\\", "🦀", "\"",
    ]
    .iter()
    .map(|piece| piece.repeat(times))
    .collect();
    for start in ["{ me { id(a: \"", "{ me { id(a: \"\"\"", "{ me { id #", "{ me { id(a: \"\\u", "query ($"] {
        all.push(format!("{start}{}", "x".repeat(times)));
    }
    all
}

/// Invalid escapes and numbers.
fn broken() -> Vec<String> {
    let strings = [
        r"\uD800",
        r"\uDC00\uD800",
        r"\uD83D",
        r"\u{110000}",
        r"\u{D800}",
        r"\u{",
        r"\uZZZZ",
        r"\x41",
        "\n",
        "\u{7}",
    ];
    let numbers =
        ["01", "1.", ".1", "1e", "0x1", "1_000", "--1", "+1", "1.2.3", "99999999999999999999", "NaN", "1a"];
    let values = strings.iter().map(|text| format!("\"{text}\"")).chain(numbers.map(str::to_owned));
    values.map(|value| format!("{{ me {{ id(a: {value}) }} }}")).collect()
}

/// Bodies that are not a valid request.
fn bodies() -> Vec<Vec<u8>> {
    let deep = |open: &str, close: &str| {
        format!("{{\"query\":\"{{me{{id}}}}\",\"variables\":{}}}", nested(open, "1", close, 20_000))
    };
    let mut all: Vec<Vec<u8>> = [
        "",
        " ",
        "null",
        "7",
        "\"{me{id}}\"",
        "[]",
        "{}",
        "{",
        "[",
        "{\"query\":}",
        "{\"query\":null}",
        "{\"query\":[\"{me{id}}\"]}",
        "{\"query\":\"{me{id}}\",\"query\":\"{me{id}}\"}",
        "{\"query\":\"\\ud800\"}",
        "{\"query\":\"{me{id(a:\\\"\\ud800\\\")}}\"}",
        "{\"query\":\"{me{id}}\"}{\"query\":\"{me{id}}\"}",
        "{\"query\":\"{me{id}}\",\"variables\":\"{}\"}",
        "{\"query\":\"{me{id}}\",\"variables\":[1]}",
        "{\"query\":\"{me{id}}\",\"operationName\":{}}",
        "{\"query\":\"{me{id}}\",\"operationName\":\"nobody\"}",
        "{\"query\":\"{me{id}}\",\"extensions\":\"\"}",
        "[{\"query\":\"{me{id}}\"},{\"query\":\"{me{id}}\"}]",
        "{\"query\":\"subscription { me { id } }\"}",
        "{\"query\":\"mutation { nothing }\"}",
        "{\"query\":\"query ($a: Int!) { me { id(a: $a) } }\",\"variables\":{\"a\":1e999}}",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    all.push(deep("[", "]").into_bytes());
    all.push(deep("{\"a\":", "}").into_bytes());
    all.push(b"{\"query\":\"\xff\xfe\"}".to_vec());
    all.push(b"\xef\xbb\xbf{\"query\":\"{me{id}}\"}".to_vec());
    all.push(json!([{"query": "{ me { id } }"}]).to_string().repeat(5_000).into_bytes());
    all
}

/// Posts a body over a plain connection and returns the status.
pub(crate) fn post(door: SocketAddr, token: &str, length: usize, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(door).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\naccept: application/graphql-response+json\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The door may refuse before it has read everything.
    drop(stream.write_all(body));
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    std::str::from_utf8(&status[9..]).unwrap().parse().unwrap()
}

/// All hostile inputs, as bodies.
pub(crate) fn inputs() -> Vec<Vec<u8>> {
    let documents = REPETITIONS
        .iter()
        .flat_map(|times| [multiplied(*times), garbled(*times)].concat())
        .chain(broken())
        .chain([cycle_of_pages()])
        .chain(["{ __schema { types { fields { type { fields { type { fields { type { name".to_owned()]);
    documents.map(|query| json!({ "query": query }).to_string().into_bytes()).chain(bodies()).collect()
}

/// Both doors, each with the token of a machine that it admits.
pub(crate) fn doors(server: &TestServer) -> [(SocketAddr, String); 2] {
    [
        (server.doors().public(), server.public_machine_token()),
        (server.doors().internal(), server.machine_token("users:read")),
    ]
}

#[test]
fn hostile_inputs_are_refused_and_the_doors_keep_serving() {
    let server = TestServer::open(&["internal.introspection=true"]);
    let inputs = inputs();
    assert!(inputs.len() >= 300, "{}", inputs.len());
    for (door, token) in &doors(&server) {
        for input in &inputs {
            let status = post(*door, token, input.len(), input);
            assert!([400, 413].contains(&status), "{status}: {:.200}", String::from_utf8_lossy(input));
        }
        assert_eq!(post(*door, token, 50_000_000, b"{"), 413, "a Content-Length of 50 MB");
        assert_eq!(
            post(*door, token, 23, b"{\"query\":\"{__typename}\"}"),
            400,
            "a Content-Length that cuts the body short"
        );
        assert_eq!(post(*door, token, 24, b"{\"query\":\"{__typename}\"}"), 200, "the door keeps serving");
    }
}
