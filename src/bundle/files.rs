//! Reads a bundle's files: limited in size, in a fixed order, with the path in every error.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{BundleError, keywords};

/// The longest file, in bytes. Auth0 accepts 100 kB of code.
const MAX_BYTES: u64 = 1024 * 1024;

/// A bundle's folder and the values for its keywords.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    root: &'a Path,
    keywords: &'a BTreeMap<String, String>,
}

impl<'a> Files<'a> {
    pub(super) fn open(root: &'a Path, keywords: &'a BTreeMap<String, String>) -> Result<Self, BundleError> {
        if root.is_dir() {
            Ok(Self { root, keywords })
        } else {
            Err(BundleError::NotAFolder { folder: root.to_owned() })
        }
    }

    /// The path of a file in the bundle.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The files in `folder` that end in `.extension`, sorted; none when the folder does not exist.
    pub(super) fn list(&self, folder: &str, extension: &str) -> Result<Vec<PathBuf>, BundleError> {
        let folder = self.root.join(folder);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(BundleError::Unreadable { file: folder, source }),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path =
                entry.map_err(|source| BundleError::Unreadable { file: folder.clone(), source })?.path();
            // `x.meta.json` is metadata of the GitLab extension about `x.json`.
            let is_ignored = stem(&path).starts_with('.') || stem(&path).ends_with(".meta");
            if path.is_file() && path.extension().is_some_and(|e| e == extension) && !is_ignored {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    /// The objects of `folder`, one per file, in the order of the files' names.
    pub(super) fn objects<T: DeserializeOwned>(
        &self,
        folder: &str,
    ) -> Result<Vec<(PathBuf, T)>, BundleError> {
        let paths = self.list(folder, "json")?;
        paths.into_iter().map(|path| self.json(&path).map(|object| (path, object))).collect()
    }

    /// The object in a file that may be absent.
    pub(super) fn json_if_exists<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, BundleError> {
        if path.exists() { self.json(path).map(Some) } else { Ok(None) }
    }

    /// The object in a file.
    pub(super) fn json<T: DeserializeOwned>(&self, path: &Path) -> Result<T, BundleError> {
        let text = self.text(path)?;
        serde_json::from_str(&text).map_err(|source| BundleError::Json { file: path.to_owned(), source })
    }

    /// A file's text, with keywords replaced.
    pub(super) fn text(&self, path: &Path) -> Result<String, BundleError> {
        let unreadable = |source| BundleError::Unreadable { file: path.to_owned(), source };
        // Resolves links, which may point anywhere.
        let real = path.canonicalize().map_err(unreadable)?;
        if !real.starts_with(self.root.canonicalize().map_err(unreadable)?) {
            return Err(BundleError::Invalid {
                file: path.to_owned(),
                problem: "it is a link to outside the bundle; put the file itself here".to_owned(),
            });
        }
        let text = read(&real).map_err(unreadable)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        keywords::replace(text, self.keywords)
            .map_err(|key| BundleError::Keyword { file: path.to_owned(), key })
    }

    /// The path of the script that the file `descriptor` names: relative to its own folder, else to the bundle, as in the
    /// deploy CLI. Never outside the bundle.
    pub(super) fn script(&self, descriptor: &Path, script: &str) -> Result<PathBuf, BundleError> {
        let relative = Path::new(script);
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !relative.components().all(inside) {
            return Err(BundleError::Invalid {
                file: descriptor.to_owned(),
                problem: format!("the script {script:?} is outside the bundle; give a path inside it"),
            });
        }
        let beside = descriptor.parent().unwrap_or(self.root).join(relative);
        let from_root = self.root.join(relative);
        [beside, from_root].into_iter().find(|path| path.is_file()).ok_or_else(|| BundleError::Invalid {
            file: descriptor.to_owned(),
            problem: format!("its script {script:?} does not exist; add the file or correct the path"),
        })
    }
}

/// A file's name without its extension.
pub(super) fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(std::io::Error::other("it is over 1 MiB; a bundle's files are small"));
    }
    Ok(text)
}
