//! `vestibule check`: checks the database for damage.

use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};

use super::{Global, exit, out};
use crate::store::{CheckReport, Store};

/// Check the database: pages, constraints, references, tables, indexes, triggers, audit log. Exit code 65 if it is damaged.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = global.config()?;
    let path = config.store.path.display().to_string();
    let checked = Store::check(&config.store).with_context(|| format!("cannot check {path}"))?;
    out::line(if args.json { as_json(&path, &checked).to_string() } else { as_text(&path, &checked) })?;
    Ok(if checked.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(exit::DAMAGED_DATA) })
}

fn as_json(path: &str, checked: &CheckReport) -> Value {
    json!({
        "path": path,
        "sound": checked.is_sound(),
        "schema": { "found": checked.file.schema, "known": checked.file.known },
        "integrity": checked.file.integrity,
        "foreignKeys": checked.file.foreign_keys,
        "differences": checked.file.differences,
        "audit": checked.audit.as_ref().map(|audit| json!({
            "lines": audit.lines,
            "head": audit.head.map(|(line, hash)| json!({ "line": line, "hash": hash.to_string() })),
            "broken": audit.first_broken,
        })),
    })
}

fn as_text(path: &str, checked: &CheckReport) -> String {
    let faults = |faults: &[String]| match faults {
        [] => "ok".to_owned(),
        faults => faults.join("\n                "),
    };
    let schema = match checked.file.schema {
        0 => "none: not a database of vestibule".to_owned(),
        schema if schema > checked.file.known => format!("{schema}, newer than {}", checked.file.known),
        schema => format!("{schema} of {}", checked.file.known),
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
        "{path}\n  schema        {schema}\n  integrity     {}\n  foreign keys  {}\n  tables        {}\n  audit log     {audit}\n{verdict}",
        faults(&checked.file.integrity),
        faults(&checked.file.foreign_keys),
        faults(&checked.file.differences),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::FileReport;
    use crate::store::AuditVerification;

    fn sound_file() -> FileReport {
        FileReport { schema: 2, known: 2, integrity: vec![], foreign_keys: vec![], differences: vec![] }
    }

    fn checked(file: FileReport) -> CheckReport {
        let audit = AuditVerification { lines: 0, head: None, first_broken: None, contains_known_head: true };
        CheckReport { file, audit: Some(audit) }
    }

    #[test]
    fn each_fault_is_in_the_text_and_the_json() {
        let sound = as_text("v.db", &checked(sound_file()));
        assert!(sound.ends_with("\nsound") && sound.contains("2 of 2"), "{sound}");
        let mut broken = checked(sound_file());
        broken.audit.as_mut().unwrap().first_broken = Some(7);
        let faults = [
            (checked(FileReport { schema: 3, ..sound_file() }), "newer than 2"),
            (checked(FileReport { schema: 0, ..sound_file() }), "not a database of vestibule"),
            (
                checked(FileReport { integrity: vec!["row 7 missing".into()], ..sound_file() }),
                "row 7 missing",
            ),
            (
                checked(FileReport { foreign_keys: vec!["audit row 1 → users".into()], ..sound_file() }),
                "audit row 1",
            ),
            (
                checked(FileReport { differences: vec!["trigger t is missing".into()], ..sound_file() }),
                "trigger t is missing",
            ),
            (broken, "broken at line 7"),
        ];
        for (checked, expected) in faults {
            let text = as_text("v.db", &checked);
            assert!(text.contains(expected) && text.contains("NOT SOUND"), "{text}");
            assert_eq!(as_json("v.db", &checked)["sound"], false);
        }
    }
}
