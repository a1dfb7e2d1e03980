//! The files of the crate by module path, and the files that their imports lead to.

use std::collections::BTreeMap;

use super::cycles::Graph;
use super::imports::Import;

/// The module path of each file, and the imports in it.
#[derive(Default)]
pub(super) struct Files(pub(super) BTreeMap<Vec<String>, Vec<Import>>);

impl Files {
    /// The path below the crate's root that `import` of `file` leads to, re-exports at the root resolved.
    pub(super) fn path(&self, file: &[String], import: &Import) -> Option<Vec<String>> {
        let path = self.path_as_written(file, import)?;
        Some(self.re_exported(&[], &path).unwrap_or(path))
    }

    /// Which files of `module` import which, tests apart. A file with modules below it, such as `mod.rs`, is left out: what
    /// others import through it counts as imported from the file that defines it.
    pub(super) fn graph_of(&self, module: &str) -> Graph {
        let is_leaf = |file: &[String]| !self.0.keys().any(|f| f.len() > file.len() && f.starts_with(file));
        let is_test = |file: &[String]| file.iter().any(|part| part == "tests" || part.ends_with("_tests"));
        let mut graph = Graph::new();
        for (file, imports) in &self.0 {
            if file.first().is_none_or(|first| first != module) || is_test(file) || !is_leaf(file) {
                continue;
            }
            for import in imports.iter().filter(|import| !import.in_tests()) {
                let Some(path) = self.path(file, import) else { continue };
                let target = self.defining_file(&path, 8);
                if target.first() == file.first() && target != *file && is_leaf(&target) {
                    graph.entry(file[1..].join("::")).or_default().insert(target[1..].join("::"));
                }
            }
        }
        graph
    }

    fn path_as_written(&self, file: &[String], import: &Import) -> Option<Vec<String>> {
        let first = import.segments.first()?;
        if self.0.contains_key(&[file, std::slice::from_ref(first)].concat()) {
            return Some([file, &import.segments].concat());
        }
        import.absolute().or_else(|| {
            // A name that another `use` of the file gave.
            let used = self.0.get(file)?.iter().find(|used| used.name.as_ref() == Some(first))?;
            Some([used.absolute()?, import.segments[1..].to_vec()].concat())
        })
    }

    /// The path that a `use` in `file` gives to `item`, a path below it.
    fn re_exported(&self, file: &[String], item: &[String]) -> Option<Vec<String>> {
        let name = item.first()?;
        let export = self.0.get(file)?.iter().find(|import| import.name.as_ref() == Some(name))?;
        Some([self.path_as_written(file, export)?, item[1..].to_vec()].concat())
    }

    /// The file that defines the item at `path`, found through at most `hops` re-exports.
    fn defining_file(&self, path: &[String], hops: usize) -> Vec<String> {
        let modules = (1..=path.len()).take_while(|length| self.0.contains_key(&path[..*length])).count();
        let (file, item) = path.split_at(modules);
        match self.re_exported(file, item) {
            Some(target) if hops > 0 && target != path => self.defining_file(&target, hops - 1),
            _ => file.to_vec(),
        }
    }
}
