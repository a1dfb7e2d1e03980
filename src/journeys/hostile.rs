//! Documents and bodies made to hurt: each is refused, by its status, and the doors go on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::json;

use crate::test_server::TestServer;
use crate::waiting::DEADLINE;

/// How often a thing stands in a document: over every limit there is, up to what a body can hold.
const MANY: [usize; 6] = [230, 500, 1_000, 3_000, 10_000, 30_000];

/// `open` that often, then `middle`, then `close` as often.
fn nested(open: &str, middle: &str, close: &str, times: usize) -> String {
    format!("{}{middle}{}", open.repeat(times), close.repeat(times))
}

fn numbered(times: usize, item: impl Fn(usize) -> String) -> String {
    (0..times).map(item).collect()
}

/// Documents that multiply: by nesting, by fragments, by aliases, by names.
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

/// A cycle of fragments through a page of open size, which stands where the parser's count of fields does not come.
fn cycle_of_pages() -> String {
    let spreads =
        |i: usize| format!("fragment f{} on Query {{ {} }} ", i + 1, format!("...f{i} ").repeat(10));
    format!(
        "fragment f0 on Query {{ users(first: $n) {{ totalCount }} ...f9 }} {} query ($n: Int) {{ ...f9 }}",
        numbered(9, spreads)
    )
}

/// What is no document, however it goes on.
fn garbled(times: usize) -> Vec<String> {
    let mut all: Vec<_> = [
        "{", "}", "[", "(", "...", "$", "@", "!", "&", "|", ",", "#", "\u{feff}", "\0", "-", "\\", "🦀", "\"",
    ]
    .iter()
    .map(|piece| piece.repeat(times))
    .collect();
    for begun in ["{ me { id(a: \"", "{ me { id(a: \"\"\"", "{ me { id #", "{ me { id(a: \"\\u", "query ($"] {
        all.push(format!("{begun}{}", "x".repeat(times)));
    }
    all
}

/// Escapes and numbers that break their own rules.
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

/// Bodies that are no request.
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

/// Posts as a bare client does, and gives the status.
pub(crate) fn post(door: SocketAddr, token: &str, length: usize, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(door).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\naccept: application/graphql-response+json\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A door that has seen enough does not wait for the rest.
    drop(stream.write_all(body));
    let mut said = [0; 12];
    stream.read_exact(&mut said).unwrap();
    std::str::from_utf8(&said[9..]).unwrap().parse().unwrap()
}

/// All of it, as bodies.
pub(crate) fn inputs() -> Vec<Vec<u8>> {
    let documents = MANY
        .iter()
        .flat_map(|times| [multiplied(*times), garbled(*times)].concat())
        .chain(broken())
        .chain([cycle_of_pages()])
        .chain(["{ __schema { types { fields { type { fields { type { fields { type { name".to_owned()]);
    documents.map(|query| json!({ "query": query }).to_string().into_bytes()).chain(bodies()).collect()
}

/// Each door, with the token of a machine that may come in.
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
        assert_eq!(post(*door, token, 50_000_000, b"{"), 413, "50 MB, announced");
        assert_eq!(
            post(*door, token, 23, b"{\"query\":\"{__typename}\"}"),
            400,
            "cut short by its own length"
        );
        assert_eq!(post(*door, token, 24, b"{\"query\":\"{__typename}\"}"), 200, "the door goes on");
    }
}
