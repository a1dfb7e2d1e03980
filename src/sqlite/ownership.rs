//! The owner of a new file: the service's user, also when an operator runs a command as root. Otherwise the service
//! could no longer open its own database.

use std::path::Path;

/// Gives a new file to the owner and group of `like`, or of its folder if `like` does not exist.
/// Only root can; other users keep what they create. A failure is logged and ends nothing.
#[cfg(unix)]
pub(super) fn give(file: &Path, like: &Path) {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, chown};

    let outcome = fs::metadata(file).and_then(|created| {
        if created.uid() != 0 {
            return Ok(());
        }
        let model = fs::metadata(like).or_else(|_| fs::metadata(super::paths::directory_of(like)))?;
        if (created.uid(), created.gid()) == (model.uid(), model.gid()) {
            return Ok(());
        }
        chown(file, Some(model.uid()), Some(model.gid()))
    });
    if let Err(error) = outcome {
        tracing::warn!(
            path = %file.display(),
            error = &error as &dyn std::error::Error,
            "a new file belongs to root; give it to the user that the server runs as"
        );
    }
}

/// Elsewhere the directory's access list decides.
#[cfg(not(unix))]
pub(super) fn give(_: &Path, _: &Path) {}
