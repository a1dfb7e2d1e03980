//! What scripts of every trigger see of the tenant: the request, the client, the connection, the organization.

use aws_lc_rs::digest;
use serde_json::{Map, Value, json};

use super::super::Inner;
use super::super::params::Params;
use super::super::request::HttpRequest;
use crate::bundle::{Bundle, Client, Kind, Organization};

/// The tenant's name, as scripts see it.
pub(super) const TENANT: &str = "dev";

/// A request with its parameters, without secrets.
pub(super) struct ScriptRequest<'a> {
    pub(super) http: &'a HttpRequest,
    pub(super) query: Value,
    pub(super) body: Value,
}

impl<'a> ScriptRequest<'a> {
    /// A request whose parameters are in its body.
    pub(super) fn with_body(http: &'a HttpRequest, params: &Params) -> Self {
        Self { http, query: json!({}), body: params.for_scripts() }
    }

    /// A request whose parameters are in its query.
    pub(super) fn with_query(http: &'a HttpRequest, query: Value) -> Self {
        Self { http, query, body: json!({}) }
    }

    pub(super) fn user_agent(&self) -> &str {
        self.http.header("user-agent").unwrap_or_default()
    }

    /// The language that the browser prefers.
    pub(super) fn language(&self) -> &str {
        let accepted = self.http.header("accept-language").unwrap_or_default();
        accepted.split([',', ';']).next().unwrap_or_default().trim()
    }

    /// The actions' `event.request`.
    pub(super) fn event(&self, tenant: &Inner) -> Value {
        json!({
            "asn": "64496", "body": self.body, "geoip": geoip(false), "hostname": hostname(tenant), "ip": self.http.ip(),
            "language": self.language(), "method": self.http.method.as_str(), "query": self.query,
            "user_agent": self.user_agent(),
        })
    }

    /// The rules' `context.request`.
    pub(super) fn context(&self, tenant: &Inner) -> Value {
        json!({
            "userAgent": self.user_agent(), "ip": self.http.ip(), "hostname": hostname(tenant), "query": self.query,
            "body": self.body, "language": self.language(), "geoip": geoip(true),
        })
    }
}

/// The same place for every login, since loopback is nowhere: London. Rules and actions have different names for it.
fn geoip(for_rules: bool) -> Value {
    let members = [
        ("country_code", "countryCode", json!("GB")),
        ("country_code3", "countryCode3", json!("GBR")),
        ("country_name", "countryName", json!("United Kingdom")),
        ("city_name", "cityName", json!("London")),
        ("latitude", "latitude", json!(51.5074)),
        ("longitude", "longitude", json!(-0.1278)),
        ("time_zone", "timeZone", json!("Europe/London")),
        ("continent_code", "continentCode", json!("EU")),
        ("subdivision_code", "subdivisionCode", json!("ENG")),
        ("subdivision_name", "subdivisionName", json!("England")),
    ];
    members
        .into_iter()
        .map(|(rules, actions, value)| (if for_rules { rules } else { actions }.to_owned(), value))
        .collect()
}

/// The tenant's domain, with its port.
pub(super) fn hostname(tenant: &Inner) -> &str {
    tenant.issuer.split("://").nth(1).unwrap_or_default().trim_end_matches('/')
}

/// `event.client`.
pub(super) fn client(client: &Client) -> Value {
    json!({"client_id": client.client_id, "name": client.name, "metadata": client.client_metadata})
}

/// `event.organization`.
pub(super) fn organization(organization: &Organization) -> Value {
    let Organization { id, name, display_name, metadata, .. } = organization;
    json!({"id": id, "name": name, "display_name": display_name.as_ref().unwrap_or(name), "metadata": metadata})
}

/// A connection, with the members that scripts see.
pub(super) struct ScriptConnection {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) strategy: String,
    pub(super) metadata: Map<String, Value>,
    /// The domains among its options; the others may be secrets.
    pub(super) options: Map<String, Value>,
}

impl ScriptConnection {
    /// The connection of a name; one that the bundle does not have gets the id that the Management API gives it.
    pub(super) fn find(bundle: &Bundle, name: &str, provider: &str) -> Self {
        let object = bundle.objects.find(Kind::Connection, "name", name);
        let member = |name: &str| object.and_then(|object| object.get(name));
        let text = |name: &str| member(name).and_then(Value::as_str).map(str::to_owned);
        let members = |name: &str| member(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let mut options = members("options");
        options.retain(|name, _| matches!(name.as_str(), "tenant_domain" | "domain_aliases"));
        let derived = || {
            let hash = digest::digest(&digest::SHA256, name.as_bytes());
            Kind::Connection.format_id(hash.as_ref())
        };
        Self {
            id: text("id").unwrap_or_else(derived),
            name: name.to_owned(),
            strategy: text("strategy").unwrap_or_else(|| provider.to_owned()),
            metadata: members("metadata"),
            options,
        }
    }

    /// `event.connection`.
    pub(super) fn event(&self) -> Value {
        json!({"id": self.id, "name": self.name, "strategy": self.strategy, "metadata": self.metadata})
    }
}
