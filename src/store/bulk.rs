//! An import at length: row after row, in batches, and the database laid bare ([`bare`](super::bare)) while much is added.
//!
//! Rows that are surely new are added at once then. The others, and those of people who are blocked, wait until all can
//! be looked up again; they wait in order, and whoever shares a key with one that waits does too, so that every row
//! finds what it would have found.

use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::SpooledTempFile;

use super::import::{ImportRow, ImportRules, Imported};
use super::lock::Lock;
use super::seen::TokenCache;
use super::{Actor, Store, StoreError, bare, checksum};

/// Rows a transaction: a tenth of a second or so, in which others wait to write.
const BATCH: usize = 2_000;

/// The same when there are no others.
const BARE_BATCH: usize = 10_000;

/// Rows to be added before the database is laid bare for more, and the share of those that are there: what is built at
/// the end is built for all.
const MANY: u64 = 10_000;
const SHARE: u64 = 8;

/// Bytes of rows that wait in memory.
const WAIT_IN_MEMORY: usize = 8 * 1024 * 1024;

/// The pause after each batch, when there are others: SQLite tries again after a tenth of a second at the latest.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(120);

/// An import that goes on. Each row has a place `P`, by which is told what became of it. What was imported stays, however
/// it ends. One that breaks off while the database is bare closes its store, which nobody could go on with.
pub struct Import<'a, P> {
    store: &'a Store,
    rules: ImportRules,
    actor: &'a Actor,
    told: Box<dyn FnMut(P, Imported) + 'a>,
    batch: Vec<(P, ImportRow)>,
    added: u64,
    /// With how many more users the database is laid bare; `None` when it is not to be.
    bare_from: Option<u64>,
    /// While it is.
    bare: Option<Bare>,
}

struct Bare {
    seen: TokenCache,
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
        let users = self.shared.writer.with(|connection| {
            bare::give_memory(connection)?;
            bare::users(connection)
        })?;
        Ok(Import {
            store: self,
            rules,
            actor,
            told: Box::new(told),
            batch: Vec::new(),
            added: 0,
            bare_from: (!rules.dry_run).then_some(MANY.max(users.unsigned_abs() / SHARE)),
            bare: None,
        })
    }
}

impl<P: Serialize + DeserializeOwned> Import<'_, P> {
    /// Imports a row by the rules of [`Store::import`], now or with those that come after it.
    ///
    /// # Errors
    /// As [`Store::import`]. Rows of which nothing was told are not imported then.
    pub fn add(&mut self, place: P, row: ImportRow) -> Result<(), StoreError> {
        // Asked only now that there is one more.
        if self.bare_from.is_some_and(|from| self.added >= from) && self.batch.is_empty() {
            self.lay_bare()?;
        }
        let mut full = BATCH;
        if let Some(bare) = &mut self.bare {
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

    /// Whether the end takes its time: some ten seconds a million users, and what an import takes for rows that wait.
    pub fn is_long_to_finish(&self) -> bool {
        self.bare.is_some()
    }

    /// Imports what is left, makes what was laid aside, and lets others in again.
    ///
    /// # Errors
    /// As [`Import::add`]; [`StoreError::Unfinished`] when what was laid aside could not be made.
    pub fn finish(mut self) -> Result<(), StoreError> {
        let flushed = self.flush();
        // That nobody can be found is worse than what led to it.
        let completed = self.complete()?;
        flushed?;
        let Some(waiting) = completed else { return Ok(()) };
        let added = waiting.each(|(place, row)| self.add(place, row));
        // Those before one that could not be read, too.
        let flushed = self.flush();
        added.and(flushed)
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let (places, rows): (Vec<P>, Vec<ImportRow>) = self.batch.drain(..).unzip();
        let outcomes = match self.bare {
            Some(_) => self.store.import_new(&rows, self.actor)?,
            None => self.store.import(&rows, self.rules, self.actor)?,
        };
        for (place, outcome) in places.into_iter().zip(outcomes) {
            self.added += u64::from(outcome == Imported::Added);
            (self.told)(place, outcome);
        }
        if self.bare.is_none() && !self.store.with_lock(Lock::is_alone)? {
            give_way();
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "an import is for a process that does nothing else")]
fn give_way() {
    std::thread::sleep(PAUSE);
}

impl<P> Import<'_, P> {
    /// Unless others have the database open just now.
    fn lay_bare(&mut self) -> Result<(), StoreError> {
        self.store.with_lock(|lock| {
            if !lock.try_exclusive()? {
                return Ok(());
            }
            // Once: what is laid aside is made again for all, and where there is no room now there is none later.
            self.bare_from = None;
            let laid = self.store.shared.writer.with(|connection| {
                let seen = TokenCache::of(connection)?;
                Ok(bare::lay(connection)?.then_some(seen))
            });
            match laid {
                Ok(Some(seen)) => {
                    self.bare = Some(Bare { seen, waiting: Waiting::beside(&self.store.shared.path) });
                    Ok(())
                }
                // It was undone, and rows can be imported as before.
                Ok(None) | Err(StoreError::Full(_)) => lock.share(),
                Err(error) => lock.share().and(Err(error)),
            }
        })
    }

    /// What is left to be imported then, if anything was laid aside.
    fn complete(&mut self) -> Result<Option<Waiting>, StoreError> {
        let Some(Bare { seen, waiting }) = self.bare.take() else { return Ok(None) };
        // Its memory is needed.
        drop(seen);
        let completed = self.store.with_lock(|lock| {
            self.store.shared.writer.with(|connection| {
                bare::complete(connection)?;
                bare::give_memory(connection)
            })?;
            lock.share()
        });
        completed.map(|()| Some(waiting)).map_err(|error| {
            // The first error is the one to tell.
            drop(self.store.close());
            StoreError::unfinished(&self.store.shared.path, error)
        })
    }
}

impl<P> Drop for Import<'_, P> {
    fn drop(&mut self) {
        if self.bare.is_some() {
            drop(self.store.close());
        }
    }
}

/// Rows that wait, as lines of JSON, in a file without a name where there are many.
struct Waiting {
    lines: SpooledTempFile,
    folder: PathBuf,
}

impl Waiting {
    /// On the disk of the database, where such rows are at home.
    fn beside(database: &Path) -> Self {
        let folder = checksum::directory_of(database).to_owned();
        Self { lines: SpooledTempFile::new_in(WAIT_IN_MEMORY, &folder), folder }
    }

    fn push(&mut self, row: &impl Serialize) -> Result<(), StoreError> {
        let failed = |source| StoreError::Output { path: self.folder.clone(), source };
        let mut line = serde_json::to_vec(row).map_err(io::Error::from).map_err(failed)?;
        line.push(b'\n');
        self.lines.write_all(&line).map_err(failed)
    }

    fn each<R: DeserializeOwned>(
        self,
        mut take: impl FnMut(R) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Self { mut lines, folder } = self;
        let failed = |source| StoreError::Input { path: folder.clone(), source };
        lines.seek(SeekFrom::Start(0)).map_err(failed)?;
        for line in BufReader::new(lines).split(b'\n') {
            let line = line.map_err(failed)?;
            take(serde_json::from_slice(&line).map_err(io::Error::from).map_err(failed)?)?;
        }
        Ok(())
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
