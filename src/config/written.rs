//! What was written: one tree of values, each of which knows where it comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use serde::Serialize;

use super::problem::Diagnostic;

/// Sections in the order of `default.toml`.
const SECTIONS: [&str; 12] = [
    "auth0", "public", "internal", "claims", "roles", "link", "store", "pool", "http", "script", "tenant",
    "log",
];

/// Where a value comes from. Later layers win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    layer: Layer,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Default,
    File,
    Env,
    Flag,
    Command,
}

/// One key in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// With dots between levels.
    pub key: String,
    /// The value; dots in place of a secret.
    pub value: serde_json::Value,
    /// Where it comes from.
    pub origin: Origin,
    /// The file that the value was read from, when its key was given as `…_file`.
    pub file: Option<PathBuf>,
}

/// The tree, with figment's record of where each value comes from.
pub(super) struct Written {
    figment: Figment,
    /// What was laid, as figment merged it.
    laid: Value,
    /// What is in force. Starts as what was laid; `secret_file` and `meaning` correct it.
    pub(super) tree: Value,
    defaults: Value,
    /// Keys whose value was read from a file of its own.
    pub(super) files: BTreeMap<String, PathBuf>,
}

/// What shows in place of a secret.
const DOTS: &str = "••••";

impl Written {
    pub(super) fn new(defaults: Dict) -> Self {
        let layer =
            Laid { origin: Origin { layer: Layer::Default, detail: String::new() }, dict: defaults.clone() };
        let mut written = Self {
            figment: Figment::new().merge(layer),
            laid: Value::from(Dict::new()),
            tree: Value::from(Dict::new()),
            defaults: Value::from(defaults),
            files: BTreeMap::new(),
        };
        written.refresh();
        written
    }

    /// Lays a layer over what is there. A section stays a section: what would replace one is left out, and told.
    pub(super) fn lay(&mut self, origin: Origin, mut dict: Dict, problems: &mut Vec<Diagnostic>) {
        for key in drop_clobbering(&mut dict, &self.defaults, "") {
            problems.push(Diagnostic {
                what: "is a section and can not be given a value".to_owned(),
                fix: format!("set the keys in it, such as `{key}.…`; `config/default.toml` lists them"),
                source: origin.to_string(),
                key,
            });
        }
        let figment = std::mem::take(&mut self.figment);
        self.figment = figment.merge(Laid { origin, dict });
        self.refresh();
    }

    fn refresh(&mut self) {
        // The whole tree is always there: the layers are values already, so none of them can fail.
        if let Ok(tree) = self.figment.find_value("") {
            self.laid.clone_from(&tree);
            self.tree = tree;
        }
    }

    /// The default of a key, when it has one that is set.
    pub(super) fn default(&self, key: &str) -> Option<&Value> {
        self.defaults.find_ref(key).filter(|value| value.as_str() != Some(""))
    }

    /// Whether `key` is one that `default.toml` has.
    pub(super) fn is_known(&self, key: &str) -> bool {
        self.defaults.find_ref(key).is_some()
    }

    /// Whether `key` is a section of `default.toml`.
    pub(super) fn is_section(&self, key: &str) -> bool {
        self.defaults.find_ref(key).is_some_and(|value| value.as_dict().is_some())
    }

    /// All keys that `default.toml` has.
    pub(super) fn known(&self) -> Vec<String> {
        leaves(&self.defaults).into_iter().map(|(key, _)| key).collect()
    }

    /// The string that is in force at `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.tree.find_ref(key)?.as_str()
    }

    /// Where the value in force at `key`, or the closest level above it that is there, comes from.
    pub(super) fn origin(&self, key: &str) -> Origin {
        // What is in force first; what was laid still has what a correction took out.
        let origin_in = |tree: &Value, key: &str| {
            let tag = tree.find_ref(key)?.tag();
            self.figment.get_metadata(tag).map(Origin::of)
        };
        let mut level = Some(key);
        while let Some(key) = level {
            if let Some(origin) = origin_in(&self.tree, key).or_else(|| origin_in(&self.laid, key)) {
                return origin;
            }
            level = key.rsplit_once('.').map(|(above, _)| above);
        }
        Origin { layer: Layer::Default, detail: String::new() }
    }

    /// Whether the value at `key` came as text, whose type nobody has chosen yet.
    pub(super) fn is_text(&self, key: &str) -> bool {
        self.files.contains_key(key) || !matches!(self.origin(key).layer, Layer::Default | Layer::File)
    }

    /// Puts `value` at `key`; `None` takes the key out. Whether anything was there or could be put.
    pub(super) fn put(&mut self, path: &[String], value: Option<Value>) -> bool {
        put(&mut self.tree, path, value)
    }

    /// What is in force, secrets hidden.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = leaves(&self.tree)
            .into_iter()
            .map(|(key, value)| Entry {
                value: match serde_json::to_value(value) {
                    Ok(shown) if shown == "" || !is_secret(&key) => shown,
                    _ => DOTS.into(),
                },
                origin: self.origin(&key),
                file: self.files.get(&key).cloned(),
                key,
            })
            .collect();
        let place = |entry: &Entry| {
            SECTIONS
                .iter()
                .position(|section| entry.key.split('.').next() == Some(section))
                .unwrap_or(SECTIONS.len())
        };
        // Keys of a section before its subsections; the sort is stable, so the rest stays alphabetical.
        entries.sort_by_key(|entry| (place(entry), entry.key.matches('.').count()));
        entries
    }
}

