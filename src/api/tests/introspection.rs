//! Sizes of introspections, compared with the answers that juniper builds.

use juniper::parser::parse_document_source;
use juniper::{EmptyMutation, EmptySubscription, RootNode, Value, Variables, graphql_object};

use super::*;

/// The fields in an answer.
fn fields(value: &Value) -> u64 {
    match value {
        Value::Object(object) => object.iter().map(|(_, value)| 1 + fields(value)).sum(),
        Value::List(items) => items.iter().map(fields).sum(),
        Value::Null | Value::Scalar(_) => 0,
    }
}

fn size_of(text: &str, schema: &Schema, max: u64) -> u64 {
    let document = parse_document_source(text, schema).unwrap();
    let Definition::Operation(operation) = &document[0] else { panic!("{text}") };
    size(&operation.item.selection_set, &HashMap::new(), schema, max)
}

struct Query;

#[graphql_object]
impl Query {
    fn numbers(_first: Vec<Option<i32>>) -> Vec<Vec<i32>> {
        Vec::new()
    }
}

#[test]
fn the_size_is_that_of_the_answer() {
    let root = RootNode::new(Query, EmptyMutation::<()>::new(), EmptySubscription::<()>::new());
    for text in [
        "{ __schema { queryType { name fields { name } } mutationType { name } } }",
        "{ __schema { directives { name args { name type { ofType { name } } } } } }",
        "{ __type(name: \"Query\") { fields { name args { type { kind ofType { kind ofType { name ofType { name } } } } } } } }",
        "{ __type(name: \"__TypeKind\") { enumValues { name } fields { name } possibleTypes { name } } }",
        "{ __type(name: \"Nothing\") { name } }",
        "{ a: __type(name: \"Query\") { interfaces { name } inputFields { name } } __typename }",
    ] {
        let (answer, errors) = juniper::execute_sync(text, None, &root, &Variables::new(), &()).unwrap();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(size_of(text, &root.schema, u64::MAX), fields(&answer), "{text}");
    }
    let of_all = size_of("{ __schema { types { fields { name } } } }", &root.schema, u64::MAX);
    let by_variable =
        size_of("query ($n: String!) { __type(name: $n) { fields { name } } }", &root.schema, u64::MAX);
    assert_eq!(by_variable, of_all - 1);
}

#[test]
fn counting_stops_at_the_limit() {
    let root = crate::api::internal::schema();
    let (open, close) = ("possibleTypes { interfaces { ".repeat(14), "} } ".repeat(14));
    let deep = format!("{{ __schema {{ types {{ {open} name {close} }} }} }}");
    assert_eq!(size_of(&deep, &root.schema, 5_000), 5_001);
}

#[test]
fn the_standard_introspection_is_half_of_what_is_allowed() {
    let root = RootNode::new(Query, EmptyMutation::<()>::new(), EmptySubscription::<()>::new());
    let (answer, _) = juniper::introspect(&root, &(), juniper::IntrospectionFormat::All).unwrap();
    let max = max_size(&root.schema);
    assert!((fields(&answer) * 2..fields(&answer) * 3).contains(&max), "{max}");
}
