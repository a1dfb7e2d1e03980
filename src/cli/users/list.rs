//! `vestibule users list`: one line for each user.

use super::super::pages::PageOptions;
use super::super::{Global, out};
use super::with_store;
use crate::store::{PageArgs, StoreError, UserCursor, UserFilter, UserOrder, user_json};
use crate::user::{StoredProfile, User, UserId};

/// List users, oldest first.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Only users created after this one, by our id.
    #[arg(long, value_name = "ID")]
    after: Option<UserId>,
    #[command(flatten)]
    list: PageOptions,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let in_json = args.list.json;
    with_store(global, |store, _| {
        let page = |first, after: Option<UserId>| {
            let order = UserOrder::Created;
            // An id without a row is a position too.
            let cursor = |id| {
                let user = store.user(id)?;
                Ok::<_, StoreError>(
                    user.map_or_else(|| UserCursor::by_creation(id), |user| order.cursor(&user)),
                )
            };
            let after = after.map(cursor).transpose()?;
            let args = PageArgs { after, ..PageArgs::first(first) };
            let mut page = store.list_users(&UserFilter::default(), order, false, &args)?;
            if in_json {
                let ids: Vec<_> = page.items.iter().map(|user| user.id).collect();
                let (mut profiles, _) = store.profiles_by_user(&ids, usize::MAX)?;
                for user in &mut page.items {
                    user.profile = profiles.remove(&user.id).map(|text| StoredProfile::from_json(&*text));
                }
            }
            Ok((page.items, page.more))
        };
        let heading = format!("{:36}  {:8} {:32} {:40} ROLES", "ID", "STATUS", "AUTH0 ID", "EMAIL");
        args.list.print("--after", &heading, args.after, page, |user, json| {
            (user.id, if json { user_json(user).to_string() } else { line(user) })
        })
    })
}

fn line(user: &User) -> String {
    let verified = if user.email_verified || user.email.is_none() { "" } else { " (unverified)" };
    let email = format!("{}{verified}", user.email.as_ref().map_or("-", |email| email.as_str()));
    format!(
        "{}  {:<8} {:<32} {email:<40} {}",
        user.id,
        user.status.as_str(),
        out::plain(user.auth0_id.as_ref().map_or("-", |id| id.as_str())),
        out::plain(&user.roles.join(" ")),
    )
    .trim_end()
    .to_owned()
}
