//! The table: rooms, floors, and what each may import.

use std::collections::BTreeMap;

/// The heading of the table, by which it is found.
const HEADING: &str = "| floor | room |";

pub(super) struct Table(BTreeMap<String, Row>);

struct Row {
    floor: u8,
    may: Vec<Allowed>,
}

#[derive(PartialEq)]
enum Allowed {
    Room(String),
    Floor(u8),
    SettingsOfFloor(u8),
    Everything,
}

impl Table {
    /// Reads the table out of a Markdown text, and tells what is wrong with the table itself.
    pub(super) fn read(map: &str) -> (Self, Vec<String>) {
        let mut faults = Vec::new();
        let mut rows = BTreeMap::new();
        let lines = map.lines().skip_while(|line| !line.starts_with(HEADING)).skip(2);
        for line in lines.take_while(|line| line.starts_with('|')) {
            match row(line) {
                Some((room, _)) if rows.contains_key(&room) => faults.push(format!("`{room}` has two rows")),
                Some((room, row)) => drop(rows.insert(room, row)),
                None => faults.push(format!("a row of the table can not be read: {line}")),
            }
        }
        if rows.is_empty() {
            faults.push("there is no table of rooms".to_owned());
        }
        let table = Self(rows);
        faults.extend(table.wrong_rows());
        (table, faults)
    }

    pub(super) fn has(&self, room: &str) -> bool {
        self.0.contains_key(room)
    }

    pub(super) fn rooms(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn may_import_everything(&self, room: &str) -> bool {
        self.0.get(room).is_some_and(|row| row.may.contains(&Allowed::Everything))
    }

    /// Why `room` may not import `path` (a room's name first), if it may not.
    pub(super) fn objection(&self, room: &str, path: &[String]) -> Option<String> {
        let (from, to) = (self.0.get(room)?, path.first()?);
        let Some(target) = self.0.get(to) else {
            return Some(format!("`{to}` has no row in the table"));
        };
        if target.floor > from.floor {
            return Some(format!("`{to}` is upstairs, on floor {}", target.floor));
        }
        let settings = path.get(1).is_some_and(|name| name.ends_with("Settings"));
        let allowed = from.may.iter().any(|allowed| match allowed {
            Allowed::Room(name) => name == to,
            Allowed::Floor(floor) => *floor == target.floor,
            Allowed::SettingsOfFloor(floor) => *floor == target.floor && settings,
            Allowed::Everything => true,
        });
        (!allowed).then(|| format!("the row of `{room}` does not name it"))
    }

    /// Rows that name rooms that are not there, or upstairs, or a whole floor that is not below.
    fn wrong_rows(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (room, row) in &self.0 {
            for allowed in &row.may {
                match allowed {
                    Allowed::Room(name) => match self.0.get(name) {
                        None => faults.push(format!("the row of `{room}` names `{name}`, which has no row")),
                        Some(target) if target.floor > row.floor => {
                            faults.push(format!("the row of `{room}` names `{name}`, which is upstairs"));
                        }
                        Some(_) => {}
                    },
                    Allowed::Floor(floor) | Allowed::SettingsOfFloor(floor) if *floor >= row.floor => {
                        faults
                            .push(format!("the row of `{room}` names floor {floor}, which is not below it"));
                    }
                    _ => {}
                }
            }
        }
        faults
    }
}

/// `| 1 | `store` | … | floor 0 | … |`
fn row(line: &str) -> Option<(String, Row)> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [floor, room, owns, may, _never] = cells.as_slice() else { return None };
    if owns.is_empty() {
        return None;
    }
    let may = match *may {
        "nothing of ours" => Vec::new(),
        "everything" => vec![Allowed::Everything],
        list => list.split(", ").map(allowed).collect::<Option<_>>()?,
    };
    Some((name(room)?, Row { floor: floor.parse().ok()?, may }))
}

fn allowed(item: &str) -> Option<Allowed> {
    if let Some(floor) = item.strip_prefix("`Settings` of floor ") {
        return Some(Allowed::SettingsOfFloor(floor.parse().ok()?));
    }
    if let Some(floor) = item.strip_prefix("floor ") {
        return Some(Allowed::Floor(floor.parse().ok()?));
    }
    name(item).map(Allowed::Room)
}

fn name(cell: &str) -> Option<String> {
    let name = cell.strip_prefix('`')?.strip_suffix('`')?;
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_').then(|| name.to_owned())
}
