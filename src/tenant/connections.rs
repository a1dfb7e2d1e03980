//! Connections: which of them a client's users may log in with, and what a database asks of sign-ups and passwords.

use serde_json::Value;

use super::users::CONNECTION;
use crate::bundle::{Bundle, Client, Kind, Object};

/// Whether a client's users may log in with a connection. One without an object is enabled for all; so is one whose object
/// does not list clients.
pub(super) fn is_enabled(bundle: &Bundle, client: &Client, name: &str) -> bool {
    find(bundle, name).is_none_or(|found| is_enabled_for(found, client))
}

/// Whether a client has any connection.
pub(super) fn has_any(bundle: &Bundle, client: &Client) -> bool {
    find(bundle, CONNECTION).is_none()
        || bundle.objects.list(Kind::Connection).iter().any(|found| is_enabled_for(found, client))
}

/// Whether there is a database connection of this name; the default one needs no object.
pub(super) fn is_database(bundle: &Bundle, name: &str) -> bool {
    find(bundle, name).map_or(name == CONNECTION, |found| text(found, "strategy") == "auth0")
}

/// The database in which users of a client sign up: the requested one, else the default one, else any.
pub(super) fn database<'a>(bundle: &'a Bundle, client: &Client, wanted: Option<&'a str>) -> Option<&'a str> {
    let all = bundle.objects.list(Kind::Connection).iter().map(|found| text(found, "name"));
    let default = bundle.tenant.default_directory.as_deref().into_iter().chain([CONNECTION]);
    let mut candidates = wanted.into_iter().chain(default.chain(all).filter(|_| wanted.is_none()));
    candidates.find(|name| is_database(bundle, name) && is_enabled(bundle, client, name))
}

/// Whether users may sign up in a database.
pub(super) fn allows_sign_up(bundle: &Bundle, name: &str) -> bool {
    option(bundle, name, "disable_signup") != Some(&Value::Bool(true))
}

/// Why a database refuses a password, if it does (Auth0's password policies).
pub(super) fn weakness(bundle: &Bundle, name: &str, password: &str) -> Option<String> {
    let policy = option(bundle, name, "passwordPolicy").and_then(Value::as_str);
    let (length, kinds) = match policy {
        Some("none") => (1, 0),
        Some("low") => (6, 0),
        Some("good") => (8, 3),
        Some("excellent") => (10, 3),
        // `fair` asks for a lower-case letter, a capital and a digit.
        Some("fair") => (8, 4),
        _ => (8, 0),
    };
    let options = option(bundle, name, "password_complexity_options");
    let length = options.and_then(|set| set.get("min_length")?.as_u64()).unwrap_or(length);
    let has = |is: fn(&char) -> bool| password.chars().any(|c| is(&c));
    let [lower, upper, digit] =
        [has(char::is_ascii_lowercase), has(char::is_ascii_uppercase), has(char::is_ascii_digit)];
    let special = password.chars().any(|c| !c.is_ascii_alphanumeric());
    let is_mixed = match kinds {
        0 => true,
        4 => lower && upper && digit,
        kinds => [lower, upper, digit, special].into_iter().filter(|has| *has).count() >= kinds,
    };
    let chars: Vec<char> = password.chars().collect();
    let repeats = policy == Some("excellent")
        && chars.windows(3).any(|three| three.iter().all(|c| three.first() == Some(c)));
    if password.chars().count() as u64 >= length && is_mixed && !repeats {
        return None;
    }
    let mix = match kinds {
        0 => "",
        4 => ", a lower-case letter, a capital and a digit",
        _ => ", and 3 of: lower-case letters, capitals, digits, other characters",
    };
    let repeat = if policy == Some("excellent") { "; no character three times in a row" } else { "" };
    Some(format!("The password is too weak: at least {length} characters{mix}{repeat}."))
}

/// The connection with this name, if it has an object.
fn find<'a>(bundle: &'a Bundle, name: &str) -> Option<&'a Object> {
    bundle.objects.find(Kind::Connection, "name", name)
}

/// A third-party client gets the connections of the whole domain.
fn is_enabled_for(connection: &Object, client: &Client) -> bool {
    let is_of_domain = connection.get("is_domain_connection") == Some(&Value::Bool(true));
    let Some(Value::Array(enabled)) = connection.get("enabled_clients") else { return true };
    enabled.iter().any(|id| *id == client.client_id) || (is_of_domain && client.is_first_party == Some(false))
}

fn option<'a>(bundle: &'a Bundle, name: &str, option: &str) -> Option<&'a Value> {
    find(bundle, name)?.get("options")?.get(option)
}

fn text<'a>(object: &'a Object, member: &str) -> &'a str {
    object.get(member).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bundle(connections: Value) -> Bundle {
        let objects = crate::bundle::Objects {
            lists: [(Kind::Connection, serde_json::from_value(connections).unwrap())].into(),
            ..Default::default()
        };
        Bundle::from_objects(objects, Vec::new())
    }

    fn client(members: Value) -> Client {
        serde_json::from_value(members).unwrap()
    }

    #[test]
    fn a_connection_is_for_the_clients_it_lists() {
        let bundle = bundle(json!([
            {"name": CONNECTION, "strategy": "auth0", "enabled_clients": ["a"]},
            {"name": "staff", "strategy": "auth0", "enabled_clients": [], "is_domain_connection": true},
            {"name": "open", "strategy": "google-oauth2"},
        ]));
        let (a, b) =
            (client(json!({"client_id": "a", "name": "A"})), client(json!({"client_id": "b", "name": "B"})));
        let third = client(json!({"client_id": "t", "name": "T", "is_first_party": false}));
        let enabled = |client: &Client| {
            [CONNECTION, "staff", "open", "no-object"].map(|name| is_enabled(&bundle, client, name))
        };
        assert_eq!(enabled(&a), [true, false, true, true]);
        assert_eq!(enabled(&b), [false, false, true, true]);
        assert_eq!(enabled(&third), [false, true, true, true]);
        assert_eq!(database(&bundle, &a, None), Some(CONNECTION));
        assert_eq!((database(&bundle, &b, None), database(&bundle, &a, Some("open"))), (None, None));
        assert_eq!(database(&bundle, &third, None), Some("staff"));
        assert!(is_database(&bundle, "staff") && !is_database(&bundle, "open") && !is_database(&bundle, "x"));
    }

    #[test]
    fn a_password_is_as_strong_as_its_database_asks() {
        let of = |policy: Value| {
            let bundle = bundle(json!([{"name": "d", "strategy": "auth0", "options": policy}]));
            move |password: &str| weakness(&bundle, "d", password).is_none()
        };
        for (policy, good, bad) in [
            (json!({}), "12345678", "1234567"),
            (json!({"passwordPolicy": "none"}), "x", ""),
            (json!({"passwordPolicy": "low"}), "abcdef", "abcde"),
            (json!({"passwordPolicy": "fair"}), "Abcdefg1", "abcdefg!1"),
            (json!({"passwordPolicy": "good"}), "abcdef1!", "abcdefg1"),
            (json!({"passwordPolicy": "excellent"}), "abcdefg1!x", "aaabcdef1!"),
            (
                json!({"passwordPolicy": "low", "password_complexity_options": {"min_length": 12}}),
                "abcdefghijkl",
                "abcdefghijk",
            ),
        ] {
            let accepts = of(policy.clone());
            assert!(accepts(good) && !accepts(bad), "{policy}");
        }
    }
}
