//! The bundle's npm packages: finds and reads the files that `require` and `import` name, as Node does.
//!
//! Only files below the bundle's `node_modules`, also through links. Scripts see them as `/node_modules/…`.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::ipc::{CallError, ModuleFile, ModuleRequest};
use super::package_json::{Members, PackageJson, Target};

/// What the paths that scripts see begin with.
const PREFIX: &str = "/node_modules/";
/// The longest file, in bytes.
const FILE_LIMIT: u64 = 3 * 1024 * 1024;

/// The packages of one bundle.
#[derive(Debug, Clone)]
pub(super) struct Packages {
    node_modules: PathBuf,
}

impl Packages {
    /// The packages installed in the folder of a bundle; none need to be.
    pub(super) fn new(bundle: &Path) -> Self {
        // A bundle can be one YAML file.
        let folder = if bundle.is_file() { bundle.parent().unwrap_or(bundle) } else { bundle };
        Self { node_modules: folder.join("node_modules") }
    }

    /// Finds and reads a file. Blocking.
    pub(super) fn find(&self, request: &ModuleRequest) -> Result<ModuleFile, CallError> {
        let root = self.node_modules.canonicalize().map_err(|_| not_found(&request.name))?;
        Search {
            root: &root,
            conditions: if request.is_import { ["node", "import"] } else { ["node", "require"] },
        }
        .find(request)
    }

    /// Why neither `require` nor `import` of a script finds a module; `None` when one does. Blocking.
    pub(super) fn problem(&self, name: &str) -> Option<String> {
        let find =
            |is_import| self.find(&ModuleRequest { from: String::new(), name: name.to_owned(), is_import });
        find(false).or_else(|_| find(true)).err().map(|error| error.message)
    }
}

/// The package and the path within it that a bare specifier names: `@a/b/c.js` is `@a/b` and `c.js`.
pub(super) fn split(specifier: &str) -> (&str, &str) {
    let slashes = if specifier.starts_with('@') { 2 } else { 1 };
    match specifier.match_indices('/').nth(slashes - 1) {
        Some((at, _)) => {
            (specifier.get(..at).unwrap_or_default(), specifier.get(at + 1..).unwrap_or_default())
        }
        None => (specifier, ""),
    }
}

/// One search, in the canonical folder `root`.
struct Search<'a> {
    root: &'a Path,
    conditions: [&'static str; 2],
}

