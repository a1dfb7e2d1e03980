//! The doors compared with `juniper_warp`, the stock filter, over the same schemas, database and gate.
//!
//! Both must give the same answer to the same operation. Where the stock filter deviates, [`deviations`] and [`sockets`]
//! state what it does and what the doors do, so that a change of either fails a test.

mod deviations;
mod sockets;
mod stock;

use serde_json::{Value, json};
use vestibule::user::UserId;

use crate::test_server::TestServer;
use stock::{Operation, Stock, written};

/// What every tool sends first (graphql-js `getIntrospectionQuery`, shortened in depth).
const INTROSPECTION: &str = "query IntrospectionQuery { __schema { queryType { name } mutationType { name }
    subscriptionType { name } types { ...FullType } directives { name description isRepeatable locations
    args { ...InputValue } } } }
    fragment FullType on __Type { kind name description specifiedByURL
    fields(includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } isDeprecated
    deprecationReason } inputFields { ...InputValue } interfaces { ...TypeRef }
    enumValues(includeDeprecated: true) { name description isDeprecated } possibleTypes { ...TypeRef } }
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// Documents that are no operation of either schema.
const INVALID: [&str; 30] = [
    "",
    "{",
    "{ me { id }",
    "{ viewer { kind \u{7} } }",
    "query { viewer { kind } } }",
    "{ viewer(kind: \"unterminated) { kind } }",
    "{ nothing }",
    "{ viewer }",
    "{ viewer { kind { x } } }",
    "{ viewer { kind(of: 1) } }",
    "{ node { id } }",
    "{ node(id: [\"a\"]) { id } }",
    "{ node(id: {a: 1}) { id } }",
    "{ node(id: \"1\", id: \"2\") { id } }",
    "{ viewer { ...Missing } }",
    "{ viewer { ...V } } fragment V on Nothing { kind }",
    "{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }",
    "{ viewer { kind } } fragment Unused on Viewer { kind }",
    "{ viewer { ... on User { id } } }",
    "{ viewer { a: kind a: permissions } }",
    "{ viewer { kind @unknown } }",
    "{ viewer { kind @include } }",
    "{ viewer { kind @include(if: null) } }",
    "query ($if: Boolean) { viewer { kind @include(if: $if) } }",
    "query ($a: Int) { viewer { kind } }",
    "{ node(id: $undeclared) { id } }",
    "query ($a: Int!, $a: Int!) { node(id: $a) { id } }",
    "query ($a: Viewer) { node(id: $a) { id } }",
    "query ($id: ID) { node(id: $id) { id } }",
    "query A { viewer { kind } } query A { viewer { kind } }",
];

/// Documents that both schemas can run or refuse only with variables or a name.
fn shared(id: UserId) -> Vec<Operation> {
    let two = "query A { viewer { kind } } query B { viewer { permissions } }";
    let node = "query Q($id: ID!, $with: Boolean = false) { node(id: $id) { __typename id
        ... on User { name @include(if: $with) email @skip(if: $with) } } }";
    let mut operations = vec![
        operation("{ __typename }"),
        operation("{ me { id name } viewer { kind clientId permissions user { id } } }"),
        operation(
            "{ b: viewer { k: kind ...P } a: viewer { ...P } } fragment P on Viewer { p: permissions }",
        ),
        operation("# a comment\n{ viewer { # another, with 🐙\n kind } },,,"),
        operation("{ node(id: \"00000000-0000-7000-8000-000000000000\") { id } }"),
        operation("{ node(id: \"no id\") { id } n: node(id: 7) { id } viewer { kind } }"),
        operation(
            "{ __type(name: \"User\") { name fields { name } } none: __type(name: \"Ghost\") { name } }",
        ),
        operation(INTROSPECTION),
        named(two, Some("A")),
        named(two, Some("B")),
        named(two, Some("C")),
        named(two, None),
        with(node, json!({"id": id})),
        with(node, json!({"id": id, "with": true})),
        with(node, json!({"id": id, "unused": {"deep": [1, 2.5, "x", null, true]}})),
        with(node, json!({})),
        with(node, json!({"id": null})),
        with(node, json!({"id": {"a": 1}})),
        with(node, json!({"id": [id]})),
        with(node, json!({"id": id, "with": "yes"})),
        // A null for a type that excludes it is reported by juniper, which names the variable.
        with("query ($if: Boolean!) { viewer { kind @include(if: $if) } }", json!({"if": null})),
        with("query ($id: ID!) { node(id: $id) { id } }", json!({"id": "\u{0}\u{1F419}\u{2028} \"q\" \\"})),
    ];
    operations.extend(INVALID.map(operation));
    operations
}

fn operation(query: &str) -> Operation {
    Operation { query: query.to_owned(), name: None, variables: Value::Null }
}

fn named(query: &str, name: Option<&'static str>) -> Operation {
    Operation { name, ..operation(query) }
}

fn with(query: &str, variables: Value) -> Operation {
    Operation { variables, ..operation(query) }
}

/// Sends each operation to a door and to the stock filter, by POST and, if it is no mutation, by GET.
fn assert_equal_answers(
    server: &TestServer,
    (door, stock): (&str, &str),
    token: &str,
    operations: &[Operation],
) {
    for operation in operations {
        let query = &operation.query;
        let ours = operation.post(server, door, token);
        let theirs = operation.post(server, stock, token);
        assert_eq!(written(&ours), written(&theirs), "POST {query} {}", operation.variables);
        // The stock filter does not read `operationName` from a query string.
        if !query.contains("mutation") && operation.name.is_none() {
            let (ours, theirs) = (operation.get(server, door, token), operation.get(server, stock, token));
            assert_eq!(written(&ours), written(&theirs), "GET {query} {}", operation.variables);
        }
    }
}

