//! `vestibule audit verify`.

use std::process::ExitCode;

use serde_json::json;

use super::super::users::with_store;
use super::super::{Global, exit, out};
use crate::store::{AuditVerification, ChainHash};

/// Against what.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The hash that an earlier check printed. It must still be that of a line: that is how lines that were cut off
    /// the end are missed. Keep it where whoever can write the database can not.
    #[arg(long, value_name = "HASH")]
    head: Option<ChainHash>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let found = with_store(global, |store, _| Ok(store.verify_audit(args.head)?))?;
    out::line(if args.json { as_json(&found) } else { as_text(&found) })?;
    Ok(if found.is_intact() { ExitCode::SUCCESS } else { ExitCode::from(exit::DAMAGED_DATA) })
}

fn as_json(found: &AuditVerification) -> String {
    json!({
        "whole": found.is_intact(),
        "lines": found.lines,
        "head": found.head.map(|(line, hash)| json!({ "line": line, "hash": hash.to_string() })),
        "broken": found.first_broken,
        "headFound": found.contains_known_head,
    })
    .to_string()
}

fn as_text(found: &AuditVerification) -> String {
    let lines = found.lines;
    match (found.first_broken, found.head) {
        (Some(broken), _) => format!(
            "BROKEN at line {broken}: it, or a line before it, was changed or taken out by hand. The {lines} lines before \
             it hold; a backup tells what it was"
        ),
        (None, _) if !found.contains_known_head => format!(
            "CUT: {lines} lines hold, but none of them has the hash that was asked for: lines were taken off the end, or \
             all were written anew"
        ),
        (None, Some((line, hash))) => format!("whole: {lines} lines, the last is {line} {hash}"),
        (None, None) => "whole: no lines yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_broken_and_cut_are_told_apart() {
        let hash: ChainHash = "ab".repeat(32).parse().unwrap();
        let whole = AuditVerification {
            lines: 3,
            head: Some((3, hash)),
            first_broken: None,
            contains_known_head: true,
        };
        assert_eq!(as_text(&whole), format!("whole: 3 lines, the last is 3 {hash}"));
        let broken = AuditVerification { first_broken: Some(4), ..whole.clone() };
        assert!(as_text(&broken).starts_with("BROKEN at line 4"));
        let cut = AuditVerification { contains_known_head: false, ..whole };
        assert!(as_text(&cut).starts_with("CUT: 3 lines") && as_json(&cut).contains(r#""whole":false"#));
    }
}
