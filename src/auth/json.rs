//! A strict JSON reader for tokens and key sets: no duplicate members, no deep nesting, nothing after the end.
//!
//! JSON parsers disagree about duplicate members, and two readers of one token must not (RFC 8725bis, RFC 7515 §4).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The deepest accepted nesting.
const MAX_DEPTH: usize = 16;

/// A JSON value. Borrows the texts that have no escapes.
#[derive(Debug)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Object<'a>),
}

/// The members of an object, each name once, in the order of [`by_length`].
#[derive(Debug)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

/// Reads one JSON object without duplicate members (after unescaping, at any depth) and nested at most 16 deep.
///
/// # Errors
/// When `bytes` are anything else. The text of the error may quote the input: do not send it to clients.
pub(super) fn borrowed(bytes: &[u8]) -> Result<Object<'_>, serde_json::Error> {
    let text = std::str::from_utf8(bytes).map_err(serde_json::Error::custom)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict(MAX_DEPTH).deserialize(&mut deserializer)?;
    deserializer.end()?;
    match value {
        Json::Object(object) => Ok(object),
        _ => Err(serde_json::Error::custom("not an object")),
    }
}

/// Reads an object as strictly as the gate reads a token's: no member twice, nested at most 16 deep.
///
/// # Errors
/// When `bytes` are anything else. The text of the error may quote the input: do not send it to clients.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    borrowed(bytes).map(|object| Map::from(&object))
}

impl<'a> Object<'a> {
    /// The value of a member.
    pub(super) fn get(&self, name: &str) -> Option<&Json<'a>> {
        let at = self.0.binary_search_by(|(own, _)| by_length(own, name)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Whether there is a member `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value of a member that is a string.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The names of all members.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The number of members.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Json<'_> {
    pub(super) fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_f64(&self) -> Option<f64> {
        if let Self::Number(number) = self { number.as_f64() } else { None }
    }

    /// The items of an array of strings; `None` for every other value.
    pub(super) fn strings(&self) -> Option<impl Iterator<Item = &str>> {
        let Self::Array(items) = self else { return None };
        let are_strings = items.iter().all(|item| item.as_str().is_some());
        are_strings.then(|| items.iter().filter_map(Json::as_str))
    }
}

impl From<&Object<'_>> for Map<String, Value> {
    fn from(object: &Object<'_>) -> Self {
        object.0.iter().map(|(name, value)| (name.to_string(), value.into())).collect()
    }
}

impl From<&Json<'_>> for Value {
    fn from(json: &Json<'_>) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(number.clone()),
            Json::String(text) => Self::String(text.to_string()),
            Json::Array(items) => items.iter().map(Self::from).collect(),
            Json::Object(object) => Self::Object(object.into()),
        }
    }
}

/// An order of names that seldom compares their bytes.
fn by_length(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// The name of a member.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A seed with the nesting that is left.
struct Strict(usize);

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Strict {
    fn deeper<E: Error>(&self) -> Result<usize, E> {
        self.0.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json<'de>, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(value.to_owned().into()))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let depth = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Strict(depth))? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let depth = self.deeper()?;
        let mut object = Vec::new();
        while let Some(Name(name)) = members.next_key()? {
            object.push((name, members.next_value_seed(Strict(depth))?));
        }
        object.sort_unstable_by(|(a, _), (b, _)| by_length(a, b));
        if object.array_windows().any(|[(a, _), (b, _)]| a == b) {
            return Err(A::Error::custom("a duplicate member"));
        }
        Ok(Json::Object(Object(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_object_is_read() {
        let read = object(br#" {"a":[1,2.5,-3,true,null,{"b":"c"}],"d":{"b":1}} "#).unwrap();
        assert_eq!(Value::Object(read).to_string(), r#"{"a":[1,2.5,-3,true,null,{"b":"c"}],"d":{"b":1}}"#);
    }

    #[test]
    fn ambiguous_json_is_refused() {
        let deep = format!("{}{}", r#"{"a":"#.repeat(17), "1".to_owned() + &"}".repeat(17));
        for bad in [
            r#"{"sub":1,"sub":1}"#,
            r#"{"sub":1,"s\u0075b":2}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"a":1} {"#,
            "[1]",
            "7",
            "",
            "\u{feff}{}",
            r#"{"a":1e400}"#,
            r#"{"a":"\ud800"}"#,
            &deep,
        ] {
            assert!(object(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
    }
}
