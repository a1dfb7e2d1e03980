//! Made-up sources with one violation each, which must be reported.

use super::{Source, violations};

const TABLE: &str = "
| layer | module | owns | may import | never |
|---|---|---|---|---|
| 0 | `words` | words | nothing of ours | I/O |
| 1 | `files` | rows | layer 0 | HTTP |
| 1 | `mail` | letters | layer 0 | SQLite |
| 2 | `gate` | callers | layer 0, `files` | rows |
| 3 | `plan` | settings | layer 0, `Settings` of layer 1 | opening |
";

/// The violations of a crate where these files have this code, and the others none.
fn found(table: &str, code: &[(&str, &str)]) -> Vec<String> {
    let empty = ["words.rs", "files/mod.rs", "mail.rs", "gate/mod.rs", "plan.rs"].map(|path| (path, ""));
    let empty = empty.iter().filter(|(path, _)| code.iter().all(|(other, _)| other != path));
    let source = |(path, code): &(&str, &str)| Source {
        path: (*path).to_owned(),
        text: format!("//! Owns something.\n{code}"),
    };
    violations(table, &empty.chain(code).map(source).collect::<Vec<_>>())
}

#[track_caller]
fn assert_one(violations: &[String], part: &str) {
    assert!(violations.len() == 1 && violations[0].contains(part), "{part}: {violations:#?}");
}

#[test]
fn allowed_imports_are_no_violations() {
    let gate = "
        /// Unlike [`crate::mail`], in prose.
        use crate::{words::Word, files::{self, Row}};
        use super::words as w;
        pub(in crate::gate) fn f(self_: Word) -> Row { vec![crate::files::row(), self::g()] }
        mod tests { use super::*; use super::super::files::Store; }
    ";
    let deep = "use super::super::guest::Guest; use super::super::super::words::W;";
    let plan = "use crate::{mail::MailSettings, files::Settings as FileSettings};";
    assert_eq!(found(TABLE, &[("gate/mod.rs", gate), ("gate/a/b.rs", deep), ("plan.rs", plan)]), [""; 0]);
}

#[test]
fn an_import_that_the_row_does_not_allow_is_found_however_it_is_written() {
    for code in [
        "use crate::mail::Letter;",
        "use crate::mail;",
        "use crate::{words::Word, mail::{self}};",
        "use crate::{mail as post};",
        "use crate::mail::*;",
        "use super::mail::Letter;",
        "pub use crate::mail::Letter;",
        "fn f(x: Vec<crate::mail::Letter>) {}",
        "fn f() { super::mail::send::<u8>(); }",
        "fn f() { match x { crate::mail::A { .. } => {} } }",
        "fn f() { g! { use crate::{words, mail::Letter}; } }",
        "macro_rules! m { () => { $crate::mail::send() } }",
        "m! { pub(crate) super::mail::send }",
        "#[serde(with = \"crate::mail::wire\")] struct X;",
        "#[cfg_attr(test, m(crate::mail::wire))] struct X;",
        "#[cfg(test)] mod tests { mod deeper { use super::super::super::mail; } }",
        "use vestibule::mail::Letter;",
        "use vestibule::Letter;",
    ] {
        let violations = found(TABLE, &[("lib.rs", "pub use mail::Letter;"), ("gate/mod.rs", code)]);
        assert_one(&violations, "gate imports `mail");
        assert_one(&violations, "the row of `gate` does not allow it");
    }
    for (path, code) in [
        ("files/mod.rs", "use crate::gate::Caller;"),
        ("words.rs", "mod tests { use super::super::files::Row; }"),
        ("mail.rs", "use crate::files::Row;"),
        ("plan.rs", "use crate::files::Store;"),
        ("plan.rs", "use crate::files::*;"),
        ("plan.rs", "use crate::gate::Settings;"),
    ] {
        assert_one(&found(TABLE, &[(path, code)]), "does not allow it");
    }
    for code in ["use crate::*;", "use super::*;", "use crate as all;", "extern crate self as all;"] {
        assert_one(&found(TABLE, &[("gate/mod.rs", code)]), "imports the whole crate");
    }
}

#[test]
fn a_wrong_table_is_found() {
    assert_one(&found(TABLE, &[("attic/mod.rs", "")]), "`attic` has no row");
    let more = format!("{TABLE}| 3 | `tower` | bells | layer 0 | ringing |\n");
    assert_one(&found(&more, &[]), "`tower` has a row, but no source");
    for (cell, part) in [
        ("layer 0, `gate`", "`gate`, which is not below it"),
        ("`attic`", "`attic`, which is not below it"),
        ("layer 1", "layer 1, which is not below it"),
        ("some | words", "cannot be read"),
    ] {
        let wrong = TABLE.replace("| rows | layer 0 |", &format!("| rows | {cell} |"));
        assert!(found(&wrong, &[]).iter().any(|violation| violation.contains(part)), "{cell}");
    }
    assert!(!found("no table", &[]).is_empty());
}

#[test]
fn modules_that_import_each_other_are_found() {
    let table = TABLE
        .replace("| letters | layer 0 |", "| letters | `files` |")
        .replace("| rows | layer 0 |", "| rows | `mail` |");
    let code = [("mail.rs", "use crate::files::Row;"), ("files/mod.rs", "use crate::mail::Letter;")];
    assert_one(&found(&table, &code), "modules import each other: files → mail → files");
}

#[test]
fn files_that_import_each_other_are_found_through_re_exports_and_names() {
    let root = "mod row; mod page; mod list; pub use page::Page; pub(crate) use list::item::Item as Entry;";
    for (row, page) in [
        ("use super::page::Page;", "use super::row::Row;"),
        ("use super::Page;", "fn f() -> crate::files::row::Row {}"),
        ("use super::page; fn f() { page::g(); }", "use crate::files::row as r;"),
        ("use super::Page;", "use super::list::item::Item;"),
        ("use super::Page;", "use super::Entry;"),
        ("use super::list; fn f() -> list::item::Item {}", "use super::row::Row;"),
    ] {
        let item =
            if row.contains("list") { "use crate::files::Page;" } else { "use super::super::row::Row;" };
        let code = [
            ("files/mod.rs", root),
            ("files/row.rs", row),
            ("files/page.rs", page),
            ("files/list/mod.rs", "pub mod item;"),
            ("files/list/item.rs", item),
        ];
        assert_one(&found(TABLE, &code), "files of src/files/ import each other: ");
    }
    let tests = [
        ("files/mod.rs", root),
        ("files/row.rs", "use super::Page; fn row() {}"),
        ("files/page.rs", "use super::super::words; mod tests { use super::super::row::Row; }"),
        ("files/tests/page.rs", "use super::super::{page, row};"),
    ];
    assert_eq!(found(TABLE, &tests), [""; 0], "tests may import each other's subjects");
}

#[test]
fn a_long_file_and_one_without_its_purpose_are_found() {
    assert_one(&found(TABLE, &[("gate/long.rs", &"\n".repeat(400))]), "src/gate/long.rs has 401 lines");
    let mut sources = ["words", "files", "mail", "gate", "plan"]
        .map(|name| Source { path: format!("{name}.rs"), text: "//! Owns something.".to_owned() });
    sources[2].text = "use std::io;".to_owned();
    assert_one(&violations(TABLE, &sources), "src/mail.rs does not begin with `//!`");
}
