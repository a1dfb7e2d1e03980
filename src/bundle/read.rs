//! Checks that a bundle's objects fit together, and gives them ids. An odd object is left out with a notice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aws_lc_rs::digest;
use serde_json::Value;

use super::files::Files;
use super::layout::{Entry, Layout, display, invalid};
use super::objects::DEFAULT_CONNECTION;
use super::{Bundle, BundleError, Kind, Object, Objects, TestUser};

/// The members of a user: those of the Management API, and ours of `people.json`. Others are kept as they are.
const USER_MEMBERS: [&str; 27] = [
    "user_id",
    "email",
    "email_verified",
    "password",
    "roles",
    "organizations",
    "connection",
    "note",
    "username",
    "phone_number",
    "phone_verified",
    "name",
    "given_name",
    "family_name",
    "nickname",
    "picture",
    "locale",
    "blocked",
    "identities",
    "app_metadata",
    "user_metadata",
    "created_at",
    "updated_at",
    "last_login",
    "last_ip",
    "logins_count",
    "multifactor",
];

/// See [`Bundle::read`].
pub(super) fn bundle(path: &Path, keywords: &BTreeMap<String, Value>) -> Result<Bundle, BundleError> {
    let mut files = Files::open(path, keywords)?;
    let (objects, mut notices, people) = read_objects(&mut files)?;
    let users = match people {
        Some(value) => users(&files.path("people.json"), value, &objects, &mut notices)?,
        None => Vec::new(),
    };
    Ok(Bundle { users, ..Bundle::from_objects(objects, notices) })
}

/// The objects, the notices and the unread users.
pub(super) fn read_objects(
    files: &mut Files<'_>,
) -> Result<(Objects, Vec<String>, Option<Value>), BundleError> {
    let mut layout = Layout::read(files)?;
    if !files.missing.is_empty() {
        files.missing.sort();
        files.missing.dedup();
        return Err(BundleError::Keywords { missing: std::mem::take(&mut files.missing) });
    }
    let mut notices = std::mem::take(&mut layout.notices);
    let mut objects = Objects { tenant: layout.tenant, triggers: layout.triggers, lists: BTreeMap::new() };
    for kind in Kind::ALL {
        let mut entries = layout.lists.remove(&kind).unwrap_or_default();
        if kind == Kind::Rule {
            order_rules(&mut entries, &mut notices)?;
        }
        let mut seen = BTreeSet::new();
        for Entry { file, mut members } in entries {
            let left_out = resolve(kind, &mut members, &objects).err().or_else(|| {
                identify(kind, &mut members, &seen);
                let key = unique_key(kind, &members);
                (!seen.insert(key.clone())).then(|| format!("another of {} has {key:?}", kind.folder()))
            });
            match left_out {
                Some(problem) => notices.push(format!("{}: left out: {problem}", display(&file))),
                None => objects.lists.entry(kind).or_default().push(members),
            }
        }
    }
    Ok((objects, notices, layout.users))
}

/// Gives every rule an order and the other defaults, and sorts them. Two rules with one order are refused: which runs first
/// would be a guess.
fn order_rules(rules: &mut [Entry], notices: &mut Vec<String>) -> Result<(), BundleError> {
    let order = |rule: &Entry| rule.members.get("order").and_then(Value::as_i64);
    let mut next = rules.iter().filter_map(order).max().unwrap_or(0);
    let mut orders: BTreeMap<i64, String> = BTreeMap::new();
    for rule in &mut *rules {
        let name = text(&rule.members, "name").to_owned();
        if !is_rule_name(&name) {
            let file = display(&rule.file);
            notices.push(format!(
                "{file}: Auth0 refuses the rule name {name:?}; use letters, digits, spaces and -"
            ));
        }
        let order = order(rule).unwrap_or_else(|| {
            next = next.saturating_add(1);
            next
        });
        if let Some(other) = orders.insert(order, name) {
            let problem = format!("its order {order} is the order of {other:?} too; change one of them");
            return Err(invalid(&rule.file, problem));
        }
        rule.members.insert("order".to_owned(), order.into());
        rule.members.entry("enabled").or_insert(Value::Bool(true));
        rule.members.entry("stage").or_insert_with(|| "login_success".into());
    }
    rules.sort_by_key(order);
    Ok(())
}

