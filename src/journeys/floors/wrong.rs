//! Made-up wrong houses, each of which must be found out: a test that never fails holds nothing.

use super::{Source, faults};

const MAP: &str = "
| floor | room | owns | may import | never |
|---|---|---|---|---|
| 0 | `words` | words | nothing of ours | I/O |
| 1 | `cellar` | rows | floor 0 | HTTP |
| 1 | `mail` | letters | floor 0 | SQLite |
| 2 | `hall` | guests | floor 0, `cellar` | rows |
| 3 | `plan` | settings | floor 0, `Settings` of floor 1 | opening |
";

/// The faults of a house where `path` has `code`, and all else is in order.
fn found(path: &str, code: &str) -> Vec<String> {
    found_in(MAP, &[(path, code)])
}

fn found_in(map: &str, files: &[(&str, &str)]) -> Vec<String> {
    let rooms = ["words.rs", "cellar/mod.rs", "mail.rs", "hall/mod.rs", "plan.rs"];
    let mut sources: Vec<Source> = rooms.iter().map(|path| source(path, "")).collect();
    for (path, code) in files {
        sources.retain(|source| source.path != *path);
        sources.push(source(path, code));
    }
    faults(map, &sources)
}

fn source(path: &str, code: &str) -> Source {
    Source { path: path.to_owned(), text: format!("//! Owns something.\n{code}") }
}

#[track_caller]
fn assert_one(faults: Vec<String>, told: &str) {
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].contains(told), "{}", faults[0]);
}

#[test]
fn a_house_in_order_has_no_faults() {
    let code = "
        /// Unlike [`crate::mail`], in prose.
        use crate::{words::Word, cellar::{self, Row}};
        use super::words as w;
        pub(in crate::hall) fn f(self_: Word) -> Row { vec![crate::cellar::row(), self::g()] }
        mod tests { use super::*; use super::super::cellar::Store; }
    ";
    assert_eq!(found("hall/mod.rs", code), [""; 0]);
    assert_eq!(
        found("hall/deep/er.rs", "use super::super::guest::Guest; use super::super::super::words::W;"),
        [""; 0]
    );
    assert_eq!(
        found("plan.rs", "use crate::{mail::MailSettings, cellar::Settings as CellarSettings};"),
        [""; 0]
    );
}

#[test]
fn an_import_that_no_row_names_is_found_however_it_is_written() {
    for code in [
        "use crate::mail::Letter;",
        "use crate::mail;",
        "use crate::{words::Word, mail::{self}};",
        "use crate::mail as post;",
        "use crate::{mail as post};",
        "use crate::mail::*;",
        "use super::mail::Letter;",
        "pub use crate::mail::Letter;",
        "fn f() -> crate::mail::Letter {}",
        "fn f() { super::mail::send::<u8>(); }",
        "fn f(x: Vec<crate::mail::Letter>) {}",
        "fn f() { match x { crate::mail::A { .. } => {} } }",
        "impl crate::mail::Send for X {}",
        "fn f() { g!(1, [crate::mail::send()]); }",
        "fn f() { g! { use crate::{words, mail::Letter}; } }",
        "macro_rules! m { () => { $crate::mail::send() } }",
        "m! { pub(crate) super::mail::send }",
        "#[serde(with = \"crate::mail::wire\")] struct X;",
        "#[cfg_attr(test, m(crate::mail::wire))] struct X;",
        "mod tests { use super::super::mail::Letter; }",
        "#[cfg(test)] mod tests { mod deeper { use super::super::super::mail; } }",
        "fn f() { use crate::mail::Letter; }",
        "use vestibule::mail::Letter;",
    ] {
        assert_one(found("hall/mod.rs", code), "the row of `hall` does not name it");
    }
    assert_one(
        found("hall/stairs.rs", "use super::super::mail::Letter;"),
        "src/hall/stairs.rs imports `mail::Letter`",
    );
}

#[test]
fn an_import_upward_is_found() {
    assert_one(found("cellar/mod.rs", "use crate::hall::Guest;"), "`hall` is upstairs, on floor 2");
    assert_one(found("words.rs", "mod tests { use super::super::cellar::Row; }"), "upstairs");
}

#[test]
fn an_import_of_a_neighbour_is_found() {
    assert_one(found("mail.rs", "use crate::cellar::Row;"), "the row of `mail` does not name it");
}

#[test]
fn more_than_settings_is_found_where_only_settings_may_be_named() {
    for code in [
        "use crate::cellar::Store;",
        "use crate::cellar;",
        "use crate::cellar::*;",
        "use crate::hall::Settings;",
    ] {
        assert_one(found("plan.rs", code), "the row of `plan` does not name it");
    }
}

#[test]
fn an_undeclared_room_is_found_where_it_is_and_where_it_is_named() {
    assert_one(found("attic/mod.rs", ""), "`attic` (src/attic/mod.rs) has no row");
    assert_one(found("hall/mod.rs", "use crate::attic::Box;"), "`attic` has no row");
}

#[test]
fn a_row_without_a_room_is_found() {
    let map = format!("{MAP}| 3 | `tower` | bells | floor 0 | ringing |\n");
    assert_one(found_in(&map, &[]), "`tower` has a row, but no source");
}

#[test]
fn the_whole_crate_can_not_be_imported() {
    for code in [
        "use crate::*;",
        "use super::*;",
        "use crate as house;",
        "extern crate self as house;",
        "use crate::{self as house};",
    ] {
        assert_one(found("hall/mod.rs", code), "imports the whole crate");
    }
}

#[test]
fn a_cycle_between_neighbours_is_found() {
    let map = MAP
        .replace("| letters | floor 0 |", "| letters | `cellar` |")
        .replace("| rows | floor 0 |", "| rows | `mail` |");
    let files = [("mail.rs", "use crate::cellar::Row;"), ("cellar/mod.rs", "use crate::mail::Letter;")];
    assert_one(found_in(&map, &files), "a cycle: cellar → mail → cellar");
}

#[test]
fn a_wrong_row_is_found() {
    for (wrong, told) in [
        ("floor 0, `hall`", "which is upstairs"),
        ("floor 0, `attic`", "which has no row"),
        ("floor 1", "which is not below it"),
        ("whatever it likes", "can not be read"),
    ] {
        let map = MAP.replace("| rows | floor 0 |", &format!("| rows | {wrong} |"));
        let faults = found_in(&map, &[]);
        assert!(faults.iter().any(|fault| fault.contains(told)), "{wrong}: {faults:#?}");
    }
    assert!(!found_in("no table", &[]).is_empty());
}

#[test]
fn a_long_file_or_one_without_a_door_text_is_found() {
    assert_one(found("hall/long.rs", &"\n".repeat(400)), "src/hall/long.rs has 401 lines");
    let bare = Source { path: "mail.rs".to_owned(), text: "use std::io;".to_owned() };
    let mut sources: Vec<Source> =
        ["words.rs", "cellar.rs", "hall.rs", "plan.rs"].map(|path| source(path, "")).into();
    sources.push(bare);
    assert_one(faults(MAP, &sources), "src/mail.rs does not begin with `//!`");
}
