//! `vestibule audit …`: the audit log.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::users::{UserRef, with_store};
use super::{Global, exit, out, pages};
use crate::store::{AuditFilter, AuditLine, AuditVerification, ChainHash, PageArgs};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    List(ListArgs),
    Verify(VerifyArgs),
}

pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(args) => list(global, args).map(|()| ExitCode::SUCCESS),
        Command::Verify(args) => verify(global, args),
    }
}

/// List the audit log, newest first.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Only changes of this user, by id, Auth0 id or email.
    #[arg(long, value_name = "USER")]
    user: Option<UserRef>,
    /// Only this action, such as user.status_set.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only lines before this one, by its number.
    #[arg(long, value_name = "LINE")]
    before: Option<i64>,
    #[command(flatten)]
    list: pages::PageOptions,
}

fn list(global: &Global, args: &ListArgs) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.user.as_ref().map(|who| who.find(store)).transpose()?.map(|user| user.id);
        let filter = AuditFilter { user, action: args.action.clone() };
        let page = |first, before| {
            let page = store.list_audit(&filter, &PageArgs { after: before, ..PageArgs::first(first) })?;
            Ok((page.items, page.more))
        };
        let heading = columns("LINE", "AT", "BY", "ACTION", "USER", "CHANGES");
        args.list.print("--before", &heading, args.before, page, |line, json| {
            (line.id, if json { line_json(line).to_string() } else { line_text(line) })
        })
    })
}

fn line_json(line: &AuditLine) -> Value {
    let mut json = line.to_json();
    if let Some(fields) = json.as_object_mut() {
        fields.insert("user".to_owned(), json!(line.target));
    }
    json
}

fn line_text(line: &AuditLine) -> String {
    let actor = match &line.actor_id {
        Some(id) => format!("{} {id}", line.actor_kind),
        None => line.actor_kind.clone(),
    };
    let target = line.target.map_or_else(|| "-".to_owned(), |user| user.to_string());
    let (id, at) = (line.id.to_string(), line.at.to_string());
    out::plain(&columns(&id, &at, &actor, &line.action, &target, &line.changes.to_string()))
}

fn columns(line: &str, at: &str, by: &str, action: &str, user: &str, changes: &str) -> String {
    format!("{line:>6}  {at:24}  {by:16}  {action:20}  {user:36}  {changes}")
}

/// Verify the hash chain. Exit code 65, with the first broken line, if it was tampered with.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// The hash that an earlier run printed. If no line has it, lines were removed from the end. Keep the hash where users
    /// who can write the database cannot change it.
    #[arg(long, value_name = "HASH")]
    head: Option<ChainHash>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

fn verify(global: &Global, args: &VerifyArgs) -> anyhow::Result<ExitCode> {
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
