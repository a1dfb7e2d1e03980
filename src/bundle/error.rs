//! Why a bundle does not read.

use std::path::PathBuf;

/// A bundle is refused whole: half a tenant is worse than none.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is no such folder.
    #[error(
        "{} is no folder: set tenant.bundle to a folder in the layout of Auth0's deploy CLI",
        folder.display()
    )]
    NotAFolder {
        /// What was given.
        folder: PathBuf,
    },
    /// The file system refuses, the file is no UTF-8, or it is over the bound.
    #[error("{} can not be read: {source}", file.display())]
    Unreadable {
        /// The file or folder.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not JSON, or not of the shape the folder asks for.
    #[error("{}: {source}; compare it with an export of Auth0's deploy CLI", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// Where and what, as serde says it.
        source: serde_json::Error,
    },
    /// A keyword without a value.
    #[error("{}: nothing is known for the keyword {key}; give it a value in [tenant.keywords]", file.display())]
    Keyword {
        /// The file.
        file: PathBuf,
        /// The keyword as written.
        key: String,
    },
    /// Valid JSON that can not be meant.
    #[error("{}: {problem}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
}
