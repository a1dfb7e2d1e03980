//! `vestibule tenant test`: the test cases of a bundle's scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::app::ScriptTests;
use crate::cli::{Global, dev, out};
use crate::config::Config;
use crate::tenant::testing::{Case, CaseFile, CaseResult, ScriptPath, failures, read_cases};

/// How often `--watch` looks at the files.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Run the test cases of a bundle's scripts, without a network.
///
/// Cases are in rules/NAME.test.yaml and actions/NAME/tests/*.yaml, or .json. Exit code 1 when one fails.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Folder of the bundle [default: the configured one].
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only the cases of scripts with this in their path.
    #[arg(long, value_name = "TEXT")]
    script: Option<String>,
    /// Write what is observed into the cases that expect nothing yet. In JSON files only.
    #[arg(long)]
    write: bool,
    /// Run them again whenever a file of the bundle changes.
    #[arg(long, conflicts_with = "write")]
    watch: bool,
    /// Also print how much of each script the cases run, with the lines they leave out.
    #[arg(long)]
    coverage: bool,
    /// Also write the results to a file, as the JUnit XML that CI systems show.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

type Result<'a> = (&'a CaseFile, &'a Case, std::result::Result<CaseResult, String>);

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let config = super::load(global, args.folder.as_deref())?;
    if !args.watch {
        return once(&config, args);
    }
    let folder = config.tenant.bundle.clone();
    loop {
        let before = latest_change(&folder);
        if let Err(error) = once(&config, args) {
            out::line(format!("{error:#}"))?;
        }
        out::line("\nWaiting for a change of a file (Ctrl-C ends).")?;
        while latest_change(&folder) == before {
            pause();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the rate at which files are looked at")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

/// The number of files in a folder and the latest time one changed, npm packages apart.
fn latest_change(folder: &Path) -> (usize, Option<SystemTime>) {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(std::result::Result::ok);
    entries.filter(|entry| entry.file_name() != "node_modules").fold((0, None), |(count, latest), entry| {
        let (inside, changed) = match entry.metadata() {
            Ok(about) if about.is_dir() => latest_change(&entry.path()),
            about => (1, about.and_then(|about| about.modified()).ok()),
        };
        (count + inside, latest.max(changed))
    })
}

fn once(config: &Config, args: &Args) -> anyhow::Result<()> {
    let folder = &config.tenant.bundle;
    let mut files = read_cases(folder).map_err(anyhow::Error::msg)?;
    if let Some(part) = &args.script {
        files.retain(|file| file.script.to_string().contains(part));
    }
    if files.is_empty() {
        return Ok(out::line(format!(
            "{} has no test cases: write one as rules/NAME.test.yaml or actions/NAME/tests/NAME.yaml",
            folder.display()
        ))?);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let results = runtime.block_on(async {
        let tests = ScriptTests::open(config, dev::script_worker()?).await?;
        let results = tests.run(&files, args.coverage).await;
        tests.stop().await;
        anyhow::Ok(results)
    })?;
    out::line(report(&results))?;
    if args.coverage {
        out::line(coverage(&results))?;
    }
    if let Some(file) = &args.junit {
        fs::write(file, junit(&results)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if args.write {
        for file in &files {
            write_expectations(file, &results)?;
        }
    }
    match results.iter().filter(|(.., result)| !failures(result).is_empty()).count() {
        0 => Ok(()),
        failed => bail!("{failed} of {} cases failed", results.len()),
    }
}

fn report(results: &[Result<'_>]) -> String {
    let (mut text, mut script) = (String::new(), None);
    for (file, case, outcome) in results {
        if script.replace(&file.script) != Some(&file.script) {
            text += &format!("{}\n", file.script);
        }
        let found = failures(outcome);
        let verdict = if found.is_empty() { "ok  " } else { "FAIL" };
        let took = outcome.as_ref().map_or(0, |result| result.duration.as_millis());
        text += &format!("  {verdict}  {} ({took} ms)\n", case.name);
        for line in found {
            text += &format!("        {line}\n");
        }
        if let (Ok(result), false) = (outcome, found.is_empty()) {
            for line in &result.console {
                text += &format!("        console: {}\n", line.text.replace('\n', "\n                 "));
            }
        }
    }
    let failed = results.iter().filter(|(.., result)| !failures(result).is_empty()).count();
    text + &format!("{} passed, {failed} failed", results.len() - failed)
}

/// The statements of each script that its cases reach, by their lines.
fn coverage(results: &[Result<'_>]) -> String {
    let mut scripts: BTreeMap<_, (BTreeSet<u32>, BTreeSet<u32>)> = BTreeMap::new();
    for (file, _, result) in results {
        if let Ok(result) = result {
            let (lines, reached) = scripts.entry(&file.script).or_default();
            lines.extend(&result.lines);
            reached.extend(&result.reached);
        }
    }
    let line = |(script, (lines, reached)): (&ScriptPath, (BTreeSet<u32>, BTreeSet<u32>))| {
        let missed: Vec<_> = lines.difference(&reached).map(u32::to_string).collect();
        let missed =
            if missed.is_empty() { String::new() } else { format!("; not run: {}", missed.join(", ")) };
        format!(
            "{script}: {} of {} lines with statements{missed}",
            lines.intersection(&reached).count(),
            lines.len()
        )
    };
    scripts.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The results in JUnit's format: a test suite for each file.
fn junit(results: &[Result<'_>]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for suite in results.chunk_by(|one, next| one.0.path == next.0.path) {
        let failed = suite.iter().filter(|(.., result)| !failures(result).is_empty()).count();
        let name = suite.first().map(|(file, ..)| file.path.display().to_string()).unwrap_or_default();
        let (name, tests) = (escaped(&name), suite.len());
        // Writing to a text does not fail.
        let _ = writeln!(text, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\">");
        for (file, case, outcome) in suite {
            let seconds = outcome.as_ref().map_or(0.0, |result| result.duration.as_secs_f64());
            let (class, name) = (escaped(&file.script.to_string()), escaped(&case.name));
            let _ = write!(text, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"{seconds:.3}\"");
            let failures = failures(outcome).join("\n");
            let _ = if failures.is_empty() {
                writeln!(text, "/>")
            } else {
                let failures = escaped(&failures);
                writeln!(text, ">\n      <failure message=\"{failures}\"/>\n    </testcase>")
            };
        }
        text += "  </testsuite>\n";
    }
    text + "</testsuites>\n"
}

/// A text for an attribute of XML, which has no other control characters than these.
fn escaped(text: &str) -> String {
    let replaced = text.chars().map(|c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\n' => "&#10;".to_owned(),
        c if c.is_control() => ' '.to_string(),
        c => c.to_string(),
    });
    replaced.collect()
}

/// Writes what was observed into the cases of a file that expect nothing yet.
fn write_expectations(file: &CaseFile, results: &[Result<'_>]) -> anyhow::Result<()> {
    let of_file: Vec<_> = results.iter().filter(|(of, ..)| of.path == file.path).collect();
    if of_file.iter().all(|(_, case, _)| case.expect.is_some()) {
        return Ok(());
    }
    let path = &file.path;
    if path.extension().is_none_or(|extension| extension != "json") {
        bail!("{} is not JSON: --write would lose its comments", path.display());
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut document: Value = serde_json::from_str(&text)?;
    let cases: Vec<&mut Value> = match &mut document {
        Value::Array(list) => list.iter_mut().collect(),
        Value::Object(members) if members.contains_key("cases") => {
            members.get_mut("cases").and_then(Value::as_array_mut).into_iter().flatten().collect()
        }
        one => vec![one],
    };
    for (case, (.., result)) in cases.into_iter().zip(&of_file) {
        if let (Some(members), Ok(result)) = (case.as_object_mut(), result)
            && !members.contains_key("expect")
        {
            let mut observed = result.observed.clone();
            // What a script logs is rarely what a case is about.
            observed.remove("console");
            members.insert("expect".to_owned(), observed.into());
        }
    }
    fs::write(path, format!("{document:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(out::line(format!("written  {}", path.display()))?)
}
