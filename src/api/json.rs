//! The scalar `JSON`: a whole tree in one field. Written by hand, because juniper's derive only supports scalars of a single
//! value.

use std::sync::Arc;

use juniper::macros::reflect::{BaseSubTypes, BaseType, Type, Types, WrappedType, WrappedValue};
use juniper::meta::MetaType;
use juniper::{
    ArcStr, BoxFuture, ExecutionResult, Executor, FromInputValue, GraphQLType, GraphQLValue,
    GraphQLValueAsync, InputValue, Object, ParseScalarResult, ParseScalarValue, Registry, ScalarToken,
    ScalarValue, Selection, Value, arcstr, marker,
};
use serde_json::ser::{CompactFormatter, Formatter};

use super::context::Context;
use crate::auth0::Profile;

/// Any JSON value. Numbers have double precision, because juniper's scalars hold no more: integers are exact up to 2^53
/// (RFC 8259 §6). As an output it takes its size from what the response may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Json<T = serde_json::Value>(pub T);

const NAME: &str = "JSON";

impl<S: ScalarValue, T: Tree> GraphQLType<S> for Json<T> {
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

impl<S: ScalarValue, T: Tree> GraphQLValue<S> for Json<T> {
    type Context = Context;
    type TypeInfo = ();

    fn type_name(&self, info: &()) -> Option<ArcStr> {
        <Self as GraphQLType<S>>::name(info)
    }

    fn resolve(&self, (): &(), _: Option<&[Selection<S>]>, _: &Executor<Context, S>) -> ExecutionResult<S> {
        Ok(output(self.0.tree()))
    }
}

impl<S: ScalarValue + Send + Sync, T: Tree> GraphQLValueAsync<S> for Json<T> {
    fn resolve_async<'a>(
        &'a self,
        (): &'a (),
        _: Option<&'a [Selection<S>]>,
        executor: &'a Executor<Context, S>,
    ) -> BoxFuture<'a, ExecutionResult<S>> {
        Box::pin(async {
            executor.context().spend(weight(self.0.tree())).await;
            Ok(output(self.0.tree()))
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

impl<S: ScalarValue, T: Tree> marker::IsOutputType<S> for Json<T> {}

impl<S, T> BaseType<S> for Json<T> {
    const NAME: Type = NAME;
}

impl<S, T> BaseSubTypes<S> for Json<T> {
    const NAMES: Types = &[NAME];
}

impl<S, T> WrappedType<S> for Json<T> {
    const VALUE: WrappedValue = 1;
}

/// What holds a JSON tree.
pub trait Tree: Send + Sync {
    /// The tree.
    fn tree(&self) -> &serde_json::Value;
}

impl Tree for serde_json::Value {
    fn tree(&self) -> &serde_json::Value {
        self
    }
}

impl Tree for &serde_json::Value {
    fn tree(&self) -> &serde_json::Value {
        self
    }
}

impl Tree for Arc<serde_json::Value> {
    fn tree(&self) -> &serde_json::Value {
        self
    }
}

impl Tree for Arc<Profile> {
    fn tree(&self) -> &serde_json::Value {
        &self.whole
    }
}

/// The bytes that a tree counts for: those of its texts, and for each value a part of what it takes in memory.
fn weight(value: &serde_json::Value) -> usize {
    const VALUE: usize = 16;
    VALUE
        + match value {
            serde_json::Value::String(text) => text.len(),
            serde_json::Value::Array(items) => items.iter().map(weight).sum(),
            serde_json::Value::Object(members) => {
                members.iter().map(|(name, value)| name.len() + weight(value)).sum()
            }
            _ => 0,
        }
}

fn output<S: ScalarValue>(value: &serde_json::Value) -> Value<S> {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Scalar((*value).into()),
        serde_json::Value::Number(number) => {
            let integer = number.as_i64().and_then(|number| i32::try_from(number).ok());
            Value::Scalar(integer.map_or_else(|| number.as_f64().unwrap_or_default().into(), S::from))
        }
        serde_json::Value::String(text) => Value::Scalar(text.clone().into()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(output).collect()),
        serde_json::Value::Object(members) => {
            let mut object = Object::with_capacity(members.len());
            for (name, value) in members {
                object.add_field(name.as_str(), output(value));
            }
            Value::Object(object)
        }
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
        let out: Value<DefaultScalarValue> = output(&tree);
        assert_eq!(serde_json::to_value(&out).unwrap(), tree);
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
            let out: Value<DefaultScalarValue> = output(&number);
            let json = crate::api::response::bounded_json(&out, 100).unwrap();
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
