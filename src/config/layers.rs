//! The layers of the configuration, merged into one tree of values. Each value knows which layer it comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use serde::Serialize;

use super::diagnostic::Diagnostic;

/// Sections in the order of `default.toml`.
const SECTIONS: [&str; 12] = [
    "auth0", "public", "internal", "claims", "roles", "link", "store", "pool", "http", "script", "tenant",
    "log",
];

/// Shown instead of a secret.
const HIDDEN: &str = "••••";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    kind: LayerKind,
    detail: String,
}

/// Later kinds win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LayerKind {
    Default,
    File,
    Env,
    Flag,
    Command,
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

/// The merged tree, with figment's record of where each value comes from.
pub(super) struct Layers {
    figment: Figment,
    pub(super) defaults: Value,
    /// All layers merged; `secret_file` then replaces `…_file` keys in it.
    pub(super) tree: Value,
    /// Keys whose value was read from a file of its own.
    pub(super) files: BTreeMap<String, PathBuf>,
}

impl Layers {
    pub(super) fn new(defaults: Dict) -> Self {
        let layer = Layer { origin: Origin::new(LayerKind::Default, ""), values: defaults };
        let figment = Figment::new().merge(layer);
        let tree = merged(&figment);
        Self { figment, defaults: tree.clone(), tree, files: BTreeMap::new() }
    }

    /// Merges a layer over the others. A value in place of a section is reported and left out.
    pub(super) fn merge(&mut self, origin: Origin, mut values: Dict, diagnostics: &mut Vec<Diagnostic>) {
        for key in drop_clobbering(&mut values, &self.defaults, "") {
            diagnostics.push(Diagnostic {
                what: "is a section and cannot be given a value".to_owned(),
                fix: format!("set the keys in it, such as `{key}.…`; `config/default.toml` lists them"),
                source: origin.to_string(),
                key,
            });
        }
        let figment = std::mem::take(&mut self.figment);
        self.figment = figment.merge(Layer { origin, values });
        self.tree = merged(&self.figment);
    }

    /// The default of a key, unless it is empty.
    pub(super) fn default(&self, key: &str) -> Option<&Value> {
        self.defaults.find_ref(key).filter(|value| value.as_str() != Some(""))
    }

    /// Whether `key` is in `default.toml`.
    pub(super) fn is_known(&self, key: &str) -> bool {
        self.defaults.find_ref(key).is_some()
    }

    /// Whether `key` is a section of `default.toml`.
    pub(super) fn is_section(&self, key: &str) -> bool {
        self.defaults.find_ref(key).is_some_and(|value| value.as_dict().is_some())
    }

    /// All keys of `default.toml`.
    pub(super) fn known(&self) -> Vec<String> {
        leaves(&self.defaults).into_iter().map(|(key, _)| key).collect()
    }

