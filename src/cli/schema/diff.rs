//! What changed between two schemas, and what that means to clients: the classes of graphql-js's `findSchemaChanges`.

use std::collections::{BTreeMap, BTreeSet};

use super::shape::{Field, Input, Of, Shape, Type};

/// One change.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    pub(super) level: Level,
    /// Where, and what.
    pub(super) what: String,
}

/// What a change means to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// A valid operation no longer is, or gives what its client can not expect.
    Breaking,
    /// Operations stay valid, but may mean something else, or meet values they have never seen.
    Dangerous,
    /// Nobody who is here notices.
    Safe,
}

impl Level {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Dangerous => "dangerous",
            Self::Safe => "safe",
        }
    }
}

/// All changes, the breaking ones first.
pub(super) fn changes(old: &Shape, new: &Shape) -> Vec<Change> {
    let mut found = Found(Vec::new());
    for (kind, name) in &old.roots {
        match new.roots.get(kind) {
            Some(now) if now == name => {}
            Some(now) => found.add(Level::Breaking, format!("the {kind} type went from {name} to {now}")),
            None => found.add(Level::Breaking, format!("the {kind} type {name} is gone")),
        }
    }
    for (name, is) in both(&old.types, &new.types) {
        match is {
            Is::Gone => found.add(Level::Breaking, format!("the type {name} is gone")),
            Is::New(of) => found.add(Level::Safe, format!("the {} {name} is new", of.kind())),
            Is::Both(old, new) => found.types(name, old, new),
        }
    }
    for (name, is) in both(&old.directives, &new.directives) {
        match is {
            Is::Gone => found.add(Level::Breaking, format!("the directive @{name} is gone")),
            Is::New(_) => found.add(Level::Safe, format!("the directive @{name} is new")),
            Is::Both((old_inputs, old_places), (new_inputs, new_places)) => {
                found.inputs(&format!("@{name}"), old_inputs, new_inputs);
                found.names(&format!("@{name}"), "place", old_places, new_places, Level::Safe);
            }
        }
    }
    found.0.sort_by_key(|change| change.level);
    found.0
}

/// How a name stands in two schemas.
enum Is<'a, T> {
    Gone,
    New(&'a T),
    Both(&'a T, &'a T),
}

fn both<'a, T>(
    old: &'a BTreeMap<String, T>,
    new: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a str, Is<'a, T>)> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names.into_iter().filter_map(move |name| {
        let is = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => Is::Both(old, new),
            (Some(_), None) => Is::Gone,
            (None, Some(new)) => Is::New(new),
            (None, None) => return None,
        };
        Some((name.as_str(), is))
    })
}

struct Found(Vec<Change>);

impl Found {
    fn add(&mut self, level: Level, what: String) {
        self.0.push(Change { level, what });
    }

    fn types(&mut self, name: &str, old: &Type, new: &Type) {
        match (old, new) {
            (Type::Scalar, Type::Scalar) => {}
            (
                Type::Object { fields: old, interfaces: old_interfaces },
                Type::Object { fields: new, interfaces: new_interfaces },
            )
            | (
                Type::Interface { fields: old, interfaces: old_interfaces },
                Type::Interface { fields: new, interfaces: new_interfaces },
            ) => {
                self.fields(name, old, new);
                self.names(name, "interface", old_interfaces, new_interfaces, Level::Dangerous);
            }
            (Type::Union(old), Type::Union(new)) => self.names(name, "member", old, new, Level::Dangerous),
            (Type::Enum(old), Type::Enum(new)) => self.names(name, "value", old, new, Level::Dangerous),
            (Type::Input(old), Type::Input(new)) => self.inputs(name, old, new),
            (old, new) => {
                self.add(Level::Breaking, format!("{name} went from {} to {}", old.kind(), new.kind()))
            }
        }
    }

    fn fields(&mut self, of: &str, old: &BTreeMap<String, Field>, new: &BTreeMap<String, Field>) {
        for (name, is) in both(old, new) {
            let place = format!("{of}.{name}");
            match is {
                Is::Gone => self.add(Level::Breaking, format!("{place} is gone")),
                Is::New(_) => self.add(Level::Safe, format!("{place} is new")),
                Is::Both(old, new) => {
                    self.retyped(&place, &old.gives, &new.gives, gives_no_less(&old.gives, &new.gives));
                    self.inputs(&place, &old.takes, &new.takes);
                }
            }
        }
    }

    fn inputs(&mut self, of: &str, old: &BTreeMap<String, Input>, new: &BTreeMap<String, Input>) {
        for (name, is) in both(old, new) {
            let place = format!("{of}({name}:)");
            match is {
                Is::Gone => self.add(Level::Breaking, format!("{place} is gone")),
                Is::New(input) if input.is_required() => {
                    self.add(Level::Breaking, format!("{place} is new and required"));
                }
                Is::New(_) => self.add(Level::Dangerous, format!("{place} is new and optional")),
                Is::Both(old, new) => {
                    self.retyped(&place, &old.takes, &new.takes, takes_no_less(&old.takes, &new.takes));
                    if old.takes == new.takes && !old.is_required() && new.is_required() {
                        self.add(Level::Breaking, format!("{place} is now required"));
                    } else if old.default != new.default {
                        let word = |default: &Option<String>| default.clone().unwrap_or("none".to_owned());
                        let (old, new) = (word(&old.default), word(&new.default));
                        self.add(
                            Level::Dangerous,
                            format!("the default of {place} went from {old} to {new}"),
                        );
                    }
                }
            }
        }
    }

