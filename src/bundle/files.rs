//! Reads a bundle's files: limited in size, in a fixed order, with the path in every error.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use super::{BundleError, keywords};

/// The longest file, in bytes. Auth0 accepts 100 kB of code.
const MAX_BYTES: u64 = 1024 * 1024;

/// A bundle's folder, the values of its keywords, and those found without a value.
pub(super) struct Files<'a> {
    root: PathBuf,
    /// The file of the YAML layout, if there is one.
    pub(super) yaml: Option<PathBuf>,
    keywords: &'a BTreeMap<String, Value>,
    pub(super) missing: Vec<(PathBuf, String)>,
}

impl<'a> Files<'a> {
    /// `path` is the folder, or the file of the YAML layout in it.
    pub(super) fn open(path: &Path, keywords: &'a BTreeMap<String, Value>) -> Result<Self, BundleError> {
        let is_yaml = |path: &Path| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
        let (root, yaml) = if path.is_dir() {
            let names = ["tenant.yaml", "tenant.yml"].map(|name| path.join(name));
            (path.to_owned(), names.into_iter().find(|file| file.is_file()))
        } else if path.is_file() && is_yaml(path) {
            (path.parent().map(Path::to_owned).unwrap_or_default(), Some(path.to_owned()))
        } else {
            return Err(BundleError::NotABundle { folder: path.to_owned() });
        };
        let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
        Ok(Self { root, yaml, keywords, missing: Vec::new() })
    }

    /// The path of a file in the bundle.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What a folder of the bundle holds, sorted, without hidden files; nothing when it does not exist.
    pub(super) fn entries(&self, folder: &str) -> Result<Vec<PathBuf>, BundleError> {
        let folder = self.root.join(folder);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(source) => return Err(BundleError::Unreadable { file: folder, source }),
        };
        let path = |entry: std::io::Result<std::fs::DirEntry>| entry.map(|entry| entry.path());
        let found: std::io::Result<Vec<PathBuf>> = entries.map(path).collect();
        let mut found = found.map_err(|source| BundleError::Unreadable { file: folder, source })?;
        found.retain(|path| !stem(path).starts_with('.'));
        found.sort();
        Ok(found)
    }

    /// The files in `folder` that end in `.extension`, sorted. `x.meta.json` is not among them: older tools write it
    /// beside `x.json`.
    pub(super) fn list(&self, folder: &str, extension: &str) -> Result<Vec<PathBuf>, BundleError> {
        let mut found = self.entries(folder)?;
        found.retain(|path| {
            path.is_file()
                && path.extension().is_some_and(|e| e == extension)
                && !stem(path).ends_with(".meta")
        });
        Ok(found)
    }

    /// The value in a file that may be absent.
    pub(super) fn json_if_exists(&mut self, path: &Path) -> Result<Option<Value>, BundleError> {
        if path.exists() { self.json(path).map(Some) } else { Ok(None) }
    }

    /// The value in a JSON file, with keywords replaced.
    pub(super) fn json(&mut self, path: &Path) -> Result<Value, BundleError> {
        let text = self.text(path)?;
        serde_json::from_str(&text).map_err(|source| BundleError::Json { file: path.to_owned(), source })
    }

    /// The sections of the YAML layout, with keywords replaced.
    pub(super) fn yaml(&mut self, path: &Path) -> Result<Map<String, Value>, BundleError> {
        // A keyword in a comment needs no value.
        let text: Vec<String> = self
            .raw(path)?
            .lines()
            .map(|line| {
                let is_comment = line.trim_start().starts_with('#');
                if is_comment { self.known(line) } else { self.replaced(path, line) }
            })
            .collect();
        // As js-yaml, which the deploy CLI uses: `yes`, `no`, `on`, `off` are texts.
        let options = serde_saphyr::options! { strict_booleans: true };
        let sections: Option<Map<String, Value>> =
            serde_saphyr::from_str_with_options(&text.join("\n"), options)
                .map_err(|error| BundleError::Yaml { file: path.to_owned(), problem: error.to_string() })?;
        Ok(sections.unwrap_or_default())
    }

    /// A file's text, with keywords replaced.
    pub(super) fn text(&mut self, path: &Path) -> Result<String, BundleError> {
        let text = self.raw(path)?;
        Ok(self.replaced(path, &text))
    }

    /// A file's text in which keywords without a value stay as written.
    pub(super) fn lenient_text(&self, path: &Path) -> Result<String, BundleError> {
        Ok(self.known(&self.raw(path)?))
    }

    /// The path of the script that the file `descriptor` names: relative to its own folder, else to the bundle, as in the
    /// deploy CLI. Never outside the bundle. `None` when there is no such file.
    pub(super) fn script(&self, descriptor: &Path, script: &str) -> Result<Option<PathBuf>, BundleError> {
        let script = script.replace('\\', "/");
        let relative = Path::new(&script);
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !relative.components().all(inside) {
            return Err(BundleError::Invalid {
                file: descriptor.to_owned(),
                problem: format!("the script {script:?} is outside the bundle; give a path inside it"),
            });
        }
        let beside = descriptor.parent().unwrap_or(&self.root).join(relative);
        Ok([beside, self.root.join(relative)].into_iter().find(|path| path.is_file()))
    }

    fn known(&self, text: &str) -> String {
        keywords::replace(text, self.keywords, &mut BTreeSet::new())
    }

    fn replaced(&mut self, path: &Path, text: &str) -> String {
        let mut missing = BTreeSet::new();
        let text = keywords::replace(text, self.keywords, &mut missing);
        self.missing.extend(missing.into_iter().map(|key| (path.to_owned(), key)));
        text
    }

    fn raw(&self, path: &Path) -> Result<String, BundleError> {
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
        Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
    }
}

/// See [`Bundle::own_keywords`](super::Bundle::own_keywords).
pub(super) fn own_keywords(bundle: &Path) -> Result<BTreeMap<String, Value>, BundleError> {
    let nothing = BTreeMap::new();
    let mut files = Files::open(bundle, &nothing)?;
    // Of another tool, whose values may contain keywords: they are replaced later.
    let path = files.path("config.json");
    let config = files.json_if_exists(&path)?;
    let mappings =
        config.and_then(|config| config.get("AUTH0_KEYWORD_REPLACE_MAPPINGS")?.as_object().cloned());
    Ok(mappings.unwrap_or_default().into_iter().collect())
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
