//! From the merged layers to typed settings: the names and types of values.
//!
//! serde stops at the first mistake. To report all of them, each value is first deserialised alone, over the defaults;
//! valid ones are kept, and the rest stay at their default. The rooms' `Settings` remain the only schema.

use figment::Error;
use figment::error::{Actual, Kind};
use figment::value::Value;
use serde::Deserialize;

use super::Config;
use super::diagnostic::Diagnostic;
use super::layers::{Layers, leaves, literal, put, remove};

const UNSET: &str = "is not set";

/// Returns the tree of valid values, for display, and the settings. These are `None` only when the defaults
/// themselves are invalid.
pub(super) fn resolve(layers: &Layers, diagnostics: &mut Vec<Diagnostic>) -> (Value, Option<Config>) {
    let mut tree = layers.defaults.clone();
    for (key, value) in leaves(&layers.tree) {
        let default = layers.defaults.find_ref(&key);
        if default.is_some_and(|default| default.tag() == value.tag()) {
            continue;
        }
        // An empty string means "not set".
        if default.is_some() && value.as_str() == Some("") {
            put(&mut tree, &key, value.clone());
            continue;
        }
        match typed(layers, &key, value) {
            Ok(value) => put(&mut tree, &key, value),
            Err(error) => report(layers, &error, diagnostics),
        }
    }
    // A required setting that is not set keeps its default, perhaps empty, so that validation can go on.
    let mut set = tree.clone();
    let is_empty = |(key, value): &(String, &Value)| value.as_str() == Some("") && layers.is_known(key);
    for (key, _) in leaves(&tree).into_iter().filter(is_empty) {
        let mut without = layers.defaults.clone();
        remove(&mut without, &key);
        match Config::deserialize(&without) {
            Ok(_) => remove(&mut set, &key),
            Err(error) => {
                report(layers, &error, diagnostics);
                layers.default(&key).into_iter().for_each(|default| put(&mut set, &key, default.clone()));
            }
        }
    }
    let config = Config::deserialize(&set).map_err(|error| report(layers, &error, diagnostics)).ok();
    (tree, config)
}

/// Deserialises one value, with the defaults around it. Text from a flag, a variable or a file is tried as text, then as
/// TOML.
fn typed(layers: &Layers, key: &str, value: &Value) -> Result<Value, Box<Error>> {
    let check = |value: Value| {
        let mut tree = layers.defaults.clone();
        put(&mut tree, key, value.clone());
        Config::deserialize(&tree).map(|_| value).map_err(Box::new)
    };
    let error = match check(value.clone()) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let is_untyped = layers.origin(key).is_untyped() || layers.files.contains_key(key);
    match value.as_str().filter(|_| is_untyped).and_then(literal) {
        Some(typed) if typed.as_str().is_none() => check(typed),
        _ => Err(error),
    }
}

fn report(layers: &Layers, error: &Error, diagnostics: &mut Vec<Diagnostic>) {
    let key = error.path.join(".");
    let diagnostic = match &error.kind {
        Kind::UnknownField(_, siblings) => unknown_key(layers, &key, siblings),
        Kind::MissingField(name) => {
            let key = if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
            layers.diagnostic(&key, UNSET, hint(layers, &key))
        }
        kind => layers.diagnostic(&key, describe(kind), hint(layers, &key)),
    };
    // An unknown section is reported once, however many keys it has.
    if !diagnostics.contains(&diagnostic) {
        diagnostics.push(diagnostic);
    }
}

/// For a command without a profile or an issuer: most likely, `vestibule dev` was the command before it.
pub(super) fn suggest_development(diagnostics: &mut [Diagnostic]) {
    let unset = |diagnostic: &&mut Diagnostic| diagnostic.key == "auth0.issuer" && diagnostic.what == UNSET;
    if let Some(unset) = diagnostics.iter_mut().find(unset) {
        unset
            .fix
            .push_str("; to use what `vestibule dev` created on this machine, add `--profile development`");
    }
}

/// What is wrong with a value, without the value.
fn describe(kind: &Kind) -> String {
    match kind {
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            format!("is {}, expected {}", type_of(actual), expectation(expected))
        }
        Kind::UnknownVariant(_, variants) => {
            let variants: Vec<String> = variants.iter().map(|variant| format!("`{variant}`")).collect();
            format!("is not one of {}", variants.join(", "))
        }
        Kind::Message(message) => format!("cannot be read: {message}"),
        other => format!("cannot be read: {other}"),
    }
}

fn type_of(actual: &Actual) -> &'static str {
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

/// serde's type names in plain English.
fn expectation(expected: &str) -> &str {
    match expected {
        "usize" | "u64" | "u32" | "u16" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a section",
        other if other.starts_with("struct ") => "a section",
        other => other,
    }
}

/// How to write the key, with its default as the example.
fn hint(layers: &Layers, key: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    match (key, layers.default(key).map(serde_json::to_string)) {
        ("auth0.issuer", _) => "set it (or VESTIBULE_AUTH0__ISSUER) to your tenant's issuer, such as \
            \"https://TENANT.eu.auth0.com/\", final slash included"
            .to_owned(),
        ("public.audience" | "internal.audience", _) => {
            let variable = key.to_ascii_uppercase().replace('.', "__");
            format!("set it (or VESTIBULE_{variable}) to the API's identifier at Auth0 (Applications → APIs)")
        }
        (_, Some(Ok(example))) => format!("write it like `{name} = {example}`, or remove it"),
        _ => "see `config/default.toml` for the format, or remove it".to_owned(),
    }
}

fn unknown_key(layers: &Layers, key: &str, siblings: &[&str]) -> Diagnostic {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let fix = match nearest(name, section, siblings, &layers.known()).as_slice() {
        [] if siblings.is_empty() => "remove it".to_owned(),
        [] => format!("remove it; known here: {}", siblings.join(", ")),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    layers.diagnostic(key, "is not a known key", fix)
}

/// The keys closest to a mistyped one: in its own section, and with the same name elsewhere.
fn nearest(name: &str, section: &str, siblings: &[&str], known: &[String]) -> Vec<String> {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let beside = siblings.iter().map(|sibling| {
        (distance(sibling), format!("{section}.{sibling}").trim_start_matches('.').to_owned())
    });
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
