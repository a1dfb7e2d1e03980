//! Roles.

use super::*;

#[test]
fn concurrent_changes_of_roles_all_take_effect() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", "ada@example.com");
    std::thread::scope(|scope| {
        for role in ["a", "b", "c", "d"] {
            let store = test.another_process();
            scope.spawn(move || {
                let add = |roles: &[String]| roles.iter().cloned().chain([role.to_owned()]).collect();
                store.change_roles(user.id, add, &Actor::Cli).unwrap();
            });
        }
    });
    assert_eq!(test.store.user(user.id).unwrap().unwrap().roles, ["a", "b", "c", "d"]);
}
