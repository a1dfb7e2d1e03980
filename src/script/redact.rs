//! Redacts the scripts' secrets from their output.
//!
//! By value, because a script can copy a secret anywhere: as it is, in JSON, percent-encoded in a URL or a form, and in
//! base64, also within a longer text such as Basic credentials. This prevents accidents only; a script that takes a secret
//! apart can still reveal it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// The shortest value to redact, in bytes. Shorter ones would match ordinary words.
const MIN_SECRET: usize = 4;
/// What JavaScript's `encodeURIComponent` and `encodeURI` escape.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
const URI: &AsciiSet = &COMPONENT
    .remove(b';')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b',')
    .remove(b'#');

/// A path segment this long may be a secret, as in a webhook's URL.
const LONG_SEGMENT: usize = 16;

/// Replaces secrets by their keys.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    /// Secret texts and their replacements; longest first, so that a secret within a secret is redacted whole.
    needles: Vec<(String, String)>,
}

impl Redactor {
    /// Each group of secrets comes with the name of the object that the scripts read them from.
    pub(super) fn new<'a>(groups: impl IntoIterator<Item = (&'a str, &'a BTreeMap<String, String>)>) -> Self {
        let mut needles = Vec::new();
        let secrets =
            groups.into_iter().flat_map(|(object, secrets)| secrets.iter().map(move |of| (object, of)));
        for (object, (key, value)) in secrets.filter(|(_, (_, value))| is_secret(value)) {
            let label = format!("[{object}.{key}]");
            let quoted = serde_json::Value::from(value.as_str()).to_string();
            let json = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
            let form_encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            let percent =
                [NON_ALPHANUMERIC, COMPONENT, URI].map(|set| utf8_percent_encode(value, set).to_string());
            let lower = percent.clone().map(|form| lower_case_escapes(&form));
            let mut forms = vec![
                value.clone(),
                json.to_owned(),
                json.replace('/', "\\/"),
                lower_case_escapes(&form_encoded),
                form_encoded,
            ];
            forms.extend(percent.into_iter().chain(lower));
            forms.extend([STANDARD_NO_PAD.encode(value), URL_SAFE_NO_PAD.encode(value)]);
            forms.extend((0..3).flat_map(|before| base64_within(value, before)));
            forms.retain(|form| form.len() >= MIN_SECRET);
            forms.sort();
            forms.dedup();
            needles.extend(forms.into_iter().map(|form| (form, label.clone())));
        }
        needles.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
        Self { needles }
    }

    /// Returns `text` without the secrets.
    pub(super) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for (needle, label) in &self.needles {
            if text.contains(needle.as_str()) {
                text = Cow::Owned(text.replace(needle.as_str(), label));
            }
        }
        text
    }

    /// Redacts secrets, then cuts after `limit` characters: cut first, half a secret could remain.
    pub(super) fn redact_and_cut(&self, text: &str, limit: usize) -> String {
        let text = self.redact(text);
        match text.char_indices().nth(limit) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text.into_owned(),
        }
    }
}

/// The base64 of `value` where so many bytes stand before it, in both alphabets: the characters that depend on it alone.
fn base64_within(value: &str, before: usize) -> [String; 2] {
    let bytes = [vec![0; before], value.as_bytes().to_vec()].concat();
    let whole = |base64: String| {
        let end = if bytes.len() % 3 == 0 { base64.len() } else { base64.len() - 1 };
        base64.get((before * 8).div_ceil(6)..end).unwrap_or_default().to_owned()
    };
    [whole(STANDARD_NO_PAD.encode(&bytes)), whole(URL_SAFE_NO_PAD.encode(&bytes))]
}

/// The same with `%2f` in place of `%2F`.
fn lower_case_escapes(text: &str) -> String {
    let mut left = 0;
    let lower = |mut c: char| {
        (left, c) = match (left, c) {
            (_, '%') => (2, c),
            (0, _) => (0, c),
            _ => (left - 1, c.to_ascii_lowercase()),
        };
        c
    };
    text.chars().map(lower).collect()
}

/// Whether a value is secret: all are, except short ones, JSON's words, and URLs without credentials, query or long path
/// segments. An error that names such an address must stay readable.
fn is_secret(value: &str) -> bool {
    if value.len() < MIN_SECRET || matches!(value, "true" | "false" | "null") {
        return false;
    }
    let Ok(url) = Url::parse(value) else { return true };
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let short = url.path().split('/').all(|segment| segment.len() < LONG_SEGMENT);
    !(matches!(url.scheme(), "http" | "https") && bare && url.fragment().is_none() && short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(values: &[(&str, &str)]) -> Redactor {
        let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Redactor::new([("configuration", &values)])
    }

    #[test]
    fn a_secret_is_redacted_in_every_encoding() {
        let secrets = redactor(&[("KEY", "s3cret/\"q\"")]);
        for form in ["s3cret/\"q\"", "s3cret/\\\"q\\\"", "czNjcmV0LyJxIg", "s3cret%2F%22q%22"] {
            assert_eq!(secrets.redact(&format!("a {form} b")), "a [configuration.KEY] b", "{form}");
        }
    }

    #[test]
    fn a_secret_is_redacted_as_scripts_encode_it() {
        let secret = "a b+c/D~é'?=\u{1}!x";
        let secrets = redactor(&[("KEY", secret)]);
        for form in [
            r#"a b+c/D~é'?=\u0001!x"#,              // JSON.stringify
            r#"a b+c\/D~é'?=\u0001!x"#,             // JSON of PHP and others
            "a%20b%2Bc%2FD~%C3%A9'%3F%3D%01!x",     // encodeURIComponent
            "a%20b+c/D~%C3%A9'?=%01!x",             // encodeURI
            "a+b%2Bc%2FD%7E%C3%A9%27%3F%3D%01%21x", // URLSearchParams
            "a%20b%2bc%2fD~%c3%a9'%3f%3d%01!x",
        ] {
            assert_eq!(secrets.redact(&format!("<{form}>")), "<[configuration.KEY]>", "{form}");
        }
        // Base64 within other text: what depends on the neighbours may stay, at most two characters on each side.
        for (before, after) in [("", ""), ("u:", ""), ("user:", ":x"), ("id:", "xy"), ("abc", "d")] {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let text = engine.encode(format!("{before}{secret}{after}"));
                let shown = secrets.redact(&text).into_owned();
                let kept = (before.len() + after.len()).div_ceil(3) * 4 + 4;
                assert!(
                    shown.contains("[configuration.KEY]")
                        && shown.len() <= kept + "[configuration.KEY]".len(),
                    "{text} {shown}"
                );
            }
        }
    }

    #[test]
    fn a_secret_within_a_secret_is_redacted_whole() {
        let secrets = redactor(&[("A", "abcd"), ("B", "abcdefgh")]);
        assert_eq!(secrets.redact("abcdefgh abcd"), "[configuration.B] [configuration.A]");
    }

    #[test]
    fn plain_urls_stay_readable_and_those_with_secrets_do_not() {
        let plain = ["http://127.0.0.1:4001/graphql", "https://vestibule.example/", "true", "abc"];
        for value in plain {
            assert_eq!(redactor(&[("K", value)]).redact(value), value);
        }
        let hooks = [
            "https://hooks.example/services/T000/B000/XXXXXXXXXXXXXXXXXXXXXXXX",
            "https://id:secret@host.example/",
            "https://host.example/?key=secret",
        ];
        for value in hooks {
            assert_eq!(redactor(&[("K", value)]).redact(value), "[configuration.K]");
        }
    }
}
