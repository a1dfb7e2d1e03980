//! The example `notes`: a team's own schemas behind both doors, with everything that stands before them.

use std::ffi::OsString;
use std::process::Command;

use serde_json::{Value, json};
use vestibule::cli;
use vestibule::cli::http_client::Answer;

use crate::house::House;
use crate::socket::Socket;
use crate::yard::{INTERNAL, PUBLIC};

#[expect(dead_code, reason = "its `main` is for the executable that `cargo run --example notes` makes")]
#[path = "../../examples/notes.rs"]
mod example;

fn ask(house: &House, door: &str, token: Option<&str>, query: &str) -> Answer {
    let doors = &house.development().doors;
    let address = if door == PUBLIC { doors.public() } else { doors.internal() };
    house.wire.graphql(&format!("http://{address}/graphql"), token, query, Value::Null).unwrap()
}

#[test]
fn people_write_notes_of_their_own() {
    let house = House::with(example::notes(), &[]);
    let (ada, grace) = (house.log_in("ada"), house.log_in("grace"));
    let added = ask(&house, PUBLIC, Some(&ada), "mutation { addNote(text: \"Bernoulli\") { text } }");
    assert_eq!(added.json(), json!({"data": {"addNote": {"text": "Bernoulli"}}}));
    let notes = |token: &str| ask(&house, PUBLIC, Some(token), "{ notes { text } }").json();
    assert_eq!(notes(&ada), json!({"data": {"notes": [{"text": "Bernoulli"}]}}));
    assert_eq!(notes(&grace), json!({"data": {"notes": []}}));
    let empty = ask(&house, PUBLIC, Some(&ada), "mutation { addNote(text: \" \") { text } }");
    assert_eq!(empty.code().as_deref(), Some("BAD_INPUT"));
}

#[test]
fn people_hear_of_their_own_notes_as_they_are_written() {
    let house = House::with(example::notes(), &[]);
    let (ada, grace) = (house.log_in("ada"), house.log_in("grace"));
    let mut socket = Socket::with(&house.runtime, house.development().doors.public(), &ada);
    socket.subscribe("1", "subscription { noteAdded { text } }");
    let heard = socket.first(|turn| {
        for (token, name) in [(&grace, "grace"), (&ada, "ada")] {
            let add = format!("mutation {{ addNote(text: \"{name} {turn}\") {{ id }} }}");
            assert_eq!(ask(&house, PUBLIC, Some(token), &add).status, 200);
        }
    });
    let text = heard["data"]["noteAdded"]["text"].as_str().unwrap();
    assert!(text.starts_with("ada "), "{heard}");
}

#[test]
fn the_page_of_a_door_begins_with_a_query_that_its_schema_answers() {
    let house = House::with(example::notes(), &[]);
    let page = format!("http://{}/graphiql/door.json", house.development().doors.public());
    let to_try = house.wire.get(&page, &[]).unwrap().at("/toTry").as_str().unwrap().to_owned();
    assert_eq!(to_try, "{ notes { text } }");
    let answer = ask(&house, PUBLIC, Some(&house.log_in("ada")), &to_try);
    assert_eq!(answer.json(), json!({"data": {"notes": []}}));
}

#[test]
fn nobody_comes_past_the_gate_to_a_team_s_schema() {
    let house = House::with(example::notes(), &[]);
    assert_eq!(ask(&house, PUBLIC, None, "{ notes { text } }").code().as_deref(), Some("NO_TOKEN"));
    let mallory = house.log_in("mallory");
    assert_eq!(ask(&house, PUBLIC, Some(&mallory), "{ notes { text } }").code().as_deref(), Some("BLOCKED"));
}

#[test]
fn staff_read_notes_by_a_permission_of_the_team_s_own() {
    let reading = |set: &[&str]| {
        let house = House::with(example::notes(), set);
        // The rule that puts users into tokens asks the team's schema, and finds them there.
        drop(ask(&house, PUBLIC, Some(&house.log_in("ada")), "{ notes { text } }"));
        let staff = house.token("katherine", INTERNAL).json();
        let staff = staff["access_token"].as_str().unwrap().to_owned();
        let author = ask(&house, INTERNAL, Some(&staff), "{ user(auth0Id: \"auth0|ada\") { id } }");
        let author = author.at("/data/user/id");
        ask(&house, INTERNAL, Some(&staff), &format!("{{ notes(author: {author}) {{ text }} }}"))
    };
    let refused = reading(&[]);
    assert_eq!(refused.code().as_deref(), Some("NOT_PERMITTED"), "{}", refused.body);
    let allowed = reading(&["roles.admin=[\"users:read\", \"notes:read\"]"]);
    assert_eq!(allowed.json(), json!({"data": {"notes": []}}), "{}", allowed.body);
}

#[test]
#[ignore = "run by the test below, in a process whose output is read"]
fn prints_both_schemas() {
    for door in ["public", "internal"] {
        cli::run(["notes", "schema", door].map(OsString::from), example::notes()).unwrap();
    }
}

#[test]
fn a_team_s_executable_prints_the_team_s_schemas() {
    let itself = std::env::current_exe().unwrap();
    let name = ["--ignored", "--exact", "notes::prints_both_schemas", "--nocapture"];
    let printed = String::from_utf8(Command::new(itself).args(name).output().unwrap().stdout).unwrap();
    assert!(printed.contains("addNote(") && printed.contains("notes(author: ID!)"), "{printed}");
    assert!(!printed.contains("acceptTerms("), "{printed}");
}
