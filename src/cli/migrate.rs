//! `vestibule migrate`: upgrades the database to this version's schema.

use anyhow::Context;

use super::{Global, out};
use crate::sqlite::Migrated;
use crate::store::Store;

/// `serve` and `dev` migrate too; this does it beforehand, without listening.
pub(super) fn run(global: &Global) -> anyhow::Result<()> {
    let config = global.config_to_create()?;
    let path = config.store.path.display();
    let migrated = Store::migrate(&config.store).with_context(|| format!("cannot migrate {path}"))?;
    out::line(format_args!("{path}: {}", describe(&migrated)))?;
    Ok(())
}

fn describe(Migrated { from, to }: &Migrated) -> String {
    if from == to { format!("schema {to}, nothing to do") } else { format!("schema {from} → {to}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_says_what_was_done() {
        assert_eq!(describe(&Migrated { from: 0, to: 2 }), "schema 0 → 2");
        assert_eq!(describe(&Migrated { from: 2, to: 2 }), "schema 2, nothing to do");
    }
}
