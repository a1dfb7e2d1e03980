//! Lists of objects, resolved item by item.
//!
//! juniper resolves each field of each item in boxed futures of its own: of a page of fifty users they were most of the cost.
//! A [`List`] waits for nothing unless a selected field does, and looks each field up once instead of once per item.

use std::borrow::Cow;

use juniper::macros::reflect::{BaseSubTypes, BaseType, Type, Types, WrappedType, WrappedValue};
use juniper::meta::MetaType;
use juniper::parser::SourcePosition;
use juniper::{
    ArcStr, Arguments, BoxFuture, ExecutionResult, Executor, GraphQLType, GraphQLValue, GraphQLValueAsync,
    Object, Registry, ScalarValue, Selection, Spanning, Value, marker,
};

use super::context::Context;

/// An object type whose fields resolve without waiting, but for some.
pub trait ListItem: Sized {
    /// The names of the fields that wait, those that are an `async fn`: of the type, and of each type below it. To resolve one
    /// that is missing here is a panic.
    const WAITING: &'static [&'static str];

    /// The resolver of a field without arguments that is a text or null; `None` for a field that juniper must resolve.
    /// Juniper's way to a resolver costs more than a short text itself.
    fn text(_field: &str) -> Option<TextField<Self>> {
        None
    }
}

/// The resolver of a field that is a text or null.
pub type TextField<T> = fn(&T) -> Option<Cow<'_, str>>;

/// A list of objects, `[T!]!` in the schema. A resolver returns it in place of a `Vec<T>`.
///
/// A team's own lists are as fast with it, if their type implements [`ListItem`]. The items are counted in what the response may
/// hold, and other requests run between them.
#[derive(Debug, Clone)]
pub struct List<'a, T: Clone>(pub Cow<'a, [T]>);

/// Selected fields beyond which each item is resolved by juniper.
const MAX_COLUMNS: usize = 64;

impl<S: ScalarValue, T: GraphQLType<S> + Clone> GraphQLType<S> for List<'_, T> {
    fn name(_: &T::TypeInfo) -> Option<ArcStr> {
        None
    }

    fn meta(info: &T::TypeInfo, registry: &mut Registry<S>) -> MetaType<S> {
        registry.build_list_type::<T>(info, None).into_meta()
    }
}

impl<S: ScalarValue, T: GraphQLValue<S> + Clone> GraphQLValue<S> for List<'_, T> {
    type Context = T::Context;
    type TypeInfo = T::TypeInfo;

    fn type_name(&self, _: &T::TypeInfo) -> Option<ArcStr> {
        None
    }

    fn resolve(
        &self,
        info: &T::TypeInfo,
        selection: Option<&[Selection<S>]>,
        executor: &Executor<T::Context, S>,
    ) -> ExecutionResult<S> {
        <[T]>::resolve(&self.0, info, selection, executor)
    }
}

impl<S, T> GraphQLValueAsync<S> for List<'_, T>
where
    S: ScalarValue + Send + Sync,
    T: GraphQLValueAsync<S, Context = Context, TypeInfo = ()> + GraphQLType<S> + ListItem + Clone + Send,
{
    fn resolve_async<'a>(
        &'a self,
        (): &'a (),
        selection: Option<&'a [Selection<S>]>,
        executor: &'a Executor<Context, S>,
    ) -> BoxFuture<'a, ExecutionResult<S>> {
        match selection {
            Some(selection) if !waits(selection, T::WAITING, executor) => {
                Box::pin(resolve_rows(&self.0, selection, executor))
            }
            _ => <[T]>::resolve_async(&self.0, &(), selection, executor),
        }
    }
}

/// Whether a selected field has one of these names, at any depth.
fn waits<S: ScalarValue>(
    selections: &[Selection<S>],
    names: &[&str],
    executor: &Executor<Context, S>,
) -> bool {
    selections.iter().any(|selection| match selection {
        Selection::Field(field) => {
            names.contains(&field.item.name.item)
                || field.item.selection_set.as_ref().is_some_and(|nested| waits(nested, names, executor))
        }
        Selection::InlineFragment(fragment) => waits(&fragment.item.selection_set, names, executor),
        Selection::FragmentSpread(spread) => executor
            .fragment_by_name(spread.item.name.item)
            .is_none_or(|fragment| waits(&fragment.selection_set, names, executor)),
    })
}

async fn resolve_rows<'a, S, T>(
    items: &'a [T],
    selection: &'a [Selection<'a, S>],
    executor: &'a Executor<'a, 'a, Context, S>,
) -> ExecutionResult<S>
where
    S: ScalarValue + Send + Sync,
    T: GraphQLValueAsync<S, Context = Context, TypeInfo = ()> + GraphQLType<S> + ListItem,
{
    let on = T::name(&()).and_then(|name| executor.schema().concrete_type_by_name(name));
    let mut columns = Vec::with_capacity(selection.len());
    let plain = on.filter(|on| add_columns(&mut columns, selection, on, executor).is_some());
    // Cloned for each item: a key is hashed once.
    let empty = Object::from_iter(columns.iter().map(|column| (column.key, Value::Null)));
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        let row = match plain {
            Some(on) => resolve_row(item, on, &columns, empty.clone()),
            None => executor.resolve_into_value(&(), item),
        };
        // The items of the list are not null. The error of this one is recorded.
        if row.is_null() {
            return Ok(row);
        }
        executor.context().spend(json_bytes(&row)).await;
        rows.push(row);
    }
    Ok(Value::List(rows))
}

