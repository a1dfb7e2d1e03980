//! The database that a restore replaces, kept beside it under a free name.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::paths::{beside, directory_of, give_to_owner_of, sync_directory_of, temporary_beside};
use crate::clock::Clock;

/// The names go on with this, and the moment.
const REPLACED: &str = ".replaced-";

/// More names than anyone restores in one second.
const NAMES: usize = 1000;

/// Gives the database a second name, under which it stays when the first is given to another file. Its write-ahead log
/// moves along: left behind, SQLite would replay it into the new file. Only a damaged database still has one, or one that is
/// gone. Returns the database and a log without database, whichever exists.
pub(super) fn keep(database: &Path, clock: &Clock) -> io::Result<(Option<PathBuf>, Option<PathBuf>)> {
    let log = beside(database, "-wal");
    let (exists, has_log) = (database.try_exists()?, log.try_exists()?);
    remove_log_index(database)?;
    if !exists && !has_log {
        return Ok((None, None));
    }
    let name = under_a_free_name(database, clock, |name| match exists {
        true => link_or_copy(database, name),
        false => fs::rename(&log, beside(name, "-wal")),
    })?;
    let kept_log = beside(&name, "-wal");
    if exists && has_log {
        fs::rename(&log, &kept_log)?;
    }
    sync_directory_of(database)?;
    Ok(if exists { (Some(name), None) } else { (None, Some(kept_log)) })
}

/// The databases that restores of `database` replaced and that are still there, in order.
pub(super) fn all(database: &Path) -> io::Result<Vec<PathBuf>> {
    let prefix = beside(database, REPLACED).into_os_string();
    let files = fs::read_dir(directory_of(database))?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<PathBuf> = files.collect::<io::Result<_>>()?;
    files.retain(|file| file.as_os_str().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()));
    files.sort();
    Ok(files)
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

fn link_or_copy(database: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(database, to) {
        // Some file systems have no links.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => copy(database, to),
        outcome => outcome,
    }
}

/// Never overwrites `to`: it could be a link to this very file.
fn copy(database: &Path, to: &Path) -> io::Result<()> {
    let mut copy = temporary_beside(to)?;
    io::copy(&mut fs::File::open(database)?, &mut copy)?;
    copy.as_file().sync_all()?;
    give_to_owner_of(copy.path(), database);
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
            kept.push((keep(&database, &clock).unwrap().0.unwrap(), content));
        }
        fs::remove_file(&database).unwrap();
        fs::write(beside(&database, "-wal"), "log").unwrap();
        kept.push((keep(&database, &clock).unwrap().1.unwrap(), "log"));
        assert_eq!(keep(&database, &clock).unwrap(), (None, None));
        for (name, content) in kept {
            assert_eq!(fs::read_to_string(&name).unwrap(), content, "{name:?}");
        }
    }
}
