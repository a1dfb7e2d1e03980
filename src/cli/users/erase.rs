//! `vestibule users erase`: erases a user's personal data permanently.

use std::path::PathBuf;

use anyhow::{Context, ensure};

use super::super::{Global, out};
use super::{UserRef, with_store};
use crate::store::Actor;
use crate::user::Status;

/// Erase a user's personal data permanently. Their Auth0 ids stay refused.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// User: our id (a UUID), an Auth0 id or an email.
    #[arg(value_name = "USER")]
    user: UserRef,
    /// Confirm; without it, nothing is erased.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.user.find(store)?;
        ensure!(
            args.yes,
            "nothing was erased: erasing {} cannot be undone; add --yes to confirm (see `users show` and `users export` \
             first)",
            user.id
        );
        let user = store.set_status(user.id, Status::Erased, &Actor::Cli)?;
        out::line(format_args!("{} is {}", user.id, user.status.as_str()))?;
        let copies = store
            .replaced_copies()
            .context("erased, but cannot look for older copies next to the database")?;
        if let Some(line) = copies_line(&copies) {
            out::line(line)?;
        }
        Ok(())
    })
}

/// Names databases that restores replaced: they still contain the user.
fn copies_line(copies: &[PathBuf]) -> Option<String> {
    let names: Vec<_> = copies.iter().map(|copy| copy.display().to_string()).collect();
    let them = names.join(" ");
    (!names.is_empty()).then(|| {
        format!(
            "replaced databases still contain this user; remove them when you no longer need them: {them}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_that_still_contain_the_user_are_named_in_one_line() {
        assert_eq!(copies_line(&[]), None);
        let line = copies_line(&["v.db.replaced-1".into(), "v.db.replaced-2".into()]).unwrap();
        assert!(line.ends_with(": v.db.replaced-1 v.db.replaced-2") && !line.contains('\n'), "{line}");
    }
}
