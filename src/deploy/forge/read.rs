//! A commit → a [`Checkout`]: its bundle in a private temporary folder. The second of the three things that forges differ
//! in, and the one they do alike: over git's smart HTTP.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::ForgeError;
use super::git::{Git, Input};
use super::history::{COMMITS_MAX, History};
use super::names::CommitId;
use super::settings::ForgeSettings;
use super::tree;

/// The bundle of one commit. Its folder is removed when this is dropped.
#[derive(Debug)]
pub struct Checkout {
    folder: TempDir,
    /// The commit.
    pub commit: CommitId,
    /// The commits before it, of a checkout on this machine.
    history: History,
}

/// The longest listing of a history: a commit has seldom more than two parents.
const HISTORY_MAX: usize = COMMITS_MAX * 512;

impl Checkout {
    /// The bundle's folder.
    pub fn bundle(&self) -> PathBuf {
        self.folder.path().join("bundle")
    }

    /// Whether its commit is an ancestor of another one, as far as a checkout on this machine knows.
    pub fn is_older_than(&self, other: &str) -> bool {
        self.history.is_older(self.commit.as_str(), other)
    }
}

/// Fetches the last commits of `branch`, without files.
///
/// # Errors
/// See [`ForgeError`].
pub async fn history(settings: &ForgeSettings, branch: &str) -> Result<History, ForgeError> {
    let (folder, git) = (private_folder()?, Git::remote(settings));
    let (depth, refspec) = (format!("--depth={COMMITS_MAX}"), format!("+refs/heads/{branch}:refs/heads/tip"));
    let fetched = fetch(&git, folder.path(), settings, &["--filter=tree:0", &depth], &refspec).await;
    fetched.map_err(|error| match error {
        ForgeError::TooLarge(_) => ForgeError::NoFilter,
        other => other,
    })?;
    list(&git, folder.path(), &[], "refs/heads/tip").await
}

/// Fetches the bundle at `commit`, and nothing else of the repository's history.
///
/// # Errors
/// See [`ForgeError`].
pub async fn checkout(settings: &ForgeSettings, commit: CommitId) -> Result<Checkout, ForgeError> {
    let (folder, git) = (private_folder()?, Git::remote(settings));
    let (repository, bundle) = (folder.path().join("repository"), folder.path().join("bundle"));
    [&repository, &bundle].into_iter().try_for_each(std::fs::create_dir).map_err(ForgeError::Files)?;
    fetch(&git, &repository, settings, &["--depth=1"], commit.as_str()).await?;
    tree::write(&git, (&repository, &[]), (&commit, settings.folder.as_deref()), &bundle).await?;
    std::fs::remove_dir_all(&repository).map_err(ForgeError::Files)?;
    Ok(Checkout { folder, commit, history: History::default() })
}

/// Reads the bundle at the commit that the checkout `repository` on this machine is at.
///
/// # Errors
/// [`ForgeError::Uncommitted`] when the bundle's folder has other changes; else see [`ForgeError`].
pub async fn local(repository: &Path, folder: Option<&str>) -> Result<Checkout, ForgeError> {
    let repository = std::path::absolute(repository).map_err(ForgeError::Files)?;
    let (temporary, git, path) =
        (private_folder()?, Git::local(&repository), repository.display().to_string());
    let output = async |args: &[&str]| {
        let args = [&["-C", path.as_str()], args].concat();
        git.output(Input {
            folder: temporary.path(),
            args: &args,
            stdin: Vec::new(),
            output_max: HISTORY_MAX,
        })
        .await
    };
    let head = output(&["rev-parse", "--verify", "--end-of-options", "HEAD^{commit}"]).await?;
    let unexpected = |_| ForgeError::Git { what: "rev-parse".to_owned(), message: "no commit id".to_owned() };
    let commit: CommitId = String::from_utf8_lossy(&head).trim().parse().map_err(unexpected)?;
    let changed = output(&["status", "--porcelain", "--", folder.unwrap_or(".")]).await?;
    if !changed.is_empty() {
        return Err(ForgeError::Uncommitted(
            folder.map_or(path.clone(), |folder| format!("{path}/{folder}")),
        ));
    }
    let (options, bundle) = (["-C", path.as_str()], temporary.path().join("bundle"));
    std::fs::create_dir(&bundle).map_err(ForgeError::Files)?;
    tree::write(&git, (temporary.path(), &options), (&commit, folder), &bundle).await?;
    let history = list(&git, temporary.path(), &options, commit.as_str()).await?;
    Ok(Checkout { folder: temporary, commit, history })
}

/// A folder that only this user can read.
fn private_folder() -> Result<TempDir, ForgeError> {
    tempfile::Builder::new().prefix("vestibule-").tempdir().map_err(ForgeError::Files)
}

/// Fetches one ref or commit into a new repository in the empty `folder`.
async fn fetch(
    git: &Git,
    folder: &Path,
    settings: &ForgeSettings,
    options: &[&str],
    what: &str,
) -> Result<(), ForgeError> {
    let url = format!(
        "{}/{}.git",
        settings.url.trim_end_matches('/'),
        settings.project.as_deref().unwrap_or_default()
    );
    let init = ["init", "--quiet", "--bare", "--template=", "."];
    let start = [
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        "--no-auto-maintenance",
    ];
    let fetch = [&start, options, &["--end-of-options", &url, what]].concat();
    for args in [&init[..], &fetch] {
        git.output(Input { folder, args, stdin: Vec::new(), output_max: 64 * 1024 }).await?;
    }
    Ok(())
}

/// The last commits before `tip`.
async fn list(git: &Git, folder: &Path, options: &[&str], tip: &str) -> Result<History, ForgeError> {
    let max = format!("--max-count={COMMITS_MAX}");
    let args = [options, &["rev-list", "--parents", &max, "--end-of-options", tip]].concat();
    let listing =
        git.output(Input { folder, args: &args, stdin: Vec::new(), output_max: HISTORY_MAX }).await?;
    Ok(History::parse(&String::from_utf8_lossy(&listing)))
}
