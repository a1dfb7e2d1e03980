//! `vestibule audit list`.

use serde_json::{Value, json};

use super::super::users::{Who, with_store};
use super::super::{Global, out};
use crate::store::{AuditFilter, AuditLine, PAGE_MAX};

/// Which lines, and how.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// About this user: our id, an Auth0 id or an email.
    #[arg(long, value_name = "WHO")]
    user: Option<Who>,
    /// Of this action, such as user.erased.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    first: usize,
    /// Only lines older than this one, by its number.
    #[arg(long, value_name = "LINE")]
    before: Option<i64>,
    /// All of them.
    #[arg(long, conflicts_with = "first")]
    all: bool,
    /// Prints a JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.user.as_ref().map(|who| who.find(store)).transpose()?.map(|user| user.id);
        let filter = AuditFilter { user, action: args.action.clone() };
        let mut left = if args.all { usize::MAX } else { args.first };
        let mut before = args.before;
        loop {
            let page = store.audit(&filter, left.min(PAGE_MAX), before)?;
            for line in &page.lines {
                out::line(if args.json { as_json(line).to_string() } else { as_text(line) })?;
            }
            left = left.saturating_sub(page.lines.len());
            before = page.lines.last().map(|line| line.id).or(before);
            if !page.has_next {
                return Ok(());
            }
            if left == 0 || page.lines.is_empty() {
                if let (false, Some(last)) = (args.json, before) {
                    out::line(format_args!("there are more: --before {last}, or --all"))?;
                }
                return Ok(());
            }
        }
    })
}

fn as_json(line: &AuditLine) -> Value {
    json!({
        "id": line.id,
        "at": line.at,
        "actor": { "kind": line.actor_kind, "id": line.actor_id },
        "action": line.action,
        "user": line.target,
        "changes": line.changes,
        "requestId": line.request_id,
    })
}

fn as_text(line: &AuditLine) -> String {
    let actor = match &line.actor_id {
        Some(id) => format!("{} {id}", line.actor_kind),
        None => line.actor_kind.clone(),
    };
    let target = line.target.map_or_else(String::new, |user| user.to_string());
    let text = format!("{:>6}  {}  {actor}  {}  {target}  {}", line.id, line.at, line.action, line.changes);
    out::plain(&text)
}
