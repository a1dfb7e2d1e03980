//! Finds a bundle's objects in its files, with scripts inlined: in the directory layout, in the YAML layout, and in the
//! layout of Auth0's older deploy extensions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::files::{Files, stem};
use super::{BundleError, Kind, Object};

/// An object and its file.
pub(super) struct Entry {
    pub(super) file: PathBuf,
    pub(super) members: Object,
}

/// All objects, unchecked.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) tenant: Object,
    pub(super) triggers: Object,
    pub(super) users: Option<Value>,
    pub(super) lists: BTreeMap<Kind, Vec<Entry>>,
    pub(super) notices: Vec<String>,
}

const DATABASES: &str = "database-connections";
const PEOPLE: &str = "people.json";

impl Layout {
    pub(super) fn read(files: &mut Files<'_>) -> Result<Self, BundleError> {
        let mut layout = Self::default();
        if let Some(yaml) = files.yaml.clone() {
            layout.read_yaml(files, &yaml)?;
        }
        layout.read_folders(files)?;
        layout.read_databases(files)?;
        let mut rules = layout.lists.remove(&Kind::Rule).unwrap_or_default();
        layout.inline_rules(files, &mut rules)?;
        layout.lists.insert(Kind::Rule, rules);
        let with_code =
            layout.lists.iter_mut().filter(|(kind, _)| matches!(kind, Kind::ActionModule | Kind::Action));
        for action in with_code.flat_map(|(_, list)| list) {
            let code = action.members.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
            match files.script(&action.file, &code)? {
                Some(path) => drop(action.members.insert("code".to_owned(), files.text(&path)?.into())),
                None => layout
                    .notices
                    .push(format!("{}: its code {code:?} does not exist", display(&action.file))),
            }
        }
        Ok(layout)
    }

    fn read_yaml(&mut self, files: &mut Files<'_>, yaml: &Path) -> Result<(), BundleError> {
        let mut sections = files.yaml(yaml)?;
        sections.retain(|_, section| !is_empty(section));
        self.tenant = object(yaml, sections.remove("tenant").unwrap_or_else(|| json!({})))?;
        self.triggers = object(yaml, sections.remove("triggers").unwrap_or_else(|| json!({})))?;
        self.users = sections.remove("people");
        for kind in Kind::ALL {
            self.add_section(kind, yaml, sections.remove(kind.section()))?;
        }
        self.add_section(Kind::Connection, yaml, sections.remove("databases"))?;
        if !sections.is_empty() {
            let names = sections.keys().cloned().collect::<Vec<_>>().join(", ");
            self.notices.push(format!("not used here, in {}: {names}", display(yaml)));
        }
        Ok(())
    }

    fn add_section(&mut self, kind: Kind, yaml: &Path, section: Option<Value>) -> Result<(), BundleError> {
        for value in section.as_ref().and_then(Value::as_array).into_iter().flatten() {
            let members = object(yaml, value.clone())?;
            self.lists.entry(kind).or_default().push(Entry { file: yaml.to_owned(), members });
        }
        match section {
            None | Some(Value::Array(_)) => Ok(()),
            Some(_) => Err(invalid(yaml, format!("{} is not a list", kind.section()))),
        }
    }

