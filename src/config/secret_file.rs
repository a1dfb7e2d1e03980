//! Keys that end in `_file` (in the environment, `_FILE`): their value is read from that file.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::layers::{Layers, Origin, Setting, is_secret, keyword_section};

/// More than any secret or certificate; a larger file is refused, since its path is probably a mistake.
const MAX_BYTES: u64 = 64 * 1024;

/// Replaces each `…_file` key by the key without that ending, with the content of the file.
///
/// Giving both in the same layer is a mistake; of two layers, the later one wins. `credentials` is systemd's
/// `$CREDENTIALS_DIRECTORY`.
pub(super) fn resolve(layers: &mut Layers, credentials: Option<&Path>) {
    // The keys of targets have no defaults, and keywords keep the case of their variables.
    let of_target = |file_key: &String| {
        let is_keyword = keyword_section(file_key).is_some();
        let key = file_key
            .strip_suffix("_file")
            .or_else(|| file_key.strip_suffix("_FILE").filter(|_| is_keyword))?;
        let is_secret = key.ends_with(".client_secret") || is_keyword;
        (key.starts_with("targets.") && is_secret).then(|| (key.to_owned(), file_key.clone()))
    };
    let of_targets: Vec<(String, String)> = layers.settings.keys().filter_map(of_target).collect();
    let known = layers.known().into_iter().map(|key| (key.clone(), format!("{key}_file")));
    for (key, file_key) in known.chain(of_targets) {
        // `auth0.ca_file` is a setting of its own.
        if layers.default(&file_key).is_some() {
            continue;
        }
        let Some(Setting { value, origin, .. }) = layers.settings.remove(&file_key) else { continue };
        let Some(path) = value.as_str().map(PathBuf::from) else {
            layers.report(file_key, origin, "is not a path", "give the file's path as a string");
            continue;
        };
        if path.as_os_str().is_empty() || is_overridden(layers, &key, &file_key, &origin) {
            continue;
        }
        match read(&path, is_secret(&key).then(|| forbidden_mode(&path, credentials))) {
            Ok(text) => {
                layers.settings.insert(key, Setting { value: text.into(), origin, file: Some(path) });
            }
            Err((what, fix)) => {
                layers.report(file_key, origin, format!("`{}` {what}", path.display()), fix);
            }
        }
    }
}

/// Whether a value given directly wins over the file. In the same layer, that is a mistake.
fn is_overridden(layers: &mut Layers, key: &str, file_key: &str, origin: &Origin) -> bool {
    if layers.text(key).is_some_and(str::is_empty) {
        return false;
    }
    let direct = layers.origin(key);
    if direct.rank() == origin.rank() {
        let what = format!("is given twice: directly, and by `{file_key}` ({origin})");
        layers.report(key, &direct, what, "keep one of the two");
    }
    direct.rank() >= origin.rank()
}

/// The mode bits that a secret file must not have.
///
/// systemd grants a service access to its credentials by an ACL, whose mask shows as the group's bits (systemd.exec(5),
/// `LoadCredential=`); only the service can open their folder.
fn forbidden_mode(path: &Path, credentials: Option<&Path>) -> u32 {
    let is_inside = |folder: &Path| {
        let real = |path: &Path| path.canonicalize().ok();
        real(path).zip(real(folder)).is_some_and(|(path, folder)| path.starts_with(folder))
    };
    if credentials.is_some_and(is_inside) { 0o004 } else { 0o044 }
}

/// Reads a file, without its final line break. Its mode must not have any of the `forbidden` bits.
fn read(path: &Path, forbidden: Option<u32>) -> Result<String, (String, String)> {
    let unreadable = |error: std::io::Error| {
        (format!("cannot be read: {error}"), "name a file that this user can read".to_owned())
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // Of the open file, not of the path, which could be replaced in between.
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.permissions().mode();
    if forbidden.is_some_and(|forbidden| mode & forbidden != 0) {
        return Err((
            format!("is readable by users other than its owner (mode {:04o})", mode & 0o7777),
            "chmod 600 it; for a mounted secret, set the mount's mode to 0400".to_owned(),
        ));
    }
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err((
            format!("is longer than {} KiB", MAX_BYTES / 1024),
            "name a file that contains only the value".to_owned(),
        ));
    }
    let value = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if value.is_empty() {
        return Err(("is empty".to_owned(), "write the value into it".to_owned()));
    }
    Ok(value.to_owned())
}
