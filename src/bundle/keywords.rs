//! Keyword replacement as in Auth0's deploy CLI: `@@KEY@@` becomes the value as JSON, `##KEY##` its plain text.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// How deep values may refer to other keywords. Deeper references, which only a cycle has, stay as written.
const MAX_DEPTH: u8 = 6;

/// A macro of Auth0's own, in the templates of passwordless connections. It is no keyword, unless it has a value.
const MACRO: &str = "password";

/// Reads the values of keywords from a configuration. A text that is a JSON array or object counts as that value.
///
/// # Errors
/// The value is not a map.
pub fn deserialize_keywords<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Value>, D::Error> {
    let mut keywords = BTreeMap::<String, Value>::deserialize(deserializer)?;
    for value in keywords.values_mut() {
        let json = value.as_str().filter(|text| text.starts_with(['[', '{']));
        if let Some(json) = json.and_then(|text| serde_json::from_str(text).ok()) {
            *value = json;
        }
    }
    Ok(keywords)
}

/// Replaces every keyword of `text`, also those in the values. Quotes around `@@KEY@@` are replaced with it, so that a file
/// is JSON before and after. A keyword without a value stays as written and is added to `missing`.
pub(super) fn replace(
    text: &str,
    values: &BTreeMap<String, Value>,
    missing: &mut BTreeSet<String>,
) -> String {
    expand(text, values, missing, MAX_DEPTH)
}

fn expand(text: &str, values: &BTreeMap<String, Value>, missing: &mut BTreeSet<String>, depth: u8) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(Keyword { before, written, key, is_json, after }) = next(rest) {
        if key == MACRO && is_json && !values.contains_key(key) {
            replaced.push_str(before);
            replaced.push_str(written);
            rest = after;
            continue;
        }
        let value = match values.get(key) {
            Some(value) if depth > 0 => expand_value(value, values, missing, depth - 1),
            known => {
                if known.is_none() {
                    missing.insert(written.to_owned());
                }
                Value::from(written)
            }
        };
        let quoted = |quote| before.strip_suffix(quote).zip(after.strip_prefix(quote));
        let unquoted = quoted('"').or_else(|| quoted('\'')).filter(|_| is_json);
        let (before, after) = unquoted.unwrap_or((before, after));
        replaced.push_str(before);
        match value {
            Value::String(text) if !is_json => replaced.push_str(&text),
            value => replaced.push_str(&value.to_string()),
        }
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

fn expand_value(
    value: &Value,
    values: &BTreeMap<String, Value>,
    missing: &mut BTreeSet<String>,
    depth: u8,
) -> Value {
    match value {
        // A text that is one keyword takes that keyword's type.
        Value::String(text) => match next(text) {
            Some(Keyword { before: "", key, is_json: true, after: "", .. }) if values.contains_key(key) => {
                let json = expand(text, values, missing, depth);
                serde_json::from_str(&json).unwrap_or(Value::String(json))
            }
            _ => Value::String(expand(text, values, missing, depth)),
        },
        Value::Array(list) => list.iter().map(|value| expand_value(value, values, missing, depth)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), expand_value(value, values, missing, depth)))
            .collect(),
        other => other.clone(),
    }
}

struct Keyword<'a> {
    before: &'a str,
    written: &'a str,
    key: &'a str,
    is_json: bool,
    after: &'a str,
}

/// The first keyword: two marks, a key of letters, digits and `_`, the same two marks.
fn next(text: &str) -> Option<Keyword<'_>> {
    text.char_indices().find_map(|(start, c)| match c {
        '@' => at(text, start, "@@"),
        '#' => at(text, start, "##"),
        _ => None,
    })
}

fn at<'a>(text: &'a str, start: usize, mark: &str) -> Option<Keyword<'a>> {
    let (before, keyword_on) = text.split_at_checked(start)?;
    let key_on = keyword_on.strip_prefix(mark)?;
    let length = key_on.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (key, close) = key_on.split_at_checked(length)?;
    let after = close.strip_prefix(mark)?;
    let written = keyword_on.strip_suffix(after)?;
    (!key.is_empty()).then_some(Keyword { before, written, key, is_json: mark == "@@", after })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> (String, Vec<String>) {
        let values = serde_json::from_value(serde_json::json!({
            "URL": "http://a/\"b\"", "ENV": "dev", "EMPTY": "", "LOOP": "##LOOP##", "INNER": "##ENV##-@@ENV@@",
            "LIST": ["##ENV##", 1, "@@NUMBER@@"], "NUMBER": 42, "SAME": "@@LIST@@",
        }));
        let mut missing = BTreeSet::new();
        let replaced = replace(text, &values.unwrap(), &mut missing);
        (replaced, missing.into_iter().collect())
    }

    #[test]
    fn at_signs_become_json_and_hashes_plain_text() {
        for (text, expected) in [
            ("no keyword", "no keyword"),
            (r#"{"a": @@URL@@}"#, r#"{"a": "http://a/\"b\""}"#),
            (r#"{"a": "@@URL@@"}"#, r#"{"a": "http://a/\"b\""}"#),
            ("a: '@@LIST@@'", r#"a: ["dev",1,42]"#),
            (r#"{"a": @@SAME@@, "b": ##NUMBER##}"#, r#"{"a": ["dev",1,42], "b": 42}"#),
            (r#"{"a": "https://##ENV##.x/##ENV##"}"#, r#"{"a": "https://dev.x/dev"}"#),
            (r#""@@EMPTY@@""#, r#""""#),
            ("##INNER##", "dev-\"dev\""),
            ("##LOOP##", "##LOOP##"),
            ("##ENV##@@ENV@@", "dev\"dev\""),
            ("###ENV###", "#dev#"),
            ("## a heading ##, a@@b, #### and @@@@", "## a heading ##, a@@b, #### and @@@@"),
            ("##ENV@@", "##ENV@@"),
            (
                r#"{"template": "@@password@@ is your code, ##ENV##"}"#,
                r#"{"template": "@@password@@ is your code, dev"}"#,
            ),
        ] {
            assert_eq!(replaced(text), (expected.to_owned(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn keywords_without_a_value_are_named_and_the_text_stays_json() {
        let text = r###"{"a": @@NOPE@@, "b": "##env##/##ENV##", "c": "@@NOPE@@"}"###;
        let (text, missing) = replaced(text);
        assert_eq!(missing, ["##env##", "@@NOPE@@"]);
        assert_eq!(text, r###"{"a": "@@NOPE@@", "b": "##env##/dev", "c": "@@NOPE@@"}"###);
    }
}
