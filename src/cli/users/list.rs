//! `vestibule users list`: one line a user, for people or for machines.

use super::super::{Global, out};
use super::with_store;
use crate::store::{PAGE_MAX, user_record};
use crate::user::{Status, User, UserId};

/// Which, and how.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    first: usize,
    /// Only those who came after this user, by our id.
    #[arg(long, value_name = "ID")]
    after: Option<UserId>,
    /// All of them.
    #[arg(long, conflicts_with = "first")]
    all: bool,
    /// Prints a JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let mut left = if args.all { usize::MAX } else { args.first };
        let mut after = args.after;
        loop {
            // By pages, so that ten million users take no more memory than a thousand.
            let page = store.users(left.min(PAGE_MAX), after)?;
            for user in &page.users {
                out::line(if args.json { user_record(user).to_string() } else { line(user) })?;
            }
            left = left.saturating_sub(page.users.len());
            after = page.users.last().map(|user| user.id).or(after);
            if !page.has_next {
                return Ok(());
            }
            if left == 0 || page.users.is_empty() {
                if let (false, Some(last)) = (args.json, after) {
                    out::line(format_args!("there are more: --after {last}, or --all"))?;
                }
                return Ok(());
            }
        }
    })
}

fn line(user: &User) -> String {
    let verified = if user.email_verified || user.email.is_none() { "" } else { " (unverified)" };
    let status = if user.status == Status::Active { "" } else { user.status.as_str() };
    format!(
        "{}  {:<8} {:<32} {}{verified}  {}",
        user.id,
        status,
        out::plain(user.auth0_id.as_ref().map_or("-", |id| id.as_str())),
        user.email.as_ref().map_or("-", |email| email.as_str()),
        out::plain(&user.roles.join(" ")),
    )
    .trim_end()
    .to_owned()
}
