//! `vestibule users roles`: shows and changes a user's roles.

use super::super::{Global, out};
use super::{NoSuchUser, Open, UserRef, with_opened};
use crate::config::Config;
use crate::store::{Actor, Store};

/// Show or change a user's roles. A change revokes their tokens, which carry the old ones.
///
/// `--add` creates a user who does not exist yet, by Auth0 id or email, such as the first administrator.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// User: our id (a UUID), an Auth0 id or an email.
    #[arg(value_name = "USER")]
    user: UserRef,
    /// Role to add; repeatable.
    #[arg(long, value_name = "ROLE")]
    add: Vec<String>,
    /// Role to remove; repeatable.
    #[arg(long, value_name = "ROLE")]
    remove: Vec<String>,
    /// Remove all roles before `--add`.
    #[arg(long)]
    none: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let change = args.none || !args.add.is_empty() || !args.remove.is_empty();
    let (config, open) = if args.add.is_empty() {
        (global.config()?, Store::open_existing as Open)
    } else {
        (global.config_to_create()?, Store::open as Open)
    };
    with_opened(config, open, |store, config| {
        if change {
            config.claims.roles_from.ensure_set_here().map_err(anyhow::Error::msg)?;
        }
        let user = match (args.user.find(store), args.user.new_user(&args.add)) {
            (Err(error), Some(new)) if error.is::<NoSuchUser>() && !args.add.is_empty() => {
                let user = store.create(&new, &Actor::Cli)?;
                let by_email = user.auth0_id.is_none() && !config.link.privileged;
                let hint = if by_email {
                    "; link their first login: vestibule users link USER AUTH0_ID"
                } else {
                    ""
                };
                out::line(format_args!("note: created {}{hint}", user.id))?;
                user
            }
            (found, _) if change => store.change_roles(found?.id, |roles| args.wanted(roles), &Actor::Cli)?,
            (found, _) => found?,
        };
        for role in &user.roles {
            out::line(out::plain(role))?;
        }
        note_unknown_roles(config, &args.add)
    })
}

impl Args {
    fn wanted(&self, roles: &[String]) -> Vec<String> {
        let kept = roles.iter().filter(|role| !self.none && !self.remove.contains(role));
        kept.chain(&self.add).cloned().collect()
    }
}

/// Prints a note for each role that `[roles]` does not define: another deployment may define it, or it is a typo.
pub(super) fn note_unknown_roles(config: &Config, roles: &[String]) -> anyhow::Result<()> {
    for role in roles.iter().filter(|role| config.roles.permissions([role.as_str()]).is_empty()) {
        out::line(format_args!(
            "note: {} has no permissions in this configuration ([roles])",
            out::plain(role)
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_removed_then_added() {
        let args = |none, remove: &[&str]| Args {
            user: "ada@example.com".parse().unwrap(),
            add: vec!["new".into()],
            remove: remove.iter().map(|&role| role.to_owned()).collect(),
            none,
        };
        let roles = ["b".to_owned(), "a".to_owned()];
        assert_eq!(args(false, &["a", "c"]).wanted(&roles), ["b", "new"]);
        assert_eq!(args(true, &[]).wanted(&roles), ["new"]);
    }
}
