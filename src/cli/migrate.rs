//! `vestibule migrate`: brings the database to the schema this executable knows.

use anyhow::Context;

use super::{Global, out};
use crate::config::{self, PRODUCTION};
use crate::sqlite::Migrated;
use crate::store::Store;

/// `serve` and `dev` migrate too. This is for doing it beforehand, with nothing listening.
pub(super) fn run(global: &Global) -> anyhow::Result<()> {
    let config = config::load(global.sources(PRODUCTION))?;
    let path = config.store.path.display();
    let migrated = Store::migrate(&config.store).with_context(|| format!("can not migrate {path}"))?;
    out::line(format_args!("{path}: {}", told(&migrated)))?;
    Ok(())
}

fn told(Migrated { from, to }: &Migrated) -> String {
    if from == to { format!("schema {to} already, nothing to do") } else { format!("schema {from} → {to}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_from_nothing_to_do() {
        let told = |from| told(&Migrated { from, to: 2 });
        assert_eq!(told(0), "schema 0 → 2");
        assert_eq!(told(2), "schema 2 already, nothing to do");
    }
}
