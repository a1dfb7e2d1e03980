//! From the merged layers to typed settings: the names and types of values.
//!
//! serde stops at the first mistake. To report all of them, each value is first deserialised alone, over the defaults. The
//! modules' `Settings` remain the only schema.

use figment::Error;
use figment::error::{Actual, Kind};
use figment::value::Value;
use serde::Deserialize;

use super::Config;
use super::diagnostic::Diagnostic;
use super::layers::{Layers, Origin, Setting, literal, put};

const UNSET: &str = "is not set";

/// Gives every value its type; one that is not valid is reported and replaced by its default. Returns the settings;
/// `None` only when the defaults themselves are invalid.
pub(super) fn resolve(layers: &mut Layers) -> Option<Config> {
    let mut tree = layers.defaults.clone();
    for (key, setting) in std::mem::take(&mut layers.settings) {
        let default = layers.default(&key).cloned();
        // An empty string means "not set".
        let is_unset = default.is_some() && setting.value.as_str() == Some("");
        let value = if is_unset {
            deserialize(layers, &key, None).map(|()| setting.value.clone())
        } else if setting.origin == Origin::Default {
            Ok(setting.value.clone())
        } else {
            typed(layers, &key, &setting)
        };
        match value {
            Ok(value) => {
                put(&mut tree, &key, Some(value.clone()).filter(|_| !is_unset));
                layers.settings.insert(key, Setting { value, ..setting });
            }
            Err(error) => {
                report(layers, &setting.origin, &error, as_list(default.as_ref(), &setting.value));
                if let Some(value) = default {
                    layers.settings.insert(key, Setting { value, origin: Origin::Default, file: None });
                }
            }
        }
    }
    let config = Config::deserialize(&Value::from(tree));
    config.map_err(|error| report(layers, &Origin::Default, &error, None)).ok()
}

/// Deserialises the defaults with `value` at `key`, or without the key.
fn deserialize(layers: &Layers, key: &str, value: Option<Value>) -> Result<(), Box<Error>> {
    let mut tree = layers.defaults.clone();
    put(&mut tree, key, value);
    Config::deserialize(&Value::from(tree)).map(drop).map_err(Box::new)
}

/// The value with its type. Text from a flag, a variable or a file is tried as text, then as TOML, then as a list with
/// commas.
fn typed(layers: &Layers, key: &str, setting: &Setting) -> Result<Value, Box<Error>> {
    let check = |value: Value| deserialize(layers, key, Some(value.clone())).map(|()| value);
    let untyped = setting.value.as_str().filter(|_| setting.file.is_some() || setting.origin.rank() > 1);
    check(setting.value.clone()).or_else(|error| match (untyped, untyped.and_then(literal)) {
        (_, Some(typed)) if typed.as_str().is_none() => check(typed),
        (Some(text), _) if !text.starts_with('[') => match as_list(layers.default(key), &setting.value) {
            Some(list) => check(list),
            None => Err(error),
        },
        _ => Err(error),
    })
}

/// Text as the list that its key needs: `a,b` and `[a, b]` are `["a", "b"]`.
fn as_list(default: Option<&Value>, value: &Value) -> Option<Value> {
    default.filter(|default| matches!(default, Value::Array(..)))?;
    let text = value.as_str()?.trim().trim_start_matches('[').trim_end_matches(']');
    let items = text.split(',').map(|item| item.trim().trim_matches(['"', '\'']));
    Some(items.filter(|item| !item.is_empty()).collect::<Vec<_>>().into())
}

/// Reports the value of a key. `example` is the value as it should have been written.
fn report(layers: &mut Layers, origin: &Origin, error: &Error, example: Option<Value>) {
    let mut key = error.path.join(".");
    let (what, fix) = match &error.kind {
        Kind::MissingField(_) if layers.incomplete => return,
        Kind::UnknownField(_, siblings) => {
            ("is not a known key".to_owned(), suggestion(layers, &key, origin, siblings))
        }
        Kind::MissingField(name) => {
            key = format!("{key}.{name}").trim_start_matches('.').to_owned();
            (UNSET.to_owned(), hint(layers, &key, None))
        }
        kind => (describe(kind), hint(layers, &key, example.as_ref())),
    };
    // An unknown section is reported once, however many keys it has.
    if !layers.diagnostics.iter().any(|diagnostic| diagnostic.key == key && diagnostic.what == what) {
        layers.report(key, origin, what, fix);
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

/// How to write the key, with `example` or its default.
fn hint(layers: &Layers, key: &str, example: Option<&Value>) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    let default = || layers.default(key).filter(|default| default.as_str() != Some(""));
    match (key, example.or_else(default).map(serde_json::to_string)) {
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

fn suggestion(layers: &Layers, key: &str, origin: &Origin, siblings: &[&str]) -> String {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let meant = |known: &&String| known.replace('.', "_") == key;
    if let (Origin::Env(_), Some(known)) = (origin, layers.known().iter().find(meant)) {
        let variable = known.to_ascii_uppercase().replace('.', "__");
        return format!("write VESTIBULE_{variable}, with two underscores between section and key");
    }
    match nearest(name, section, siblings, &layers.known()).as_slice() {
        [] if siblings.is_empty() => "remove it".to_owned(),
        [] => format!("remove it; known here: {}", siblings.join(", ")),
        near => format!("did you mean {}?", near.join(" or ")),
    }
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
