//! Holds the source to the table of `docs/architecture.md`: who may import whom.

mod imports;

mod table;

mod wrong;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use table::Table;

/// Longer files are two concepts.
const MAX_LINES: usize = 400;

/// One file of `src/`.
struct Source {
    /// Below `src/`, with `/` between levels.
    path: String,
    text: String,
}

#[test]
fn the_house_is_as_its_map_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let mut sources = Vec::new();
    collect(&root.join("src"), "", &mut sources);
    assert!(sources.len() > 20, "the sources were not found");
    let faults = faults(&map, &sources);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Everything in which `sources` differ from the table in `map`.
fn faults(map: &str, sources: &[Source]) -> Vec<String> {
    let (table, mut faults) = Table::read(map);
    let mut seen = BTreeSet::new();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        let Source { path, text } = source;
        if !text.starts_with("//!") {
            faults.push(format!("src/{path} does not begin with `//!` and what it owns"));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            faults.push(format!("src/{path} has {lines} lines, over {MAX_LINES}"));
        }
        let module = module_of(path);
        let Some(room) = module.first() else { continue };
        if seen.insert(room.clone()) && !table.has(room) {
            faults.push(format!("`{room}` (src/{path}) has no row in the table"));
        }
        if !table.has(room) || table.may_import_everything(room) {
            continue;
        }
        let imports = match imports::of(text, &module) {
            Ok(imports) => imports,
            Err(error) => {
                faults.push(format!("src/{path} can not be parsed: {error}"));
                continue;
            }
        };
        for import in imports {
            let written = import.join("::");
            match import.first().map(String::as_str) {
                None | Some("*") => faults.push(format!("src/{path} imports the whole crate; name the room")),
                Some(other) if other == room => {}
                Some(other) => {
                    edges.entry(room.clone()).or_default().insert(other.to_owned());
                    if let Some(fault) = table.objection(room, &import) {
                        faults.push(format!("src/{path} imports `{written}`: {fault}"));
                    }
                }
            }
        }
    }
    faults.extend(
        table
            .rooms()
            .filter(|room| !seen.contains(*room))
            .map(|room| format!("`{room}` has a row, but no source")),
    );
    faults.extend(cycle(&edges));
    faults.dedup();
    faults
}

/// `store/tests.rs` → `store::tests`; `store/mod.rs` and `store.rs` → `store`; `lib.rs` is nobody's.
fn module_of(path: &str) -> Vec<String> {
    let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.len() > 1 && module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    if module == ["lib"] { Vec::new() } else { module }
}

/// One ring of rooms that import each other, if there is one.
fn cycle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    fn walk<'a>(
        room: &'a str,
        edges: &'a BTreeMap<String, BTreeSet<String>>,
        trail: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<String> {
        if let Some(start) = trail.iter().position(|above| *above == room) {
            return Some(format!("a cycle: {} → {room}", trail[start..].join(" → ")));
        }
        if !done.insert(room) {
            return None;
        }
        trail.push(room);
        let found = edges.get(room).into_iter().flatten().find_map(|next| walk(next, edges, trail, done));
        trail.pop();
        found
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|room| walk(room, edges, &mut Vec::new(), &mut done))
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
