//! Filters, orders and pages of lists, and the plans SQLite makes for them.

use std::time::Duration;

use super::*;
use crate::store::query::Query;
use crate::store::users::list_query;
use crate::store::{
    Page, PageArgs, Period, SEARCH_MAX, SortKey, UserColumns, UserCursor, UserFilter, UserOrder, user_json,
};
use crate::user::Status;

const ORDERS: [UserOrder; 4] = [UserOrder::Created, UserOrder::Updated, UserOrder::Email, UserOrder::Name];

/// Seven users, created a second apart, some without email or name, two with the same name.
pub(super) fn seven_users() -> (TestStore, Vec<User>) {
    let test = TestStore::new();
    let people = [
        ("dora@example.com", "Dora Marr", "Marr"),
        ("ada@example.com", "ada lovelace", "Lovelace"),
        ("", "Ada Lovelace", "Lovelace"),
        ("bob@example.com", "", ""),
        ("adam@example.com", "Zoe", "Adams"),
        ("", "", ""),
        ("carl@example.com", "Élodie", "%_"),
    ];
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let users = people.iter().enumerate().map(|(i, (email, name, family))| {
        test.clock.advance(Duration::from_secs(1));
        let seed = SeedUser {
            auth0_id: Some(id(&format!("auth0|{i}"))),
            email: some(email).map(|text| self::email(&text)),
            name: some(name),
            family_name: some(family),
            roles: if i % 2 == 0 { vec!["even".into()] } else { Vec::new() },
            ..seed()
        };
        test.store.seed(&[seed], &Actor::Seed).unwrap();
        test.store.user_by_auth0_id(&id(&format!("auth0|{i}"))).unwrap().unwrap()
    });
    let users = users.collect();
    (test, users)
}

fn slice(limit: usize) -> PageArgs<UserCursor> {
    PageArgs { after: None, before: None, limit, from_end: false }
}

fn all(test: &TestStore, filter: &UserFilter, order: UserOrder, descending: bool) -> Vec<UserId> {
    ids(test.store.list_users(filter, order, descending, &slice(100)).unwrap())
}

fn ids(part: Page<User>) -> Vec<UserId> {
    part.items.into_iter().map(|user| user.id).collect()
}

#[test]
fn a_list_reads_the_columns_that_are_wanted() {
    let (test, users) = seven_users();
    let sql = "UPDATE users SET email = auth0_id || '@example.com', name = 'a', given_name = 'b', family_name = 'c',
               nickname = 'd', picture = 'e', phone = 'f', roles = '[\"g\"]', tokens_valid_from = 7, profile_fetched_at = 8";
    assert_eq!(test.shell().execute(sql, []).unwrap(), users.len());
    let list = |columns| {
        let (filter, order) = (UserFilter::default(), UserOrder::Created);
        test.store.list_user_columns(columns, &filter, order, false, &slice(100)).unwrap().items
    };
    let whole = list(UserColumns::ALL);
    assert_eq!(
        whole,
        users.iter().map(|user| test.store.user(user.id).unwrap().unwrap()).collect::<Vec<_>>()
    );
    let columns = [
        ("auth0_id", "auth0Id"),
        ("email", "email"),
        ("name", "name"),
        ("given_name", "givenName"),
        ("family_name", "familyName"),
        ("nickname", "nickname"),
        ("picture", "picture"),
        ("phone", "phone"),
        ("roles", "roles"),
        ("tokens_valid_from", "tokensValidFrom"),
        ("profile_fetched_at", "profileFetchedAt"),
    ];
    for (wanted, _) in columns {
        for (whole, part) in whole.iter().zip(list(UserColumns::only(|column| column == wanted))) {
            let (mut expected, part) = (user_json(whole), user_json(&part));
            for (_, absent) in columns.iter().filter(|(column, _)| *column != wanted) {
                expected[absent] =
                    if *absent == "roles" { serde_json::json!([]) } else { serde_json::Value::Null };
            }
            assert_eq!(part, expected, "{wanted}");
        }
    }
}

