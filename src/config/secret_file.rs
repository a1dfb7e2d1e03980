//! Values that stand in files of their own: a key that ends in `_file` (in the environment, `_FILE`).

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use figment::value::Value;

use super::problem::Diagnostic;
use super::written::{Origin, Written, is_secret};

/// More than any secret or certificate; a mistaken path to something huge is refused instead of read.
const MAX_BYTES: u64 = 64 * 1024;

/// Puts in place of each `…_file` key the key it stands for, with what the file holds.
///
/// A value and a file from the same layer contradict each other. Between layers the later one wins, as ever.
///
/// `credentials` is the folder of systemd's credentials, if it started us with some.
pub(super) fn resolve(written: &mut Written, credentials: Option<&Path>, problems: &mut Vec<Diagnostic>) {
    for key in written.known() {
        let file_key = format!("{key}_file");
        // `auth0.ca_file` is a setting of its own: only what no room knows is a file to read.
        if written.is_known(&file_key) {
            continue;
        }
        let Some(named) = written.tree.find_ref(&file_key).cloned() else { continue };
        let origin = written.origin(&file_key);
        let path = named.as_str().map(PathBuf::from);
        written.put(&segments(&file_key), None);
        let Some(path) = path else {
            let problem =
                Diagnostic::at(written, &file_key, "is not a path", "give the file's path as a string");
            problems.push(problem);
            continue;
        };
        if path.as_os_str().is_empty() || is_beaten(written, &key, &file_key, &origin, problems) {
            continue;
        }
        match read(&path, is_secret(&key).then(|| readable_by(&path, credentials))) {
            Ok(text) => {
                written.put(&segments(&key), Some(Value::String(named.tag(), text)));
                written.files.insert(key, path);
            }
            Err((what, fix)) => problems.push(Diagnostic {
                key: file_key,
                source: origin.to_string(),
                what: format!("`{}` {what}", path.display()),
                fix,
            }),
        }
    }
}

/// Whether the value given directly stands against the file. From the same layer, that is a contradiction.
fn is_beaten(
    written: &Written,
    key: &str,
    file_key: &str,
    origin: &Origin,
    problems: &mut Vec<Diagnostic>,
) -> bool {
    if written.text(key).is_some_and(str::is_empty) {
        return false;
    }
    let direct = written.origin(key);
    if direct.beside(origin) {
        problems.push(Diagnostic {
            key: key.to_owned(),
            source: direct.to_string(),
            what: format!("is given twice: directly, and by `{file_key}` ({origin})"),
            fix: "keep one of the two".to_owned(),
        });
        return true;
    }
    direct.over(origin)
}

/// The bits of a secret file's mode that let somebody else read it.
///
/// systemd lets a service's own user read its credentials by an access list, whose mask shows as the group's bits
/// (systemd.exec(5), `LoadCredential=`); their folder is the service's alone.
fn readable_by(path: &Path, credentials: Option<&Path>) -> u32 {
    let is_inside = |folder: &Path| {
        let real = |path: &Path| path.canonicalize().ok();
        real(path).zip(real(folder)).is_some_and(|(path, folder)| path.starts_with(folder))
    };
    if credentials.is_some_and(is_inside) { 0o004 } else { 0o044 }
}

/// Reads a file. A secret's may not have any of the `forbidden` bits in its mode.
fn read(path: &Path, forbidden: Option<u32>) -> Result<String, (String, String)> {
    let unreadable = |error: std::io::Error| {
        (format!("can not be read: {error}"), "name a file that this user can read".to_owned())
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // Of the open file, not of the path: nothing can be swapped in between.
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.permissions().mode();
    if forbidden.is_some_and(|forbidden| mode & forbidden != 0) {
        return Err((
            format!("can be read by others than its owner (mode {:04o})", mode & 0o7777),
            "chmod 600 it; for a mounted secret, set the mount's mode to 0400".to_owned(),
        ));
    }
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err((
            format!("is longer than {} KiB", MAX_BYTES / 1024),
            "name the file that holds the value alone".to_owned(),
        ));
    }
    let value = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if value.is_empty() {
        return Err(("is empty".to_owned(), "write the value into it".to_owned()));
    }
    Ok(value.to_owned())
}

fn segments(key: &str) -> Vec<String> {
    key.split('.').map(str::to_owned).collect()
}
