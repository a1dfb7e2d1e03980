//! Costs of documents, on a schema with lists of every kind.

use juniper::{
    DefaultScalarValue, EmptyMutation, EmptySubscription, InputValue, RootNode, Variables, graphql_object,
};

use super::*;

struct Query;
struct Item;
struct Page;

#[graphql_object]
impl Query {
    fn item() -> Item {
        Item
    }
    fn items() -> Vec<Item> {
        Vec::new()
    }
    fn page(#[graphql(default = 20)] _first: i32) -> Page {
        Page
    }
    fn either(_first: Option<i32>, _last: Option<i32>) -> Page {
        Page
    }
}

#[graphql_object]
impl Item {
    fn id() -> i32 {
        1
    }
    fn tags() -> Vec<String> {
        Vec::new()
    }
    fn items() -> Vec<Item> {
        Vec::new()
    }
    fn page(_first: i32) -> Page {
        Page
    }
}

#[graphql_object]
impl Page {
    fn nodes() -> Vec<Item> {
        Vec::new()
    }
    fn total() -> i32 {
        0
    }
}

const MAX: u64 = 1_000;

type Root = RootNode<Query, EmptyMutation, EmptySubscription>;

fn limits(set: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits {
        body: 1,
        tokens: 1,
        depth: 1,
        fields: 1,
        root_fields: 1000,
        aliases: 1000,
        directives: 1000,
        cost: 1,
        time: std::time::Duration::ZERO,
        response: 1,
        kept: 0,
    };
    set(&mut limits);
    limits
}

fn cost_of(text: &str, variables: &[(&str, InputValue<DefaultScalarValue>)]) -> u64 {
    let root = Root::new(Query, EmptyMutation::new(), EmptySubscription::new());
    let cost = measure(text, None, &root.schema, &limits(|_| {}), MAX).unwrap();
    let variables: Variables =
        variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    cost.total(&variables)
}

#[test]
fn page_sizes_multiply_and_lists_without_one_count_ten_times() {
    for (text, cost) in [
        ("{ item { id } }", 2),
        ("{ items { id tags } }", 1 + 10 * 2),
        // A page: its `nodes` are the items, not ten of them each.
        ("{ page(first: 7) { nodes { id } total } }", 1 + 7 * (1 + 1 + 1)),
        ("{ page { nodes { id } } }", 1 + 20 * 2),
        ("{ either { total } }", 1 + 50),
        ("{ either(last: 3) { total } }", 1 + 3),
        ("{ page(first: 100000) { total } }", 100_001),
        ("{ page(first: -1) { total } }", 1),
        ("{ page(first: 10) { nodes { page(first: 10) { nodes { id } } } } }", 1 + 10 * (1 + 1 + 10 * 2)),
        ("{ page(first: 10) { nodes { items { id } } } }", 1 + 10 * (1 + 1 + 10)),
        // A fragment costs once per spread.
        (
            "{ page(first: 7) { ...f } either(first: 2) { ...f } } fragment f on Page { nodes { id } }",
            2 + 9 * 2,
        ),
        // Outside a page, where the lists in it count ten times, and inside one.
        (
            "{ item { ...f } page(first: 7) { ...f } } fragment f on Item { items { id } }",
            (1 + 1 + 10) + (1 + 7 * (1 + 1)),
        ),
        ("{ page(first: 7) { nodes { ...f } } item { ...f } } fragment f on Item { id }", 1 + 7 * 2 + 2),
        ("{ page(first: 7) { ... on Page { ... { nodes { id } } } } }", 1 + 7 * 2),
        // The type condition decides which type's pages are meant.
        ("{ item { ... on Query { page(first: 7) { total } } } }", 1 + 1 + 7),
        ("{ item { ... on Query { ... on Item { items { id } } } } }", 1 + 1 + 10),
        ("{ __schema { types { fields { name } } } }", 4),
    ] {
        assert_eq!(cost_of(text, &[]), cost, "{text}");
    }
}

#[test]
fn all_fields_of_the_operation_are_known() {
    let root = Root::new(Query, EmptyMutation::new(), EmptySubscription::new());
    let text = "query a { mine: item { ... on Item { accessCode } ...f } } query b { tags }
                fragment f on Item { ...g items { __typename } } fragment g on Item { id }
                fragment unused on Page { total }";
    let cost = measure(text, Some("a"), &root.schema, &limits(|_| {}), MAX).unwrap();
    let names = ["item", "accessCode", "items", "__typename", "id"];
    let fields = cost.fields.unwrap();
    assert_eq!(fields, Fields::from_iter(names));
    assert!(fields.have_column("access_code") && !fields.have_column("total"));
}