#[test]
fn every_order_lists_the_same_users_forwards_and_backwards() {
    let (test, users) = seven_users();
    test.store.set_roles(users[1].id, &["late".into()], &Actor::Cli).unwrap();
    for order in ORDERS {
        for descending in [false, true] {
            let whole = all(&test, &UserFilter::default(), order, descending);
            assert_eq!(whole.len(), 7, "{order:?}");
            let mut reversed = all(&test, &UserFilter::default(), order, !descending);
            reversed.reverse();
            assert_eq!(whole, reversed, "{order:?}");
            for from_end in [false, true] {
                let (mut walked, mut edge) = (Vec::new(), None);
                loop {
                    let (after, before) = if from_end { (None, edge) } else { (edge, None) };
                    let slice = PageArgs { after, before, limit: 2, from_end };
                    let part =
                        test.store.list_users(&UserFilter::default(), order, descending, &slice).unwrap();
                    let (last, more) =
                        (if from_end { part.items.first() } else { part.items.last() }, part.more);
                    edge = last.map(|user| order.cursor(user));
                    let page = ids(part);
                    if from_end {
                        walked.splice(0..0, page)
                    } else {
                        walked.splice(walked.len().., page)
                    };
                    if !more {
                        break;
                    }
                }
                assert_eq!(walked, whole, "{order:?} {descending} {from_end}");
            }
        }
    }
    let by_name = all(&test, &UserFilter::default(), UserOrder::Name, false);
    assert_eq!(by_name[2..4], [users[1].id, users[2].id], "one name in two spellings: by id");
}

#[test]
fn a_page_lies_between_its_cursors() {
    let (test, _) = seven_users();
    let whole =
        test.store.list_users(&UserFilter::default(), UserOrder::Email, true, &slice(10)).unwrap().items;
    let place = |at: usize| Some(UserOrder::Email.cursor(&whole[at]));
    let between = PageArgs { after: place(1), before: place(5), limit: 2, from_end: true };
    let part = test.store.list_users(&UserFilter::default(), UserOrder::Email, true, &between).unwrap();
    assert_eq!((part.items.as_slice(), part.more), (&whole[3..5], true));
}

