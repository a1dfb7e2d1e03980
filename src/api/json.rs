//! The scalar `JSON`: a whole tree in one field. Written by hand, because juniper's derive only supports scalars of a single
//! value.

use std::marker::PhantomData;
use std::sync::Arc;

use juniper::macros::reflect::{BaseSubTypes, BaseType, Type, Types, WrappedType, WrappedValue};
use juniper::meta::MetaType;
use juniper::{
    ArcStr, BoxFuture, ExecutionResult, Executor, FromInputValue, GraphQLType, GraphQLValue,
    GraphQLValueAsync, InputValue, Object, ParseScalarResult, ParseScalarValue, Registry, ScalarToken,
    ScalarValue, Selection, Value, arcstr, marker,
};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::ser::{CompactFormatter, Formatter};

use super::context::Context;
use crate::auth0::Profile;

/// Any JSON value. Numbers have double precision, because juniper's scalars hold no more: integers are exact up to 2^53
/// (RFC 8259 §6). As an output it takes its size from what the response may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Json<T = serde_json::Value>(pub T);

const NAME: &str = "JSON";

impl<S: ScalarValue, T: Source> GraphQLType<S> for Json<T> {
    fn name(_: &()) -> Option<ArcStr> {
        Some(arcstr::literal!("JSON"))
    }

    fn meta(info: &(), registry: &mut Registry<S>) -> MetaType<S> {
        registry
            .build_scalar_type::<Json>(info)
            .description("Any JSON value. Numbers have double precision: integers are exact up to 2^53.")
            .specified_by_url("https://www.rfc-editor.org/rfc/rfc8259")
            .into_meta()
    }
}

impl<S: ScalarValue, T: Source> GraphQLValue<S> for Json<T> {
    type Context = Context;
    type TypeInfo = ();

    fn type_name(&self, info: &()) -> Option<ArcStr> {
        <Self as GraphQLType<S>>::name(info)
    }

    fn resolve(
        &self,
        (): &(),
        _: Option<&[Selection<S>]>,
        executor: &Executor<Context, S>,
    ) -> ExecutionResult<S> {
        let fits = executor.context().spend_now(self.0.weight());
        Ok(if fits { self.0.output() } else { Value::Null })
    }
}

impl<S: ScalarValue + Send + Sync, T: Source> GraphQLValueAsync<S> for Json<T> {
    fn resolve_async<'a>(
        &'a self,
        (): &'a (),
        _: Option<&'a [Selection<S>]>,
        executor: &'a Executor<Context, S>,
    ) -> BoxFuture<'a, ExecutionResult<S>> {
        Box::pin(async {
            executor.context().spend(self.0.weight()).await;
            Ok(self.0.output())
        })
    }
}

impl<S: ScalarValue> FromInputValue<S> for Json {
    type Error = Box<str>;

    fn from_input_value(value: &InputValue<S>) -> Result<Self, Box<str>> {
        serde_json::to_value(value)
            .map(|value| Self(with_integers(value)))
            .map_err(|_| "not a JSON value".into())
    }
}

impl<S: ScalarValue> ParseScalarValue<S> for Json {
    fn from_str(token: ScalarToken<'_>) -> ParseScalarResult<S> {
        match token {
            ScalarToken::String(_) => <String as ParseScalarValue<S>>::from_str(token),
            ScalarToken::Int(digits) => <i32 as ParseScalarValue<S>>::from_str(token)
                .or_else(|_| <f64 as ParseScalarValue<S>>::from_str(ScalarToken::Float(digits))),
            ScalarToken::Float(_) => <f64 as ParseScalarValue<S>>::from_str(token),
        }
    }
}

impl<S: ScalarValue, T: Source> marker::IsOutputType<S> for Json<T> {}

impl<S, T> BaseType<S> for Json<T> {
    const NAME: Type = NAME;
}

impl<S, T> BaseSubTypes<S> for Json<T> {
    const NAMES: Types = &[NAME];
}

impl<S, T> WrappedType<S> for Json<T> {
    const VALUE: WrappedValue = 1;
}

/// A source of JSON.
pub trait Source: Send + Sync {
    /// The bytes that it counts for: about what it takes as text, and in memory as values.
    fn weight(&self) -> usize;
    /// The values.
    fn output<S: ScalarValue>(&self) -> Value<S>;
}

/// The bytes that a value counts for, however short its text.
const VALUE: usize = 32;

impl Source for serde_json::Value {
    fn weight(&self) -> usize {
        VALUE
            + match self {
                Self::String(text) => text.len(),
                Self::Array(items) => items.iter().map(Self::weight).sum(),
                Self::Object(members) => {
                    members.iter().map(|(name, value)| name.len() + value.weight()).sum()
                }
                _ => 0,
            }
    }

    fn output<S: ScalarValue>(&self) -> Value<S> {
        Output(PhantomData).deserialize(self).unwrap_or(Value::Null)
    }
}

impl Source for &serde_json::Value {
    fn weight(&self) -> usize {
        (**self).weight()
    }

    fn output<S: ScalarValue>(&self) -> Value<S> {
        (**self).output()
    }
}

