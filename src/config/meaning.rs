//! From what was written to what it means: names and types.
//!
//! serde stops at the first mistake. To tell all of them at once, each one is put right (the default back in its
//! place, the unknown key out) and the tree is read again. So the rooms' `Settings` stay the only schema there is.

use std::collections::BTreeSet;

use figment::error::{Actual, Kind};
use figment::value::Value;
use serde::Deserialize;

use super::Config;
use super::problem::Diagnostic;
use super::written::{Written, literal};

/// More mistakes than anyone reads.
const MAX_ROUNDS: usize = 200;

/// Reads the tree. `None` when a mistake has no place in it that could be put right; it is told all the same.
pub(super) fn understand(written: &mut Written, problems: &mut Vec<Diagnostic>) -> Option<Config> {
    // An empty string means: not set.
    let emptied: Vec<String> =
        written.known().into_iter().filter(|key| written.text(key).is_some_and(str::is_empty)).collect();
    for key in &emptied {
        written.put(&segments(key), None);
    }
    let mut taken_as_text = BTreeSet::new();
    let mut config = None;
    for _ in 0..MAX_ROUNDS {
        match Config::deserialize(&written.tree) {
            Ok(understood) => {
                config = Some(understood);
                break;
            }
            Err(error) if put_right(written, &error, &mut taken_as_text, problems) => {}
            Err(_) => break,
        }
    }
    // For showing: a key that is not set is there, with nothing in it.
    for key in &emptied {
        if written.tree.find_ref(key).is_none() {
            written.put(&segments(key), Some(Value::from("")));
        }
    }
    config
}

/// Puts one mistake right and tells it. Whether the tree is another now.
fn put_right(
    written: &mut Written,
    error: &figment::Error,
    taken_as_text: &mut BTreeSet<String>,
    problems: &mut Vec<Diagnostic>,
) -> bool {
    let path = &error.path;
    let key = path.join(".");
    match &error.kind {
        Kind::UnknownField(_, siblings) => {
            problems.push(unknown(written, path, siblings));
            written.put(path, None)
        }
        Kind::MissingField(name) => {
            let key = if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
            problems.push(Diagnostic::unset(written, &key, hint(written, &key)));
            let stand_in = written.default(&key).cloned().unwrap_or_else(|| Value::from(""));
            written.put(&[path.as_slice(), &[name.to_string()]].concat(), Some(stand_in))
        }
        kind => {
            // Text from the environment or a flag stays text where the key wants text. Here it does not.
            let typed = written.text(&key).filter(|_| written.is_text(&key)).and_then(literal);
            if let Some(typed) = typed.filter(|typed| typed.as_str().is_none())
                && taken_as_text.insert(key.clone())
            {
                return written.put(path, Some(typed));
            }
            problems.push(Diagnostic::at(written, &key, wrong(kind), hint(written, &key)));
            let default = written.default(&key).cloned();
            written.put(path, default)
        }
    }
}

/// What is wrong with a value, without the value.
fn wrong(kind: &Kind) -> String {
    match kind {
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            format!("is {}, expected {}", kind_of(actual), wanted(expected))
        }
        Kind::UnknownVariant(_, variants) => {
            let variants: Vec<String> = variants.iter().map(|variant| format!("`{variant}`")).collect();
            format!("is none of {}", variants.join(", "))
        }
        Kind::Message(message) => format!("can not be read: {message}"),
        other => format!("can not be read: {other}"),
    }
}

fn kind_of(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "true or false",
        Actual::Signed(number) if *number < 0 => "a negative number",
        Actual::Unsigned(_) | Actual::Signed(_) => "a number",
        Actual::Float(_) => "a number with a fraction",
        Actual::Char(_) | Actual::Str(_) => "text",
        Actual::Seq => "a list",
        Actual::Map => "a section",
        _ => "something else",
    }
}

/// serde's words for people.
fn wanted(expected: &str) -> &str {
    match expected {
        "usize" | "u64" | "u32" | "u16" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a section",
        other if other.starts_with("struct ") => "a section",
        other => other,
    }
}

/// How the key is written: its default as the example.
fn hint(written: &Written, key: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    match (key, written.default(key).map(serde_json::to_string)) {
        ("auth0.issuer", _) => "set it (or VESTIBULE_AUTH0__ISSUER) to your tenant's issuer, such as \
            \"https://TENANT.eu.auth0.com/\", final slash included"
            .to_owned(),
        ("public.audience" | "internal.audience", _) => {
            let variable = key.to_ascii_uppercase().replace('.', "__");
            format!("set it (or VESTIBULE_{variable}) to the API's identifier at Auth0 (Applications → APIs)")
        }
        (_, Some(Ok(example))) => format!("write it like `{name} = {example}`, or leave it out"),
        _ => "see `config/default.toml` for how it is written, or leave it out".to_owned(),
    }
}

fn unknown(written: &Written, path: &[String], siblings: &[&str]) -> Diagnostic {
    let key = path.join(".");
    let (name, section) = match path.split_last() {
        Some((name, section)) => (name.as_str(), section.join(".")),
        None => ("", String::new()),
    };
    let near = nearest(name, &section, siblings, &written.known());
    let fix = match near.as_slice() {
        [] if siblings.is_empty() => "remove it".to_owned(),
        [] => format!("remove it; known here: {}", siblings.join(", ")),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Diagnostic::at(written, &key, "is not a key there is", fix)
}

/// The keys closest to a mistyped one: in its own section, and by the same name elsewhere.
fn nearest(name: &str, section: &str, siblings: &[&str], known: &[String]) -> Vec<String> {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let dotted = |sibling: &&str| {
        if section.is_empty() { (*sibling).to_owned() } else { format!("{section}.{sibling}") }
    };
    let beside = siblings.iter().map(|sibling| (distance(sibling), dotted(sibling)));
    let elsewhere =
        known.iter().map(|key| (distance(key.rsplit('.').next().unwrap_or(key)) + 1, key.clone()));
    let mut near: Vec<(usize, String)> = beside.chain(elsewhere).collect();
    near.sort();
    let best = near.first().map_or(0, |(best, _)| *best);
    if best > 1 + name.len() / 3 {
        return Vec::new();
    }
    let mut keys: Vec<String> =
        near.into_iter().take_while(|(far, _)| *far == best).map(|(_, key)| format!("`{key}`")).collect();
    keys.dedup();
    keys.truncate(3);
    keys
}

fn segments(key: &str) -> Vec<String> {
    key.split('.').map(str::to_owned).collect()
}