#[test]
fn filters_select_users_who_meet_every_condition() {
    let (test, users) = seven_users();
    test.store.set_status(users[3].id, Status::Blocked, &Actor::Cli).unwrap();
    let found = |filter: UserFilter| {
        let found = all(&test, &filter, UserOrder::Created, false);
        assert_eq!(test.store.count_users(&filter).unwrap(), found.len() as u64);
        for order in ORDERS {
            let mut same = all(&test, &filter, order, true);
            same.sort_unstable();
            assert_eq!(same, found, "{order:?}");
        }
        users
            .iter()
            .enumerate()
            .filter(|(_, user)| found.contains(&user.id))
            .map(|(i, _)| i)
            .collect::<Vec<_>>()
    };
    let search = |text: &str| UserFilter { search: Some(text.into()), ..UserFilter::default() };
    assert_eq!(found(search("ADA")), [1, 2, 4], "email, name or family name");
    assert_eq!(found(search("love")), [1, 2]);
    assert_eq!(found(search("%")), [6], "a search has no wildcards");
    assert_eq!(found(search("")), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(found(UserFilter { email: Some(email("Bob@example.com")), ..UserFilter::default() }), [3]);
    assert_eq!(found(UserFilter { name: Some("ADA LOVELACE".into()), ..UserFilter::default() }), [1, 2]);
    assert_eq!(found(UserFilter { status: Some(Status::Blocked), ..UserFilter::default() }), [3]);
    assert_eq!(found(UserFilter { role: Some("even".into()), ..search("a") }), [2, 4]);
    let created = Period { from: Some(users[2].created_at), until: Some(users[4].created_at) };
    assert_eq!(found(UserFilter { created, ..UserFilter::default() }), [2, 3]);
    let updated = Period { from: Some(users[5].updated_at), until: None };
    assert_eq!(found(UserFilter { updated, ..UserFilter::default() }), [3, 5, 6], "blocking changed one");
}

#[test]
fn the_role_filter_follows_changes() {
    let (test, users) = seven_users();
    let with = |role: &str| {
        let filter = UserFilter { role: Some(role.into()), ..UserFilter::default() };
        all(&test, &filter, UserOrder::Created, false)
    };
    test.store.set_roles(users[0].id, &["odd".into(), "new".into()], &Actor::Cli).unwrap();
    assert_eq!(with("even"), [users[2].id, users[4].id, users[6].id]);
    assert_eq!(with("new"), [users[0].id]);
    test.store.set_status(users[0].id, Status::Erased, &Actor::Cli).unwrap();
    assert_eq!(with("new"), []);
    test.shell()
        .execute("UPDATE users SET roles = '[\"typed\"]' WHERE id = ?1", [users[1].id.as_bytes()])
        .unwrap();
    assert_eq!(with("typed"), [users[1].id], "also what an operator types");
}

#[test]
fn a_search_looks_at_the_first_matches_only() {
    let test = TestStore::new();
    let seeds: Vec<_> = (0..SEARCH_MAX + 5)
        .map(|i| SeedUser { email: Some(email(&format!("many{i:05}@example.com"))), ..seed() })
        .collect();
    test.store.seed(&seeds, &Actor::Seed).unwrap();
    let many = UserFilter { search: Some("many".into()), ..UserFilter::default() };
    assert_eq!(test.store.count_users(&many).unwrap(), SEARCH_MAX as u64);
}

/// The query plans of every list that is documented to cost its length.
#[test]
fn pages_are_read_from_an_index_without_a_sort() {
    let (test, _) = seven_users();
    let plain = UserFilter::default;
    let blocked = UserFilter { status: Some(Status::Blocked), ..plain() };
    let now = test.clock.now();
    let lately = Period { from: Some(now), until: None };
    for (filter, order, index) in [
        (plain(), UserOrder::Created, "users_by_created_at"),
        (plain(), UserOrder::Updated, "users_by_updated_at"),
        (plain(), UserOrder::Email, "users_by_email"),
        (plain(), UserOrder::Name, "users_by_name"),
        (blocked, UserOrder::Created, "users_by_status"),
        (UserFilter { created: lately, ..plain() }, UserOrder::Created, "users_by_created_at"),
        (UserFilter { updated: lately, ..plain() }, UserOrder::Updated, "users_by_updated_at"),
        (UserFilter { email: Some(email("a@b.example")), ..plain() }, UserOrder::Email, "users_by_email"),
    ] {
        for descending in [false, true] {
            let by = match order {
                UserOrder::Created | UserOrder::Updated => SortKey::Moment(1),
                UserOrder::Email | UserOrder::Name => SortKey::Text("m".into()),
            };
            let after = Some(UserCursor { by, id: UserId::new(now) });
            let plan = test.store.plan(&filter, order, descending, &PageArgs { after, ..slice(50) });
            assert!(plan.contains(index) && plan.contains("SEARCH"), "{order:?}: {plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{order:?}: {plan}");
        }
    }
    for order in [UserOrder::Created, UserOrder::Email, UserOrder::Name] {
        let by = SortKey::Moment(1);
        for after in [None, Some(UserCursor { by, id: UserId::new(now) })] {
            let filter = UserFilter { updated: lately, ..plain() };
            let plan = test.store.plan(&filter, order, false, &PageArgs { after, ..slice(50) });
            assert!(
                plan.contains("SEARCH u USING INDEX users_by_updated_at (updated_at>?)"),
                "{order:?}: {plan}"
            );
        }
    }
    let search = UserFilter { search: Some("a".into()), ..plain() };
    let plan = test.store.plan(&search, UserOrder::Created, false, &slice(50));
    for index in ["users_by_email", "users_by_name", "users_by_family_name"] {
        assert!(
            plan.contains(&format!("SEARCH users USING COVERING INDEX {index}"))
                || plan.contains(&format!("SEARCH users USING INDEX {index}")),
            "{plan}"
        );
    }
    assert!(!plan.contains("SCAN u"), "{plan}");
    let role = UserFilter { role: Some("even".into()), ..plain() };
    let plan = test.store.plan(&role, UserOrder::Created, false, &slice(50));
    assert!(plan.contains("SEARCH user_roles USING PRIMARY KEY") && !plan.contains("SCAN u"), "{plan}");
}

impl Store {
    /// SQLite's plan for a list.
    fn plan(
        &self,
        filter: &UserFilter,
        order: UserOrder,
        descending: bool,
        slice: &PageArgs<UserCursor>,
    ) -> String {
        let Query { sql, values } = list_query(UserColumns::ALL, filter, order, descending, slice);
        self.read(|connection| {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let lines =
                statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3))?;
            Ok(lines.collect::<Result<Vec<_>, _>>()?.join("\n"))
        })
        .unwrap()
    }
}

#[test]
fn a_full_page_can_be_the_last_and_a_page_may_be_empty() {
    let test = TestStore::new();
    for number in 0..3 {
        test.add_user(&format!("auth0|{number}"), &format!("{number}@example.com"));
    }
    let page = |limit| {
        let page =
            test.store.list_users(&UserFilter::default(), UserOrder::Created, false, &PageArgs::first(limit));
        page.map(|page| (page.items.len(), page.more)).unwrap()
    };
    assert_eq!([page(0), page(2), page(3), page(usize::MAX)], [(0, true), (2, true), (3, false), (3, false)]);
}

#[test]
fn the_position_of_an_id_in_the_order_of_creation_needs_no_row() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|ada", ADA);
    let after = |millis: i64| {
        let mut bytes = [0xff; 16];
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        let after = Some(UserCursor::by_creation(UserId::from_bytes(bytes)));
        let args = PageArgs { after, ..PageArgs::first(10) };
        test.store.list_users(&UserFilter::default(), UserOrder::Created, false, &args).unwrap().items
    };
    let created = ada.created_at.as_millisecond();
    assert_eq!(after(created - 1), [User { profile: None, ..ada }], "a list has no profiles");
    assert_eq!(after(created + 1), []);
}
