//! What `dev` needs and the dev tenant's bundle does not have, as in a bundle that is only a tenant's export: reported with the
//! file that fixes it, or supplied (`tenant.supply`).

use serde_json::{Value, json};

use crate::bundle::{Bundle, Client, DEFAULT_CONNECTION, Kind, TestUser};
use crate::config::Config;
use crate::telemetry::Secret;

/// Something that is missing in the bundle.
#[derive(Debug)]
pub struct Gap {
    /// Whether only the doors need it.
    pub is_of_doors: bool,
    problem: String,
    /// What else fixes it.
    alternative: String,
    fix: Vec<Fix>,
}

#[derive(Debug)]
enum Fix {
    Object(Kind, &'static str, Value),
    Person(Value),
}

/// The client id of a supplied frontend, if GraphiQL's is taken.
const FRONTEND: &str = "dev-frontend";

impl Gap {
    /// What is missing, and each file that fixes it.
    pub fn report(&self) -> String {
        format!("{}; add {}{}", self.problem, self.files(), self.alternative)
    }

    fn files(&self) -> String {
        let file = |fix: &Fix| match fix {
            Fix::Object(kind, name, object) => format!("{}/{name}.json: {object}", kind.folder()),
            Fix::Person(person) => format!("people.json: [{person}]"),
        };
        self.fix.iter().map(file).collect::<Vec<_>>().join(" and ")
    }
}

/// The gaps between the configuration and the bundle.
pub(super) fn find(config: &Config, bundle: &Bundle) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    let mut add = |is_of_doors, problem: String, alternative: String, fix: Vec<Fix>| {
        gaps.push(Gap { is_of_doors, problem, alternative, fix });
    };
    let mut audiences = Vec::new();
    for (name, settings) in [("public", &config.public), ("internal", &config.internal)] {
        let audience = &settings.audience;
        let is_new = !audiences.contains(&audience)
            && !bundle.resource_servers.iter().any(|api| &api.identifier == audience);
        audiences.push(audience);
        if is_new {
            let mut known = bundle.resource_servers.iter().map(|api| &api.identifier);
            let known = known.find(|known| !known.ends_with("/api/v2/"));
            let other = known.map(|known| format!(", or set {name}.audience = {known:?}"));
            let api = json!({"name": name, "identifier": audience, "allow_offline_access": true});
            let problem = format!("no API has the audience of the {name} door");
            add(true, problem, other.unwrap_or_default(), vec![Fix::Object(Kind::ResourceServer, name, api)]);
        }
    }
    let has = |id: &str| bundle.clients.iter().any(|client| client.client_id == id);
    let doors = [&config.public, &config.internal];
    let page = doors.iter().filter(|door| door.graphiql).find_map(|door| door.graphiql_client_id.as_deref());
    if let Some(id) = page.filter(|id| !has(id)) {
        let problem = format!("no client is {id:?}, with which GraphiQL logs in");
        let other = ", or set public.graphiql_client_id and internal.graphiql_client_id to one of its SPAs"
            .to_owned();
        add(true, problem, other, vec![Fix::Object(Kind::Client, "frontend", frontend(id))]);
    }
    if let Some(id) = config.auth0.client_id.as_deref() {
        let is_known =
            bundle.clients.iter().any(|client| client.client_id == id && client.client_secret.is_some());
        let mut grants = bundle.client_grants.iter();
        let has_grant = grants.any(|grant| grant.client_id == id && grant.audience.ends_with("/api/v2/"));
        let secret = config.auth0.client_secret.as_ref().map_or("", Secret::expose);
        let client =
            json!({"client_id": id, "name": id, "client_secret": secret, "app_type": "non_interactive"});
        let grant = json!({"client_id": id, "audience": "##ISSUER##api/v2/", "scope": ["read:users", "update:users"]});
        let mut fix = Vec::new();
        if !is_known {
            fix.push(Fix::Object(Kind::Client, "doors", client));
        }
        if !has_grant {
            fix.push(Fix::Object(Kind::ClientGrant, "doors", grant));
        }
        if !fix.is_empty() {
            let problem = format!(
                "no client is {id:?} (auth0.client_id) with its secret and a grant for the Management API, so the doors \
                 cannot fetch profiles"
            );
            add(true, problem, String::new(), fix);
        }
    }
    if bundle.users.is_empty() {
        let person = json!({"email": "dev@example.com", "email_verified": true, "name": "Dev", "password": "dev-only-dev",
            "connection": database(bundle)});
        let other = ", or sign up at the login page".to_owned();
        add(false, "there are no people".to_owned(), other, vec![Fix::Person(person)]);
    }
    if !bundle.clients.iter().any(Client::logs_people_in) && page.is_none_or(has) {
        let problem = "no client can log a person in".to_owned();
        add(false, problem, String::new(), vec![Fix::Object(Kind::Client, "frontend", frontend(FRONTEND))]);
    }
    gaps
}

