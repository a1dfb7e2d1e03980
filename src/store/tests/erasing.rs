//! After an erasure: no file of ours tells of the person any more.

use super::*;
use crate::store::{ImportRow, ImportRules, UserUpdate};
use crate::user::Status;

/// All that could tell who it was, in every state the row went through.
const TRACES: [&str; 8] = [
    "erase.me@example.com",
    "first.address@example.com",
    "Lovelace",
    "Countess",
    "+441234",
    "+445678",
    "avatars/ada",
    "analytical-engine",
];

/// Which of our files hold which of the traces. Bytes are read by another process: reading them here would drop
/// SQLite's locks.
fn traces(house: &House) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(house.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::process::Command::new("cat").arg(&path).output().unwrap().stdout;
        for trace in TRACES {
            if bytes.windows(trace.len()).any(|window| window == trace.as_bytes()) {
                found.push(format!("{} in {}", trace, path.file_name().unwrap().display()));
            }
        }
    }
    found
}

#[test]
fn no_file_holds_a_trace_of_the_person_and_no_backup_made_afterwards() {
    let house = House::new();
    for i in 0..50 {
        house.verified_but_unlike(i);
    }
    let mut ada = arrival("auth0|1", Some("first.address@example.com"), true);
    ada.profile = Some(serde_json::json!({ "user_metadata": { "likes": "analytical-engine" } }));
    let user = house.store.admit(&ada, LinkEmail::Verified, &Actor::Gate).unwrap().into_user();
    let update = UserUpdate {
        name: Some(Some("Countess of L.".into())),
        phone: Some(Some("+445678".into())),
        picture: Some(Some("https://example.com/avatars/ada.png".into())),
        ..UserUpdate::default()
    };
    house.store.update(user.id, &update, &Actor::Cli).unwrap();
    let row = ImportRow {
        auth0_id: Some(id("auth0|1")),
        email: Some(email("erase.me@example.com")),
        email_verified: true,
        ..ImportRow::default()
    };
    let rules = ImportRules { link: LinkEmail::Verified, dry_run: false };
    house.store.import(&[row], rules, &Actor::Cli).unwrap();
    house.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    let before = traces(&house);
    for trace in TRACES {
        assert!(before.iter().any(|found| found.starts_with(trace)), "{trace} was never written: {before:?}");
    }

    house.store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    assert_eq!(traces(&house), [""; 0], "while the database is open");
    Store::backup(&house.settings, &house.file("tuesday.db")).unwrap();
    house.store.close().unwrap();
    assert_eq!(traces(&house), [""; 0], "after it was closed");
}

impl House {
    /// Somebody whose row shares nothing with the traces.
    fn verified_but_unlike(&self, i: usize) {
        let mut other = arrival(&format!("auth0|other{i}"), Some(&format!("other{i}@example.com")), true);
        other.person = Person { name: Some(format!("Other {i}")), ..Person::default() };
        other.profile = None;
        self.store.admit(&other, LinkEmail::Verified, &Actor::Gate).unwrap();
    }
}
