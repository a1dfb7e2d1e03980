//! Lists resolved item by item, and queries resolved without futures, answer as juniper's own execution does.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::test_server::TestServer;

const ALL: &str = "users:read users:write audit:read deploy:read";

/// Selections of a user, each with everything that a list resolves in its own way.
const SELECTIONS: [&str; 14] = [
    "id",
    "id email name",
    "__typename mail: email again: email roles status createdAt tokensValidFrom",
    "id id",
    "id kind: __typename ...Names",
    "...Names ...Names email",
    "... { email } ... on User { nickname }",
    "... on Node { id ... on AuditEvent { action } ... on User { email } }",
    "...Node",
    "email @skip(if: true) name @include(if: true)",
    "... @include(if: false) { email } ...Names @skip(if: true) id",
    "createdAt updatedAt emailVerified picture phone givenName familyName auth0Id",
    "roles again: roles",
    "t: __typename t: __typename",
];
const FRAGMENTS: &str =
    "fragment Names on User { name nickname ...Node } fragment Node on Node { __typename id }";

#[test]
fn a_list_answers_as_juniper_does() {
    let server = TestServer::open(&[]);
    for name in ["ada", "bob", "eve"] {
        server.insert_person(name);
    }
    server.insert_user("auth0|nameless");
    // All differ, so that no field can answer for another.
    let texts = "given_name = 'a', family_name = 'b', nickname = 'c', picture = 'd', phone = 'e'";
    let database = rusqlite::Connection::open(&server.config.store.path).unwrap();
    let sql = format!("UPDATE users SET {texts} WHERE auth0_id = 'auth0|ada'");
    assert_eq!(database.execute(&sql, []).unwrap(), 1);
    let bearer = format!("Bearer {}", server.machine_token(ALL));
    // `identities` waits, so juniper resolves the second list. It reads all columns, too.
    let all = "auth0Id email name givenName familyName nickname picture phone roles tokensValidFrom";
    let all = all.split(' ').map(|field| format!("x{field}: {field} ")).collect::<String>();
    let waiting = &format!("identities {{ linkedAt }} {all}");
    for selection in SELECTIONS {
        let page = |more: &str| {
            format!(
                "query Users {{ users(first: 3) {{ nodes {{ {selection} {more} }} edges {{ cursor node {{ {selection} {more} }} }} \
                 pageInfo {{ startCursor endCursor hasNextPage }} }} }} {FRAGMENTS} query Unused {{ me {{ ...Names }} }}"
            )
        };
        let ask = |more: &str| {
            let body = json!({"query": page(more), "operationName": "Users"});
            let response =
                server.http.post_json(&server.internal(), &[("authorization", &bearer)], &body).unwrap();
            assert_eq!(response.json()["errors"], Value::Null, "{selection}: {}", response.body);
            response.json()
        };
        let (ours, mut theirs) = (ask(""), ask(waiting));
        remove(&mut theirs, &|key| key == "identities" || key.starts_with('x'));
        assert_eq!(ours.to_string(), theirs.to_string(), "{selection}");
        let edges = ours["data"]["users"]["edges"].as_array().unwrap();
        assert_eq!(edges.len(), 3, "{ours}");
        assert_eq!(edges[2]["cursor"], ours["data"]["users"]["pageInfo"]["endCursor"]);
    }
}

fn remove(value: &mut Value, is_unwanted: &dyn Fn(&str) -> bool) {
    match value {
        Value::Object(members) => {
            members.retain(|key, _| !is_unwanted(key));
            members.values_mut().for_each(|member| remove(member, is_unwanted));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| remove(item, is_unwanted)),
        _ => {}
    }
}

/// No field that waits is resolved where nothing can wait: that is a panic, and status 500.
#[test]
fn every_field_of_both_doors_is_resolved() {
    let server = TestServer::open(&["public.introspection=true", "internal.introspection=true"]);
    let ada = server.insert_person("ada");
    let (own, machine) = (server.token("auth0|ada", json!({})), server.machine_token(ALL));
    for (door, token) in [(server.public(), own), (server.internal(), machine)] {
        let ask = |query: &str| server.http.graphql(&door, Some(&token), query, Value::Null).unwrap();
        let types = ask(TYPES).json()["data"]["__schema"]["types"].clone();
        let types = types.as_array().unwrap().iter();
        let types: Types =
            types.map(|meta| (meta["name"].as_str().unwrap().to_owned(), meta.clone())).collect();
        let mut paths = Vec::new();
        leaves(&types, "Query", &mut vec!["Query"], &ada.id.to_string(), "", "", &mut paths);
        assert!(paths.len() > 30, "{paths:?}");
        for query in paths {
            let response = ask(&query);
            assert_eq!(response.status, 200, "{query}: {}", response.body);
        }
    }
}

const TYPES: &str = "{ __schema { types { name kind possibleTypes { name } fields { name args { name } \
     type { name ofType { name ofType { name ofType { name } } } } } } } }";

type Types = HashMap<String, Value>;

/// Adds a query for each leaf that a path leads to; a path goes through each type once.
fn leaves<'t>(
    types: &'t Types,
    on: &'t str,
    path: &mut Vec<&'t str>,
    id: &str,
    before: &str,
    after: &str,
    queries: &mut Vec<String>,
) {
    for possible in types[on]["possibleTypes"].as_array().into_iter().flatten() {
        let name = possible["name"].as_str().unwrap();
        let before = format!("{before}{{ ... on {name} ");
        leaves(types, name, path, id, &before, &format!("}}{after}"), queries);
    }
    for field in types[on]["fields"].as_array().unwrap() {
        let args = field["args"].as_array().unwrap();
        let has = |name: &str| args.iter().any(|arg| arg["name"] == name);
        let args = match (has("id"), has("first")) {
            (true, _) => format!("(id: \"{id}\")"),
            (_, true) => "(first: 2)".to_owned(),
            _ => String::new(),
        };
        let before = format!("{before}{{ {}{args} ", field["name"].as_str().unwrap());
        let after = format!("}}{after}");
        let mut meta = &field["type"];
        while meta["name"].is_null() {
            meta = &meta["ofType"];
        }
        let meta = meta["name"].as_str().unwrap();
        if types[meta]["fields"].is_null() {
            queries.push(format!("{before}{after}"));
        } else if !path.contains(&meta) {
            path.push(meta);
            leaves(types, meta, path, id, &before, &after, queries);
            path.pop();
        }
    }
}
