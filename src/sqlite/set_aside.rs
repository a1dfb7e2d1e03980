//! The database that a restore replaces, kept beside it under another name.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::paths::{beside, directory_of, give_to_owner_of, sync_directory_of, temporary_beside};
use crate::clock::Clock;

/// The names go on with this, and the moment in milliseconds: no two restores share one, as each has the file to itself.
const REPLACED: &str = ".replaced-";

/// Gives the database a second name, under which it stays when the first is given to another file. Its write-ahead log
/// moves along: left behind, SQLite would replay it into the new file. Only a damaged database still has one, or one that is
/// gone. Returns the second name, or that of a log without database.
pub(super) fn keep(database: &Path, clock: &Clock) -> io::Result<Option<PathBuf>> {
    let log = beside(database, "-wal");
    let (exists, has_log) = (database.try_exists()?, log.try_exists()?);
    // SQLite makes the index of a log anew with each log.
    match fs::remove_file(beside(database, "-shm")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let name = beside(database, &format!("{REPLACED}{}", clock.now().strftime("%Y%m%dT%H%M%S%.3fZ")));
    let kept_log = beside(&name, "-wal");
    if exists {
        link_or_copy(database, &name)?;
    }
    if has_log {
        fs::rename(&log, &kept_log)?;
    }
    sync_directory_of(database)?;
    Ok(if exists { Some(name) } else { has_log.then_some(kept_log) })
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
    fn databases_and_lone_logs_are_kept_under_names_of_their_own_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let (database, clock) = (dir.path().join("v.db"), Clock::manual(jiff::Timestamp::UNIX_EPOCH));
        let mut kept = Vec::new();
        for content in ["one", "two", "log"] {
            let file = if content == "log" { beside(&database, "-wal") } else { database.clone() };
            fs::write(dir.path().join("new"), content).unwrap();
            fs::rename(dir.path().join("new"), file).unwrap();
            kept.push((keep(&database, &clock).unwrap().unwrap(), content));
            fs::remove_file(&database).unwrap_or_default();
            assert_eq!(keep(&database, &clock).unwrap(), None);
            clock.advance(std::time::Duration::from_millis(1));
        }
        for (name, content) in &kept {
            assert_eq!(fs::read_to_string(name).unwrap(), *content, "{name:?}");
        }
        fs::write(&database, "four").unwrap();
        let same = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(keep(&database, &same).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
