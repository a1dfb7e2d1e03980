//! Checks the sources against the table in `docs/architecture.md`: which module may import which. Checks too that no
//! files of a module import each other in a cycle, that each file begins with its purpose, and that none is too long.

mod imports;
mod files;
mod cycles;
mod table;
mod violations;

use std::path::Path;

use cycles::Graph;
use files::Files;
use table::Table;

/// A longer file, its tests included, is two concepts.
const MAX_LINES: usize = 400;

/// A file of `src/`.
struct Source {
    /// Below `src/`, with `/` between levels.
    path: String,
    text: String,
}

#[test]
fn the_sources_match_the_table_of_the_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let mut sources = Vec::new();
    collect(&root.join("src"), "", &mut sources);
    assert!(sources.len() > 20, "the sources were not found");
    let violations = violations(&table, &sources);
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// Every violation of the rules in `sources`, with the table in the Markdown text `table`.
fn violations(table: &str, sources: &[Source]) -> Vec<String> {
    let (table, mut violations) = Table::read(table);
    let mut files = Files::default();
    for Source { path, text } in sources {
        if !text.starts_with("//!") {
            violations.push(format!("src/{path} does not begin with `//!` and its purpose"));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            violations.push(format!("src/{path} has {lines} lines, over {MAX_LINES}"));
        }
        let file = module_path(path);
        match imports::read(text, &file) {
            Ok(imports) => drop(files.0.insert(file, imports)),
            Err(error) => violations.push(format!("src/{path} cannot be read as Rust: {error}")),
        }
    }
    let mut modules = Graph::new();
    for (file, imports) in files.0.iter().filter(|(file, _)| !file.is_empty()) {
        let (module, written) = (&file[0], file.join("::"));
        let imported = modules.entry(module.clone()).or_default();
        if !table.has(module) {
            violations.push(format!("`{module}` has no row in the table"));
        }
        for import in imports.iter().filter(|_| !table.may_import_everything(module)) {
            let Some(path) = files.path(file, import) else { continue };
            match path.first().map(String::as_str) {
                None | Some("*") => {
                    violations.push(format!("{written} imports the whole crate; name the module"))
                }
                Some(other) if other == module => {}
                Some(other) => {
                    imported.insert(other.to_owned());
                    let objection = table.objection(module, &path);
                    violations
                        .extend(objection.map(|objection| {
                            format!("{written} imports `{}`: {objection}", path.join("::"))
                        }));
                }
            }
        }
    }
    for module in table.modules().filter(|module| !modules.contains_key(*module)) {
        violations.push(format!("`{module}` has a row, but no source"));
    }
    violations.extend(cycles::find(&modules).map(|cycle| format!("modules import each other: {cycle}")));
    for module in modules.keys() {
        let cycle = cycles::find(&files.graph_of(module));
        violations.extend(cycle.map(|cycle| format!("files of src/{module}/ import each other: {cycle}")));
    }
    violations.dedup();
    violations
}

/// The module that a file defines: `store/keys.rs` is `store::keys`, `store/mod.rs` is `store`, `lib.rs` is the root.
fn module_path(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

fn collect(dir: &Path, prefix: &str, sources: &mut Vec<Source>) {
    let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), sources);
        } else if name.ends_with(".rs") {
            sources.push(Source { path: name, text: std::fs::read_to_string(&path).unwrap() });
        }
    }
}
