//! Helpers to read bundles in tests.

mod read;

use super::*;

/// Writes `files` to a new folder and reads it as a bundle, with the keyword `ENV`.
fn read_files(files: &[(&str, &str)]) -> Result<Bundle, BundleError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Bundle::read(folder.path(), &[("ENV".to_owned(), "dev".to_owned())].into())
}
