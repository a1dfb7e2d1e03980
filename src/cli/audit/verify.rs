//! `vestibule audit verify`.

use std::process::ExitCode;

use serde_json::json;

use super::super::users::with_store;
use super::super::{Global, exit, out};
use crate::store::{AuditVerification, ChainHash};

/// Verify the hash chain. Exit code 65, with the first broken line, if it was tampered with.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The hash that an earlier run printed. If no line has it, lines were removed from the end. Keep the hash where users
    /// who can write the database cannot change it.
    #[arg(long, value_name = "HASH")]
    head: Option<ChainHash>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let verification = with_store(global, |store, _| Ok(store.verify_audit(args.head)?))?;
    out::line(if args.json { as_json(&verification) } else { as_text(&verification) })?;
    Ok(if verification.is_intact() { ExitCode::SUCCESS } else { ExitCode::from(exit::DAMAGED_DATA) })
}

fn as_json(verification: &AuditVerification) -> String {
    json!({
        "whole": verification.is_intact(),
        "lines": verification.lines,
        "head": verification.head.map(|(line, hash)| json!({ "line": line, "hash": hash.to_string() })),
        "broken": verification.first_broken,
        "headFound": verification.contains_known_head,
    })
    .to_string()
}

fn as_text(verification: &AuditVerification) -> String {
    let lines = verification.lines;
    match (verification.first_broken, verification.head) {
        (Some(broken), _) => format!(
            "BROKEN at line {broken}: it was changed, or a line before it was removed. The {lines} lines before it are intact; \
             compare with a backup"
        ),
        (None, _) if !verification.contains_known_head => format!(
            "CUT: {lines} lines are intact, but none has the given hash: lines were removed from the end, or all were \
             rewritten"
        ),
        (None, Some((line, hash))) => format!("intact: {lines} lines, the last is {line} {hash}"),
        (None, None) => "intact: no lines yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intact_broken_and_cut_logs_are_distinguished() {
        let hash: ChainHash = "ab".repeat(32).parse().unwrap();
        let whole = AuditVerification {
            lines: 3,
            head: Some((3, hash)),
            first_broken: None,
            contains_known_head: true,
        };
        assert_eq!(as_text(&whole), format!("intact: 3 lines, the last is 3 {hash}"));
        let broken = AuditVerification { first_broken: Some(4), ..whole.clone() };
        assert!(as_text(&broken).starts_with("BROKEN at line 4"));
        let cut = AuditVerification { contains_known_head: false, ..whole };
        assert!(as_text(&cut).starts_with("CUT: 3 lines") && as_json(&cut).contains(r#""whole":false"#));
    }
}
