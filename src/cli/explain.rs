//! `vestibule explain`: what a door makes of a token, stage by stage, and what to do about it.

use std::io::Read;
use std::process::ExitCode;

use anyhow::Context;
use clap::error::ErrorKind;

use super::{Global, out, signals};
use crate::app;
use crate::auth::{Explanation, Step};
use crate::config::{self, PRODUCTION};
use crate::telemetry::{self, Format};

/// Walks the stages on a token: what was checked, what held, what failed, what to do. Exits with 1 if the door refuses it.
///
/// Nothing is inserted, linked or changed. The token's claims are printed, never its signature.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The token; `-` or nothing reads it from standard input, which keeps it out of the shell's history.
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
    /// The door.
    #[arg(long, value_enum, default_value = "public")]
    door: Door,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// One of the two doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Door {
    /// For frontends.
    Public,
    /// For machines and staff.
    Internal,
}

/// What may be pasted and still be read: a token and whatever came along with it.
const INPUT_MAX: u64 = 1024 * 1024;

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = config::load(global.sources(PRODUCTION))?;
    // The story tells it all; the log would tell it twice.
    drop(telemetry::init(&telemetry::Settings { filter: "error".to_owned(), format: Format::Text }));
    let token = match args.token.as_deref() {
        None | Some("-") => {
            let mut text = String::new();
            let mut input = std::io::stdin().take(INPUT_MAX);
            input.read_to_string(&mut text).context("standard input can not be read")?;
            text
        }
        Some(token) => token.to_owned(),
    };
    let token = bare(&token);
    if token.is_empty() {
        let said = "there is no token; did the command before the pipe fail?\n";
        return Err(clap::Error::raw(ErrorKind::MissingRequiredArgument, said).into());
    }
    let internal = args.door == Door::Internal;
    let story = signals::runtime()?.block_on(app::explain(&config, internal, token))?;
    out::line(if args.json { serde_json::to_string_pretty(&story)? } else { told(&story)? })?;
    Ok(if story.admitted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The token in what people paste: perhaps with quotes, white space, or a whole header around it.
fn bare(text: &str) -> &str {
    let around = |c: char| c.is_whitespace() || c == '"' || c == '\'';
    let text = text.trim_matches(around);
    match text.to_ascii_lowercase().rfind("bearer ") {
        Some(at) => text.get(at + "bearer ".len()..).unwrap_or(text).trim_matches(around),
        None => text,
    }
}

fn told(story: &Explanation) -> serde_json::Result<String> {
    let mut text = format!("At the {} door\n", story.door);
    let widest = story.steps.iter().map(|step| step.check.chars().count()).max().unwrap_or(0);
    let mut stage = "";
    for step in &story.steps {
        if step.stage != stage {
            stage = step.stage;
            text.push_str(&format!("\n  {stage}\n"));
        }
        text.push_str(&line(step, widest));
    }
    text.push_str(&match story.steps.iter().find_map(|step| step.code) {
        None => "\n  The door lets its bearer in.\n".to_owned(),
        Some(code) => format!("\n  The door refuses it: {code}.\n"),
    });
    for (what, members) in [("header", &story.header), ("claims", &story.claims)] {
        if let Some(members) = members {
            let json = serde_json::to_string_pretty(members)?;
            text.push_str(&format!("\n  {what}\n    {}\n", json.replace('\n', "\n    ")));
        }
    }
    Ok(text.trim_end().to_owned())
}

fn line(step: &Step, widest: usize) -> String {
    let mark = match step.passed {
        Some(true) => '✓',
        Some(false) => '✗',
        None => '·',
    };
    let found = step.found.as_deref().unwrap_or_default();
    let mut line = format!("    {mark} {:widest$}  {found}", step.check).trim_end().to_owned();
    line.push('\n');
    if let Some(code) = step.code {
        let fix = step.fix.as_ref().map_or_else(String::new, |fix| format!(": {fix}"));
        line.push_str(&format!("      {code}{fix}\n"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_what_people_paste() {
        for pasted in ["a.b.c", " a.b.c\n", "\"a.b.c\"", "Bearer a.b.c", "-H 'Authorization: Bearer a.b.c'"] {
            assert_eq!(bare(pasted), "a.b.c", "{pasted}");
        }
    }

    #[test]
    fn a_story_is_told_with_marks_codes_and_fixes() {
        let step = |stage, passed, code: Option<&'static str>| Step {
            stage,
            check: "it holds".to_owned(),
            passed,
            found: Some("so it is".to_owned()),
            code,
            fix: code.map(|_| "mend it".to_owned()),
        };
        let steps = vec![
            step("bearer", Some(true), None),
            step("claims", Some(false), Some("EXPIRED")),
            step("permit", None, None),
        ];
        let story = Explanation { door: "public", steps, admitted: false, header: None, claims: None };
        let told = told(&story).unwrap();
        for part in [
            "  bearer\n    ✓ it holds  so it is\n",
            "    ✗ it holds",
            "      EXPIRED: mend it\n",
            "    · it holds",
            "refuses it: EXPIRED.",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
    }
}
