//! Whether a database is what it should be, by all that can be told from the file alone.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::lock::Lock;
use super::open::{self, Purpose};
use super::{AuditVerification, Settings, Store, StoreError, chain, migrate};

/// More faults than anyone reads.
const MAX_FAULTS: usize = 100;

/// Bytes of a write-ahead log before its first frame, and of a frame before its page (sqlite.org/fileformat.html §4.1).
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// The schema that chained the audit trail.
const FIRST_CHAINED: i32 = 2;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The schema's version; 0 when the file holds none.
    pub schema: i32,
    /// The newest version this binary knows. A newer one is not checked further than SQLite itself can.
    pub known: i32,
    /// What SQLite finds wrong with pages, indexes, types and constraints (`PRAGMA integrity_check`), at most a hundred.
    pub integrity: Vec<String>,
    /// Rows that name another row which is not there, as `table rowid → table`, at most a hundred.
    pub foreign_keys: Vec<String>,
    /// The audit trail's chain; `None` when it was not checked: the file is damaged, or its schema is from before
    /// there was a chain or from after this binary.
    pub audit: Option<AuditVerification>,
}

impl Checked {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        (1..=self.known).contains(&self.schema)
            && self.integrity.is_empty()
            && self.foreign_keys.is_empty()
            && self.audit.as_ref().is_none_or(AuditVerification::is_intact)
    }

    /// The first fault, for people; `None` when there is none.
    pub fn first_fault(&self) -> Option<String> {
        if self.schema == 0 {
            return Some("it holds no schema of ours".to_owned());
        }
        let broken = self.audit.as_ref().and_then(|audit| audit.first_broken);
        let newer = format!("its schema {} is newer than {}", self.schema, self.known);
        self.integrity
            .first()
            .cloned()
            .or_else(|| self.foreign_keys.first().map(|key| format!("{key} does not exist")))
            .or_else(|| broken.map(|line| format!("the audit trail is broken at line {line}")))
            .or_else(|| Some(newer).filter(|_| self.schema > self.known))
    }
}

impl Store {
    /// Reads the whole file, from one snapshot, while others may write. Changes and migrates nothing.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`StoreError::NotOurs`]; [`StoreError::CutOff`];
    /// [`StoreError::Damaged`] when the file is too damaged to be read to its end; else as every read.
    pub fn check(settings: &Settings) -> Result<Checked, StoreError> {
        let database = open::existing_file(settings)?;
        let _lock = Lock::shared(&database)?;
        let connection = open::connect(&database, Purpose::Read, settings.busy_timeout)?;
        length(&connection, &database)?;
        inspect(&connection)
    }
}

/// [`Store::check`] of a file that nobody else has.
pub(super) fn file(path: &Path) -> Result<Checked, StoreError> {
    inspect(&open::connect(path, Purpose::Read, std::time::Duration::ZERO)?)
}

/// Whether the file is as long as its header says, without reading it. What is beyond its end has to stand in the
/// write-ahead log: a page a frame. A log of many frames can hide that some are missing; [`Store::check`] finds them.
///
/// # Errors
/// [`StoreError::CutOff`].
pub(super) fn length(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    // While it is read, nobody moves pages between the two, or lets go of any.
    let snapshot = connection.unchecked_transaction()?;
    let of = |name| -> Result<u64, StoreError> {
        let value: i64 = snapshot.pragma_query_value(None, name, |row| row.get(0))?;
        Ok(value.unsigned_abs())
    };
    // Reading is what begins the snapshot.
    snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let (page, pages) = (of("page_size")?, of("page_count")?);
    let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let frames = length(&open::beside(path, "-wal")).saturating_sub(WAL_HEADER) / (page + FRAME_HEADER);
    let missing = (pages * page).saturating_sub(length(path));
    if missing > frames * page {
        return Err(StoreError::CutOff { path: path.to_owned(), missing });
    }
    Ok(())
}

fn inspect(connection: &Connection) -> Result<Checked, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let (schema, known) = (migrate::version(&snapshot)?, migrate::known());
    let (integrity, foreign_keys) = (integrity(&snapshot)?, foreign_keys(&snapshot)?);
    // Values in damaged pages could not be read as what they are.
    let readable = integrity.is_empty() && (FIRST_CHAINED..=known).contains(&schema);
    let audit = readable.then(|| chain::verify(&snapshot, None)).transpose()?;
    Ok(Checked { schema, known, integrity, foreign_keys, audit })
}

fn integrity(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({MAX_FAULTS})"))?;
    let faults: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(faults.into_iter().filter(|fault| fault != "ok").collect())
}

fn foreign_keys(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    let mut faults = Vec::new();
    while let Some(row) = rows.next()?
        && faults.len() < MAX_FAULTS
    {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        let rowid = row.get::<_, Option<i64>>(1)?.map_or_else(String::new, |rowid| format!(" row {rowid}"));
        faults.push(format!("{table}{rowid} → {parent}"));
    }
    Ok(faults)
}