/// Whether a key's value must not be shown. Keywords stand for anything, so a likely name is enough there.
pub(super) fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    let likely = |words: &[&str]| words.iter().any(|word| name.contains(word));
    likely(&["secret", "password"])
        || (key.starts_with("tenant.keywords.") && likely(&["key", "token"]) && !name.ends_with("_url"))
}

/// Reads one value as TOML writes it.
pub(super) fn literal(text: &str) -> Option<Value> {
    let mut dict: Dict = toml::from_str(&format!("value = {text}")).ok()?;
    // More than one key: the text held a line break and went on.
    (dict.len() == 1).then(|| dict.remove("value")).flatten()
}

impl Origin {
    pub(super) fn file(path: &Path) -> Self {
        Self { layer: Layer::File, detail: path.display().to_string() }
    }

    pub(super) fn env(name: &str) -> Self {
        Self { layer: Layer::Env, detail: name.to_owned() }
    }

    pub(super) fn flag(key: &str) -> Self {
        Self { layer: Layer::Flag, detail: key.to_owned() }
    }

    pub(super) fn command() -> Self {
        Self { layer: Layer::Command, detail: String::new() }
    }

    /// Follows from where the embedded tenant listens.
    pub(super) fn tenant() -> Self {
        Self { layer: Layer::Command, detail: "where the dev tenant listens, tenant.http".to_owned() }
    }

    /// Whether both come from the same layer.
    pub(super) fn beside(&self, other: &Self) -> bool {
        self.layer == other.layer
    }

    /// Whether this one wins over `other`.
    pub(super) fn over(&self, other: &Self) -> bool {
        self.layer > other.layer
    }

    fn of(metadata: &Metadata) -> Self {
        let layers = [Layer::Default, Layer::File, Layer::Env, Layer::Flag, Layer::Command];
        let layer = layers.into_iter().find(|layer| layer.word() == metadata.name).unwrap_or(Layer::Default);
        let detail = match &metadata.source {
            Some(Source::Custom(detail)) => detail.clone(),
            _ => String::new(),
        };
        Self { layer, detail }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Layer::Command if !self.detail.is_empty() => f.write_str(&self.detail),
            Layer::Default | Layer::Command => f.write_str(self.layer.word()),
            Layer::File | Layer::Env | Layer::Flag => write!(f, "{} {}", self.layer.word(), self.detail),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Layer {
    fn word(self) -> &'static str {
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
struct Laid {
    origin: Origin,
    dict: Dict,
}

impl Provider for Laid {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.layer.word()).source(Source::Custom(self.origin.detail.clone()))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

/// Takes out of `dict` what would replace a section of `defaults`, and names it.
fn drop_clobbering(dict: &mut Dict, defaults: &Value, prefix: &str) -> Vec<String> {
    let mut dropped = Vec::new();
    dict.retain(|name, value| {
        let Some(section) = defaults.find_ref(name).filter(|section| section.as_dict().is_some()) else {
            return true;
        };
        let key = format!("{prefix}{name}");
        match value {
            Value::Dict(_, inner) => {
                dropped.extend(drop_clobbering(inner, section, &format!("{key}.")));
                true
            }
            _ => {
                dropped.push(key);
                false
            }
        }
    });
    dropped
}

/// The values of a tree that are not sections, with their keys.
fn leaves(tree: &Value) -> Vec<(String, &Value)> {
    fn walk<'a>(value: &'a Value, key: &str, found: &mut Vec<(String, &'a Value)>) {
        match value.as_dict() {
            Some(dict) => {
                for (name, value) in dict {
                    let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                    walk(value, &key, found);
                }
            }
            None => found.push((key.to_owned(), value)),
        }
    }
    let mut found = Vec::new();
    walk(tree, "", &mut found);
    found
}

fn put(tree: &mut Value, path: &[String], new: Option<Value>) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    match tree {
        Value::Dict(_, dict) if rest.is_empty() => match new {
            Some(value) => {
                dict.insert(first.clone(), value);
                true
            }
            None => dict.remove(first).is_some(),
        },
        Value::Dict(_, dict) => dict.get_mut(first).is_some_and(|inner| put(inner, rest, new)),
        Value::Array(_, items) => {
            let Some(at) = first.parse().ok().filter(|at| *at < items.len()) else { return false };
            match items.get_mut(at) {
                Some(item) if !rest.is_empty() => put(item, rest, new),
                _ => {
                    items.remove(at);
                    true
                }
            }
        }
        _ => false,
    }
}
