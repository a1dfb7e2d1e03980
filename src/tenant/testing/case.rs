//! Test cases: the files beside the scripts that hold them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::script::StubbedAnswer;

/// The most files with cases that are read of a bundle, and the longest of them in bytes.
const MAX_FILES: usize = 2_000;
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A file of cases for one script.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// Where it is.
    pub path: PathBuf,
    /// What its cases test.
    pub script: ScriptPath,
    /// The cases, in order.
    pub cases: Vec<Case>,
}

/// A script, by its place in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScriptPath {
    /// `rules/NAME.js`.
    Rule(String),
    /// `actions/NAME/code.js`.
    Action(String),
}

impl std::fmt::Display for ScriptPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rule(name) => write!(f, "rules/{name}"),
            Self::Action(name) => write!(f, "actions/{name}"),
        }
    }
}

/// One case: what the script gets, and what is expected of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// A person of the bundle, by email or user id. Not given: the first one.
    pub person: Option<String>,
    /// Members of the user, over those of the person; `null` removes one.
    pub user: Map<String, Value>,
    /// A client, by its name or id. Not given: the first one that logs users in (or, for a machine, any).
    pub client: Option<String>,
    /// The identifier of an API.
    pub api: Option<String>,
    /// An organization, by its name or id.
    pub organization: Option<String>,
    /// The requested scopes, with spaces between them.
    pub scope: Option<String>,
    /// The trigger. Not given: the first one that the action supports.
    pub trigger: Option<String>,
    /// Whether the action's continue handler runs.
    #[serde(rename = "continue")]
    pub continues: bool,
    /// Members of an action's `event`, over what the tenant gives it; `null` removes one.
    pub event: Map<String, Value>,
    /// Members of a rule's `context`, over what the tenant gives it; `null` removes one.
    pub context: Map<String, Value>,
    /// Values of the rules' `configuration`, over those of the bundle.
    pub configuration: BTreeMap<String, String>,
    /// Values of the action's secrets, over those of the bundle.
    pub secrets: BTreeMap<String, String>,
    /// The answers to its requests. Others fail the case: no test needs a network.
    pub fetches: Vec<StubbedAnswer>,
    /// What is expected. Not given: that it is not denied.
    pub expect: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Cases {
    Under { cases: Vec<Value> },
    List(Vec<Value>),
    One(Value),
}

/// The files of cases in a bundle, sorted by path: `rules/NAME.test.yaml` and `actions/NAME/tests/*.yaml`, or
/// `.json`; but the deploy CLI takes every `.json` in `rules/` for a rule.
///
/// # Errors
/// A sentence about the first file that cannot be read, or is no list of cases.
pub fn read_cases(bundle: &Path) -> Result<Vec<CaseFile>, String> {
    let mut found: Vec<(PathBuf, ScriptPath)> = Vec::new();
    for path in entries(&bundle.join("rules"))? {
        if let Some(name) = stem(&path).and_then(|stem| stem.strip_suffix(".test")) {
            found.push((path.clone(), ScriptPath::Rule(name.to_owned())));
        }
    }
    for folder in entries(&bundle.join("actions"))? {
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
        for path in entries(&folder.join("tests"))? {
            if stem(&path).is_some() {
                found.push((path, ScriptPath::Action(name.to_owned())));
            }
        }
    }
    if found.len() > MAX_FILES {
        return Err(format!("{} has more than {MAX_FILES} files of test cases", bundle.display()));
    }
    found.sort();
    found.into_iter().map(|(path, script)| read(path, script)).collect()
}

/// The name of a JSON or YAML file without its extension.
fn stem(path: &Path) -> Option<&str> {
    let extension = path.extension()?.to_str()?;
    matches!(extension, "json" | "yaml" | "yml").then(|| path.file_stem()?.to_str()).flatten()
}

/// The entries of a folder; none when it does not exist.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
    match fs::read_dir(folder) {
        Ok(entries) => {
            entries.map(|entry| Ok(entry.map_err(problem)?.path())).collect::<Result<Vec<_>, String>>()
        }
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(problem(error)),
    }
}

fn read(path: PathBuf, script: ScriptPath) -> Result<CaseFile, String> {
    let problem = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    if fs::metadata(&path).map_err(|error| problem(&error))?.len() > MAX_BYTES {
        return Err(problem(&format!("longer than {MAX_BYTES} bytes")));
    }
    let text = fs::read_to_string(&path).map_err(|error| problem(&error))?;
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let value: Value = if is_json {
        serde_json::from_str(&text).map_err(|error| problem(&error))?
    } else {
        serde_saphyr::from_str(&text).map_err(|error| problem(&error))?
    };
    let cases = match serde_json::from_value(value).map_err(|error| problem(&error))? {
        Cases::Under { cases } | Cases::List(cases) => cases,
        Cases::One(case) => vec![case],
    };
    let parsed = cases.into_iter().enumerate().map(|(index, case)| {
        let number = index + 1;
        let mut case: Case =
            serde_json::from_value(case).map_err(|error| problem(&format!("case {number}: {error}")))?;
        if case.name.is_empty() {
            case.name = format!("case {number}");
        }
        Ok(case)
    });
    let cases = parsed.collect::<Result<_, String>>()?;
    Ok(CaseFile { path, script, cases })
}
