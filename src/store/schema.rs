//! The schema of the database file: its migrations and mark.

use crate::sqlite::DatabaseSchema;

use super::pseudonyms;

/// Each file in `migrations/`, in order.
const MIGRATIONS: &[(&str, &str)] = &[("V1__schema", include_str!("../../migrations/V1__schema.sql"))];

/// The id is "VEST".
pub(super) static SCHEMA: DatabaseSchema = DatabaseSchema {
    migrations: MIGRATIONS,
    application_id: 0x5645_5354,
    functions: pseudonyms::add_function,
};

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
