//! Import of many users: one transaction when no other process has the database open, else batches.

use std::time::Duration;

use super::import_row::{ImportOutcome, ImportRow};
use crate::store::audit::Actor;
use crate::store::write::Write;
use crate::store::{LinkEmail, Result, Store, StoreError};

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
    pub link: LinkEmail,
    /// Reports each outcome and changes nothing.
    pub dry_run: bool,
}

/// A running import. Each row has a position `P`, by which its outcome is reported.
pub struct Import<'a, P> {
    rules: ImportRules,
    actor: &'a Actor,
    report: &'a mut dyn FnMut(P, ImportOutcome),
    run: Run<'a, P>,
}

enum Run<'a, P> {
    OneTransaction { write: &'a Write<'a>, added: u64, drop_at: Option<u64>, dropped: Vec<String> },
    Batches { store: &'a Store, batch: Vec<(P, ImportRow)> },
}

impl Store {
    /// Imports users. `feed` calls [`Import::add`] for each row, and `report` receives each outcome, in order.
    ///
    /// When no other process has the database open, the import is one transaction that locks others out: a crash, or an
    /// error of `feed`, leaves the database as it was. Otherwise rows are committed in batches of 2,000, others write in
    /// between, and batches stay imported when a later one fails. A dry run in batches counts a row that repeats one of an
    /// earlier batch as another addition.
    pub fn import<P, T, E: From<StoreError>>(
        &self,
        rules: ImportRules,
        actor: &Actor,
        mut report: impl FnMut(P, ImportOutcome),
        feed: impl FnOnce(&mut Import<'_, P>) -> Result<T, E>,
    ) -> Result<T, E> {
        let exclusive = self.database.try_exclusive().map_err(StoreError::from)?;
        if exclusive.is_none() {
            let run = Run::Batches { store: self, batch: Vec::new() };
            let mut import = Import { rules, actor, report: &mut report, run };
            let value = feed(&mut import)?;
            import.finish()?;
            return Ok(value);
        }
        self.transaction(&SETTINGS, |write| {
            let drop_at = if rules.dry_run { None } else { Some(MANY.max(users(&write)? / SHARE)) };
            let run = Run::OneTransaction { write: &write, added: 0, drop_at, dropped: Vec::new() };
            let mut import = Import { rules, actor, report: &mut report, run };
            let value = match feed(&mut import) {
                Ok(value) => value,
                Err(error) => return Ok(Err(error)),
            };
            import.finish()?;
            if !rules.dry_run {
                write.tx.commit()?;
            }
            Ok(Ok(value))
        })?
    }
}

impl<P> Import<'_, P> {
    /// Imports a row by the rules of `import_row.rs`, at once or with its batch.
    pub fn add(&mut self, position: P, row: ImportRow) -> Result<()> {
        match &mut self.run {
            Run::OneTransaction { write, added, drop_at, dropped } => {
                let outcome = write.import_row(&row, self.rules.link, self.actor)?;
                (self.report)(position, outcome);
                *added += u64::from(outcome == ImportOutcome::Added);
                if drop_at.is_some_and(|at| *added >= at) {
                    *drop_at = None;
                    *dropped = drop_list_indexes(write)?;
                }
                Ok(())
            }
            Run::Batches { batch, .. } => {
                batch.push((position, row));
                if batch.len() < BATCH {
                    return Ok(());
                }
                self.import_batch()?;
                give_way();
                Ok(())
            }
        }
    }

    fn finish(mut self) -> Result<()> {
        if let Run::OneTransaction { write, dropped, .. } = &self.run
            && !dropped.is_empty()
        {
            write.tx.pragma_update(None, "cache_size", -INDEX_CACHE_KIB)?;
            return Ok(write.tx.execute_batch(&dropped.join(";"))?);
        }
        self.import_batch()
    }

    fn import_batch(&mut self) -> Result<()> {
        let Run::Batches { store, batch } = &mut self.run else { return Ok(()) };
        let (positions, rows): (Vec<P>, Vec<ImportRow>) = batch.drain(..).unzip();
        let outcomes: Vec<_> = store.transaction(&[], |write| {
            let outcomes = rows
                .iter()
                .map(|row| write.import_row(row, self.rules.link, self.actor))
                .collect::<Result<_, _>>()?;
            if !self.rules.dry_run {
                write.tx.commit()?;
            }
            Ok(outcomes)
        })?;
        for (position, outcome) in positions.into_iter().zip(outcomes) {
            (self.report)(position, outcome);
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
