//! Keyword replacement as in Auth0's deploy CLI: `@@KEY@@` becomes a JSON string, `##KEY##` the plain text.

use std::collections::BTreeMap;

/// Replaces every keyword of `text` in one pass: inserted values are not searched again.
///
/// `"@@KEY@@"` is replaced including its quotes, so that a file is JSON before and after.
///
/// # Errors
/// The first keyword without a value, as written.
pub(super) fn replace(text: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(keyword) = next(rest) {
        let Keyword { before, written, key, is_json, after } = keyword;
        let value = values.get(key).ok_or_else(|| written.to_owned())?;
        let unquoted = before.strip_suffix('"').zip(after.strip_prefix('"')).filter(|_| is_json);
        let (before, after) = unquoted.unwrap_or((before, after));
        replaced.push_str(before);
        if is_json {
            replaced.push_str(&serde_json::Value::from(value.as_str()).to_string());
        } else {
            replaced.push_str(value);
        }
        rest = after;
    }
    replaced.push_str(rest);
    Ok(replaced)
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

    fn replaced(text: &str) -> Result<String, String> {
        let values = [("URL", "http://a/\"b\""), ("ENV", "dev"), ("EMPTY", ""), ("LOOP", "##ENV##")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        replace(text, &values)
    }

    #[test]
    fn at_signs_become_json_and_hashes_plain_text() {
        for (text, expected) in [
            ("no keyword", "no keyword"),
            (r#"{"a": @@URL@@}"#, r#"{"a": "http://a/\"b\""}"#),
            (r#"{"a": "@@URL@@"}"#, r#"{"a": "http://a/\"b\""}"#),
            (r#"{"a": "https://##ENV##.x/##ENV##"}"#, r#"{"a": "https://dev.x/dev"}"#),
            (r#""@@EMPTY@@""#, r#""""#),
            ("##LOOP##", "##ENV##"),
            ("##ENV##@@ENV@@", "dev\"dev\""),
            ("###ENV###", "#dev#"),
            ("## a heading ##, a@@b, #### and @@@@", "## a heading ##, a@@b, #### and @@@@"),
            ("##ENV@@", "##ENV@@"),
        ] {
            assert_eq!(replaced(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_keyword_without_a_value_is_named() {
        assert_eq!(replaced("a ##ENV## @@NOPE@@"), Err("@@NOPE@@".to_owned()));
        assert_eq!(replaced("##env##"), Err("##env##".to_owned()));
    }
}
