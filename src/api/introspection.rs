//! The size of an introspection: the fields of its answer. The schema determines it, so it is counted exactly, before the answer
//! is built.

use std::collections::HashMap;

use juniper::meta::{Argument, Field, MetaType};
use juniper::parser::parse_document_source;
use juniper::{
    DefaultScalarValue, Definition, InputValue, ScalarValue as _, SchemaType, Selection, Spanning, Type,
};

/// What GraphiQL and other tools send: graphql-js's `getIntrospectionQuery` with all its options.
const STANDARD: &str = include_str!("../../assets/introspection.graphql");

/// How many times the size of the standard introspection is allowed.
const ALLOWED: u64 = 2;

/// A fragment's type, number of directives, and selections.
pub(super) type Fragment<'d> = (&'d str, u64, &'d [Selection<'d>]);

pub(super) type Arguments<'d> = [(Spanning<&'d str>, Spanning<InputValue>)];

type Schema = SchemaType<DefaultScalarValue>;

/// An object of the introspection system.
#[derive(Clone, Copy)]
enum Node<'s> {
    Root,
    Schema,
    /// A type in as many lists and non-nulls.
    Type(&'s MetaType, usize),
    Field(&'s Field<DefaultScalarValue>),
    Argument(&'s Argument<DefaultScalarValue>),
    Directive(&'s [Argument<DefaultScalarValue>]),
    EnumValue,
}

/// The largest introspection that `schema` allows.
pub(super) fn max_size(schema: &Schema) -> u64 {
    let Ok(document) = parse_document_source(STANDARD, schema) else { return 0 };
    let mut fragments = HashMap::new();
    let mut selections = [].as_slice();
    for definition in &document {
        match definition {
            Definition::Fragment(fragment) => {
                let fragment = &fragment.item;
                fragments.insert(fragment.name.item, ("", 0, fragment.selection_set.as_slice()));
            }
            Definition::Operation(operation) => selections = &operation.item.selection_set,
        }
    }
    ALLOWED * size(selections, &fragments, schema, u64::MAX)
}

/// The size of the introspection in the selections of a query's root. Stops counting above `max`.
pub(super) fn size<'d>(
    selections: &'d [Selection<'d>],
    fragments: &HashMap<&'d str, Fragment<'d>>,
    schema: &Schema,
    max: u64,
) -> u64 {
    let mut counter = Counter { schema, fragments, size: 0, max };
    counter.count(selections, Node::Root);
    counter.size
}

struct Counter<'d, 'f, 's> {
    schema: &'s Schema,
    fragments: &'f HashMap<&'d str, Fragment<'d>>,
    size: u64,
    max: u64,
}

impl<'d, 's> Counter<'d, '_, 's> {
    /// Counts spreads too, because fragments without cycles may still expand without a bound.
    fn count(&mut self, selections: &'d [Selection<'d>], node: Node<'s>) {
        for selection in selections {
            if self.size > self.max {
                return;
            }
            self.size += 1;
            match selection {
                Selection::Field(field) => {
                    let field = &field.item;
                    let Some(selections) = &field.selection_set else { continue };
                    let arguments = field.arguments.as_ref().map_or(&[][..], |all| &all.item.items);
                    for child in self.children(node, field.name.item, arguments) {
                        self.count(selections, child);
                    }
                }
                Selection::InlineFragment(fragment) => self.count(&fragment.item.selection_set, node),
                Selection::FragmentSpread(spread) => {
                    if let Some((_, _, selections)) = self.fragments.get(spread.item.name.item) {
                        self.count(selections, node);
                    }
                }
            }
        }
    }

    /// The objects in a field of `node`.
    fn children(&self, node: Node<'s>, name: &str, arguments: &Arguments<'d>) -> Vec<Node<'s>> {
        let schema = self.schema;
        let named = |name: &str| schema.concrete_type_by_name(name).map(|meta| Node::Type(meta, 0));
        let of_type = |of: &Type| {
            let meta = schema.concrete_type_by_name(of.innermost_name());
            meta.map(|meta| Node::Type(meta, of.modifiers().len())).into_iter().collect()
        };
        let types = |metas: Vec<&'s MetaType>| metas.into_iter().map(|meta| Node::Type(meta, 0)).collect();
        let fields = |fields: &'s [Field<_>]| {
            fields.iter().filter(|field| !field.is_builtin()).map(Node::Field).collect()
        };
        match (node, name) {
            (Node::Root, "__schema") => vec![Node::Schema],
            (Node::Root, "__type") => match arguments.iter().find(|(name, _)| name.item == "name") {
                Some((_, Spanning { item: InputValue::Scalar(name), .. })) => {
                    name.try_to_string().and_then(|name| named(&name)).into_iter().collect()
                }
                // A variable: as if it were all types.
                _ => types(schema.concrete_type_list()),
            },
            (Node::Schema, "types") => types(schema.concrete_type_list()),
            (Node::Schema, "queryType") => types(vec![schema.concrete_query_type()]),
            (Node::Schema, "mutationType") => types(schema.concrete_mutation_type().into_iter().collect()),
            (Node::Schema, "subscriptionType") => {
                types(schema.concrete_subscription_type().into_iter().collect())
            }
            (Node::Schema, "directives") => {
                let directives = schema.directive_list().into_iter();
                directives.map(|directive| Node::Directive(&directive.arguments)).collect()
            }
            (Node::Type(meta, wrappers @ 1..), "ofType") => vec![Node::Type(meta, wrappers - 1)],
            (Node::Type(meta, 0), _) => match (meta, name) {
                (MetaType::Object(meta), "fields") => fields(&meta.fields),
                (MetaType::Interface(meta), "fields") => fields(&meta.fields),
                (MetaType::Object(meta), "interfaces") => {
                    meta.interface_names.iter().filter_map(|name| named(name)).collect()
                }
                (MetaType::Interface(meta), "interfaces") => {
                    meta.interface_names.iter().filter_map(|name| named(name)).collect()
                }
                (MetaType::Union(_) | MetaType::Interface(_), "possibleTypes") => {
                    types(schema.possible_types(meta))
                }
                (MetaType::Enum(meta), "enumValues") => vec![Node::EnumValue; meta.values.len()],
                (MetaType::InputObject(meta), "inputFields") => {
                    meta.input_fields.iter().map(Node::Argument).collect()
                }
                _ => Vec::new(),
            },
            (Node::Field(field), "args") => field.arguments.iter().flatten().map(Node::Argument).collect(),
            (Node::Field(field), "type") => of_type(&field.field_type),
            (Node::Argument(argument), "type") => of_type(&argument.arg_type),
            (Node::Directive(arguments), "args") => arguments.iter().map(Node::Argument).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
#[path = "tests/introspection.rs"]
mod tests;