    fn retyped(&mut self, place: &str, old: &Of, new: &Of, fits: bool) {
        if old != new {
            let level = if fits { Level::Safe } else { Level::Breaking };
            self.add(level, format!("{place} went from {old} to {new}"));
        }
    }

    fn names(&mut self, of: &str, what: &str, old: &BTreeSet<String>, new: &BTreeSet<String>, added: Level) {
        for name in old.difference(new) {
            self.add(Level::Breaking, format!("{of} lost its {what} {name}"));
        }
        for name in new.difference(old) {
            self.add(added, format!("{of} has a new {what} {name}"));
        }
    }
}

/// Whether whoever reads `old` can read `new`: it may promise more, but not less.
fn gives_no_less(old: &Of, new: &Of) -> bool {
    match (old, new) {
        (Of::NonNull(old), Of::NonNull(new)) => gives_no_less(old, new),
        (old, Of::NonNull(new)) => gives_no_less(old, new),
        (Of::List(old), Of::List(new)) => gives_no_less(old, new),
        (Of::Named(old), Of::Named(new)) => old == new,
        _ => false,
    }
}

/// Whether what fits `old` fits `new`: it may take more, but not less.
fn takes_no_less(old: &Of, new: &Of) -> bool {
    match (old, new) {
        (Of::NonNull(old), Of::NonNull(new)) => takes_no_less(old, new),
        (Of::NonNull(old), new) => takes_no_less(old, new),
        (Of::List(old), Of::List(new)) => takes_no_less(old, new),
        (Of::Named(old), Of::Named(new)) => old == new,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"
        type Query { user(id: ID!, loud: Boolean = false): User! users(first: Int): [User!] }
        interface Node { id: ID! }
        type User implements Node { id: ID! name: String status: Status! }
        enum Status { ACTIVE BLOCKED }
        union Found = User
        input Filter { name: String, role: String! }
        scalar Email
        directive @slow(by: Int) on FIELD | QUERY
    "#;

    fn of(from: &str, to: &str) -> Vec<(Level, String)> {
        assert!(OLD.contains(from), "{from}");
        let new = Shape::read(&OLD.replacen(from, to, 1)).unwrap();
        let changes = changes(&Shape::read(OLD).unwrap(), &new);
        changes.into_iter().map(|change| (change.level, change.what)).collect()
    }

    #[test]
    fn the_same_schema_has_no_changes_whatever_its_order_and_descriptions() {
        assert_eq!(of("type User", "\"\"\"Somebody.\"\"\" type User"), []);
        assert_eq!(of("ACTIVE BLOCKED", "BLOCKED ACTIVE"), []);
    }

    #[test]
    fn each_change_is_of_its_class() {
        use Level::{Breaking, Dangerous, Safe};
        for (from, to, level, what) in [
            ("name: String status", "status", Breaking, "User.name is gone"),
            ("name: String status", "name: String! status", Safe, "User.name went from String to String!"),
            ("status: Status!", "status: Status", Breaking, "User.status went from Status! to Status"),
            ("name: String status", "name: Email status", Breaking, "User.name went from String to Email"),
            ("[User!]", "[User]", Breaking, "Query.users went from [User!] to [User]"),
            ("status: Status!", "status: Status! age: Int", Safe, "User.age is new"),
            ("id: ID!, loud", "id: ID, loud", Safe, "Query.user(id:) went from ID! to ID"),
            ("first: Int", "first: Int!", Breaking, "Query.users(first:) went from Int to Int!"),
            ("first: Int", "first: Int! = 5", Breaking, "Query.users(first:) went from Int to Int!"),
            ("first: Int", "first: Int, after: ID", Dangerous, "Query.users(after:) is new and optional"),
            ("first: Int", "first: Int, after: ID!", Breaking, "Query.users(after:) is new and required"),
            ("(first: Int)", "", Breaking, "Query.users(first:) is gone"),
            ("= false", "= true", Dangerous, "the default of Query.user(loud:) went from false to true"),
            ("ACTIVE BLOCKED", "ACTIVE", Breaking, "Status lost its value BLOCKED"),
            ("ACTIVE BLOCKED", "ACTIVE BLOCKED ERASED", Dangerous, "Status has a new value ERASED"),
            ("union Found = User", "union Found = User | Query", Dangerous, "Found has a new member Query"),
            ("User implements Node", "User", Breaking, "User lost its interface Node"),
            ("input Filter { name: String, ", "input Filter { ", Breaking, "Filter(name:) is gone"),
            ("role: String!", "role: String", Safe, "Filter(role:) went from String! to String"),
            ("role: String!", "role: String!, age: Int!", Breaking, "Filter(age:) is new and required"),
            ("scalar Email", "", Breaking, "the type Email is gone"),
            ("scalar Email", "enum Email { A }", Breaking, "Email went from scalar to enum"),
            ("FIELD | QUERY", "FIELD", Breaking, "@slow lost its place QUERY"),
            ("@slow(by: Int)", "@slow", Breaking, "@slow(by:) is gone"),
        ] {
            let found = of(from, to);
            assert!(found.contains(&(level, what.to_owned())), "{from} → {to}: {found:?}");
            assert!(found.iter().all(|(other, _)| *other >= level), "{from} → {to}: {found:?}");
        }
    }

    #[test]
    fn other_roots_break_clients() {
        let renamed = format!("schema {{ query: User }} {OLD}");
        let changes = changes(&Shape::read(OLD).unwrap(), &Shape::read(&renamed).unwrap());
        assert_eq!(changes.first().unwrap().what, "the query type went from Query to User");
        assert!(Shape::read("type Query {").is_err() && Shape::read("extend type Query { a: Int }").is_err());
    }
}
