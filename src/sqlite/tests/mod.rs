//! Tests on files in a temporary directory. Here: what they share.

mod backup;
mod check;
mod database;
mod interrupt;
mod migrate;
mod open;
mod restore;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::{Database, DatabaseError, DatabaseSchema, DatabaseSettings};

const V1: (&str, &str) = (
    "V1__notes",
    "CREATE TABLE authors (name TEXT NOT NULL PRIMARY KEY) STRICT;
     CREATE TABLE notes (
         id     INTEGER PRIMARY KEY,
         text   TEXT NOT NULL CHECK (text <> ''),
         author TEXT REFERENCES authors (name)
     ) STRICT;
     CREATE INDEX notes_by_text ON notes (text);",
);
const V2: (&str, &str) = ("V2__tags", "ALTER TABLE notes ADD COLUMN tag TEXT;");

/// The schema of most tests.
static NOTES: DatabaseSchema = DatabaseSchema { application_id: 0x4E4F_5445, ..DatabaseSchema::new(&[V1]) };

/// The schema of a newer binary.
static TAGGED_NOTES: DatabaseSchema =
    DatabaseSchema { application_id: 0x4E4F_5445, ..DatabaseSchema::new(&[V1, V2]) };

/// A file in a directory of its own. Each [`open`](TestFile::open) is like another process: with a lock and connections of
/// its own.
struct TestFile {
    settings: DatabaseSettings,
    dir: tempfile::TempDir,
}

impl TestFile {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.db");
        Self { settings: DatabaseSettings { path, readers: 2, busy_timeout: Duration::from_secs(60) }, dir }
    }

    /// A closed file with a note of each text.
    fn with(texts: &[&str]) -> Self {
        let file = Self::new();
        let database = file.open();
        texts.iter().for_each(|text| add(&database, text));
        database.close().unwrap();
        file
    }

    fn open(&self) -> Database {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Database, DatabaseError> {
        Database::open(&self.settings, &NOTES)
    }

    /// Settings for another file in the same directory.
    fn at(&self, name: &str) -> DatabaseSettings {
        DatabaseSettings { path: self.path(name), ..self.settings.clone() }
    }

    /// Settings that wait for nothing.
    fn impatient(&self) -> DatabaseSettings {
        DatabaseSettings { busy_timeout: Duration::ZERO, ..self.settings.clone() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn backup(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        super::backup(&self.settings, &NOTES, &path).unwrap();
        path
    }

    /// The sqlite3 shell in the hands of an operator. It does not know our lock.
    fn shell(&self) -> Connection {
        Connection::open(&self.settings.path).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn add(database: &Database, text: &str) {
    try_add(database, text).unwrap();
}

fn try_add(database: &Database, text: &str) -> Result<(), DatabaseError> {
    database.write(|tx| {
        tx.execute("INSERT INTO notes (text) VALUES (?1)", [text])?;
        Ok(())
    })
}

fn texts(database: &Database) -> Vec<String> {
    let read = |connection: &Connection| -> Result<Vec<String>, DatabaseError> {
        let mut statement = connection.prepare("SELECT text FROM notes ORDER BY id")?;
        let texts = statement.query_map([], |row| row.get(0))?;
        Ok(texts.collect::<Result<_, _>>()?)
    };
    database.read(read).unwrap()
}

fn texts_in(settings: &DatabaseSettings) -> Vec<String> {
    texts(&Database::open(settings, &NOTES).unwrap())
}

fn version(path: &Path) -> i32 {
    super::migrate::version(&Connection::open(path).unwrap()).unwrap()
}
