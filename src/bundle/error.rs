//! Why a bundle cannot be read.

use std::path::PathBuf;

/// An error in a bundle. A bundle with an error is refused whole: half a tenant is worse than none.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum BundleError {
    #[error(
        "{} is not a folder: set tenant.bundle to a folder in the layout of Auth0's deploy CLI",
        folder.display()
    )]
    NotAFolder { folder: PathBuf },
    /// The file system refuses, or the file is not UTF-8 or too long.
    #[error("{} cannot be read: {source}", file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    /// The file is not JSON, or not of the folder's type.
    #[error("{}: {source}; compare it with an export of Auth0's deploy CLI", file.display())]
    Json { file: PathBuf, source: serde_json::Error },
    #[error("{}: the keyword {key} has no value; set it in [tenant.keywords]", file.display())]
    Keyword { file: PathBuf, key: String },
    #[error("{}: {problem}", file.display())]
    Invalid { file: PathBuf, problem: String },
}