    fn read_folders(&mut self, files: &mut Files<'_>) -> Result<(), BundleError> {
        for kind in Kind::ALL {
            for path in files.list(kind.folder(), "json")? {
                // Test cases of a rule.
                if kind == Kind::Rule && stem(&path).ends_with(".test") {
                    continue;
                }
                let mut members = object(&path, files.json(&path)?)?;
                // The deploy CLI skips an empty object, too.
                if members.is_empty() {
                    continue;
                }
                // The extensions name objects by their files.
                let name = if kind == Kind::RuleConfig { "key" } else { "name" };
                if kind != Kind::ClientGrant && !members.contains_key(name) {
                    members.insert(name.to_owned(), stem(&path).into());
                }
                if kind == Kind::Client {
                    self.read_client_grants(files, &path, &members)?;
                }
                self.lists.entry(kind).or_default().push(Entry { file: path, members });
            }
        }
        let tenant = files.path("tenant.json");
        if let Some(value) = files.json_if_exists(&tenant)? {
            self.tenant.append(&mut object(&tenant, value)?);
        }
        if let Some(path) = files.list("triggers", "json")?.into_iter().next() {
            self.triggers.append(&mut object(&path, files.json(&path)?)?);
        }
        let people = files.path(PEOPLE);
        self.users = files.json_if_exists(&people)?.or(self.users.take());
        let known = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let used = Kind::ALL.iter().any(|kind| kind.folder() == name);
            let tools = [
                "node_modules",
                "types",
                "jsconfig.json",
                "config.json",
                "package.json",
                "package-lock.json",
            ]
            .contains(&name);
            used || tools || [DATABASES, "triggers", "tenant.json", PEOPLE].contains(&name)
        };
        let mut unused = files.entries("")?;
        unused
            .retain(|path| !known(path) && (path.is_dir() || path.extension().is_some_and(|e| e == "json")));
        if !unused.is_empty() && (files.yaml.is_none() || !self.lists.is_empty()) {
            let names = unused.iter().filter_map(|path| path.file_name()?.to_str()).collect::<Vec<_>>();
            self.notices.push(format!("not used here: {}", names.join(", ")));
        }
        Ok(())
    }

    /// `clients/NAME.meta.json` of the older extensions: the grants of the client in `clients/NAME.json`.
    fn read_client_grants(
        &mut self,
        files: &mut Files<'_>,
        client: &Path,
        members: &Object,
    ) -> Result<(), BundleError> {
        let path = client.with_extension("meta.json");
        let Some(value) = files.json_if_exists(&path)? else { return Ok(()) };
        let grants = match value.get("grants") {
            Some(Value::Array(grants)) => grants.clone(),
            _ => vec![value],
        };
        for grant in grants {
            let mut grant = object(&path, grant)?;
            if !grant.contains_key("audience") {
                self.notices.push(format!("{}: it has no grant with an audience", display(&path)));
                continue;
            }
            let id = members.get("client_id").or_else(|| members.get("name")).cloned();
            grant.insert("client_id".to_owned(), id.unwrap_or_default());
            self.lists
                .entry(Kind::ClientGrant)
                .or_default()
                .push(Entry { file: path.clone(), members: grant });
        }
        Ok(())
    }

    fn read_databases(&mut self, files: &mut Files<'_>) -> Result<(), BundleError> {
        for folder in files.entries(DATABASES)?.into_iter().filter(|path| path.is_dir()) {
            let described = ["database.json", "settings.json"].map(|name| folder.join(name));
            let Some(path) = described.into_iter().find(|path| path.is_file()) else { continue };
            let members = object(&path, files.json(&path)?)?;
            self.lists.entry(Kind::Connection).or_default().push(Entry { file: path, members });
        }
        for entry in self.lists.get_mut(&Kind::Connection).into_iter().flatten() {
            let folder = entry.file.parent().map(stem).unwrap_or_default().to_owned();
            entry.members.entry("name").or_insert_with(|| folder.into());
            entry.members.entry("strategy").or_insert_with(|| "auth0".into());
            let scripts =
                entry.members.get_mut("options").and_then(|options| options.get_mut("customScripts"));
            let Some(scripts) = scripts.and_then(Value::as_object_mut).filter(|scripts| !scripts.is_empty())
            else {
                continue;
            };
            for script in scripts.values_mut() {
                if let Some(path) = script
                    .as_str()
                    .filter(|name| !name.contains('\n'))
                    .map(|name| files.script(&entry.file, name))
                    .transpose()?
                    .flatten()
                {
                    *script = files.lenient_text(&path)?.into();
                }
            }
            let file = display(&entry.file);
            self.notices
                .push(format!("{file}: its database scripts do not run here; people.json holds the users"));
        }
        Ok(())
    }

    /// Replaces each rule's `script` by its text. In the extensions' layout a script needs no `.json`: it is enabled and
    /// runs after the rules with an order.
    fn inline_rules(&mut self, files: &mut Files<'_>, rules: &mut Vec<Entry>) -> Result<(), BundleError> {
        let is_yaml = |entry: &Entry| files.yaml.as_ref() == Some(&entry.file);
        if !rules.iter().any(is_yaml) {
            let mut taken = Vec::new();
            for rule in &*rules {
                taken.extend(files.script(&rule.file, &script_name(rule))?);
            }
            for script in files.list("rules", "js")? {
                // Compared by components, because a `.json` may write `./x.js`.
                if !taken.iter().any(|taken| taken.components().eq(script.components())) {
                    let members =
                        json!({"name": stem(&script), "script": script.file_name().and_then(|n| n.to_str())});
                    rules.push(Entry { members: object(&script, members)?, file: script });
                }
            }
        }
        let mut inlined = Vec::new();
        for mut rule in rules.drain(..) {
            let (is_named, name) = (rule.members.contains_key("script"), script_name(&rule));
            match files.script(&rule.file, &name)? {
                Some(path) => {
                    // A rule that never runs needs no keywords.
                    let is_disabled = rule.members.get("enabled") == Some(&Value::Bool(false));
                    let text = if is_disabled { files.lenient_text(&path)? } else { files.text(&path)? };
                    rule.members.insert("script".to_owned(), text.into());
                    inlined.push(rule);
                }
                None if is_named => {
                    let problem =
                        format!("its script {name:?} does not exist; add the file or correct the path");
                    return Err(invalid(&rule.file, problem));
                }
                None => {
                    let file = display(&rule.file);
                    self.notices.push(format!("{file}: it has no script here, so it is left out"));
                }
            }
        }
        *rules = inlined;
        Ok(())
    }
}

fn script_name(rule: &Entry) -> String {
    let named = rule.members.get("script").and_then(Value::as_str).map(str::to_owned);
    named.unwrap_or_else(|| format!("{}.js", stem(&rule.file)))
}

pub(super) fn object(file: &Path, value: Value) -> Result<Object, BundleError> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(invalid(file, "it is not a JSON object".to_owned())),
    }
}

pub(super) fn invalid(file: &Path, problem: String) -> BundleError {
    BundleError::Invalid { file: file.to_owned(), problem }
}

/// A path as notices show it.
pub(super) fn display(file: &Path) -> String {
    file.display().to_string()
}

fn is_empty(section: &Value) -> bool {
    section.is_null() || section.as_array().is_some_and(Vec::is_empty) || section == &json!({})
}
