//! `vestibule migrate`: brings the database to the schema this executable knows.

use anyhow::Context;

use super::{Global, out};
use crate::config::{self, PRODUCTION};
use crate::store::{Migrated, Store};

/// `serve` and `dev` migrate too. This is for doing it beforehand, with nothing listening.
pub(super) fn run(global: &Global) -> anyhow::Result<()> {
    let config = config::load(global.sources(PRODUCTION))?;
    let path = config.store.path.display();
    let migrated = Store::migrate(&config.store).with_context(|| format!("can not migrate {path}"))?;
    out::line(format_args!("{path}: {}", told(&migrated)))?;
    Ok(())
}

fn told(Migrated { from, to, completed }: &Migrated) -> String {
    let schema = if from == to { format!("schema {to} already") } else { format!("schema {from} → {to}") };
    match completed {
        true => format!("{schema}; completed after an import that was cut off"),
        false if from == to => format!("{schema}, nothing to do"),
        false => schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_from_nothing_to_do() {
        let told = |from, completed| told(&Migrated { from, to: 2, completed });
        assert_eq!(told(0, false), "schema 0 → 2");
        assert_eq!(told(2, false), "schema 2 already, nothing to do");
        assert_eq!(told(0, true), "schema 0 → 2; completed after an import that was cut off");
        assert_eq!(told(2, true), "schema 2 already; completed after an import that was cut off");
    }
}