impl Search<'_> {
    fn find(&self, request: &ModuleRequest) -> Result<ModuleFile, CallError> {
        let ModuleRequest { from, name, .. } = request;
        let file =
            from.strip_prefix(PREFIX).map(|path| self.inside(&self.root.join(path), from)).transpose()?;
        let folder = file.and_then(|path| path.parent().map(Path::to_path_buf));
        let found = match &folder {
            Some(folder) if name.starts_with('#') => self.internal(folder, name)?,
            Some(folder) if is_relative(name) => path_or_folder(&self.inside(&folder.join(name), name)?),
            // `fs.readFileSync` of a package.
            Some(_) if name.starts_with(PREFIX) => {
                let path = name.strip_prefix(PREFIX).map(|path| self.inside(&self.root.join(path), name));
                path.transpose()?
            }
            _ if is_relative(name) || name.starts_with('/') || name.is_empty() => None,
            folder => self.package(folder.as_deref().unwrap_or(self.root), name)?,
        };
        let file = found.ok_or_else(|| not_found(name))?;
        self.read(&file, name)
    }

    /// Looks for a package in the `node_modules` of `from` and of each folder above it, up to the bundle's.
    fn package(&self, from: &Path, name: &str) -> Result<Option<PathBuf>, CallError> {
        let (package, inner) = split(name);
        if package.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Ok(None);
        }
        let own = self.enclosing(from);
        let own = own.filter(|(_, manifest)| manifest.name == package && manifest.exports.is_some());
        let above = from.ancestors().take_while(|folder| folder.starts_with(self.root));
        let modules = above
            .filter(|folder| !folder.ends_with("node_modules"))
            .map(|folder| folder.join("node_modules"));
        let folders = modules.chain([self.root.to_path_buf()]).map(|modules| modules.join(package));
        for folder in own.map(|(folder, _)| folder).into_iter().chain(folders) {
            if !folder.is_dir() {
                // One file can be a package too.
                match file(&folder).filter(|_| inner.is_empty()) {
                    Some(file) => return Ok(Some(file)),
                    None => continue,
                }
            }
            let manifest = PackageJson::read(&folder).unwrap_or_default();
            if let Some(exports) = &manifest.exports {
                let subpath = if inner.is_empty() { ".".to_owned() } else { format!("./{inner}") };
                return match self.mapped(exports, &subpath) {
                    Some(target) => Ok(Some(folder.join(target))),
                    None => Err(CallError::new(
                        "ERR_PACKAGE_PATH_NOT_EXPORTED",
                        format!(
                            "Package subpath '{subpath}' is not defined by \"exports\" in {package}/package.json"
                        ),
                    )),
                };
            }
            let file = match inner {
                "" => entry(&folder, &manifest),
                inner => path_or_folder(&self.inside(&folder.join(inner), name)?),
            };
            if file.is_some() {
                return Ok(file);
            }
        }
        Ok(None)
    }

    /// The path without `..`.
    ///
    /// # Errors
    /// When it leads out of `node_modules`: then nothing is looked up, so that no script finds out which files there are.
    fn inside(&self, path: &Path, name: &str) -> Result<PathBuf, CallError> {
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::ParentDir => drop(clean.pop()),
                Component::CurDir => {}
                part => clean.push(part),
            }
        }
        if clean.starts_with(self.root) { Ok(clean) } else { Err(outside(name)) }
    }

    /// The file of a package's own `#name`.
    fn internal(&self, from: &Path, name: &str) -> Result<Option<PathBuf>, CallError> {
        let Some((folder, manifest)) = self.enclosing(from) else { return Ok(None) };
        let target = manifest.imports.as_ref().and_then(|imports| self.mapped(imports, name));
        match target {
            Some(target) if target.starts_with("./") => Ok(Some(folder.join(target))),
            Some(package) => self.package(from, &package),
            None => Ok(None),
        }
    }

    /// The nearest folder with a `package.json`.
    fn enclosing(&self, from: &Path) -> Option<(PathBuf, PackageJson)> {
        let above =
            from.ancestors().take_while(|folder| folder.starts_with(self.root) && *folder != self.root);
        above.into_iter().find_map(|folder| Some((folder.to_path_buf(), PackageJson::read(folder)?)))
    }

    /// What `exports` or `imports` maps a subpath to.
    fn mapped(&self, map: &Target, subpath: &str) -> Option<String> {
        let paths = match map {
            Target::Members(Members(members))
                if members.iter().any(|(key, _)| key.starts_with(['.', '#'])) =>
            {
                members
            }
            _ => return if subpath == "." { self.target(map, "") } else { None },
        };
        if let Some((_, target)) = paths.iter().find(|(key, _)| key == subpath) {
            return self.target(target, "");
        }
        // The pattern with the longest text before its `*` wins.
        let patterns = paths.iter().filter_map(|(key, target)| {
            let (start, end) = key.split_once('*')?;
            let star = subpath.strip_prefix(start)?.strip_suffix(end)?;
            (!star.is_empty()).then_some((start.len(), star, target))
        });
        let (_, star, target) = patterns.max_by_key(|(length, ..)| *length)?;
        self.target(target, star)
    }

    fn target(&self, target: &Target, star: &str) -> Option<String> {
        match target {
            Target::Path(path) => Some(path.replace('*', star)),
            Target::List(targets) => targets.iter().find_map(|target| self.target(target, star)),
            Target::Members(Members(conditions)) => conditions
                .iter()
                .filter(|(name, _)| *name == "default" || self.conditions.contains(&name.as_str()))
                .find_map(|(_, target)| self.target(target, star)),
            Target::Nothing(_) => None,
        }
    }

    fn read(&self, file: &Path, name: &str) -> Result<ModuleFile, CallError> {
        let file = file.canonicalize().map_err(|_| not_found(name))?;
        let Some(inner) = file.strip_prefix(self.root).ok().and_then(Path::to_str) else {
            return Err(outside(name));
        };
        let kind = match file.extension().and_then(|extension| extension.to_str()) {
            Some("node") => {
                let message =
                    format!("'{name}' is native code ({inner}), which runs neither here nor at Auth0");
                return Err(CallError::new("ERR_NATIVE", message));
            }
            Some("json") => "json",
            Some("mjs") => "module",
            Some("cjs") => "commonjs",
            _ => match self.enclosing(&file) {
                Some((_, manifest)) if manifest.kind == "module" => "module",
                _ => "commonjs",
            },
        };
        let unreadable =
            |problem: String| CallError::new("ERR_UNREADABLE", format!("'{name}' ({inner}): {problem}"));
        let mut source = String::new();
        let opened = std::fs::File::open(&file).map(|file| file.take(FILE_LIMIT + 1));
        opened
            .and_then(|mut file| file.read_to_string(&mut source))
            .map_err(|error| unreadable(error.to_string()))?;
        if u64::try_from(source.len()).is_ok_and(|length| length > FILE_LIMIT) {
            return Err(unreadable(format!("it is over {FILE_LIMIT} bytes")));
        }
        Ok(ModuleFile { path: format!("{PREFIX}{inner}"), kind: kind.to_owned(), source })
    }
}

fn not_found(name: &str) -> CallError {
    CallError::new("MODULE_NOT_FOUND", format!("Cannot find module '{name}'"))
}

fn outside(name: &str) -> CallError {
    CallError::new("ERR_OUTSIDE", format!("'{name}' leads out of the bundle's node_modules"))
}

fn is_relative(name: &str) -> bool {
    matches!(name, "." | "..") || name.starts_with("./") || name.starts_with("../")
}

/// The file that a package's `main` names, or its index.
fn entry(folder: &Path, manifest: &PackageJson) -> Option<PathBuf> {
    let main = manifest.main.as_str().map(|main| folder.join(main));
    main.and_then(|main| file(&main).or_else(|| file(&main.join("index"))))
        .or_else(|| file(&folder.join("index")))
}

fn path_or_folder(path: &Path) -> Option<PathBuf> {
    file(path).or_else(|| entry(path, &PackageJson::read(path).unwrap_or_default()))
}

/// The file itself, or with one of Node's extensions.
fn file(path: &Path) -> Option<PathBuf> {
    let with = |extension: &str| {
        let mut text = path.as_os_str().to_owned();
        text.push(extension);
        PathBuf::from(text)
    };
    ["", ".js", ".json", ".node"].into_iter().map(with).find(|path| path.is_file())
}
