//! An import at length: row after row, in batches, and the database laid bare ([`bare`](super::bare)) while much is added.
//!
//! Rows that are surely new are added at once then. The others, and those of people who are blocked, wait until all can
//! be looked up again; they wait in order, and whoever shares a key with one that waits does too, so that every row
//! finds what it would have found.

use std::io::{BufRead, BufReader, Seek, SeekFrom, Write as _};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::SpooledTempFile;

use super::import::{ImportRow, ImportRules, Imported};
use super::seen::Seen;
use super::{Actor, Store, StoreError, bare};

/// Rows a transaction: a tenth of a second or so, in which others wait to write.
const BATCH: usize = 2_000;

/// The same when there are no others.
const BARE_BATCH: usize = 10_000;

/// Rows to be added before the database is laid bare for more, and the share of those that are there: what is built at
/// the end is built for all.
const MANY: u64 = 10_000;
const SHARE: u64 = 8;

/// Bytes of rows that wait in memory; more wait in a file without a name.
const WAIT_IN_MEMORY: usize = 8 * 1024 * 1024;

/// The pause after each batch, when there are others: SQLite tries again after a tenth of a second at the latest.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(120);

/// An import that goes on. Each row has a place `P`, by which is told what became of it. What was imported stays, however
/// it ends; [`Import::finish`] it even so.
#[must_use = "an import that is not finished leaves the database incomplete"]
pub struct Import<'a, P> {
    store: &'a Store,
    rules: ImportRules,
    actor: &'a Actor,
    told: Box<dyn FnMut(P, Imported) + 'a>,
    batch: Vec<(P, ImportRow)>,
    /// How many users there were, and how many more there are.
    before: u64,
    added: u64,
    way: Way,
}

enum Way {
    /// Each row is looked up.
    Usual,
    /// The same, because others have the database open.
    Shared,
    Bare(Box<Bare>),
}

struct Bare {
    seen: Seen,
    waiting: Waiting,
}

impl Store {
    /// Begins an import, and gives the one writer the memory for it. For a process that does nothing else. `told` what
    /// became of each row, in whatever order that is found out.
    ///
    /// # Errors
    /// As every write.
    pub fn begin_import<'a, P>(
        &'a self,
        rules: ImportRules,
        actor: &'a Actor,
        told: impl FnMut(P, Imported) + 'a,
    ) -> Result<Import<'a, P>, StoreError> {
        let before = self.shared.writer.with(|connection| {
            bare::give_memory(connection)?;
            bare::users(connection)
        })?;
        let way = self.with_lock(|lock| {
            let alone = lock.try_exclusive()?;
            lock.share()?;
            Ok(if alone { Way::Usual } else { Way::Shared })
        })?;
        let (told, batch) = (Box::new(told), Vec::new());
        Ok(Import { store: self, rules, actor, told, batch, before: before.unsigned_abs(), added: 0, way })
    }
}

impl<P: Serialize + DeserializeOwned> Import<'_, P> {
    /// Imports a row by the rules of [`Store::import`], now or with those that come after it.
    ///
    /// # Errors
    /// As [`Store::import`]. Rows of which nothing was told are not imported then.
    pub fn add(&mut self, place: P, row: ImportRow) -> Result<(), StoreError> {
        let mut full = BATCH;
        if let Way::Bare(bare) = &mut self.way {
            if row.is_nobody() {
                (self.told)(place, Imported::Nobody);
                return Ok(());
            }
            if !bare.seen.is_new(&row) || row.blocked {
                return bare.waiting.push(&(place, row));
            }
            full = BARE_BATCH;
        }
        self.batch.push((place, row));
        if self.batch.len() >= full { self.flush() } else { Ok(()) }
    }

    /// Whether the end takes its time: some ten seconds a million users.
    pub fn is_long_to_finish(&self) -> bool {
        matches!(self.way, Way::Bare(_))
    }

    /// Imports what is left, makes what was laid aside, and lets others in again.
    ///
    /// # Errors
    /// As [`Import::add`]. What is missing of the database is then made by whoever opens it next.
    pub fn finish(mut self) -> Result<(), StoreError> {
        let flushed = self.flush();
        if let Way::Bare(bare) = std::mem::replace(&mut self.way, Way::Usual) {
            let Bare { seen, waiting } = *bare;
            // What is built needs the memory.
            drop(seen);
            self.store.with_lock(|lock| {
                self.store.shared.writer.with(|connection| {
                    bare::build(connection)?;
                    bare::give_memory(connection)
                })?;
                lock.share()
            })?;
            // The first error is the one to tell.
            flushed?;
            // So that they are not laid aside once more.
            self.added = 0;
            return waiting.each(|(place, row)| self.add(place, row)).and_then(|()| self.flush());
        }
        flushed
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let (places, rows): (Vec<P>, Vec<ImportRow>) = self.batch.drain(..).unzip();
        let outcomes = match self.way {
            Way::Bare(_) => self.store.import_new(&rows, self.actor)?,
            Way::Usual | Way::Shared => self.store.import(&rows, self.rules, self.actor)?,
        };
        for (place, outcome) in places.into_iter().zip(outcomes) {
            self.added += u64::from(outcome == Imported::Added && !self.rules.dry_run);
            (self.told)(place, outcome);
        }
        match self.way {
            Way::Usual if self.added >= MANY.max(self.before / SHARE) => self.way = self.store.lay_bare()?,
            Way::Shared => give_way(),
            _ => {}
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "an import is for a process that does nothing else")]
fn give_way() {
    std::thread::sleep(PAUSE);
}

impl Store {
    fn lay_bare(&self) -> Result<Way, StoreError> {
        self.with_lock(|lock| {
            if !lock.try_exclusive()? {
                return Ok(Way::Shared);
            }
            self.shared.writer.with(|connection| {
                let seen = Seen::of(connection)?;
                if !bare::lay(connection)? {
                    lock.share()?;
                    return Ok(Way::Shared);
                }
                Ok(Way::Bare(Box::new(Bare { seen, waiting: Waiting::new() })))
            })
        })
    }
}

/// Rows that wait, as lines of JSON.
struct Waiting(SpooledTempFile);

impl Waiting {
    fn new() -> Self {
        Self(SpooledTempFile::new(WAIT_IN_MEMORY))
    }

    fn push(&mut self, row: &impl Serialize) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(row).map_err(std::io::Error::from).map_err(Self::failed)?;
        line.push(b'\n');
        self.0.write_all(&line).map_err(Self::failed)
    }

    fn each<R: DeserializeOwned>(
        mut self,
        mut take: impl FnMut(R) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.0.seek(SeekFrom::Start(0)).map_err(Self::failed)?;
        for line in BufReader::new(self.0).split(b'\n') {
            let line = line.map_err(Self::failed)?;
            take(serde_json::from_slice(&line).map_err(std::io::Error::from).map_err(Self::failed)?)?;
        }
        Ok(())
    }

    fn failed(source: std::io::Error) -> StoreError {
        StoreError::Output { path: std::env::temp_dir(), source }
    }
}

impl<P> std::fmt::Debug for Import<'_, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("added", &self.added).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "bulk_tests.rs"]
mod tests;
