//! Reads of many users at once.

use super::*;

#[test]
fn unknown_ids_are_left_out() {
    let (test, users) = list::seven_users();
    let wanted = [users[4].id, UserId::new(users[0].created_at), users[1].id];
    let mut found: Vec<_> =
        test.store.users_by_id(&wanted).unwrap().into_iter().map(|user| user.id).collect();
    found.sort_unstable();
    assert_eq!(found, [users[1].id, users[4].id]);
}