impl Source for Arc<Profile> {
    fn weight(&self) -> usize {
        self.whole.weight()
    }

    fn output<S: ScalarValue>(&self) -> Value<S> {
        self.whole.output()
    }
}

/// JSON as text. Null if it is damaged.
impl Source for Arc<str> {
    fn weight(&self) -> usize {
        // Each value but the first follows one of these; some of them are in texts.
        let values = 1 + self.bytes().filter(|byte| b"[{:,".contains(byte)).count();
        self.len().max(VALUE * values)
    }

    fn output<S: ScalarValue>(&self) -> Value<S> {
        Output(PhantomData).deserialize(&mut serde_json::Deserializer::from_str(self)).unwrap_or(Value::Null)
    }
}

/// Builds juniper's values while JSON is read.
struct Output<S>(PhantomData<S>);

impl<'de, S: ScalarValue> DeserializeSeed<'de> for Output<S> {
    type Value = Value<S>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value<S>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, S: ScalarValue> Visitor<'de> for Output<S> {
    type Value = Value<S>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value<S>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<S>, E> {
        Ok(Value::Scalar(value.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<S>, E> {
        Ok(Value::Scalar(i32::try_from(number).map_or_else(|_| (number as f64).into(), S::from)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<S>, E> {
        Ok(Value::Scalar(i32::try_from(number).map_or_else(|_| (number as f64).into(), S::from)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<S>, E> {
        Ok(Value::Scalar(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<S>, E> {
        Ok(Value::Scalar(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<S>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Output(PhantomData))? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value<S>, A::Error> {
        let mut object = Object::with_capacity(1);
        while let Some(name) = members.next_key::<String>()? {
            object.add_field(name, members.next_value_seed(Output(PhantomData))?);
        }
        Ok(Value::Object(object))
    }
}

/// Turns the floating-point numbers that juniper parsed from integers back into integers.
fn with_integers(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Number(number) => {
            number.as_f64().and_then(as_integer).map_or(Value::Number(number), Value::from)
        }
        Value::Array(items) => items.into_iter().map(with_integers).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, with_integers(value))).collect()
        }
        other => other,
    }
}

/// The integer that a floating-point number equals, if there is one.
fn as_integer(number: f64) -> Option<i64> {
    const MAX: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= MAX).then_some(number as i64)
}

/// Writes integers without a fraction, although juniper holds large ones as floating-point numbers. Some clients
/// distinguish the two.
pub(super) struct NumberFormatter;

impl Formatter for NumberFormatter {
    fn write_f64<W: std::io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> std::io::Result<()> {
        match as_integer(value) {
            Some(integer) => self.write_i64(writer, integer),
            None => CompactFormatter.write_f64(writer, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use juniper::DefaultScalarValue;
    use serde_json::json;

    #[test]
    fn a_tree_is_output_unchanged() {
        let tree = json!({"a": [1, -2.5, "x", null, true], "b": {"": {}}});
        let out: Value<DefaultScalarValue> = tree.output();
        assert_eq!(serde_json::to_value(&out).unwrap(), tree);
        let text: Arc<str> = tree.to_string().into();
        assert_eq!(text.output(), out);
        assert_eq!(Arc::<str>::from("{").output::<DefaultScalarValue>(), Value::Null);
    }

    #[test]
    fn a_value_counts_for_what_it_takes() {
        for (json, weight) in [
            (json!(null), 32),
            (json!("x".repeat(100)), 132),
            (json!([1, 2, 3]), 4 * 32),
            (json!({"long": [{}]}), 4 + 3 * 32),
        ] {
            assert_eq!(json.weight(), weight, "{json}");
        }
        let text = |json: &str| Arc::<str>::from(json).weight();
        assert_eq!((text("[1,2,3]"), text("{}"), text(r#"{"a":{"b":[]}}"#)), (4 * 32, 2 * 32, 6 * 32));
        assert_eq!(text(&format!("\"{}\"", "x".repeat(100))), 102);
    }

    #[test]
    fn integers_stay_integers_in_both_directions() {
        for (number, text) in [
            (json!(7), "7"),
            (json!(-5_000_000_000_i64), "-5000000000"),
            (json!(9_007_199_254_740_991_i64), "9007199254740991"),
            (json!(1.5), "1.5"),
            (json!(1e300), "1e+300"),
        ] {
            let out: Value<DefaultScalarValue> = number.output();
            let json = crate::api::bounded_json::bounded_json(&out, 100).unwrap();
            assert_eq!(String::from_utf8(json).unwrap(), text);
            let token =
                if text.contains(['.', 'e']) { ScalarToken::Float(text) } else { ScalarToken::Int(text) };
            let literal: DefaultScalarValue = Json::from_str(token).unwrap();
            let variable: InputValue = serde_json::from_str(&format!("[{text}]")).unwrap();
            assert_eq!(Json::from_input_value(&InputValue::Scalar(literal)).unwrap(), Json(number.clone()));
            assert_eq!(Json::from_input_value(&variable).unwrap(), Json(json!([number])));
        }
    }
}
