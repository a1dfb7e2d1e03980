//! The database that a restore replaces, kept beside it under a free name.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::ownership;
use super::paths::{beside, sync_directory_of, temporary_beside};
use crate::clock::Clock;

/// The names go on with this, and the moment.
pub(super) const REPLACED: &str = ".replaced-";

/// More names than anyone restores in one second.
const NAMES: usize = 1000;

/// Gives the database a second name, under which it stays when the first is given to another file. Its write-ahead log
/// moves along: left behind, SQLite would replay it into the new file.
pub(super) fn keep(database: &Path, clock: &Clock) -> io::Result<PathBuf> {
    let kept = under_a_free_name(database, clock, |name| match fs::hard_link(database, name) {
        // Some file systems have no links.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => copy(database, name),
        outcome => outcome,
    })?;
    // Only a damaged database still has one.
    let log = beside(database, "-wal");
    if log.try_exists()? {
        fs::rename(&log, beside(&kept, "-wal"))?;
    }
    remove_log_index(database)?;
    sync_directory_of(database)?;
    Ok(kept)
}

/// Keeps a write-ahead log whose database is gone. `None` when there is none.
pub(super) fn keep_log(database: &Path, clock: &Clock) -> io::Result<Option<PathBuf>> {
    let log = beside(database, "-wal");
    remove_log_index(database)?;
    if !log.try_exists()? {
        return Ok(None);
    }
    let kept = under_a_free_name(database, clock, |name| fs::rename(&log, beside(name, "-wal")))?;
    sync_directory_of(database)?;
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
        let name = beside(database, &format!("{REPLACED}{moment}{suffix}"));
        // SQLite would replay the log of another database into the one that takes the name.
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

/// Never overwrites `to`: it could be a link to this very file.
fn copy(database: &Path, to: &Path) -> io::Result<()> {
    let mut copy = temporary_beside(to)?;
    io::copy(&mut fs::File::open(database)?, &mut copy)?;
    copy.as_file().sync_all()?;
    ownership::give(copy.path(), database);
    copy.persist_noclobber(to)?;
    Ok(())
}

/// SQLite makes the index of a write-ahead log anew with each log.
fn remove_log_index(database: &Path) -> io::Result<()> {
    match fs::remove_file(beside(database, "-shm")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_never_overwrites_a_link_to_its_source() {
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
    fn databases_replaced_in_the_same_second_have_names_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let (database, clock) = (dir.path().join("v.db"), Clock::manual(jiff::Timestamp::UNIX_EPOCH));
        let mut kept = Vec::new();
        for content in ["one", "two", "three"] {
            fs::write(dir.path().join("new"), content).unwrap();
            fs::rename(dir.path().join("new"), &database).unwrap();
            kept.push((keep(&database, &clock).unwrap(), content));
        }
        fs::write(beside(&database, "-wal"), "log").unwrap();
        kept.push((keep_log(&database, &clock).unwrap().unwrap(), "log"));
        for (name, content) in kept {
            assert_eq!(fs::read_to_string(&name).unwrap(), content, "{name:?}");
        }
    }
}
