//! Import of many users: one transaction when no other process has the database open, else batches.

use std::time::Duration;

use super::import_row::{ImportOutcome, ImportRow};
use crate::store::audit::Actor;
use crate::store::write::Write;
use crate::store::{LinkRules, Result, Store, StoreError};

/// Rows a transaction while other processes have the database open: they wait about a tenth of a second to write.
const BATCH: usize = 2_000;

/// Pause after each batch. A waiting writer tries again at least every tenth of a second.
const PAUSE: Duration = Duration::from_millis(120);

/// Indexes that only lists read, and whose rows arrive in random order: a sort afterwards costs less than a page per row.
const LIST_INDEXES: [&str; 3] = ["users_by_email", "users_by_name", "users_by_family_name"];

/// An import drops the list indexes once it has added this many users and this share of those there were before.
pub(crate) const MANY: u64 = 10_000;
const SHARE: u64 = 8;

/// Page cache in KiB while rows are added, so that the indexes read by key stay in memory.
const ROWS_CACHE_KIB: i64 = 512 * 1024;

/// Page cache in KiB while indexes are built. SQLite sorts this much at once; smaller runs merge faster.
const INDEX_CACHE_KIB: i64 = 32 * 1024;

/// Settings of the one transaction. Sorting goes to a temporary file and uses one thread more.
const SETTINGS: [(&str, i64); 3] = [("cache_size", -ROWS_CACHE_KIB), ("temp_store", 1), ("threads", 1)];

/// How to import.
#[derive(Debug, Clone, Copy)]
pub struct ImportRules {
    /// Whether a row with a new identity and the verified email of another user is linked to that user.
    pub link: LinkRules,
    /// Reports each outcome and changes nothing.
    pub dry_run: bool,
}

impl Store {
    /// Imports users. `report` receives the outcome of each row, in order, with what `rows` has beside it.
    ///
    /// When no other process has the database open, the import is one transaction that locks others out: a crash, or an
    /// error of `rows`, leaves the database as it was. Otherwise rows are committed in batches of 2,000, others write in
    /// between, and batches stay imported when a later one fails. A dry run in batches counts a row that repeats one of an
    /// earlier batch as another addition.
    pub fn import<P, E: From<StoreError>>(
        &self,
        rules: ImportRules,
        actor: &Actor,
        rows: impl IntoIterator<Item = Result<(P, ImportRow), E>>,
        mut report: impl FnMut(P, ImportOutcome),
    ) -> Result<(), E> {
        let mut rows = rows.into_iter();
        if let Some(_alone) = self.database.try_exclusive().map_err(StoreError::from)? {
            return self.transaction(&SETTINGS, |write| {
                let imported = write.import_all(rules, actor, rows, report);
                let keeps = imported.is_ok() && !rules.dry_run;
                Ok((imported, keeps))
            })?;
        }
        loop {
            let batch: Vec<(P, ImportRow)> = rows.by_ref().take(BATCH).collect::<Result<_, E>>()?;
            let is_last = batch.len() < BATCH;
            let outcomes = self.transaction(&[], |write| {
                let outcomes = batch.iter().map(|(_, row)| write.import_row(row, rules.link, actor));
                Ok((outcomes.collect::<Result<Vec<_>>>()?, !rules.dry_run))
            })?;
            for ((position, _), outcome) in batch.into_iter().zip(outcomes) {
                report(position, outcome);
            }
            if is_last {
                return Ok(());
            }
            give_way();
        }
    }
}

impl Write<'_> {
    fn import_all<P, E: From<StoreError>>(
        &self,
        rules: ImportRules,
        actor: &Actor,
        rows: impl Iterator<Item = Result<(P, ImportRow), E>>,
        mut report: impl FnMut(P, ImportOutcome),
    ) -> Result<(), E> {
        let drop_at = if rules.dry_run { u64::MAX } else { MANY.max(users(self)? / SHARE) };
        let (mut added, mut dropped) = (0, Vec::new());
        for row in rows {
            let (position, row) = row?;
            let outcome = self.import_row(&row, rules.link, actor)?;
            report(position, outcome);
            added += u64::from(outcome == ImportOutcome::Added);
            if added >= drop_at && dropped.is_empty() {
                dropped = drop_list_indexes(self)?;
            }
        }
        if !dropped.is_empty() {
            let failed = |error| E::from(StoreError::from(error));
            self.tx.pragma_update(None, "cache_size", -INDEX_CACHE_KIB).map_err(failed)?;
            self.tx.execute_batch(&dropped.join(";")).map_err(failed)?;
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "an import runs in a process of its own")]
fn give_way() {
    std::thread::sleep(PAUSE);
}

/// How many users there are. Rows are never deleted.
fn users(write: &Write<'_>) -> Result<u64> {
    let last: i64 = write.tx.query_row("SELECT coalesce(max(rowid), 0) FROM users", [], |row| row.get(0))?;
    Ok(last.unsigned_abs())
}

/// Drops the list indexes, and returns the statements that make them.
fn drop_list_indexes(write: &Write<'_>) -> Result<Vec<String>> {
    let statement = |name| {
        let sql = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?1";
        let create: String = write.tx.query_row(sql, [name], |row| row.get(0))?;
        write.tx.execute_batch(&format!("DROP INDEX {name}"))?;
        Ok(create)
    };
    LIST_INDEXES.into_iter().map(statement).collect()
}
