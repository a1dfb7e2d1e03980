//! The layers of the configuration, merged: one value for each key, with its source.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use figment::value::{Dict, Value};

use super::diagnostic::Diagnostic;

/// Sections in the order of `default.toml`.
const SECTIONS: [&str; 14] = [
    "auth0", "public", "internal", "claims", "roles", "link", "store", "pool", "http", "script", "tenant",
    "targets", "forge", "log",
];

/// Shown instead of a secret.
const HIDDEN: &str = "••••";

/// Where a value comes from. Later ones win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `default.toml`.
    Default,
    /// The development profile of the executable.
    Embedded,
    /// A profile's file.
    File(PathBuf),
    /// An environment variable, by its name.
    Env(String),
    /// `--set` with this key.
    Flag(String),
    /// The command itself; the text says what.
    Command(&'static str),
}

/// One key in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key, with dots between levels.
    pub key: String,
    /// The value; dots instead of a secret.
    pub value: serde_json::Value,
    /// Where the value comes from.
    pub origin: Origin,
    /// The file the value was read from, when the key was given as `…_file`.
    pub file: Option<PathBuf>,
}

/// A value, perhaps still text.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
    /// See [`Entry::file`].
    pub(super) file: Option<PathBuf>,
}

/// All keys of all layers, the defaults alone, and the mistakes found so far.
pub(super) struct Layers {
    pub(super) defaults: Dict,
    pub(super) settings: BTreeMap<String, Setting>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Whether a file or folder could not be read: what is not set may be in it.
    pub(super) incomplete: bool,
}

impl Layers {
    pub(super) fn new(defaults: Dict) -> Self {
        let (settings, diagnostics) = Default::default();
        let mut layers = Self { defaults: defaults.clone(), settings, diagnostics, incomplete: false };
        layers.merge(&Origin::Default, defaults);
        layers
    }

    /// Merges a layer over the others. A value in place of a section is reported and left out.
    pub(super) fn merge(&mut self, origin: &Origin, values: Dict) {
        for (key, value) in leaves(values) {
            if !self.is_section(&key) {
                self.settings.insert(key, Setting { value, origin: origin.clone(), file: None });
            } else if value.as_dict().is_none() {
                let fix = format!("set the keys in it, such as `{key}.…`; `config/default.toml` lists them");
                self.report(key, origin, "is a section and cannot be given a value", fix);
            }
        }
    }

    pub(super) fn report(
        &mut self,
        key: impl Into<String>,
        source: impl fmt::Display,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let (key, source) = (key.into(), source.to_string());
        self.diagnostics.push(Diagnostic { key, source, what: what.into(), fix: fix.into() });
    }

    /// Reports a file or folder that cannot be read.
    pub(super) fn report_unread(
        &mut self,
        what_is_unread: impl Into<String>,
        source: &str,
        what: impl Into<String>,
        fix: &str,
    ) {
        self.incomplete = true;
        self.report(what_is_unread, source, what, fix);
    }

    /// The default of a key.
    pub(super) fn default(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.defaults.get(parts.next()?)?;
        parts.try_fold(first, |level, name| level.as_dict()?.get(name))
    }

    /// Whether `key` is a section of `default.toml`.
    pub(super) fn is_section(&self, key: &str) -> bool {
        self.default(key).is_some_and(|value| value.as_dict().is_some())
    }

    /// All keys of `default.toml`.
    pub(super) fn known(&self) -> Vec<String> {
        leaves(self.defaults.clone()).into_iter().map(|(key, _)| key).collect()
    }

    /// The string at `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.settings.get(key)?.value.as_str()
    }

    /// Where the value at `key`, or at the closest level above it that has one, comes from.
    pub(super) fn origin(&self, key: &str) -> Origin {
        match (self.settings.get(key), key.rsplit_once('.')) {
            (Some(setting), _) => setting.origin.clone(),
            (None, Some((above, _))) => self.origin(above),
            (None, None) => Origin::Default,
        }
    }

    /// Reports the value at `key`, unless the key already has a diagnostic, or its value may be in a file that was not read.
    pub(super) fn add(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        let may_be_unread = self.incomplete && self.origin(key) == Origin::Default;
        if !may_be_unread && !self.diagnostics.iter().any(|diagnostic| diagnostic.key == key) {
            self.report(key, self.origin(key), what, fix);
        }
    }

    /// The same, if `wrong`.
    pub(super) fn add_if(&mut self, wrong: bool, key: &str, what: &str, fix: &str) {
        if wrong {
            self.add(key, what, fix);
        }
    }

    /// A key and its source, for a message about another key.
    pub(super) fn name(&self, key: &str) -> String {
        format!("`{key}` ({})", self.origin(key))
    }

    /// All keys, with secrets hidden.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        let settings = self.settings.into_iter().filter(|(_, setting)| setting.value.as_dict().is_none());
        let mut entries: Vec<Entry> = settings
            .map(|(key, Setting { value, origin, file })| Entry {
                value: match serde_json::to_value(value) {
                    Ok(shown)
                        if shown == "" || !(is_secret(&key) || is_keyword(&key) && looks_secret(&shown)) =>
                    {
                        shown
                    }
                    _ => HIDDEN.into(),
                },
                origin,
                file,
                key,
            })
            .collect();
        let section = |entry: &Entry| {
            let name = entry.key.split('.').next();
            SECTIONS.iter().position(|section| name == Some(section)).unwrap_or(SECTIONS.len())
        };
        // Keys of a section before its subsections; the sort is stable, so the rest stays alphabetical.
        entries.sort_by_key(|entry| (section(entry), entry.key.matches('.').count()));
        entries
    }
}

