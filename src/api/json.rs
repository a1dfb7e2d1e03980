//! The scalar `JSON`: a whole tree in one field.
//!
//! juniper's derive makes scalars of one number or one text, so this one is written out.

use juniper::macros::reflect::{BaseSubTypes, BaseType, Type, Types, WrappedType, WrappedValue};
use juniper::meta::MetaType;
use juniper::{
    ArcStr, BoxFuture, ExecutionResult, Executor, FromInputValue, GraphQLType, GraphQLValue,
    GraphQLValueAsync, InputValue, Object, ParseScalarResult, ParseScalarValue, Registry, ScalarToken,
    ScalarValue, Selection, Value, arcstr, marker,
};

/// Any JSON value, given as it is. Whole numbers beyond 32 bits are given as floating-point numbers, because that is
/// all that juniper's scalars hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(pub serde_json::Value);

const NAME: &str = "JSON";

impl<S: ScalarValue> GraphQLType<S> for Json {
    fn name(_: &()) -> Option<ArcStr> {
        Some(arcstr::literal!("JSON"))
    }

    fn meta(info: &(), registry: &mut Registry<S>) -> MetaType<S> {
        registry
            .build_scalar_type::<Self>(info)
            .description("Any JSON value. Whole numbers beyond 32 bits are given as floating-point numbers.")
            .specified_by_url("https://www.rfc-editor.org/rfc/rfc8259")
            .into_meta()
    }
}

impl<S: ScalarValue> GraphQLValue<S> for Json {
    type Context = ();
    type TypeInfo = ();

    fn type_name(&self, info: &()) -> Option<ArcStr> {
        <Self as GraphQLType<S>>::name(info)
    }

    fn resolve(&self, (): &(), _: Option<&[Selection<S>]>, _: &Executor<(), S>) -> ExecutionResult<S> {
        Ok(output(&self.0))
    }
}

impl<S: ScalarValue + Send + Sync> GraphQLValueAsync<S> for Json {
    fn resolve_async<'a>(
        &'a self,
        (): &'a (),
        _: Option<&'a [Selection<S>]>,
        _: &'a Executor<(), S>,
    ) -> BoxFuture<'a, ExecutionResult<S>> {
        Box::pin(std::future::ready(Ok(output(&self.0))))
    }
}

impl<S: ScalarValue> FromInputValue<S> for Json {
    type Error = Box<str>;

    fn from_input_value(value: &InputValue<S>) -> Result<Self, Box<str>> {
        serde_json::to_value(value).map(Self).map_err(|_| "not a JSON value".into())
    }
}

impl<S: ScalarValue> ParseScalarValue<S> for Json {
    fn from_str(token: ScalarToken<'_>) -> ParseScalarResult<S> {
        match token {
            ScalarToken::String(_) => <String as ParseScalarValue<S>>::from_str(token),
            ScalarToken::Int(_) => <i32 as ParseScalarValue<S>>::from_str(token),
            ScalarToken::Float(_) => <f64 as ParseScalarValue<S>>::from_str(token),
        }
    }
}

impl<S: ScalarValue> marker::IsOutputType<S> for Json {}

impl<S> BaseType<S> for Json {
    const NAME: Type = NAME;
}

impl<S> BaseSubTypes<S> for Json {
    const NAMES: Types = &[NAME];
}

impl<S> WrappedType<S> for Json {
    const VALUE: WrappedValue = 1;
}

fn output<S: ScalarValue>(value: &serde_json::Value) -> Value<S> {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Scalar((*truth).into()),
        serde_json::Value::Number(number) => {
            let whole = number.as_i64().and_then(|number| i32::try_from(number).ok());
            Value::Scalar(whole.map_or_else(|| number.as_f64().unwrap_or_default().into(), S::from))
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

#[cfg(test)]
mod tests {
    use super::*;
    use juniper::DefaultScalarValue;
    use serde_json::json;

    #[test]
    fn a_tree_goes_out_as_it_came_in() {
        let tree = json!({"a": [1, -2.5, "x", null, true], "b": {"": {}}});
        let out: Value<DefaultScalarValue> = output(&tree);
        assert_eq!(serde_json::to_value(&out).unwrap(), tree);
        let out: Value<DefaultScalarValue> = output(&json!(5_000_000_000_i64));
        assert_eq!(serde_json::to_string(&out).unwrap(), "5000000000.0");
    }
}