/// Adds what is missing to the bundle, with a notice for each object.
pub(super) fn supply(config: &Config, issuer: &str, bundle: &mut Bundle) {
    for gap in find(config, bundle) {
        bundle.notices.push(format!("{}: supplied {}", gap.problem, gap.files()));
        for fix in gap.fix {
            match fix {
                Fix::Object(kind, _, object) => add(bundle, kind, object, issuer),
                Fix::Person(person) => bundle.users.extend(
                    serde_json::from_value(person)
                        .map(|user: TestUser| TestUser { user_id: "auth0|dev".to_owned(), ..user }),
                ),
            }
        }
    }
    let (users, notices) = (std::mem::take(&mut bundle.users), std::mem::take(&mut bundle.notices));
    let typed = Bundle::from_objects(std::mem::take(&mut bundle.objects), Vec::new());
    *bundle = Bundle { users, notices, ..typed };
}

fn add(bundle: &mut Bundle, kind: Kind, object: Value, issuer: &str) {
    let Value::Object(mut object) = object else { return };
    if let Some(Value::String(audience)) = object.get_mut("audience") {
        *audience = audience.replace("##ISSUER##", issuer);
    }
    if kind == Kind::Client {
        let id = object.get("client_id").cloned().unwrap_or_default();
        let connections = bundle.objects.lists.get_mut(&Kind::Connection).into_iter().flatten();
        for enabled in connections.filter_map(|found| found.get_mut("enabled_clients")?.as_array_mut()) {
            enabled.push(id.clone());
        }
        // An exported client has no secret.
        let list = bundle.objects.lists.entry(kind).or_default();
        if let Some(exported) = list.iter_mut().find(|client| client.get("client_id") == Some(&id)) {
            exported
                .extend(object.remove("client_secret").map(|secret| ("client_secret".to_owned(), secret)));
            return;
        }
    }
    let list = bundle.objects.lists.entry(kind).or_default();
    if kind != Kind::Client && !object.contains_key("id") {
        object
            .insert("id".to_owned(), kind.format_id(format!("supplied {:08}", list.len()).as_bytes()).into());
    }
    list.push(object);
}

/// A single-page application on this machine. The password grants are for `vestibule token --as`.
fn frontend(id: &str) -> Value {
    let hosts = ["http://localhost", "http://127.0.0.1"];
    let callbacks: Vec<String> =
        hosts.iter().flat_map(|host| ["", "/", "/callback"].map(|path| format!("{host}{path}"))).collect();
    json!({
        "client_id": id, "name": id, "app_type": "spa", "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token", "password", "http://auth0.com/oauth/grant-type/password-realm"],
        "callbacks": callbacks, "allowed_logout_urls": callbacks, "web_origins": hosts,
    })
}

/// The first database connection.
fn database(bundle: &Bundle) -> &str {
    let found = bundle.objects.find(Kind::Connection, "strategy", "auth0");
    found.and_then(|found| found.get("name")?.as_str()).unwrap_or(DEFAULT_CONNECTION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn development() -> Config {
        config::load(config::Sources { tenant: true, ..config::Sources::new("development") }).unwrap()
    }

    #[test]
    fn each_gap_names_the_files_that_fix_it_and_none_is_left_when_they_are_supplied() {
        let config = development();
        let lists = json!({"name": "Customers", "strategy": "auth0", "id": "con_1", "enabled_clients": []});
        let client = json!({"client_id": "vestibule", "name": "Vestibule", "app_type": "non_interactive"});
        let object = |value: &Value| vec![value.as_object().unwrap().clone()];
        let lists = [(Kind::Connection, object(&lists)), (Kind::Client, object(&client))].into();
        let mut bundle =
            Bundle::from_objects(crate::bundle::Objects { lists, ..Default::default() }, Vec::new());
        let reports: Vec<String> = find(&config, &bundle).iter().map(Gap::report).collect();
        for (gap, fix) in [
            ("audience of the public door", "resource-servers/public.json: {"),
            ("audience of the internal door", "resource-servers/internal.json: {"),
            ("no client is \"spa\"", "clients/frontend.json: {"),
            ("no client is \"vestibule\"", "grants/doors.json: {"),
            ("there are no people", "people.json: [{"),
        ] {
            assert!(
                reports.iter().any(|report| report.contains(gap) && report.contains(fix)),
                "{gap}: {reports:#?}"
            );
        }
        assert_eq!(reports.len(), 5, "{reports:#?}");
        supply(&config, "http://localhost:1/", &mut bundle);
        let left: Vec<String> = find(&config, &bundle).iter().map(Gap::report).collect();
        assert_eq!((left, bundle.notices.len()), (Vec::new(), 5));
        assert_eq!(bundle.users[0].connection(), "Customers");
        let grant = &bundle.client_grants[0];
        assert_eq!(
            (grant.client_id.as_str(), grant.audience.as_str()),
            ("vestibule", "http://localhost:1/api/v2/")
        );
        assert_eq!(bundle.clients.iter().filter(|client| client.client_id == "vestibule").count(), 1);
        let enabled = &bundle.objects.list(Kind::Connection)[0]["enabled_clients"];
        assert_eq!(enabled, &json!(["spa", "vestibule"]));
    }

    #[test]
    fn the_fixtures_have_no_gap() {
        let config = development();
        let keywords = ["ISSUER", "INTERNAL_API", "TOKEN_URL", "SIGNUP_URL"];
        let keywords = keywords.map(|name| (name.to_owned(), json!("http://localhost:4002/")));
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tenant");
        let bundle = Bundle::read(&folder, &keywords.into()).unwrap();
        let left: Vec<String> = find(&config, &bundle).iter().map(Gap::report).collect();
        assert_eq!(left, Vec::<String>::new());
    }
}
