//! The arguments of a call of `api`, read and checked.

use serde_json::{Map, Value};
use url::Url;

/// The longest URL, code, reason and other text, in bytes. Ours, not Auth0's.
const TEXT: usize = 4096;

/// The arguments of a call of `member`.
pub(super) struct Args<'a> {
    pub(super) member: &'a str,
    pub(super) args: &'a [Value],
}

impl Args<'_> {
    pub(super) fn error(&self, problem: &str) -> String {
        format!("api.{}: {problem}", self.member)
    }

    /// The argument; `null` when it is missing.
    pub(super) fn get(&self, at: usize) -> &Value {
        self.args.get(at).unwrap_or(&Value::Null)
    }

    pub(super) fn required(&self, at: usize, name: &str) -> Result<Value, String> {
        Some(self.get(at))
            .filter(|value| !value.is_null())
            .cloned()
            .ok_or_else(|| self.error(&format!("`{name}` is missing")))
    }

    pub(super) fn text(&self, at: usize, name: &str) -> Result<String, String> {
        self.text_up_to(at, name, TEXT)
    }

    pub(super) fn text_up_to(&self, at: usize, name: &str, limit: usize) -> Result<String, String> {
        match self.get(at) {
            Value::String(text) if text.len() > limit => {
                Err(self.error(&format!("`{name}` is over {limit} bytes")))
            }
            Value::String(text) => Ok(text.clone()),
            _ => Err(self.error(&format!("`{name}` must be a string"))),
        }
    }

    /// A text, or nothing.
    pub(super) fn optional_text(&self, at: usize) -> Result<Option<String>, String> {
        if self.get(at).is_null() {
            Ok(None)
        } else {
            self.text(at, &format!("argument {}", at + 1)).map(Some)
        }
    }

    /// An object; an empty one when it is missing.
    pub(super) fn object(&self, at: usize) -> Result<Map<String, Value>, String> {
        match self.get(at) {
            Value::Null => Ok(Map::new()),
            Value::Object(object) => Ok(object.clone()),
            _ => Err(self.error("`options` must be an object")),
        }
    }
}

/// Inserts unless the whole would be over `limit` bytes of JSON.
pub(super) fn insert_within(
    members: &mut Map<String, Value>,
    key: String,
    value: Value,
    limit: usize,
    args: &Args<'_>,
) -> Result<(), String> {
    let before = members.insert(key.clone(), value);
    if size(members) <= limit {
        return Ok(());
    }
    match before {
        Some(before) => members.insert(key, before),
        None => members.remove(&key),
    };
    Err(args.error(&format!("more than {limit} bytes of JSON in all")))
}

fn size(members: &Map<String, Value>) -> usize {
    serde_json::to_vec(members).map_or(usize::MAX, |json| json.len())
}

/// The URL of the first argument with the members of `options.query` added.
pub(super) fn url_with_query(args: &Args<'_>) -> Result<Url, String> {
    let text = args.text(0, "url")?;
    let mut url =
        Url::parse(&text).map_err(|error| args.error(&format!("`url` is not an absolute URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(args.error("`url` must be http or https"));
    }
    let options = args.object(1)?;
    for (name, value) in options.get("query").and_then(Value::as_object).into_iter().flatten() {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        url.query_pairs_mut().append_pair(name, &value);
    }
    Ok(url)
}

pub(super) fn earliest(current: &mut Option<i64>, args: &Args<'_>) -> Result<(), String> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds with a fraction, as Date.now() / 2 gives"
    )]
    let millis = args.get(0).as_i64().or_else(|| args.get(0).as_f64().map(|millis| millis as i64));
    let millis = millis.ok_or_else(|| {
        args.error("the time must be a number of milliseconds since 1970, as Date.now() gives")
    })?;
    *current = Some(current.map_or(millis, |earlier| earlier.min(millis)));
    Ok(())
}
