//! Whose a new file is: the service's, also when an operator makes it as root. Else the service could not open its own
//! database any more.

use std::path::Path;

/// Gives a file that was just made to the owner and the group of `like`; where that is not there, of its folder.
/// Only root can, so for everybody else a file is theirs who make it. A failure is told and ends nothing.
#[cfg(unix)]
pub(super) fn give(file: &Path, like: &Path) {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, chown};

    let outcome = fs::metadata(file).and_then(|made| {
        if made.uid() != 0 {
            return Ok(());
        }
        let model = fs::metadata(like).or_else(|_| fs::metadata(super::checksum::directory_of(like)))?;
        if (made.uid(), made.gid()) == (model.uid(), model.gid()) {
            return Ok(());
        }
        chown(file, Some(model.uid()), Some(model.gid()))
    });
    if let Err(error) = outcome {
        tracing::warn!(
            path = %file.display(),
            error = &error as &dyn std::error::Error,
            "a new file stays root's; give it to the user that the server runs as"
        );
    }
}

/// Elsewhere the directory's access list decides.
#[cfg(not(unix))]
pub(super) fn give(_: &Path, _: &Path) {}
