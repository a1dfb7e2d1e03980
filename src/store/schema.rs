//! The schema of the database file: its migrations and mark.

use crate::sqlite::DatabaseSchema;

use super::pseudonyms;

/// `PRAGMA application_id` of our files: "VEST".
const APPLICATION_ID: i32 = 0x5645_5354;

/// Each file in `migrations/`, in order.
const MIGRATIONS: &[(&str, &str)] = &[("V1__schema", include_str!("../../migrations/V1__schema.sql"))];

pub(super) static SCHEMA: DatabaseSchema = DatabaseSchema::new(MIGRATIONS)
    .with_application_id(APPLICATION_ID)
    .with_functions(pseudonyms::add_function);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_file_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed: Vec<String> = MIGRATIONS.iter().map(|(name, _)| format!("{name}.sql")).collect();
        assert_eq!(files, listed);
    }
}
