//! Helpers to read bundles in tests.

mod read;

use super::*;

/// Writes `files` to a new folder and reads it as a bundle, with the keywords `ENV` and `LIST`.
fn read_files(files: &[(&str, &str)]) -> Result<Bundle, BundleError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let keywords = [("ENV".to_owned(), "dev".into()), ("LIST".to_owned(), vec!["http://a/cb"].into())];
    Bundle::read(folder.path(), &keywords.into())
}
