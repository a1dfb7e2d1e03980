//! What a case expects, held against what was observed.

use serde_json::{Map, Value};

/// The members that `expect` may have, and that are observed.
const MEMBERS: [&str; 24] = [
    "access_token",
    "actor",
    "app_metadata",
    "console",
    "context",
    "denied",
    "error",
    "fetches",
    "id_token",
    "ignored",
    "notification",
    "organization",
    "primary_user",
    "prompt",
    "recorded_methods",
    "redirect",
    "refresh_token",
    "result_url",
    "scopes",
    "second_factor",
    "session",
    "target_scopes",
    "transaction_metadata",
    "user",
];

/// The differences between what is expected and what was observed, one a line; none when the case passes.
///
/// Members that are not expected may be anything, but a denial or an error must be expected.
pub(super) fn differences(expected: &Map<String, Value>, observed: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, wanted) in expected {
        let is_member = MEMBERS.contains(&name.as_str()) || name == "user_metadata";
        if !is_member {
            let similar = MEMBERS
                .iter()
                .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
            let similar = similar.copied().unwrap_or_default();
            found.push(format!("expect has no member {name}; did you mean {similar}?"));
            continue;
        }
        let had = observed.get(name).unwrap_or(&Value::Null);
        match (name.as_str(), wanted) {
            ("denied" | "error", Value::Bool(wanted)) => {
                if *wanted == had.is_null() {
                    found.push(format!(
                        "{name}: expected {}, got {had}",
                        if *wanted { "one" } else { "none" }
                    ));
                }
            }
            ("fetches", Value::Array(wanted)) => compare_fetches(wanted, had, &mut found),
            _ => compare(name, wanted, had, &mut found),
        }
    }
    for name in ["denied", "error"] {
        if let Some(had) = observed.get(name).filter(|_| !expected.contains_key(name)) {
            found.push(format!("{name}: expected none, got {had}"));
        }
    }
    found
}

/// A request is expected as `METHOD URL`, or as an object with `request` and `body`.
fn compare_fetches(wanted: &[Value], had: &Value, found: &mut Vec<String>) {
    let had = had.as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, wanted) in wanted.iter().enumerate() {
        let path = format!("fetches[{index}]");
        match (wanted, had.get(index)) {
            (Value::String(_), Some(had)) => {
                compare(&path, wanted, had.get("request").unwrap_or(&Value::Null), found);
            }
            (_, had) => compare(&path, wanted, had.unwrap_or(&Value::Null), found),
        }
    }
    for (index, more) in had.iter().enumerate().skip(wanted.len()) {
        found.push(format!("fetches[{index}]: expected none, got {more}"));
    }
}

fn compare(path: &str, wanted: &Value, had: &Value, found: &mut Vec<String>) {
    match (wanted, had) {
        (Value::Object(wanted), Value::Object(had)) => {
            let names: std::collections::BTreeSet<&String> = wanted.keys().chain(had.keys()).collect();
            for name in names {
                let of = |object: &Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                compare(&format!("{path}.{name}"), &of(wanted), &of(had), found);
            }
        }
        (wanted, had) if wanted == had || is_nothing(wanted) && is_nothing(had) => {}
        (wanted, had) => found.push(format!("{path}: expected {}, got {}", shown(wanted), shown(had))),
    }
}

/// Absent, or an empty list or object: observations leave those out.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() { "none".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_is_named_by_its_path() {
        let observed = json!({
            "access_token": {"https://ns/roles": ["a"], "https://ns/more": 1},
            "fetches": [{"request": "GET https://a.example/x"}, {"request": "POST https://a.example/y", "body": {"n": 1}}],
        });
        let observed = observed.as_object().unwrap();
        let check = |expected: Value| differences(expected.as_object().unwrap(), observed);
        for passes in [
            json!({}),
            json!({"id_token": {}, "denied": false, "redirect": null}),
            json!({"access_token": {"https://ns/roles": ["a"], "https://ns/more": 1}}),
            json!({"fetches": ["GET https://a.example/x", {"request": "POST https://a.example/y", "body": {"n": 1}}]}),
        ] {
            assert_eq!(check(passes.clone()), Vec::<String>::new(), "{passes}");
        }
        for (expected, difference) in [
            (
                json!({"access_token": {"https://ns/roles": ["b"], "https://ns/more": 1}}),
                "access_token.https://ns/roles: expected [\"b\"], got [\"a\"]",
            ),
            (
                json!({"access_token": {"https://ns/roles": ["a"]}}),
                "access_token.https://ns/more: expected none, got 1",
            ),
            (json!({"denied": true}), "denied: expected one, got null"),
            (json!({"denied": "why"}), "denied: expected \"why\", got none"),
            (
                json!({"fetches": ["GET https://a.example/x"]}),
                "fetches[1]: expected none, got {\"body\":{\"n\":1},\"request\":\"POST https://a.example/y\"}",
            ),
            (json!({"acces_token": {}}), "expect has no member acces_token; did you mean access_token?"),
        ] {
            assert_eq!(check(expected), [difference]);
        }
    }

    #[test]
    fn a_denial_must_be_expected() {
        let observed = json!({"denied": "no entry"});
        let check =
            |expected: Value| differences(expected.as_object().unwrap(), observed.as_object().unwrap());
        assert_eq!(check(json!({})), ["denied: expected none, got \"no entry\""]);
        assert!(check(json!({"denied": true})).is_empty() && check(json!({"denied": "no entry"})).is_empty());
    }
}
