//! `vestibule tenant convert`: the rules of a bundle as actions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use crate::app::DevTenant;
use crate::bundle::{Bundle, Rule};
use crate::cli::{Global, dev, out};
use crate::config::Config;
use crate::pool::{self, Pool};
use crate::script::{
    Comparison, Converted, ScriptRunner, Traits, compare, convert, generated_cases, post_login_object,
};

/// Make post-login actions of a bundle's rules, which behave the same.
///
/// Prints the actions' code, or writes `actions/` and `triggers/` with --write. A rule that would behave differently as an
/// action is refused, with the lines and the reasons; then the exit code is 1. The rules stay as they are: disable each one
/// whose action you bind, else both run.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Folder of the bundle [default: the configured one].
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only this rule.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Write the actions into the bundle's folder.
    #[arg(long)]
    write: bool,
    /// Replace files that differ.
    #[arg(long, requires = "write")]
    force: bool,
    /// Run each rule and its action on generated logins, and compare what they do.
    #[arg(long)]
    verify: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let config = super::load(global, args.folder.as_deref())?;
    let folder = config.tenant.bundle.clone();
    // Keywords stay keywords in the code: their values are none of the bundle's.
    let keywords = Keywords::of(&config);
    let bundle = Bundle::read(&folder, &keywords.markers)
        .with_context(|| format!("cannot read the bundle {}", folder.display()))?;
    let rules: Vec<Rule> = bundle.rules.iter().filter(|rule| rule.enabled).cloned().collect();
    let wanted: Vec<&Rule> =
        rules.iter().filter(|rule| args.rule.as_ref().is_none_or(|name| *name == rule.name)).collect();
    if let (Some(name), true) = (&args.rule, wanted.is_empty()) {
        bail!("the bundle {} has no enabled rule \"{name}\"", folder.display());
    }
    let keys: BTreeSet<String> = bundle.rules_configs.keys().cloned().collect();
    let verifier = if args.verify { Some(Verifier::open(&config, &folder)?) } else { None };
    let (mut table, mut bound, mut failures) = (Vec::new(), Vec::new(), 0);
    for rule in wanted {
        let converted = match convert(rule, &rules, &keys) {
            Ok(converted) => converted,
            Err(error) => {
                failures += 1;
                table.push(format!("{}: refused", rule.name));
                table.extend(error.reasons.iter().map(|it| format!("  line {}: {}", it.line, it.text)));
                continue;
            }
        };
        let kind = if converted.wrapped.is_empty() { "readable" } else { "in an adapter" };
        let mut line = format!("{}: {kind}", rule.name);
        if let Some(verifier) = &verifier {
            let comparison = verifier.compare(rule, &converted, &bundle.rules_configs)?;
            failures += usize::from(!comparison.differences.is_empty());
            line += &verdict(&comparison);
        }
        table.push(line);
        if args.write {
            write_action(&folder, rule, &converted, &bundle.rules_configs, &keywords, args.force)?;
        } else {
            out::line(keywords.restore(&converted.code))?;
        }
        bound.push(rule.name.clone());
    }
    if args.write {
        bind(&folder, &bound)?;
        table.push(
            "Disable each rule whose action is bound now (\"enabled\": false), else both run.".to_owned(),
        );
    }
    out::line(table.join("\n"))?;
    if failures > 0 {
        bail!("{failures} of the rules cannot be replaced by their action as it is");
    }
    Ok(())
}

fn verdict(comparison: &Comparison) -> String {
    let mut text = format!("; verified on {} logins", comparison.alike);
    if comparison.broken > 0 {
        text += &format!(
            "; {} more fail with the rule alone (it throws, or never calls back)",
            comparison.broken
        );
    }
    for difference in comparison.differences.iter().take(5) {
        text += &format!(
            "\n  differs: {}\n    rule:   {}\n    action: {}",
            difference.case, difference.rule, difference.action
        );
    }
    text
}

/// Runs rules and actions in workers of this process, without a network.
struct Verifier {
    runner: ScriptRunner,
    runtime: tokio::runtime::Runtime,
}

