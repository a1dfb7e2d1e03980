//! Logins that try out what a rule looks at.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::convert::Traits;
use super::case::{CannedResponse, Continued, LoginCase};

/// Logins that try out what a rule looks at: its texts as names, roles and addresses, its metadata, and what its requests get.
pub fn generated_cases(traits: &Traits) -> Vec<LoginCase> {
    let mut cases = Vec::new();
    let mut add = |name: String, user: Value, context: Value| {
        let members = |value: Value| if let Value::Object(members) = value { members } else { Map::new() };
        cases.push(LoginCase {
            name,
            user: members(user),
            context: members(context),
            ..LoginCase::default()
        });
    };
    add("a plain login".to_owned(), json!({}), json!({}));
    add("an email that is not verified".to_owned(), json!({ "email_verified": false }), json!({}));
    add("no email".to_owned(), json!({ "email": null }), json!({}));
    add("the first login".to_owned(), json!({}), json!({ "stats": { "loginsCount": 1 } }));
    add(
        "an organization".to_owned(),
        json!({}),
        json!({ "organization": { "id": "org_1", "name": "acme", "display_name": "Acme", "metadata": {} } }),
    );
    add("no list of methods".to_owned(), json!({}), json!({ "authentication": null }));
    for protocol in ["oauth2-refresh-token", "oauth2-password", "samlp"] {
        add(format!("protocol {protocol}"), json!({}), json!({ "protocol": protocol }));
    }
    for key in traits.metadata.iter().take(12) {
        for value in [json!(true), json!("text"), json!(["text"]), json!(7)] {
            let metadata = json!({ key: value });
            let user = json!({ "app_metadata": metadata, "user_metadata": metadata });
            add(format!("metadata {metadata}"), user, json!({}));
        }
    }
    for text in traits.texts.iter().take(24) {
        let email = if text.contains('@') { text.trim_start_matches('@').to_owned() } else { text.clone() };
        let email = if email.contains('@') { email } else { format!("ada@{email}") };
        add(format!("email {email}"), json!({ "email": email }), json!({}));
        add(
            format!("client, connection, role and country \"{text}\""),
            json!({ "identities": [{ "provider": text, "user_id": "1", "connection": text, "isSocial": true }] }),
            json!({
                "clientID": text, "clientName": text, "connection": text, "connectionStrategy": text,
                "authorization": { "roles": [text] }, "request": { "geoip": { "country_code": text }, "ip": text },
            }),
        );
        add(
            format!("role and method \"{text}\""),
            json!({}),
            json!({
                "authorization": { "roles": [text, "other"] }, "authentication": { "methods": [{ "name": text, "timestamp": 1 }] },
            }),
        );
    }
    let queries: Vec<Map<String, Value>> = traits
        .texts
        .iter()
        .take(6)
        .map(String::as_str)
        .chain(["", "yes"])
        .map(|text| traits.query.iter().map(|key| (key.clone(), text.into())).collect())
        .collect();
    let with_queries: Vec<LoginCase> = queries
        .iter()
        .take(if traits.query.is_empty() { 1 } else { 8 })
        .map(|query| LoginCase {
            name: format!("query {}", Value::from(query.clone())),
            context: Map::from_iter([("request".to_owned(), json!({ "query": query }))]),
            continued: Some(Continued { query: query.clone() }),
            ..LoginCase::default()
        })
        .collect();
    cases.extend(with_queries);
    for key in traits.keys.iter().take(8) {
        for value in ["", "0", "[]"] {
            let configuration = BTreeMap::from_iter([(key.clone(), value.to_owned())]);
            let name = format!("configuration {key} = \"{value}\"");
            cases.push(LoginCase { name, configuration, ..LoginCase::default() });
        }
    }
    if !traits.fetches {
        return cases;
    }
    let answers = [
        (200, json!({})),
        (200, json!([])),
        (200, json!({ "access_token": "token", "expires_in": 60, "id": 1 })),
        (404, json!({})),
        (500, json!("down")),
    ];
    let with_answers = |case: &LoginCase| {
        let one = |(status, body): &(u16, Value)| LoginCase {
            name: format!("{}, requests get {status} {body}", case.name),
            responses: vec![CannedResponse { path: String::new(), status: *status, body: body.clone() }],
            ..case.clone()
        };
        answers.iter().map(one).collect::<Vec<_>>()
    };
    let more: Vec<LoginCase> = cases.iter().take(16).flat_map(with_answers).collect();
    cases.extend(more);
    cases
}
