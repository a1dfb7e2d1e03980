//! `vestibule users roles`: who may what.

use super::super::{Global, out};
use super::{UserRef, with_store};
use crate::config::Config;
use crate::store::Actor;

/// Whose, and what to change. Without a change, prints them.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Our id, an Auth0 id or an email.
    #[arg(value_name = "WHO")]
    who: UserRef,
    /// Adds a role; may be repeated.
    #[arg(long, value_name = "ROLE")]
    add: Vec<String>,
    /// Takes a role away; may be repeated.
    #[arg(long, value_name = "ROLE")]
    remove: Vec<String>,
    /// Takes all roles away, before `--add`.
    #[arg(long)]
    none: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    with_store(global, |store, config| {
        let mut user = args.who.find(store)?;
        if args.none || !args.add.is_empty() || !args.remove.is_empty() {
            user = store.change_roles(user.id, |roles| args.wanted(roles), &Actor::Cli)?;
        }
        for role in &user.roles {
            out::line(out::plain(role))?;
        }
        tell_of_unknown(config, &args.add)
    })
}

impl Args {
    fn wanted(&self, roles: &[String]) -> Vec<String> {
        let kept = roles.iter().filter(|role| !self.none && !self.remove.contains(role));
        kept.chain(&self.add).cloned().collect()
    }
}

/// A role that `[roles]` does not know is kept, since another deployment may know it. But it may be a slip.
pub(super) fn tell_of_unknown(config: &Config, roles: &[String]) -> anyhow::Result<()> {
    for role in roles.iter().filter(|role| config.roles.permissions([role.as_str()]).is_empty()) {
        out::line(format_args!("note: {} gives no permission here ([roles])", out::plain(role)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_added_to_what_is_left() {
        let args = |none, remove: &[&str]| Args {
            who: "ada@example.com".parse().unwrap(),
            add: vec!["new".into()],
            remove: remove.iter().map(|&role| role.to_owned()).collect(),
            none,
        };
        let roles = ["b".to_owned(), "a".to_owned()];
        assert_eq!(args(false, &["a", "c"]).wanted(&roles), ["b", "new"]);
        assert_eq!(args(true, &[]).wanted(&roles), ["new"]);
    }
}