/// Replaces the names of other objects by their ids.
///
/// # Errors
/// Why the object cannot be used.
fn resolve(kind: Kind, members: &mut Object, known: &Objects) -> Result<(), String> {
    match kind {
        Kind::ClientGrant => {
            let client = text(members, "client_id");
            if client.is_empty() {
                return Err("it is for no client of this tenant".to_owned());
            }
            let found = known.find(Kind::Client, "client_id", client);
            let found = found.or_else(|| known.find(Kind::Client, "name", client));
            let found = found.ok_or_else(|| format!("no client has the id or name {client:?}"))?;
            let id = found.get("client_id").cloned().unwrap_or_default();
            members.insert("client_id".to_owned(), id);
        }
        Kind::RuleConfig => {
            let value = members.get("value").ok_or("it has no value")?;
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            members.insert("value".to_owned(), value.into());
        }
        Kind::Connection => {
            for client in
                members.get_mut("enabled_clients").and_then(Value::as_array_mut).into_iter().flatten()
            {
                let named = known.find(Kind::Client, "name", client.as_str().unwrap_or_default());
                if let Some(id) = named.and_then(|named| named.get("client_id")) {
                    *client = id.clone();
                }
            }
        }
        Kind::Organization => {
            for enabled in members.get_mut("connections").and_then(Value::as_array_mut).into_iter().flatten()
            {
                let Some(enabled) = enabled.as_object_mut() else { continue };
                if let Some(Value::String(name)) = enabled.remove("name") {
                    let named = known.find(Kind::Connection, "name", &name);
                    let id = named.and_then(|named| named.get("id")).cloned();
                    let id = id.unwrap_or_else(|| {
                        Kind::Connection
                            .derived_id(&[("name".to_owned(), name.into())].into_iter().collect())
                            .into()
                    });
                    enabled.insert("connection_id".to_owned(), id);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// Gives an object without an id one: a client a readable one, from its name.
fn identify(kind: Kind, members: &mut Object, taken: &BTreeSet<String>) {
    let member = kind.id_member();
    if !text(members, member).is_empty() {
        return;
    }
    let words =
        text(members, "name").split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let readable = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    let is_usable = kind == Kind::Client && !readable.is_empty() && !taken.contains(&readable);
    let id = if is_usable { readable } else { kind.derived_id(members) };
    members.insert(member.to_owned(), id.into());
}

/// What no two objects of a kind share.
fn unique_key(kind: Kind, members: &Object) -> String {
    match kind {
        Kind::ClientGrant => {
            let subject = members.get("subject_type").and_then(Value::as_str).unwrap_or("client");
            format!("{} {} {subject}", text(members, "client_id"), text(members, "audience"))
        }
        Kind::ResourceServer => text(members, "identifier").to_owned(),
        Kind::Role
        | Kind::Rule
        | Kind::ActionModule
        | Kind::Action
        | Kind::Connection
        | Kind::Organization => text(members, "name").to_owned(),
        Kind::TokenExchangeProfile => text(members, "subject_token_type").to_owned(),
        Kind::Client | Kind::RuleConfig => text(members, kind.id_member()).to_owned(),
    }
}

fn users(
    path: &Path,
    value: Value,
    objects: &Objects,
    notices: &mut Vec<String>,
) -> Result<Vec<TestUser>, BundleError> {
    let Value::Array(list) = value else {
        return Err(invalid(path, "it is not a list of users".to_owned()));
    };
    let (mut ids, mut emails, mut users) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (position, value) in list.into_iter().enumerate() {
        let mut user: TestUser = serde_json::from_value(value)
            .map_err(|error| invalid(path, format!("user {}: {error}", position.saturating_add(1))))?;
        // Auth0 lower-cases the emails of its own database connections.
        user.email = user.email.to_lowercase();
        if user.user_id.is_empty() && !user.email.is_empty() {
            user.user_id = id_of_email(user.connection(), &user.email);
        }
        for (kind, names) in [(Kind::Role, &user.roles), (Kind::Organization, &user.organizations)] {
            if let Some(unknown) = names.iter().find(|name| objects.find(kind, "name", name).is_none()) {
                let (id, folder) = (&user.user_id, kind.folder());
                return Err(invalid(path, format!("{id} has {unknown:?} of {folder}; add it to {folder}/")));
            }
        }
        for member in user.profile.keys() {
            if let Some(meant) = misspelt(member) {
                let (file, line) = (display(path), line_of(path, member));
                notices.push(format!(
                    "{file}{line}: {}: unknown member {member:?}; did you mean {meant:?}?",
                    user.user_id
                ));
            }
        }
        let email = format!("{} in {}", user.email, user.connection());
        let problem = if user.user_id.is_empty() {
            Some("it has neither user_id nor email".to_owned())
        } else if !ids.insert(user.user_id.clone()) {
            Some(format!("another user has the user_id {:?}", user.user_id))
        } else if !user.email.is_empty() && !emails.insert(email.clone()) {
            Some(format!("another user has the email {email}"))
        } else {
            None
        };
        match problem {
            Some(problem) => notices.push(format!("{}: left out: {problem}", display(path))),
            None => users.push(user),
        }
    }
    Ok(users)
}

/// The member of a user that is meant by one that has none of their names.
fn misspelt(member: &str) -> Option<&'static str> {
    let distance = |known: &&'static str| strsim::damerau_levenshtein(member, known);
    let nearest = USER_MEMBERS.into_iter().min_by_key(distance)?;
    (1..=2).contains(&distance(&nearest)).then_some(nearest)
}

/// The first line with a member of this name, as `:LINE`; empty if it is in none.
fn line_of(path: &Path, member: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().position(|line| line.contains(&format!("{member:?}")));
    line.map(|line| format!(":{}", line.saturating_add(1))).unwrap_or_default()
}

fn text<'a>(members: &'a Object, member: &str) -> &'a str {
    members.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// The Management API's `^[a-zA-Z0-9]([ \-a-zA-Z0-9]*[a-zA-Z0-9])?$`.
fn is_rule_name(name: &str) -> bool {
    let ends = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric());
    ends && name.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ' || c == '-')
}

/// `auth0|` and 24 hex digits, like Auth0's own ids.
fn id_of_email(connection: &str, email: &str) -> String {
    let seed =
        if connection == DEFAULT_CONNECTION { email.to_owned() } else { format!("{connection} {email}") };
    let hash = digest::digest(&digest::SHA256, seed.as_bytes());
    let hex: String = hash.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("auth0|{hex}")
}