#[test]
fn the_public_door_answers_as_the_stock_filter_does() {
    let server = TestServer::open(&[]);
    let stock = Stock::start(&server);
    let urls = (server.public(), stock.public_url());
    let ada = server.insert_person("ada").id;
    let update = "mutation ($input: UpdateMeInput!) { updateMe(input: $input) { clientMutationId
        me { name givenName familyName nickname phone picture } } }";
    let mut operations = shared(ada);
    operations.extend([
        operation(
            "{ me { id auth0Id email emailVerified name givenName roles createdAt
            acceptedTerms { version acceptedAt } } }",
        ),
        with(update, json!({"input": {"name": "Žofie 🐙 \"q\" \\ \u{2028}", "clientMutationId": "1"}})),
        with(update, json!({"input": {"name": null, "nickname": "", "phone": "+420 1"}})),
        with(update, json!({"input": {"picture": "javascript:alert(1)"}})),
        with(update, json!({"input": {"name": "x".repeat(2_000)}})),
        with(update, json!({"input": {"name": 7}})),
        with(update, json!({"input": {"nothing": "x"}})),
        with(update, json!({"input": null})),
        with(update, json!({})),
        operation(
            "mutation { a: updateMe(input: {name: \"A\"}) { me { name } }
            b: acceptTerms(input: {version: \"no good\"}) { me { id } }
            c: acceptTerms(input: {version: \"v1\"}) { me { acceptedTerms { version } } }
            d: eraseMe(input: {confirmId: \"someone else\"}) { erasedId } }",
        ),
        operation("mutation { updateMe(input: {name: RED}) { me { name } } }"),
        operation("mutation { updateMe { me { name } } }"),
        operation("mutation { nothing }"),
    ]);
    let urls = (urls.0.as_str(), urls.1.as_str());
    assert_equal_answers(&server, urls, &server.token("auth0|ada", json!({})), &operations);
    let only_people = operation("mutation { updateMe(input: {name: \"A\"}) { me { name } } }");
    let as_machine = [shared(ada), vec![only_people]].concat();
    assert_equal_answers(&server, urls, &server.public_machine_token(), &as_machine);
}

#[test]
fn the_internal_door_answers_as_the_stock_filter_does() {
    let server = TestServer::open(&[]);
    let stock = Stock::start(&server);
    let urls = (server.internal(), stock.internal_url());
    let ada = server.insert_person("ada").id;
    let page = "query ($first: Int, $after: String, $filter: UserFilter, $order: UserOrder) {
        users(first: $first, after: $after, filter: $filter, orderBy: $order) { totalCount
        edges { cursor node { id email name status roles identities { auth0Id provider } } }
        nodes { name } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let create = "mutation ($input: CreateUserInput!) { createUser(input: $input) { user { email } } }";
    let mut operations = shared(ada);
    operations.extend([
        with(page, json!({"first": 2})),
        with(page, json!({"first": 2, "order": {"field": "EMAIL", "direction": "DESC"}})),
        with(page, json!({"filter": {"status": "BLOCKED"}, "order": {"field": "NAME"}})),
        with(page, json!({"filter": {"email": "ADA@example.com"}})),
        with(page, json!({"filter": {"email": "not an email"}})),
        with(page, json!({"filter": {"status": "GONE"}})),
        with(page, json!({"filter": {"createdAt": {"from": "yesterday"}}})),
        with(page, json!({"first": 0})),
        with(page, json!({"first": 2.5})),
        with(page, json!({"first": 99_999_999_999_u64})),
        with(page, json!({"first": 1, "after": "no cursor"})),
        operation("{ users(first: 1, last: 1) { totalCount } }"),
        operation("{ user(email: \"ada@example.com\") { id auth0Id status updatedAt } none: user(auth0Id: \"auth0|x\") { id }
            both: user(id: \"x\", email: \"ada@example.com\") { id } }"),
        operation("{ users(first: 1) { nodes { id } } auditEvents(first: 1) { totalCount }
            deployments { totalCount } viewer { kind } }"),
        operation("mutation { blockUser(input: {id: \"nobody\"}) { user { status } } }"),
        with("mutation ($id: ID!) { a: blockUser(input: {id: $id, clientMutationId: \"a\"}) { clientMutationId user { status } }
            b: unblockUser(input: {id: $id}) { user { status } } c: eraseUser(input: {id: $id}) { user { id } }
            d: setRoles(input: {id: $id, roles: [\"support\", \"support\"]}) { user { roles } } }", json!({"id": ada})),
        with(create, json!({"input": {"email": "ada@example.com", "emailVerified": true}})),
        with(create, json!({"input": {}})),
        with(create, json!({"input": {"email": "a b@c"}})),
        with(create, json!({"input": {"email": "ada@example.com", "roles": "support"}})),
        with(create, json!({"input": {"email": "new@example.com", "roles": [null]}})),
    ]);
    let urls = (urls.0.as_str(), urls.1.as_str());
    assert_equal_answers(&server, urls, &server.machine_token("users:read users:write"), &operations);
}
