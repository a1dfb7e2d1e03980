//! `vestibule config`: the configuration, where each value comes from, and what is wrong with it.

use serde_json::json;

use super::{Global, out};
use crate::app;
use crate::config::{self, Entry, Origin, PRODUCTION, Report};

/// Print the configuration and where each value comes from.
///
/// Secrets are hidden. `--profile development` prints what `dev` uses.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Leave out the defaults.
    #[arg(long)]
    changed: bool,
}

/// Prints an invalid configuration too.
pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let report = config::read(global.sources(PRODUCTION));
    let report = if args.changed { without_defaults(report) } else { report };
    out::line(if args.json { as_json(&report)? } else { as_table(&report) })?;
    // `serve` would find missing documents only when it starts.
    app::trusted(&report.outcome?)?;
    Ok(())
}

fn without_defaults(mut report: Report) -> Report {
    report.entries.retain(|entry| entry.origin != Origin::Default);
    report
}

fn as_json(report: &Report) -> serde_json::Result<String> {
    let settings: Vec<_> = report
        .entries
        .iter()
        .map(|Entry { key, value, origin, file }| {
            json!({ "key": key, "value": value, "source": origin.to_string(), "file": file })
        })
        .collect();
    let problems = report.outcome.as_ref().err().map_or(&[][..], |refused| &refused.problems);
    serde_json::to_string_pretty(&json!({
        "profile": report.profile,
        "settings": settings,
        "problems": problems,
    }))
}

/// Wider values move only their own source to the right.
const WIDEST_VALUE: usize = 44;

fn as_table(report: &Report) -> String {
    let rows: Vec<(&str, &str, String, String)> = report
        .entries
        .iter()
        .map(|entry| {
            let (section, name) = entry.key.split_once('.').unwrap_or(("", &entry.key));
            (section, name, shown(entry), source(entry))
        })
        .collect();
    let widest = |of: fn(&(&str, &str, String, String)) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let names = widest(|row| row.1.chars().count());
    let values = widest(|row| row.2.chars().count()).min(WIDEST_VALUE);
    let mut text = format!("profile {}", report.profile);
    let mut current = None;
    for (section, name, value, source) in &rows {
        if current != Some(section) {
            text.push_str(&format!("\n\n[{section}]"));
            current = Some(section);
        }
        text.push_str(&format!("\n  {name:names$}  {value:values$}  {source}"));
    }
    text
}

/// The value as JSON, which escapes control characters.
fn shown(entry: &Entry) -> String {
    match entry.value.as_str() {
        Some("") => "(not set)".to_owned(),
        Some(dots) if dots.starts_with('•') => dots.to_owned(),
        _ => entry.value.to_string(),
    }
}

fn source(entry: &Entry) -> String {
    match &entry.file {
        Some(file) => format!("secret file {} ({})", file.display(), entry.origin),
        None => entry.origin.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DEVELOPMENT, Sources};

    fn report() -> Report {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        config::read(
            Sources { dir: Some(dir), ..Sources::new(DEVELOPMENT) }.with_override("pool.threads", "0"),
        )
    }

    #[test]
    fn the_table_has_each_value_and_its_source_but_no_secret() {
        let table = as_table(&report());
        let line = |name: &str| table.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        assert!(table.starts_with("profile development\n\n[auth0]\n"));
        assert!(
            line("issuer").contains("\"http://localhost:4002/\"") && line("issuer").ends_with("tenant.http")
        );
        assert!(
            line("client_id").contains("\"vestibule\"") && line("client_id").ends_with("development.toml")
        );
        assert!(line("ca_file").contains("(not set)") && line("ca_file").ends_with("  default"));
        assert!(line("threads").ends_with("  the command"));
        assert!(line("client_secret").contains("••••") && !table.contains("dev-only"));
    }

    #[test]
    fn what_is_not_a_default_can_be_printed_alone() {
        let changed = without_defaults(report());
        assert!(changed.entries.iter().any(|entry| entry.key == "pool.threads"));
        assert!(changed.entries.iter().all(|entry| entry.origin != Origin::Default));
    }

    #[test]
    fn the_json_has_the_same_and_the_problems() {
        let json: serde_json::Value = serde_json::from_str(&as_json(&report()).unwrap()).unwrap();
        let settings = json["settings"].as_array().unwrap();
        let secret = settings.iter().find(|setting| setting["key"] == "auth0.client_secret").unwrap();
        assert_eq!(secret["value"], "••••");
        assert_eq!(json["problems"][0]["key"], "pool.threads");
        assert_eq!(json["profile"], "development");
    }
}
