//! The table of modules in `docs/architecture.md`: the layer of each, and what it may import.

use std::collections::BTreeMap;

/// The start of the table's head.
const HEAD: &str = "| layer | module |";

/// A row's fourth cell.
const NOTHING: &str = "nothing of ours";
const EVERYTHING: &str = "everything";

pub(super) struct Table(BTreeMap<String, Row>);

struct Row {
    layer: u8,
    /// Items of the fourth cell as they are written: `` `name` ``, `layer 1` or `` `Settings` of layer 1 ``.
    may_import: Vec<String>,
}

impl Table {
    /// Reads the table from Markdown, and what is wrong with the table itself.
    pub(super) fn read(markdown: &str) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut rows = BTreeMap::new();
        let lines = markdown.lines().skip_while(|line| !line.starts_with(HEAD)).skip(2);
        for line in lines.take_while(|line| line.starts_with('|')) {
            match row(line) {
                Some((module, _)) if rows.contains_key(&module) => {
                    problems.push(format!("`{module}` has two rows"));
                }
                Some((module, row)) => drop(rows.insert(module, row)),
                None => problems.push(format!("a row of the table cannot be read: {line}")),
            }
        }
        if rows.is_empty() {
            problems.push(format!("the table was not found (`{HEAD}`)"));
        }
        for (module, row) in &rows {
            for item in row.may_import.iter().filter(|item| *item != EVERYTHING) {
                let layer = item.rsplit_once("layer ").and_then(|(_, layer)| layer.parse::<u8>().ok());
                let named = rows.get(item.trim_matches('`')).map(|named| named.layer);
                let below = layer.is_some_and(|layer| layer < row.layer)
                    || named.is_some_and(|layer| layer <= row.layer);
                if !below {
                    problems.push(format!("the row of `{module}` names {item}, which is not below it"));
                }
            }
        }
        (Self(rows), problems)
    }

    pub(super) fn has(&self, module: &str) -> bool {
        self.0.contains_key(module)
    }

    pub(super) fn modules(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    pub(super) fn may_import_everything(&self, module: &str) -> bool {
        self.0.get(module).is_some_and(|row| row.may_import.iter().any(|item| item == EVERYTHING))
    }

    /// Why `module` may not import `path`, whose first segment is another module, if it may not.
    pub(super) fn objection(&self, module: &str, path: &[String]) -> Option<String> {
        let (row, imported) = (self.0.get(module)?, path.first()?);
        let Some(target) = self.0.get(imported) else {
            return Some(format!("`{imported}` has no row in the table"));
        };
        let settings = path.get(1).is_some_and(|name| name.ends_with("Settings"));
        let by_layer = format!("layer {}", target.layer);
        let allowed = row.may_import.iter().any(|item| {
            *item == by_layer
                || *item == format!("`{imported}`")
                || settings && *item == format!("`Settings` of {by_layer}")
        });
        (!allowed).then(|| format!("the row of `{module}` does not allow it"))
    }
}

/// `| 1 | `store` | … | layer 0 | … |`
fn row(line: &str) -> Option<(String, Row)> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [layer, module, _owns, may_import, _never] = cells.as_slice() else { return None };
    let module = module.strip_prefix('`')?.strip_suffix('`')?.to_owned();
    let may_import = may_import.split(", ").filter(|item| *item != NOTHING).map(str::to_owned).collect();
    Some((module, Row { layer: layer.parse().ok()?, may_import }))
}