    /// The string at `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.tree.find_ref(key)?.as_str()
    }

    /// Where the value at `key`, or at the closest level above it that has one, comes from.
    pub(super) fn origin(&self, key: &str) -> Origin {
        let mut level = Some(key);
        while let Some(key) = level {
            if let Some(origin) = self.tree.find_ref(key).and_then(|value| self.origin_of(value.tag())) {
                return origin;
            }
            level = key.rsplit_once('.').map(|(above, _)| above);
        }
        Origin::new(LayerKind::Default, "")
    }

    fn origin_of(&self, tag: Tag) -> Option<Origin> {
        self.figment.get_metadata(tag).map(Origin::of)
    }

    /// A diagnostic about the value at `key`.
    pub(super) fn diagnostic(
        &self,
        key: &str,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Diagnostic {
        let source = self.origin(key).to_string();
        Diagnostic { key: key.to_owned(), source, what: what.into(), fix: fix.into() }
    }

    /// The keys of `tree`, which was resolved from these layers, with secrets hidden.
    pub(super) fn entries(&self, tree: &Value) -> Vec<Entry> {
        let mut entries: Vec<Entry> = leaves(tree)
            .into_iter()
            .filter(|(_, value)| value.as_dict().is_none())
            .map(|(key, value)| Entry {
                value: match serde_json::to_value(value) {
                    Ok(shown) if shown == "" || !is_secret(&key) => shown,
                    _ => HIDDEN.into(),
                },
                origin: self.origin_of(value.tag()).unwrap_or_else(|| self.origin(&key)),
                file: self.files.get(&key).cloned(),
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
pub(super) fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    let contains = |words: &[&str]| words.iter().any(|word| name.contains(word));
    contains(&["secret", "password"])
        || (key.starts_with("tenant.keywords.") && contains(&["key", "token"]) && !name.ends_with("_url"))
}

/// Parses one value of TOML.
pub(super) fn literal(text: &str) -> Option<Value> {
    let mut dict: Dict = toml::from_str(&format!("value = {text}")).ok()?;
    // More than one key: the text contained a line break and another key.
    (dict.len() == 1).then(|| dict.remove("value")).flatten()
}

/// The values of a tree that are not sections, and its empty sections, with their keys.
pub(super) fn leaves(tree: &Value) -> Vec<(String, &Value)> {
    fn walk<'a>(value: &'a Value, key: &str, leaves: &mut Vec<(String, &'a Value)>) {
        match value.as_dict().filter(|dict| !dict.is_empty()) {
            Some(dict) => {
                for (name, value) in dict {
                    let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                    walk(value, &key, leaves);
                }
            }
            None => leaves.push((key.to_owned(), value)),
        }
    }
    let mut leaves = Vec::new();
    walk(tree, "", &mut leaves);
    leaves
}

/// Sets `key` in `tree`; creates the sections above it.
pub(super) fn put(tree: &mut Value, key: &str, value: Value) {
    if let Some((section, name)) = section_of(tree, key) {
        section.insert(name.to_owned(), value);
    }
}

/// Removes `key` from `tree`.
pub(super) fn remove(tree: &mut Value, key: &str) {
    if let Some((section, name)) = section_of(tree, key) {
        section.remove(name);
    }
}

fn section_of<'t, 'k>(tree: &'t mut Value, key: &'k str) -> Option<(&'t mut Dict, &'k str)> {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let mut level = tree;
    for name in section.split('.').filter(|name| !name.is_empty()) {
        if level.as_dict().is_none() {
            *level = Value::from(Dict::new());
        }
        let Value::Dict(_, dict) = level else { return None };
        level = dict.entry(name.to_owned()).or_insert_with(|| Value::from(Dict::new()));
    }
    if level.as_dict().is_none() {
        *level = Value::from(Dict::new());
    }
    match level {
        Value::Dict(_, dict) => Some((dict, name)),
        _ => None,
    }
}

/// Removes from `values` what would replace a section of `defaults`, and returns its keys.
fn drop_clobbering(values: &mut Dict, defaults: &Value, prefix: &str) -> Vec<String> {
    let mut dropped = Vec::new();
    values.retain(|name, value| {
        let Some(section) = defaults.find_ref(name).filter(|section| section.as_dict().is_some()) else {
            return true;
        };
        let key = format!("{prefix}{name}");
        if let Value::Dict(_, inner) = value {
            dropped.extend(drop_clobbering(inner, section, &format!("{key}.")));
            return true;
        }
        dropped.push(key);
        false
    });
    dropped
}

fn merged(figment: &Figment) -> Value {
    // Cannot fail: every layer is a dictionary of values.
    figment.find_value("").unwrap_or_else(|_| Value::from(Dict::new()))
}

impl Origin {
    pub(super) fn new(kind: LayerKind, detail: &str) -> Self {
        Self { kind, detail: detail.to_owned() }
    }

    pub(super) fn file(path: &Path) -> Self {
        Self::new(LayerKind::File, &path.display().to_string())
    }

    /// Whether the value arrived as text without a type: from the environment or a flag.
    pub(super) fn is_untyped(&self) -> bool {
        self.kind > LayerKind::File
    }

    pub(super) fn kind(&self) -> LayerKind {
        self.kind
    }

    fn of(metadata: &Metadata) -> Self {
        use LayerKind::{Command, Default, Env, File, Flag};
        let kinds = [Default, File, Env, Flag, Command];
        let kind = kinds.into_iter().find(|kind| kind.name() == metadata.name).unwrap_or(Default);
        match &metadata.source {
            Some(Source::Custom(detail)) => Self::new(kind, detail),
            _ => Self::new(kind, ""),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            LayerKind::Command if !self.detail.is_empty() => f.write_str(&self.detail),
            LayerKind::Default | LayerKind::Command => f.write_str(self.kind.name()),
            LayerKind::File | LayerKind::Env | LayerKind::Flag => {
                write!(f, "{} {}", self.kind.name(), self.detail)
            }
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl LayerKind {
    fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Env => "env",
            Self::Flag => "--set",
            Self::Command => "the command",
        }
    }
}

/// One layer, as figment takes it.
struct Layer {
    origin: Origin,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.kind.name()).source(Source::Custom(self.origin.detail.clone()))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}
