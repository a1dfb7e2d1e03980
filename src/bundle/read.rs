//! Reads a bundle and checks that its objects fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use serde::Deserialize;

use super::files::{Files, stem};
use super::{Bundle, BundleError, Client, ClientGrant, ResourceServer, Role, Rule, TestUser};

/// See [`Bundle::read`].
pub(super) fn bundle(root: &Path, keywords: &BTreeMap<String, String>) -> Result<Bundle, BundleError> {
    let files = Files::open(root, keywords)?;
    let clients = clients(files)?;
    let client_grants = client_grants(files, &clients)?;
    let roles = roles(files)?;
    Ok(Bundle {
        tenant: files.json_if_exists(&files.path("tenant.json"))?.unwrap_or_default(),
        rules: rules(files)?,
        rules_configs: rules_configs(files)?,
        triggers: files.json_if_exists(&files.path("triggers/triggers.json"))?.unwrap_or_default(),
        resource_servers: resource_servers(files)?,
        users: users(files, &roles)?,
        clients,
        client_grants,
        roles,
    })
}

/// A rule's `.json`, in both layouts: in the extension's, name and script come from the file's name.
#[derive(Default, Deserialize)]
struct RuleFile {
    name: Option<String>,
    script: Option<String>,
    order: Option<i64>,
    enabled: Option<bool>,
    stage: Option<String>,
}

fn rules(files: Files<'_>) -> Result<Vec<Rule>, BundleError> {
    let mut read: Vec<(PathBuf, PathBuf, RuleFile)> = Vec::new();
    for (path, file) in files.objects::<RuleFile>("rules")? {
        let script = file.script.clone().unwrap_or_else(|| format!("{}.js", stem(&path)));
        read.push((files.script(&path, &script)?, path, file));
    }
    // In the extension's layout a script needs no `.json`: it is enabled and runs after the rules with an order.
    for script in files.list("rules", "js")? {
        // Compared by components, because a `.json` may write `./x.js`.
        if !read.iter().any(|(taken, ..)| taken.components().eq(script.components())) {
            read.push((script.clone(), script, RuleFile::default()));
        }
    }
    let mut next = read.iter().filter_map(|(_, _, file)| file.order).max().unwrap_or(0);
    let mut orders = BTreeMap::new();
    let mut names = Unique::new("rule", "name");
    let mut rules = Vec::new();
    for (script, path, file) in read {
        let name = file.name.unwrap_or_else(|| stem(&path).to_owned());
        if !is_rule_name(&name) {
            let problem = format!("Auth0 refuses the rule name {name:?}; use letters, digits, spaces and -");
            return Err(invalid(&path, problem));
        }
        names.add(&path, &name)?;
        let order = file.order.unwrap_or_else(|| {
            next = next.saturating_add(1);
            next
        });
        let stage = file.stage.unwrap_or_else(|| "login_success".to_owned());
        if let Some(other) = orders.insert((stage.clone(), order), name.clone()) {
            let problem = format!("its order {order} is the order of {other:?} too; change one of them");
            return Err(invalid(&path, problem));
        }
        let script = files.text(&script)?;
        rules.push(Rule { name, script, order, enabled: file.enabled.unwrap_or(true), stage });
    }
    rules.sort_by_key(|rule| rule.order);
    Ok(rules)
}

/// `{"key": …, "value": …}`, or the extension's `{"value": …}` with the key in the file's name.
#[derive(Deserialize)]
struct RuleConfig {
    key: Option<String>,
    value: String,
}

fn rules_configs(files: Files<'_>) -> Result<BTreeMap<String, String>, BundleError> {
    let mut configs = BTreeMap::new();
    for (path, config) in files.objects::<RuleConfig>("rules-configs")? {
        let key = config.key.unwrap_or_else(|| stem(&path).to_owned());
        if configs.contains_key(&key) {
            return Err(invalid(
                &path,
                format!("the key {key:?} has a value already; remove one of the two"),
            ));
        }
        configs.insert(key, config.value);
    }
    Ok(configs)
}

fn clients(files: Files<'_>) -> Result<Vec<Client>, BundleError> {
    let mut ids = Unique::new("client", "client_id");
    let mut clients = Vec::new();
    for (path, mut client) in files.objects::<Client>("clients")? {
        if client.client_id.is_empty() {
            client.client_id = id_of_name(&client.name);
        }
        if client.client_id.is_empty() {
            let problem = "it has no client_id, and its name has no letters to derive one from";
            return Err(invalid(&path, problem.to_owned()));
        }
        ids.add(&path, &client.client_id)?;
        clients.push(client);
    }
    Ok(clients)
}

