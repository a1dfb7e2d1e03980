//! `vestibule explain`: why a token is accepted or refused, stage by stage, and how to fix it.

use std::io::Read;
use std::process::ExitCode;

use anyhow::Context;
use clap::error::ErrorKind;

use super::{DoorArg, Global, out, signals};
use crate::app;
use crate::auth::{Explanation, Step};
use crate::telemetry::{self, Format};

/// Explain why a token is accepted or refused, stage by stage, and how to fix it. Exit code 1 if it is refused.
///
/// Nothing is inserted, linked or changed. Prints the token's claims, never its signature.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Token; `-` or nothing reads it from standard input, which keeps it out of the shell's history.
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
    /// Door that the token is sent to.
    #[arg(long, value_enum, default_value = "public")]
    door: DoorArg,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The most input that is read: a token, and text pasted with it.
const INPUT_MAX: u64 = 1024 * 1024;

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = global.config()?;
    // The explanation contains what the log would say.
    drop(telemetry::init(&telemetry::Settings {
        filter: "error".to_owned(),
        format: Format::Text,
        requests: false,
    }));
    let token = match args.token.as_deref() {
        None | Some("-") => {
            let mut text = String::new();
            let mut input = std::io::stdin().take(INPUT_MAX);
            input.read_to_string(&mut text).context("cannot read standard input")?;
            text
        }
        Some(token) => token.to_owned(),
    };
    let token = extract_token(&token);
    if token.is_empty() {
        let message = "there is no token; did the command before the pipe fail?\n";
        return Err(clap::Error::raw(ErrorKind::MissingRequiredArgument, message).into());
    }
    let internal = args.door == DoorArg::Internal;
    let explanation = signals::runtime()?.block_on(app::explain(&config, internal, token))?;
    out::line(if args.json { serde_json::to_string_pretty(&explanation)? } else { as_text(&explanation)? })?;
    Ok(if explanation.admitted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The token in pasted text: without quotes, white space, or the header around it. Several tokens stay together, for the
/// explanation to say so.
fn extract_token(text: &str) -> &str {
    let around = |c: char| c.is_whitespace() || c == '"' || c == '\'';
    let text = text.trim_matches(around);
    let Some(at) = text.to_ascii_lowercase().find("bearer ") else { return text };
    let token = text.get(at + "bearer ".len()..).unwrap_or(text);
    token.split(['"', '\'']).next().unwrap_or(token).trim_matches(around)
}

fn as_text(explanation: &Explanation) -> serde_json::Result<String> {
    let mut text = format!("Token at the {} door\n", explanation.door);
    let widest = explanation.steps.iter().map(|step| step.check.chars().count()).max().unwrap_or(0);
    let mut stage = "";
    for step in &explanation.steps {
        if step.stage != stage {
            stage = step.stage;
            text.push_str(&format!("\n  {}\n", out::heading(stage)));
        }
        text.push_str(&line(step, widest));
    }
    text.push_str(&match explanation.code {
        None => "\n  Accepted.\n".to_owned(),
        Some(code) => format!("\n  Refused: {code}.\n"),
    });
    for (name, members) in [("header", &explanation.header), ("claims", &explanation.claims)] {
        if let Some(members) = members {
            let json = serde_json::to_string_pretty(members)?;
            text.push_str(&format!("\n  {name}\n    {}\n", json.replace('\n', "\n    ")));
        }
    }
    Ok(text.trim_end().to_owned())
}

fn line(step: &Step, widest: usize) -> String {
    let mark = step.passed.map_or("·".to_owned(), out::mark);
    let found = step.found.as_deref().unwrap_or_default();
    let line = format!("    {mark} {:widest$}  {found}", step.check);
    let mut line = out::wrapped(line.trim_end(), widest + 4);
    line.push('\n');
    if let Some(code) = step.code {
        let fix = step.fix.as_ref().map_or_else(String::new, |fix| format!(": {fix}"));
        line.push_str(&out::wrapped(&format!("      {code}{fix}\n"), 2));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_extracted_from_pasted_text() {
        for pasted in [
            "a.b.c",
            " a.b.c\n",
            "\"a.b.c\"",
            "Bearer a.b.c",
            "-H 'Authorization: Bearer a.b.c'",
            "curl -H 'Authorization: Bearer a.b.c' http://127.0.0.1:4000/graphql",
        ] {
            assert_eq!(extract_token(pasted), "a.b.c", "{pasted}");
        }
        assert_eq!(extract_token("Bearer a.b.c\nBearer d.e.f"), "a.b.c\nBearer d.e.f");
    }

    #[test]
    fn an_explanation_is_printed_with_marks_codes_and_fixes() {
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
        let explanation = Explanation {
            door: "public",
            steps,
            admitted: false,
            code: Some("EXPIRED"),
            header: None,
            claims: None,
        };
        console::set_colors_enabled(false);
        let text = as_text(&explanation).unwrap();
        for part in [
            "  bearer\n    ✓ it holds  so it is\n",
            "    ✗ it holds",
            "      EXPIRED: mend it\n",
            "    · it holds",
            "Refused: EXPIRED.",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
