//! Why a commit could not be read or reported.

/// Why a commit could not be read or reported.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum ForgeError {
    #[error("the git program cannot be started: {0}; install git on this machine")]
    NoGit(std::io::Error),
    /// The message is what git, or the server through it, wrote. It is for the log only.
    #[error("git {what} failed; check forge.url, forge.project and forge.clone_token")]
    Git { what: String, message: String },
    #[error("git did not end within {0} s")]
    TooSlow(u64),
    #[error("{0}; keep the bundle in a small repository")]
    TooLarge(&'static str),
    #[error(
        "the forge sends the branch's files with the list of its commits, over 128 MiB; allow partial clones at its server \
         (git's uploadpack.allowFilter), or keep the bundle in a small repository"
    )]
    NoFilter,
    #[error("{commit} is not among the last 1,000 commits of {branch}; push it to that branch")]
    NotOnBranch { commit: String, branch: String },
    #[error("{path:?} is {what}; commit the file itself")]
    Refused { path: String, what: &'static str },
    #[error("the commit has no folder {0:?}; check forge.folder")]
    NoFolder(String),
    #[error("{0} has changes that are not committed; commit or stash them, and deploy again")]
    Uncommitted(String),
    #[error("a temporary file cannot be written or read: {0}")]
    Files(std::io::Error),
    #[error("`forge.ca_file` {0}")]
    Certificates(String),
    #[error("the forge's API cannot be reached: {0}")]
    Unreachable(Box<ureq::Error>),
    #[error("the forge's API answered {status} to a commit status; check forge.api_token")]
    Status { status: u16 },
}

impl ForgeError {
    /// Whether the same call may succeed later without a change to the repository or the configuration.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Git { .. } | Self::TooSlow(_) | Self::Files(_) | Self::Unreachable(_) => true,
            Self::Status { status } => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }
}
