//! JSON of a bounded length: a response, or a message to a WebSocket.

use std::io::{self, Write};

use juniper::{DefaultScalarValue, Value};
use serde::Serialize;
use serde_json::Serializer;

use super::json::NumberFormatter;
use crate::user::all_bytes;

/// Writes JSON of at most `max` bytes. Returns `None` when it would be longer, without holding more than `max`.
pub(super) fn bounded_json(value: &(impl Serialize + ?Sized), max: usize) -> Option<Vec<u8>> {
    let mut writer = BoundedWriter { bytes: Vec::with_capacity(256), max };
    writer.serialize(value)?;
    Some(writer.bytes)
}

/// Writes `{"data": …}`, as [`bounded_json`] does. Through serde each name and each text is several writes, and each of its
/// bytes is looked up in a table of escapes.
pub(super) fn bounded_data(data: &Value, max: usize) -> Option<Vec<u8>> {
    let mut writer = BoundedWriter { bytes: Vec::with_capacity(512), max };
    writer.put(b"{\"data\":")?;
    writer.value(data)?;
    writer.put(b"}")?;
    Some(writer.bytes)
}

struct BoundedWriter {
    bytes: Vec<u8>,
    max: usize,
}

impl BoundedWriter {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        (bytes.len() <= self.max - self.bytes.len()).then(|| self.bytes.extend_from_slice(bytes))
    }

    fn value(&mut self, value: &Value) -> Option<()> {
        match value {
            Value::Null => self.put(b"null"),
            Value::Scalar(DefaultScalarValue::Boolean(value)) => {
                self.put(if *value { b"true" } else { b"false" })
            }
            Value::Scalar(DefaultScalarValue::Int(number)) => write!(self, "{number}").ok(),
            Value::Scalar(DefaultScalarValue::String(text)) => self.text(text),
            Value::Scalar(DefaultScalarValue::Float(number)) => self.serialize(number),
            Value::List(items) => {
                self.put(b"[")?;
                for (at, item) in items.iter().enumerate() {
                    self.put(if at > 0 { b"," } else { b"" })?;
                    self.value(item)?;
                }
                self.put(b"]")
            }
            Value::Object(fields) => {
                self.put(b"{")?;
                for (at, (name, value)) in fields.iter().enumerate() {
                    self.put(if at > 0 { b"," } else { b"" })?;
                    self.text(name)?;
                    self.put(b":")?;
                    self.value(value)?;
                }
                self.put(b"}")
            }
        }
    }

    fn text(&mut self, text: &str) -> Option<()> {
        let is_plain = |byte| (byte >= b' ') & (byte != b'"') & (byte != b'\\');
        if !all_bytes(text.as_bytes(), is_plain) {
            return self.serialize(text);
        }
        (text.len() + 2 <= self.max - self.bytes.len()).then(|| {
            self.bytes.reserve(text.len() + 2);
            self.bytes.push(b'"');
            self.bytes.extend_from_slice(text.as_bytes());
            self.bytes.push(b'"');
        })
    }

    fn serialize(&mut self, value: &(impl Serialize + ?Sized)) -> Option<()> {
        value.serialize(&mut Serializer::with_formatter(self, NumberFormatter)).ok()
    }
}

impl Write for BoundedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).ok_or_else(|| io::Error::other("over the limit"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use juniper::graphql_value;

    use super::*;

    #[test]
    fn json_over_the_limit_is_not_returned_in_part() {
        assert_eq!(bounded_json(&"abc", 5).as_deref(), Some(&b"\"abc\""[..]));
        assert_eq!(bounded_json(&"abcd", 5), None);
    }

    #[test]
    fn data_is_written_as_serde_writes_it() {
        let texts =
            ["", "plain", "a \"b\" \\ / \u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}", "é ☃ 👑 \u{2028}", "\u{0}"];
        for text in texts {
            let data: Value = graphql_value!({
                "text": text,
                "list": [1, -2, 1.5, true, null, [], [[text]]],
                "object": {"nested": {"large": 5e9, "none": null}},
            });
            let mut expected = br#"{"data":"#.to_vec();
            expected.extend(bounded_json(&data, usize::MAX).unwrap());
            expected.push(b'}');
            assert_eq!(bounded_data(&data, expected.len()).as_deref(), Some(&*expected), "{text:?}");
            for max in 0..expected.len() {
                assert_eq!(bounded_data(&data, max), None, "{text:?} in {max}");
            }
        }
        assert_eq!(bounded_data(&graphql_value!({}), 99).unwrap(), br#"{"data":{}}"#);
    }
}
