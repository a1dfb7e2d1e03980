//! Why a bundle cannot be read.

use std::path::PathBuf;

/// An error in a bundle. A bundle with an error is refused whole: half a tenant is worse than none.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The folder does not exist.
    #[error(
        "{} is not a folder: set tenant.bundle to a folder in the layout of Auth0's deploy CLI",
        folder.display()
    )]
    NotAFolder {
        /// The path given.
        folder: PathBuf,
    },
    /// The file system refuses, or the file is not UTF-8 or too long.
    #[error("{} cannot be read: {source}", file.display())]
    Unreadable {
        /// The file or folder.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not JSON, or not of the folder's type.
    #[error("{}: {source}; compare it with an export of Auth0's deploy CLI", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// Position and problem.
        source: serde_json::Error,
    },
    /// A keyword without a value.
    #[error("{}: the keyword {key} has no value; set it in [tenant.keywords]", file.display())]
    Keyword {
        /// The file.
        file: PathBuf,
        /// The keyword, as written.
        key: String,
    },
    /// The JSON is valid, but not its content.
    #[error("{}: {problem}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// The problem and its fix.
        problem: String,
    },
}
