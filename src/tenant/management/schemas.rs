//! The members of Auth0's objects and their types, from Auth0's OpenAPI document: bodies are checked against them, answers
//! have no others.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::call::ApiError;

/// `kind = member:type flags …`. Types: `strings` is a list of texts; `?` allows null. Flags: `!` required at creation, `+` at
/// creation only, `-` at updates only, `~` in answers only, `#` never in answers.
const SOURCE: &str = include_str!("schemas.txt");

static SCHEMAS: LazyLock<BTreeMap<&str, Schema>> = LazyLock::new(parse);

type Schema = BTreeMap<&'static str, Member>;

struct Member {
    kind: &'static str,
    flags: &'static str,
}

/// What a body is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Create,
    Update,
}

/// Checks a body for an object of a kind.
pub(super) fn check(kind: &str, body: &Map<String, Value>, purpose: Use) -> Result<(), ApiError> {
    let Some(schema) = SCHEMAS.get(kind) else { return Ok(()) };
    let wrong_time = if purpose == Use::Create { ['-', '~'] } else { ['+', '~'] };
    let required = schema.iter().filter(|(_, member)| purpose == Use::Create && member.flags.contains('!'));
    for (name, _) in required {
        if !body.contains_key(*name) {
            return Err(ApiError::body(format!("'Missing required property: {name}'")));
        }
    }
    for (name, value) in body {
        let Some(member) = schema.get(name.as_str()).filter(|member| !member.flags.contains(wrong_time))
        else {
            return Err(ApiError::body(format!("'Additional properties not allowed: {name}'")));
        };
        member.check(name, value)?;
    }
    Ok(())
}

/// Removes the members that answers of a kind do not have.
pub(super) fn project(kind: &str, object: &mut Map<String, Value>) {
    let Some(schema) = SCHEMAS.get(kind) else { return };
    object.retain(|name, _| schema.get(name.as_str()).is_some_and(|member| !member.flags.contains('#')));
}

impl Member {
    fn check(&self, name: &str, value: &Value) -> Result<(), ApiError> {
        let kind = self.kind.strip_suffix('?').unwrap_or(self.kind);
        if value.is_null() && kind != self.kind {
            return Ok(());
        }
        let choices = kind.strip_prefix("enum(").and_then(|list| list.strip_suffix(')'));
        let fits = match (kind, value) {
            ("any", _)
            | ("string", Value::String(_))
            | ("boolean", Value::Bool(_))
            | ("number", Value::Number(_))
            | ("object", Value::Object(_))
            | ("array", Value::Array(_)) => true,
            ("integer", Value::Number(number)) => number.is_i64() || number.is_u64(),
            ("strings", Value::Array(list)) => list.iter().all(Value::is_string),
            (_, Value::String(text)) if choices.is_some() => {
                if choices.is_some_and(|list| list.split('|').any(|choice| choice == text)) {
                    return Ok(());
                }
                return Err(ApiError::body(format!("'No enum match for: {text:?}' on property {name}")));
            }
            _ => false,
        };
        if !fits {
            let expected = match kind {
                "strings" => "array",
                _ if choices.is_some() => "string",
                kind => kind,
            };
            let found = type_of(value);
            let problem = format!("'Expected type {expected} but found type {found}' on property {name}");
            return Err(ApiError::body(problem));
        }
        if name == "name" && value.as_str().is_some_and(|name| name.is_empty() || name.contains(['<', '>'])) {
            return Err(ApiError::body("'String does not match pattern: ^[^<>]+$' on property name"));
        }
        Ok(())
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn parse() -> BTreeMap<&'static str, Schema> {
    let mut schemas: BTreeMap<&str, Schema> = BTreeMap::new();
    let mut kind = "";
    for line in SOURCE.lines() {
        let members = match line.split_once(" = ") {
            Some((name, members)) => {
                kind = name;
                members
            }
            None => line,
        };
        let members = members.split_whitespace().filter_map(|member| {
            let (name, rest) = member.split_once(':')?;
            let end = rest.find(['!', '+', '-', '~', '#'].as_slice()).filter(|_| !rest.starts_with("enum("));
            let end = end.or_else(|| {
                rest.find(')').map(|at| at.saturating_add(if rest.contains(")?") { 2 } else { 1 }))
            });
            let (kind, flags) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
            Some((name, Member { kind, flags }))
        });
        schemas.entry(kind).or_default().extend(members);
    }
    schemas
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_that_does_not_fit_names_the_member() {
        let check = |kind: &str, body: Value, purpose| {
            check(kind, body.as_object().unwrap(), purpose).map_err(|error| error.message)
        };
        let error = |problem: &str| Err(format!("Payload validation error: '{problem}."));
        for (kind, body, purpose, expected) in [
            ("clients", json!({"name": "x", "callbacks": ["u"], "refresh_token": null}), Use::Create, Ok(())),
            ("clients", json!({}), Use::Update, Ok(())),
            ("clients", json!({}), Use::Create, error("Missing required property: name'")),
            (
                "clients",
                json!({"name": 1}),
                Use::Create,
                error("Expected type string but found type integer' on property name"),
            ),
            (
                "clients",
                json!({"name": "<b>"}),
                Use::Create,
                error("String does not match pattern: ^[^<>]+$' on property name"),
            ),
            (
                "clients",
                json!({"callbacks": [1]}),
                Use::Update,
                error("Expected type array but found type array' on property callbacks"),
            ),
            ("clients", json!({"evil": 1}), Use::Update, error("Additional properties not allowed: evil'")),
            (
                "clients",
                json!({"organization_usage": "x"}),
                Use::Update,
                error("No enum match for: \"x\"' on property organization_usage"),
            ),
            ("clients", json!({"organization_usage": null}), Use::Update, Ok(())),
            (
                "clients",
                json!({"organization_usage": 1}),
                Use::Update,
                error("Expected type string but found type integer' on property organization_usage"),
            ),
            (
                "roles",
                json!({"name": null}),
                Use::Update,
                error("Expected type string but found type null' on property name"),
            ),
            ("roles", json!({"id": "rol_1"}), Use::Update, error("Additional properties not allowed: id'")),
            ("rules", json!({"stage": "x"}), Use::Update, error("Additional properties not allowed: stage'")),
            (
                "resource-servers",
                json!({"identifier": "x", "token_lifetime": 1.5}),
                Use::Create,
                error("Expected type integer but found type number' on property token_lifetime"),
            ),
        ] {
            assert_eq!(check(kind, body.clone(), purpose), expected, "{kind} {body}");
        }
    }

    #[test]
    fn answers_have_the_members_of_the_document_only() {
        let mut role = json!({"id": "rol_1", "name": "n", "permissions": [], "type": "tenant"});
        project("roles", role.as_object_mut().unwrap());
        assert_eq!(role, json!({"id": "rol_1", "name": "n"}));
    }
}