impl Verifier {
    fn open(config: &Config, bundle: &Path) -> anyhow::Result<Self> {
        let pool = Pool::start(&pool::Settings { threads: 1, queue: 64 }).context("cannot start a thread")?;
        let runner =
            ScriptRunner::new(&config.script, dev::script_worker()?, Vec::new(), pool).with_packages(bundle);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runner, runtime })
    }

    fn compare(
        &self,
        rule: &Rule,
        converted: &Converted,
        configuration: &BTreeMap<String, String>,
    ) -> anyhow::Result<Comparison> {
        let cases = generated_cases(&Traits::of(rule));
        Ok(self.runtime.block_on(compare(&self.runner, rule, converted, configuration, &cases)))
    }
}

/// The configured keywords, read as markers and written as keywords again.
struct Keywords {
    markers: BTreeMap<String, Value>,
}

impl Keywords {
    fn of(config: &Config) -> Self {
        let known = config.tenant.keywords.keys().map(String::as_str).chain(DevTenant::KEYWORDS);
        Self { markers: known.map(|key| (key.to_owned(), marker(key).into())).collect() }
    }

    /// In code, where `@@KEY@@` stands for a value with its quotes.
    fn restore(&self, text: &str) -> String {
        self.markers.keys().fold(text.to_owned(), |text, key| {
            let marker = marker(key);
            text.replace(&format!("\"{marker}\""), &format!("@@{key}@@"))
                .replace(&marker, &format!("##{key}##"))
        })
    }
}

/// In JSON, where the quotes stay.
fn in_json(value: &Value) -> Value {
    match value.as_str().and_then(|text| text.strip_prefix("keyword:")?.strip_suffix(':')) {
        Some(key) => format!("@@{key}@@").into(),
        None => value.clone(),
    }
}

fn marker(key: &str) -> String {
    format!("keyword:{key}:")
}

/// Writes `actions/NAME.json` and `actions/NAME/code.js`.
fn write_action(
    folder: &Path,
    rule: &Rule,
    converted: &Converted,
    configuration: &BTreeMap<String, String>,
    keywords: &Keywords,
    force: bool,
) -> anyhow::Result<()> {
    let secrets: Vec<Value> = converted
        .secrets
        .iter()
        .map(|name| json!({ "name": name, "value": in_json(&json!(configuration.get(name))) }))
        .collect();
    let code = format!("./actions/{}/code.js", rule.name);
    let about = post_login_object(&rule.name, &code, &converted.dependencies, &secrets);
    let actions = folder.join("actions");
    write(&actions.join(&rule.name).join("code.js"), &keywords.restore(&converted.code), force)?;
    write(&actions.join(format!("{}.json", rule.name)), &keywords.restore(&format!("{about:#}\n")), force)
}

/// Writes a file, unless a different one is there.
fn write(file: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    if let Ok(before) = fs::read_to_string(file)
        && before != text
        && !force
    {
        bail!("{} is there and differs; --force replaces it", file.display());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Adds the actions to the end of the post-login trigger, in the order of the rules.
fn bind(folder: &Path, names: &[String]) -> anyhow::Result<()> {
    let file = folder.join("triggers").join("triggers.json");
    let mut triggers: Map<String, Value> = match fs::read_to_string(&file) {
        Ok(text) => {
            serde_json::from_str(&text).with_context(|| format!("{} is not a JSON object", file.display()))?
        }
        Err(_) => Map::new(),
    };
    let bindings = triggers.entry("post-login").or_insert_with(|| json!([]));
    let Some(bindings) = bindings.as_array_mut() else {
        bail!("{}: post-login is not a list", file.display());
    };
    for name in names {
        if !bindings.iter().any(|binding| binding.get("action_name").and_then(Value::as_str) == Some(name)) {
            bindings.push(json!({ "action_name": name, "display_name": name }));
        }
    }
    write(&file, &format!("{:#}\n", Value::from(triggers)), true)
}