/// Whether a key's value must be hidden. Keywords can hold anything, so their names are matched more widely.
pub fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    let contains = |words: &[&str]| words.iter().any(|word| name.contains(word));
    contains(&["secret", "password"])
        || name.ends_with("_token")
        || (is_keyword(key) && contains(&["key", "token"]) && !name.ends_with("_url"))
}

fn is_keyword(key: &str) -> bool {
    matches!(keyword_section(key), Some(length) if key.len() > length)
}

/// The length of the section of keywords that `key` is in, with its final dot: `tenant.keywords.` or
/// `targets.NAME.keywords.`, in any case.
pub(super) fn keyword_section(key: &str) -> Option<usize> {
    const TENANT: &str = "tenant.keywords.";
    let lower = key.to_ascii_lowercase();
    if lower.starts_with(TENANT) {
        return Some(TENANT.len());
    }
    let (name, rest) = lower.strip_prefix("targets.")?.split_once('.')?;
    rest.starts_with("keywords.").then(|| "targets.".len() + name.len() + ".keywords.".len())
}

/// Whether a value could be a secret, whatever its name: a key in PEM, a text of 16 or more letters and digits without
/// spaces, or an address with credentials, a query or such a text in its path.
fn looks_secret(value: &serde_json::Value) -> bool {
    let is_random = |text: &str| {
        let has = |test: fn(&char) -> bool| text.chars().any(|c| test(&c));
        text.len() >= 16
            && has(char::is_ascii_digit)
            && has(char::is_ascii_alphabetic)
            && !text.contains([' ', '.'])
    };
    match value {
        serde_json::Value::Array(all) => all.iter().any(looks_secret),
        serde_json::Value::Object(members) => members.values().any(looks_secret),
        serde_json::Value::String(text) => match url::Url::parse(text).ok().filter(url::Url::has_host) {
            Some(url) => {
                url.password().is_some() || url.query().is_some() || url.path().split('/').any(is_random)
            }
            None => text.starts_with("-----BEGIN") || text.split('.').any(is_random),
        },
        _ => false,
    }
}

/// Parses one value of TOML.
pub(super) fn literal(text: &str) -> Option<Value> {
    let mut dict: Dict = toml::from_str(&format!("value = {text}")).ok()?;
    // More than one key: the text contained a line break and another key.
    (dict.len() == 1).then(|| dict.remove("value")).flatten()
}

/// The values of a tree that are not sections, and its empty sections, with their keys.
fn leaves(tree: Dict) -> Vec<(String, Value)> {
    let below = |(name, value): (String, Value)| match value {
        Value::Dict(_, dict) if !dict.is_empty() => {
            leaves(dict).into_iter().map(|(key, value)| (format!("{name}.{key}"), value)).collect()
        }
        value => vec![(name, value)],
    };
    tree.into_iter().flat_map(below).collect()
}

/// Sets `key` in `tree`, and creates the sections above it; `None` removes it.
pub(super) fn put(tree: &mut Dict, key: &str, value: Option<Value>) {
    match (key.split_once('.'), value) {
        (None, Some(value)) => drop(tree.insert(key.to_owned(), value)),
        (None, None) => drop(tree.remove(key)),
        (Some((section, rest)), value) => {
            let mut inner = tree.remove(section).and_then(Value::into_dict).unwrap_or_default();
            put(&mut inner, rest, value);
            tree.insert(section.to_owned(), Value::from(inner));
        }
    }
}

impl Origin {
    /// A later layer has a higher rank.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Embedded | Self::File(_) => 1,
            Self::Env(_) => 2,
            Self::Flag(_) => 3,
            Self::Command(_) => 4,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Embedded => f.write_str("embedded development.toml"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(key) => write!(f, "--set {key}"),
            Self::Command(what) => f.write_str(what),
        }
    }
}
