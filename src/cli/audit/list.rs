//! `vestibule audit list`.

use serde_json::{Value, json};

use super::super::pages::{ListArgs, ListFormat};
use super::super::users::{UserRef, with_store};
use super::super::{Global, out};
use crate::store::{AuditFilter, AuditLine, PageArgs};

/// List the audit log, newest first.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
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
    list: ListArgs,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.user.as_ref().map(|who| who.find(store)).transpose()?.map(|user| user.id);
        let filter = AuditFilter { user, action: args.action.clone() };
        let format = ListFormat {
            position: |line: &AuditLine| line.id,
            continue_with: "--before",
            text: as_text,
            json: as_json,
        };
        args.list.print(&format, args.before, |first, before| {
            let page = store.list_audit(&filter, &PageArgs { after: before, ..PageArgs::first(first) })?;
            Ok((page.items, page.more))
        })
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
