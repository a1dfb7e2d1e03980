//! `vestibule tenant login`: one login, with what each script did.

use std::path::PathBuf;

use serde_json::Value;

use crate::app::ScriptTests;
use crate::cli::{Global, dev, out};
use crate::tenant::testing::SubjectNames;

/// Log a person of the bundle in, and print what each rule and action did.
///
/// It is a login in a tenant of its own: nothing that scripts change is kept. Scripts reach the origins that they reach in
/// `vestibule dev`. Exit code 1 when the login is denied.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The person's email or user id.
    #[arg(value_name = "PERSON")]
    person: String,
    /// Folder of the bundle [default: the configured one].
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// A client's name or id [default: the first that logs people in].
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// An API's identifier.
    #[arg(long, value_name = "AUDIENCE")]
    api: Option<String>,
    /// An organization's name or id.
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    /// Requested scopes, with spaces between them.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// Print the story as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let config = super::load(global, args.folder.as_deref())?;
    let names = SubjectNames {
        person: Some(&args.person),
        client: args.client.as_deref(),
        api: args.api.as_deref(),
        organization: args.organization.as_deref(),
        scope: args.scope.as_deref(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let story = runtime.block_on(async {
        let tests = ScriptTests::open(&config, dev::script_worker()?).await?;
        let story = tests.log_in(&names).await;
        tests.stop().await;
        story.map_err(anyhow::Error::msg)
    })?;
    out::line(if args.json { format!("{story:#}") } else { text(&story) })?;
    match story.get("error") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => anyhow::bail!("the login was denied"),
    }
}

/// The story for people.
fn text(story: &Value) -> String {
    let of =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines = Vec::new();
    for script in list(story, "scripts") {
        let milliseconds = script.get("milliseconds").cloned().unwrap_or_default();
        lines.push(format!("{} {} ({milliseconds} ms)", of(&script, "kind"), of(&script, "name")));
        let reads: Vec<_> =
            list(&script, "reads").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if !reads.is_empty() {
            lines.push(format!("  reads {}", reads.join(", ")));
        }
        for change in list(&script, "changes") {
            let value = of(&change, "value");
            let end = if value.is_empty() { "is removed".to_owned() } else { format!("= {value}") };
            lines.push(format!("  {} {end}", of(&change, "member")));
        }
        for line in list(&script, "console") {
            lines.push(format!(
                "  console.{}  {}",
                of(&line, "level"),
                of(&line, "text").replace('\n', "\n    ")
            ));
        }
        for fetch in list(&script, "fetches") {
            let refused = of(&fetch, "refused");
            let end = if refused.is_empty() {
                fetch
                    .get("status")
                    .filter(|status| !status.is_null())
                    .map_or("no response".to_owned(), Value::to_string)
            } else {
                format!("refused: {refused}")
            };
            lines.push(format!("  {} {}  {end}", of(&fetch, "method"), of(&fetch, "url")));
        }
        for call in list(&script, "calls") {
            let arguments = of(&call, "arguments");
            let arguments =
                arguments.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&arguments);
            lines.push(format!("  api.{}({arguments})", of(&call, "member")));
        }
    }
    if lines.is_empty() {
        lines.push("no script runs at a login of this bundle".to_owned());
    }
    let denied_by = of(story, "denied_by");
    let by = if denied_by.is_empty() { String::new() } else { format!(" (by {denied_by})") };
    lines.push(format!("\n{}: {}{by}", of(story, "email"), of(story, "outcome")));
    for (name, what) in [("access_token", "access token"), ("id_token", "ID token")] {
        for (claim, value) in story.get(name).and_then(Value::as_object).into_iter().flatten() {
            lines.push(format!("  {what}: {claim} = {value}"));
        }
    }
    for claim in list(story, "dropped_claims") {
        lines.push(format!(
            "  not in any token, since Auth0 reserves the name: {}",
            claim.as_str().unwrap_or_default()
        ));
    }
    lines.join("\n")
}
