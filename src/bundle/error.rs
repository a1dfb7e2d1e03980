//! Why a bundle cannot be read.

use std::path::PathBuf;

/// An error that refuses a bundle whole. An object that is merely odd is left out instead, with a notice.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum BundleError {
    #[error(
        "{} is not a bundle: set tenant.bundle to a folder in a layout of Auth0's deploy CLI, or to its tenant.yaml",
        folder.display()
    )]
    NotABundle { folder: PathBuf },
    /// The file system refuses, or the file is not UTF-8 or too long.
    #[error("{} cannot be read: {source}", file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("{}: {source}; compare it with an export of Auth0's deploy CLI", file.display())]
    Json { file: PathBuf, source: serde_json::Error },
    #[error("{}: {problem}; compare it with an export of Auth0's deploy CLI", file.display())]
    Yaml { file: PathBuf, problem: String },
    /// All keywords without a value, each with its file.
    #[error("these keywords have no value; set them in [tenant.keywords]: {}", list(missing))]
    Keywords { missing: Vec<(PathBuf, String)> },
    #[error("{}: {problem}", file.display())]
    Invalid { file: PathBuf, problem: String },
}

fn list(missing: &[(PathBuf, String)]) -> String {
    missing.iter().map(|(file, key)| format!("{key} ({})", file.display())).collect::<Vec<_>>().join(", ")
}
