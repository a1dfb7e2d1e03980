//! A login to run scripts on, as the objects of a rule and of an action.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::stubs::{StubbedAnswer, Stubs};

/// A login to run scripts on. Members that are absent have the values of a plain login.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginCase {
    /// What is special about it.
    pub name: String,
    /// Members of the rules' `user`; `null` removes one.
    pub user: Map<String, Value>,
    /// Members of the rules' `context`; objects are merged.
    pub context: Map<String, Value>,
    /// Values of the configuration that differ.
    pub configuration: BTreeMap<String, String>,
    /// What the scripts' requests get. A request that none matches fails.
    pub responses: Vec<CannedResponse>,
    /// The return from a redirect.
    #[serde(rename = "continue")]
    pub continued: Option<Continued>,
}

/// How a login goes on after a redirect.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Continued {
    /// The query of `/continue`.
    pub query: Map<String, Value>,
}

/// A response without a network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CannedResponse {
    /// Path and query of the request; empty for every request.
    #[serde(default)]
    pub path: String,
    /// The status; 200 when absent.
    #[serde(default = "ok")]
    pub status: u16,
    /// The body, as JSON.
    pub body: Value,
}

fn ok() -> u16 {
    200
}

impl CannedResponse {
    /// The answers of one run.
    pub fn stubs(responses: &[Self]) -> Arc<Stubs> {
        let answer = |response: &Self| StubbedAnswer {
            request: format!("*{}", response.path),
            status: response.status,
            headers: BTreeMap::new(),
            json: Some(response.body.clone()),
            text: None,
            error: None,
        };
        Arc::new(Stubs::new(responses.iter().map(answer).collect()))
    }
}

pub(super) const HOST: &str = "acme.eu.auth0.test";
pub(super) const REQUESTED: [&str; 2] = ["openid", "profile"];

impl LoginCase {
    pub(super) fn stubs(&self) -> Arc<Stubs> {
        CannedResponse::stubs(&self.responses)
    }

    /// The rules' `user`.
    pub(super) fn user(&self) -> Map<String, Value> {
        let mut user = json!({
            "user_id": "auth0|1", "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace",
            "nickname": "ada", "picture": "https://acme.example/ada.png",
            "identities": [{ "provider": "auth0", "user_id": "1", "connection": "Username-Password-Authentication", "isSocial": false }],
            "created_at": "2026-01-02T03:04:05.000Z", "updated_at": "2026-11-01T00:00:00.000Z",
        });
        let members = user.as_object_mut().map(std::mem::take).unwrap_or_default();
        let mut members: Map<String, Value> = members;
        members.extend(self.user.clone());
        members.retain(|_, value| !value.is_null());
        members
    }

    /// The rules' `context`.
    pub(super) fn context(&self) -> Map<String, Value> {
        let mut context = json!({
            "tenant": "acme", "clientID": "spa", "clientName": "Shop", "clientMetadata": {},
            "connection": "Username-Password-Authentication", "connectionID": "con_1", "connectionStrategy": "auth0",
            "connectionMetadata": {}, "protocol": "oidc-basic-profile", "stats": { "loginsCount": 3 }, "sessionID": "ses_1",
            "authentication": { "methods": [{ "name": "pwd", "timestamp": 1_764_374_400_000_i64 }] },
            "authorization": { "roles": [] },
            "request": {
                "ip": "192.0.2.7", "hostname": HOST, "userAgent": "Firefox", "method": "GET", "query": {}, "body": {},
                "geoip": {
                    "country_code": "DE", "country_code3": "DEU", "country_name": "Germany", "city_name": "Berlin",
                    "continent_code": "EU", "latitude": 52.5, "longitude": 13.4, "time_zone": "Europe/Berlin",
                },
            },
            "idToken": {}, "accessToken": {},
        });
        merge(&mut context, &self.context.clone().into());
        let mut context = if let Value::Object(members) = context { members } else { Map::new() };
        context.retain(|_, value| !value.is_null());
        context
    }
}

/// The `event` of a post-login action in the login of these rules' objects.
pub(super) fn event_of(user: &Map<String, Value>, context: &Map<String, Value>) -> Value {
    let of = |name: &str| context.get(name).cloned().unwrap_or_default();
    let request = of("request");
    let in_request = |name: &str| request.get(name).cloned().unwrap_or_default();
    let geoip = in_request("geoip");
    let place = |name: &str| geoip.get(name).cloned().unwrap_or_default();
    let mut user = user.clone();
    for kind in ["app_metadata", "user_metadata"] {
        user.entry(kind).or_insert_with(|| json!({}));
    }
    let mut event = json!({
        "user": user,
        "tenant": { "id": of("tenant") },
        "client": { "client_id": of("clientID"), "name": of("clientName"), "metadata": of("clientMetadata") },
        "connection": {
            "id": of("connectionID"), "name": of("connection"), "strategy": of("connectionStrategy"),
            "metadata": of("connectionMetadata"),
        },
        "stats": { "logins_count": of("stats").get("loginsCount") },
        "session": { "id": of("sessionID") },
        "authentication": of("authentication"),
        "authorization": of("authorization"),
        "organization": of("organization"),
        "transaction": { "protocol": of("protocol"), "requested_scopes": REQUESTED, "metadata": {} },
        "request": {
            "ip": in_request("ip"), "hostname": in_request("hostname"), "method": in_request("method"),
            "user_agent": in_request("userAgent"), "query": in_request("query"), "body": in_request("body"),
            "geoip": {
                "countryCode": place("country_code"), "countryCode3": place("country_code3"),
                "countryName": place("country_name"), "cityName": place("city_name"),
                "continentCode": place("continent_code"), "latitude": place("latitude"),
                "longitude": place("longitude"), "timeZone": place("time_zone"),
            },
        },
    });
    if let Some(risk) = context.get("riskAssessment")
        && let Some(authentication) = event.get_mut("authentication").and_then(Value::as_object_mut)
    {
        authentication.insert("riskAssessment".to_owned(), risk.clone());
    }
    if let Some(members) = event.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    event
}

/// Merges objects; `null` stays, because metadata use it.
pub(super) fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