fn client_grants(files: Files<'_>, clients: &[Client]) -> Result<Vec<ClientGrant>, BundleError> {
    let mut pairs = Unique::new("grant", "client and audience");
    let mut grants = Vec::new();
    for (path, mut grant) in files.objects::<ClientGrant>("grants")? {
        let by_id = clients.iter().find(|client| client.client_id == grant.client_id);
        let client = by_id.or_else(|| clients.iter().find(|client| client.name == grant.client_id));
        let Some(client) = client else {
            let problem = format!("no client has the id or name {:?}; add it to clients/", grant.client_id);
            return Err(invalid(&path, problem));
        };
        grant.client_id.clone_from(&client.client_id);
        pairs.add(&path, &format!("{} {}", grant.client_id, grant.audience))?;
        grants.push(grant);
    }
    Ok(grants)
}

fn resource_servers(files: Files<'_>) -> Result<Vec<ResourceServer>, BundleError> {
    let mut identifiers = Unique::new("API", "identifier");
    let mut servers = Vec::new();
    for (path, server) in files.objects::<ResourceServer>("resource-servers")? {
        identifiers.add(&path, &server.identifier)?;
        let dialects = ["access_token", "access_token_authz", "rfc9068_profile", "rfc9068_profile_authz"];
        if !dialects.contains(&server.token_dialect.as_str()) {
            let problem =
                format!("{:?} is not a token_dialect; use one of {dialects:?}", server.token_dialect);
            return Err(invalid(&path, problem));
        }
        servers.push(server);
    }
    Ok(servers)
}

fn roles(files: Files<'_>) -> Result<Vec<Role>, BundleError> {
    let mut names = Unique::new("role", "name");
    let mut add = |(path, role): (PathBuf, Role)| names.add(&path, &role.name).map(|()| role);
    files.objects("roles")?.into_iter().map(&mut add).collect()
}

fn users(files: Files<'_>, roles: &[Role]) -> Result<Vec<TestUser>, BundleError> {
    let path = files.path("people.json");
    let mut users: Vec<TestUser> = files.json_if_exists(&path)?.unwrap_or_default();
    let mut ids = Unique::new("user", "user_id");
    let mut emails = BTreeSet::new();
    for user in &mut users {
        // Auth0 lower-cases the emails of its own database connections.
        user.email = user.email.to_lowercase();
        if user.user_id.is_empty() {
            user.user_id = id_of_email(&user.email);
        }
        ids.add(&path, &user.user_id)?;
        // One person can have an account at several providers with the same email.
        let provider = user.user_id.split('|').next().unwrap_or_default();
        if !emails.insert((provider.to_owned(), user.email.clone())) {
            let problem =
                format!("another user of {provider} has the email {:?}; remove one of the two", user.email);
            return Err(invalid(&path, problem));
        }
        let is_unknown = |name: &&String| !roles.iter().any(|role| &role.name == *name);
        if let Some(unknown) = user.roles.iter().find(is_unknown) {
            let problem = format!("{} has the role {unknown:?}; add it to roles/", user.user_id);
            return Err(invalid(&path, problem));
        }
    }
    Ok(users)
}

/// Refuses a second object with the same key.
struct Unique {
    kind: &'static str,
    key: &'static str,
    seen: BTreeSet<String>,
}

impl Unique {
    fn new(kind: &'static str, key: &'static str) -> Self {
        Self { kind, key, seen: BTreeSet::new() }
    }

    fn add(&mut self, path: &Path, value: &str) -> Result<(), BundleError> {
        if self.seen.insert(value.to_owned()) {
            return Ok(());
        }
        let problem = format!("another {} has the {} {value:?}; remove one of the two", self.kind, self.key);
        Err(invalid(path, problem))
    }
}

fn invalid(file: &Path, problem: String) -> BundleError {
    BundleError::Invalid { file: file.to_owned(), problem }
}

/// The Management API's `^[a-zA-Z0-9]([ \-a-zA-Z0-9]*[a-zA-Z0-9])?$`.
fn is_rule_name(name: &str) -> bool {
    let ends = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric());
    ends && name.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ' || c == '-')
}

fn id_of_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

/// `auth0|` and 24 hex digits, like Auth0's own ids.
fn id_of_email(email: &str) -> String {
    let hash = digest::digest(&digest::SHA256, email.as_bytes());
    let hex: String = hash.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("auth0|{hex}")
}
