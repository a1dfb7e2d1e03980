//! What stands where a restored database is to stand, kept beside it under a name that nothing else has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::open::beside;
use super::{Store, StoreError, checksum, ownership};
use crate::clock::Clock;

/// What the names of all that is kept go on with.
const SET_ASIDE: &str = ".replaced-";

/// More names than anyone restores in one second.
const NAMES: usize = 1000;

impl Store {
    /// The databases that restores have put aside and that are still beside this one. They are as they were: whoever was
    /// erased since is in them.
    ///
    /// # Errors
    /// [`StoreError::Input`].
    pub fn set_aside(&self) -> Result<Vec<PathBuf>, StoreError> {
        let database = &self.shared.path;
        let mut prefix = database.file_name().unwrap_or_default().to_owned();
        prefix.push(SET_ASIDE);
        let failed = |source| StoreError::Input { path: database.clone(), source };
        let mut found = Vec::new();
        for entry in fs::read_dir(checksum::directory_of(database)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Gives the database a second name, under which it stays when the first is given to another file. Its write-ahead log
/// comes along: left where it is, SQLite would play it into the new file.
pub(super) fn keep(database: &Path, clock: &Clock) -> io::Result<PathBuf> {
    let kept = under_a_free_name(database, clock, |name| match fs::hard_link(database, name) {
        // Some file systems have no links.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => copy(database, name),
        outcome => outcome,
    })?;
    // Only a damaged database has one still.
    let log = beside(database, "-wal");
    if log.try_exists()? {
        fs::rename(&log, beside(&kept, "-wal"))?;
    }
    remove_index(database)?;
    checksum::sync_directory_of(database)?;
    Ok(kept)
}

/// Keeps a write-ahead log whose database is gone. `None` when there is none.
pub(super) fn keep_log(database: &Path, clock: &Clock) -> io::Result<Option<PathBuf>> {
    let log = beside(database, "-wal");
    remove_index(database)?;
    if !log.try_exists()? {
        return Ok(None);
    }
    let kept = under_a_free_name(database, clock, |name| fs::rename(&log, beside(name, "-wal")))?;
    checksum::sync_directory_of(database)?;
    Ok(Some(beside(&kept, "-wal")))
}

/// Tries names until `take` finds one free.
fn under_a_free_name(
    database: &Path,
    clock: &Clock,
    take: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<PathBuf> {
    let moment = clock.now().strftime("%Y%m%dT%H%M%SZ").to_string();
    for number in 1..=NAMES {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let name = beside(database, &format!("{SET_ASIDE}{moment}{suffix}"));
        // The log of another database would be played into the one that takes the name.
        if beside(&name, "-wal").try_exists()? {
            continue;
        }
        match take(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => return outcome.map(|()| name),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Never onto a file that is there: it could be a link of this very file, which would be emptied first.
fn copy(database: &Path, to: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut copy = options.open(to)?;
    let outcome = io::copy(&mut fs::File::open(database)?, &mut copy).and_then(|_| copy.sync_all());
    match outcome {
        Ok(()) => ownership::give(to, database),
        // Half a copy helps nobody. Why there is no whole one is told already.
        Err(_) => drop(fs::remove_file(to)),
    }
    outcome
}

/// The index of a write-ahead log is made anew with each log.
fn remove_index(database: &Path) -> io::Result<()> {
    match fs::remove_file(beside(database, "-shm")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_never_empties_what_it_is_a_copy_of() {
        let dir = tempfile::tempdir().unwrap();
        let (database, link) = (dir.path().join("v.db"), dir.path().join("link"));
        fs::write(&database, "rows").unwrap();
        fs::hard_link(&database, &link).unwrap();
        assert_eq!(copy(&database, &link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&database).unwrap(), b"rows");
        copy(&database, &dir.path().join("copy")).unwrap();
        assert_eq!(fs::read(dir.path().join("copy")).unwrap(), b"rows");
    }

    #[test]
    fn what_is_kept_in_the_same_second_has_names_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (database, clock) = (dir.path().join("v.db"), Clock::manual(jiff::Timestamp::UNIX_EPOCH));
        let mut kept = Vec::new();
        for content in ["one", "two", "three"] {
            // In place of the last one, as a restore puts it.
            fs::write(dir.path().join("new"), content).unwrap();
            fs::rename(dir.path().join("new"), &database).unwrap();
            kept.push((keep(&database, &clock).unwrap(), content));
        }
        fs::write(beside(&database, "-wal"), "log").unwrap();
        kept.push((keep_log(&database, &clock).unwrap().unwrap(), "log"));
        for (name, content) in kept {
            assert_eq!(fs::read_to_string(name).unwrap(), content);
        }
        assert_eq!(keep_log(&database, &clock).unwrap(), None);
    }
}
