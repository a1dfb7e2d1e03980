//! Redacts the values of `configuration` from scripts' output.
//!
//! By value, because a script can copy a secret anywhere: as it is, in JSON, in base64 and percent-encoded. This prevents
//! accidents only; a script that takes a secret apart can still reveal it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// The shortest value to redact, in bytes. Shorter ones would match ordinary words.
const MIN_SECRET: usize = 4;
/// A path segment this long may be a secret, as in a webhook's URL.
const LONG_SEGMENT: usize = 16;

/// Replaces secrets by their keys.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    /// Secret texts and their replacements; longest first, so that a secret within a secret is redacted whole.
    needles: Vec<(String, String)>,
}

impl Redactor {
    pub(super) fn new(configuration: &BTreeMap<String, String>) -> Self {
        let mut needles = Vec::new();
        for (key, value) in configuration.iter().filter(|(_, value)| is_secret(value)) {
            let label = format!("[configuration.{key}]");
            let quoted = serde_json::Value::from(value.as_str()).to_string();
            let json = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
            let mut forms = vec![
                value.clone(),
                json.to_owned(),
                STANDARD_NO_PAD.encode(value),
                URL_SAFE_NO_PAD.encode(value),
                utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
            ];
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
        Redactor::new(&values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn a_secret_is_redacted_in_every_encoding() {
        let secrets = redactor(&[("KEY", "s3cret/\"q\"")]);
        for form in ["s3cret/\"q\"", "s3cret/\\\"q\\\"", "czNjcmV0LyJxIg", "s3cret%2F%22q%22"] {
            assert_eq!(secrets.redact(&format!("a {form} b")), "a [configuration.KEY] b", "{form}");
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
