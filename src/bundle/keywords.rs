//! Keyword replacement, as Auth0's deploy CLI does it: `@@KEY@@` becomes JSON, `##KEY##` the text as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Replaces every keyword of `text` in one pass: what is put in is not looked at again.
///
/// `"@@KEY@@"` is replaced with its quotes, so that a file is JSON before and after.
///
/// # Errors
/// The first keyword that has no value, as it is written.
pub(super) fn replace<'a>(text: &'a str, values: &BTreeMap<String, String>) -> Result<Cow<'a, str>, String> {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(found) = next(rest) {
        let value = values.get(found.key).ok_or_else(|| found.written.to_owned())?;
        if found.json {
            let quoted = found.before.ends_with('"') && found.after.starts_with('"');
            let (before, after) = if quoted {
                (found.before.strip_suffix('"'), found.after.strip_prefix('"'))
            } else {
                (None, None)
            };
            replaced.push_str(before.unwrap_or(found.before));
            replaced.push_str(&serde_json::Value::from(value.as_str()).to_string());
            rest = after.unwrap_or(found.after);
        } else {
            replaced.push_str(found.before);
            replaced.push_str(value);
            rest = found.after;
        }
    }
    if replaced.is_empty() && rest.len() == text.len() {
        return Ok(Cow::Borrowed(text));
    }
    replaced.push_str(rest);
    Ok(Cow::Owned(replaced))
}

struct Found<'a> {
    before: &'a str,
    written: &'a str,
    key: &'a str,
    json: bool,
    after: &'a str,
}

/// The first keyword: two marks, a key of letters, digits and `_`, the same two marks.
fn next(text: &str) -> Option<Found<'_>> {
    text.char_indices().find_map(|(start, c)| match c {
        '@' => at(text, start, "@@"),
        '#' => at(text, start, "##"),
        _ => None,
    })
}

fn at<'a>(text: &'a str, start: usize, mark: &str) -> Option<Found<'a>> {
    let (before, written_on) = text.split_at_checked(start)?;
    let key_on = written_on.strip_prefix(mark)?;
    let length = key_on.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (key, close) = key_on.split_at_checked(length)?;
    let after = close.strip_prefix(mark)?;
    if key.is_empty() {
        return None;
    }
    let written = written_on.strip_suffix(after)?;
    Some(Found { before, written, key, json: mark == "@@", after })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> Result<String, String> {
        let values = [("URL", "http://a/\"b\""), ("ENV", "dev"), ("EMPTY", ""), ("LOOP", "##ENV##")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        replace(text, &values).map(Cow::into_owned)
    }

    #[test]
    fn at_signs_give_json_and_hashes_the_bare_text() {
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