/// A selected field, looked up once for all items.
struct Column<'a, S, T> {
    key: &'a str,
    /// `None` for `__typename`.
    field: Option<ColumnField<'a, S, T>>,
}

struct ColumnField<'a, S, T> {
    name: &'a str,
    text: Option<TextField<T>>,
    position: SourcePosition,
    is_non_null: bool,
    arguments: Arguments<'a, S>,
    executor: Executor<'a, 'a, Context, S>,
}

/// Adds the columns of a selection on objects of a type. `None` if it has what juniper must resolve: arguments, directives, a
/// key that is selected twice, or too many fields.
fn add_columns<'a, S: ScalarValue, T: ListItem>(
    columns: &mut Vec<Column<'a, S, T>>,
    selections: &'a [Selection<'a, S>],
    on: &'a MetaType<S>,
    executor: &'a Executor<'a, 'a, Context, S>,
) -> Option<()> {
    for selection in selections {
        let (directives, condition, nested) = match selection {
            Selection::Field(Spanning { item: field, span }) => {
                let (name, key) = (field.name.item, field.alias.as_ref().unwrap_or(&field.name).item);
                let is_plain = field.arguments.is_none() && field.directives.is_none();
                if !is_plain || columns.len() == MAX_COLUMNS || columns.iter().any(|column| column.key == key)
                {
                    return None;
                }
                let field = match name {
                    "__typename" => None,
                    _ => {
                        let meta = on.field_by_name(name)?;
                        let selection = field.selection_set.as_deref();
                        Some(ColumnField {
                            name,
                            text: T::text(name),
                            position: span.start,
                            is_non_null: meta.field_type.is_non_null(),
                            arguments: Arguments::new(None, &meta.arguments),
                            executor: executor.field_sub_executor(key, name, span.start, selection),
                        })
                    }
                };
                columns.push(Column { key, field });
                continue;
            }
            Selection::InlineFragment(Spanning { item, .. }) => {
                (&item.directives, item.type_condition.as_ref(), &item.selection_set)
            }
            Selection::FragmentSpread(Spanning { item, .. }) => {
                let fragment = executor.fragment_by_name(item.name.item)?;
                (&item.directives, Some(&fragment.type_condition), &fragment.selection_set)
            }
        };
        if directives.is_some() {
            return None;
        }
        let is_of = |name: &ArcStr| {
            condition.is_none_or(|condition| executor.schema().is_named_subtype(name, condition.item))
        };
        if on.name().is_some_and(is_of) {
            add_columns(columns, nested, on, executor)?;
        }
    }
    Some(())
}

/// The object of an item, from one with all keys. Null if a field that can't be null is; its error is recorded.
fn resolve_row<S: ScalarValue, T: GraphQLValue<S, Context = Context, TypeInfo = ()> + ListItem>(
    item: &T,
    on: &MetaType<S>,
    columns: &[Column<'_, S, T>],
    mut object: Object<S>,
) -> Value<S> {
    for ((_, value), Column { field, .. }) in object.iter_mut().zip(columns) {
        *value = match field {
            None => Value::scalar(on.name().map_or_else(String::new, ToString::to_string)),
            Some(ColumnField { text: Some(text), .. }) => {
                text(item).map_or(Value::Null, |text| Value::scalar(text.into_owned()))
            }
            Some(ColumnField { name, position, arguments, executor, .. }) => {
                item.resolve_field(&(), name, arguments, executor).unwrap_or_else(|error| {
                    executor.push_error_at(error, *position);
                    Value::Null
                })
            }
        };
        if value.is_null() && field.as_ref().is_some_and(|field| field.is_non_null) {
            return Value::Null;
        }
    }
    Value::Object(object)
}

/// The fewest bytes that a value takes as JSON.
fn json_bytes<S: ScalarValue>(value: &Value<S>) -> usize {
    match value {
        Value::Null => 4,
        Value::Scalar(scalar) => scalar.try_as_str().map_or(1, |text| text.len() + 2),
        Value::List(items) => 1 + items.iter().map(|item| json_bytes(item) + 1).sum::<usize>(),
        Value::Object(fields) => {
            1 + fields.iter().map(|(key, value)| key.len() + 4 + json_bytes(value)).sum::<usize>()
        }
    }
}

impl<S, T: marker::IsOutputType<S> + Clone> marker::IsOutputType<S> for List<'_, T>
where
    S: ScalarValue,
    Self: GraphQLType<S>,
{
    fn mark() {
        T::mark();
    }
}

impl<S, T: BaseType<S> + Clone> BaseType<S> for List<'_, T> {
    const NAME: Type = T::NAME;
}

impl<S, T: BaseSubTypes<S> + Clone> BaseSubTypes<S> for List<'_, T> {
    const NAMES: Types = T::NAMES;
}

impl<S, T: WrappedType<S> + Clone> WrappedType<S> for List<'_, T> {
    const VALUE: WrappedValue = <[T] as WrappedType<S>>::VALUE;
}
