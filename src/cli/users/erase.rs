//! `vestibule users erase`: for good.

use std::path::PathBuf;

use anyhow::{Context, ensure};

use super::super::{Global, out};
use super::{UserRef, with_store};
use crate::store::Actor;
use crate::user::Status;

/// Whom.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Our id, an Auth0 id or an email.
    #[arg(value_name = "WHO")]
    who: UserRef,
    /// Without it nothing is erased.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.who.find(store)?;
        ensure!(
            args.yes,
            "nothing was erased: erasing {} can not be undone; add --yes if they are meant (`users show` tells who it \
             is, `users export` what would be lost)",
            user.id
        );
        let user = store.set_status(user.id, Status::Erased, &Actor::Cli)?;
        out::line(format_args!("{} is {}", user.id, user.status.as_str()))?;
        let copies = store
            .replaced_copies()
            .context("erased, but copies beside the database could not be looked for")?;
        if let Some(line) = of_copies(&copies) {
            out::line(line)?;
        }
        Ok(())
    })
}

/// What the operator has to do about databases that restores have put aside.
fn of_copies(copies: &[PathBuf]) -> Option<String> {
    let names: Vec<_> = copies.iter().map(|copy| copy.display().to_string()).collect();
    let them = names.join(" ");
    (!names.is_empty()).then(|| {
        format!("still in what restores put aside; remove it when it is not needed any more: {them}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_that_still_hold_the_person_are_named_in_one_line() {
        assert_eq!(of_copies(&[]), None);
        let line = of_copies(&["v.db.replaced-1".into(), "v.db.replaced-2".into()]).unwrap();
        assert!(line.ends_with(": v.db.replaced-1 v.db.replaced-2") && !line.contains('\n'), "{line}");
    }
}