#[test]
fn one_null_among_the_conditions_is_noticed() {
    let root = Root::new(Query, EmptyMutation::new(), EmptySubscription::new());
    let text = "query ($a: Boolean, $b: Boolean = false) { item @skip(if: $a) { id @include(if: $b) } }";
    let cost = measure(text, None, &root.schema, &limits(|_| {}), MAX).unwrap();
    let is_null = |a: InputValue| cost.has_null_condition(&Variables::from([("a".to_owned(), a)]));
    assert!(is_null(InputValue::Null) && !is_null(InputValue::scalar(true)));
}

#[test]
fn page_sizes_may_be_variables() {
    let text = "query ($n: Int = 5, $m: Int!) { page(first: $n) { nodes { page(first: $m) { total } } } }";
    let cost = |n: u64, m: u64| 1 + n * (1 + 1 + m);
    let int = |n: i32| InputValue::scalar(n);
    assert_eq!(cost_of(text, &[("m", int(3))]), cost(5, 3));
    assert_eq!(cost_of(text, &[("n", int(2)), ("m", int(1000))]), cost(2, 1000));
    // Missing or null: the default of the schema, else a whole page.
    assert_eq!(cost_of(text, &[("n", InputValue::Null)]), cost(20, 50));
}

#[test]
fn exponential_fragment_spreads_are_measured_quickly() {
    let mut text = String::from("query ($n: Int) { item { ...f0 } }");
    for i in 0..60 {
        text.push_str(&format!(" fragment f{i} on Item {{ ...f{0} ...f{0} }}", i + 1));
    }
    let root = Root::new(Query, EmptyMutation::new(), EmptySubscription::new()).limit_fields(1_000);
    let expanded = format!("{text} fragment f60 on Item {{ id }}");
    let error = measure(&expanded, None, &root.schema, &limits(|_| {}), MAX).unwrap_err();
    assert!(
        matches!(error, PrepareError::Request(RequestError::LimitExceeded { key: "fields", .. })),
        "{error}"
    );
    // A cycle costs nothing, and validation refuses it.
    let cyclic = format!("{text} fragment f60 on Item {{ ...f0 }}");
    assert_eq!(cost_of(&cyclic, &[]), 0);
}

#[test]
fn pages_in_a_fragment_cycle_do_not_multiply() {
    // The parser counts the first definition first and stops at a cycle, so its own limit is not exceeded.
    let mut text = String::from("fragment f0 on Query { page(first: $n) { total } ...f9 }");
    for i in 1..10 {
        text.push_str(&format!(" fragment f{i} on Query {{ {} }}", format!("...f{} ", i - 1).repeat(10)));
    }
    text.push_str(" query ($n: Int) { ...f9 }");
    let limited = Root::new(Query, EmptyMutation::new(), EmptySubscription::new()).limit_fields(8);
    let cost = measure(&text, None, &limited.schema, &limits(|_| {}), MAX).unwrap();
    assert_eq!((cost.fixed, cost.pages.len()), (0, 0));
}

#[test]
fn the_error_names_the_limit_that_is_exceeded() {
    let root = Root::new(Query, EmptyMutation::new(), EmptySubscription::new())
        .limit_depth(4)
        .limit_tokens(40)
        .limit_fields(8);
    let all = |limits: &mut Limits| {
        (limits.root_fields, limits.aliases, limits.directives) = (3, 2, 2);
    };
    for (text, limit) in [
        ("{ item { items { items { items { id } } } } }", "depth"),
        (&format!("query ({}) {{ item {{ id }} }}", "$n: Int ".repeat(20)), "tokens"),
        ("{ item { ...f ...f } } fragment f on Item { id tags items { id id } }", "fields"),
        (
            "{ item { id } ...q } fragment q on Query { a: item { id } item { id } items { id } }",
            "root_fields",
        ),
        ("{ item { ...f a: id } } fragment f on Item { b: id c: id }", "aliases"),
        (
            "{ item @skip(if: false) { ...f @skip(if: false) } } fragment f on Item { id @skip(if: true) }",
            "directives",
        ),
    ] {
        let Err(PrepareError::Request(RequestError::LimitExceeded { key, .. })) =
            measure(text, None, &root.schema, &limits(all), MAX)
        else {
            panic!("{text}")
        };
        assert_eq!(key, limit, "{text}");
    }
    let within = "{ item { ...f } } fragment f on Item { b: id c: id }";
    assert!(measure(within, None, &root.schema, &limits(all), MAX).is_ok());
}
