//! `vestibule check`: whether the database is sound.

use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};

use super::{Global, exit, out};
use crate::config::{self, PRODUCTION};
use crate::store::{Checked, Store};

/// How to tell.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Exit code 65 when it is not.
pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = config::load(global.sources(PRODUCTION))?;
    let path = config.store.path.display().to_string();
    let checked = Store::check(&config.store).with_context(|| format!("can not check {path}"))?;
    out::line(if args.json { as_json(&path, &checked).to_string() } else { as_text(&path, &checked) })?;
    Ok(if checked.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(exit::DAMAGED_DATA) })
}

fn as_json(path: &str, checked: &Checked) -> Value {
    json!({
        "path": path,
        "sound": checked.is_sound(),
        "schema": { "found": checked.schema, "known": checked.known },
        "integrity": checked.integrity,
        "foreignKeys": checked.foreign_keys,
        "audit": checked.audit.as_ref().map(|audit| json!({
            "lines": audit.lines,
            "head": audit.head.map(|(line, hash)| json!({ "line": line, "hash": hash.to_string() })),
            "broken": audit.first_broken,
        })),
    })
}

fn as_text(path: &str, checked: &Checked) -> String {
    let faults = |faults: &[String]| match faults {
        [] => "ok".to_owned(),
        faults => faults.join("\n                "),
    };
    let schema = match checked.schema {
        0 => "none: this is no database of ours".to_owned(),
        schema if schema > checked.known => format!("{schema}, newer than {}", checked.known),
        schema => format!("{schema} of {}", checked.known),
    };
    let audit = match &checked.audit {
        None => "not checked".to_owned(),
        Some(audit) => match (audit.first_broken, audit.head) {
            (Some(line), _) => format!("broken at line {line}"),
            (None, Some((line, hash))) => format!("ok, {} lines, the last is {line} {hash}", audit.lines),
            (None, None) => "ok, no lines".to_owned(),
        },
    };
    let verdict = match checked.is_sound() {
        true => "sound",
        false => "NOT SOUND: keep a copy of the file, and restore a backup (`vestibule restore FILE`)",
    };
    format!(
        "{path}\n  schema        {schema}\n  integrity     {}\n  foreign keys  {}\n  audit trail   {audit}\n{verdict}",
        faults(&checked.integrity),
        faults(&checked.foreign_keys),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::AuditVerification;

    fn checked() -> Checked {
        let audit = AuditVerification { lines: 0, head: None, first_broken: None, contains_known_head: true };
        Checked { schema: 2, known: 2, integrity: vec![], foreign_keys: vec![], audit: Some(audit) }
    }

    #[test]
    fn each_fault_is_told_to_people_and_to_machines() {
        let sound = as_text("v.db", &checked());
        assert!(sound.ends_with("\nsound") && sound.contains("2 of 2"), "{sound}");
        let mut broken = checked();
        broken.audit.as_mut().unwrap().first_broken = Some(7);
        let faults = [
            (Checked { schema: 3, ..checked() }, "newer than 2"),
            (Checked { schema: 0, audit: None, ..checked() }, "no database of ours"),
            (Checked { integrity: vec!["row 7 missing".into()], ..checked() }, "row 7 missing"),
            (Checked { foreign_keys: vec!["audit row 1 → users".into()], ..checked() }, "audit row 1"),
            (broken, "broken at line 7"),
        ];
        for (checked, expected) in faults {
            let text = as_text("v.db", &checked);
            assert!(text.contains(expected) && text.contains("NOT SOUND"), "{text}");
            assert_eq!(as_json("v.db", &checked)["sound"], false);
        }
    }
}
