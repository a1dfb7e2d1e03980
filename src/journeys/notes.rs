//! The example `notes`: a team's own schemas behind both doors, with the dev tenant.

use std::ffi::OsString;
use std::process::Command;

use serde_json::{Value, json};
use vestibule::cli;
use vestibule::cli::http_client::HttpResponse;
use vestibule::clock::Clock;

use crate::dev_server::DevServer;
use crate::socket::Socket;
use crate::test_server::{INTERNAL, PUBLIC};

#[expect(dead_code, reason = "`main` is used by `cargo run --example notes`")]
#[path = "../../examples/notes.rs"]
mod example;

fn ask(dev: &DevServer, door: &str, token: Option<&str>, query: &str) -> HttpResponse {
    let doors = &dev.development().doors;
    let address = if door == PUBLIC { doors.public() } else { doors.internal() };
    dev.http.graphql(&format!("http://{address}/graphql"), token, query, Value::Null).unwrap()
}

#[test]
fn people_can_write_and_read_their_own_notes() {
    let dev = DevServer::open_with(example::notes(), Clock::system(), &[]);
    let (ada, grace) = (dev.log_in("ada"), dev.log_in("grace"));
    let added = ask(&dev, PUBLIC, Some(&ada), "mutation { addNote(text: \"Bernoulli\") { text } }");
    assert_eq!(added.json(), json!({"data": {"addNote": {"text": "Bernoulli"}}}));
    let notes = |token: &str| ask(&dev, PUBLIC, Some(token), "{ notes { text } }").json();
    assert_eq!(notes(&ada), json!({"data": {"notes": [{"text": "Bernoulli"}]}}));
    assert_eq!(notes(&grace), json!({"data": {"notes": []}}));
    let empty = ask(&dev, PUBLIC, Some(&ada), "mutation { addNote(text: \" \") { text } }");
    assert_eq!(empty.code().as_deref(), Some("BAD_INPUT"));
}

#[test]
fn people_receive_events_for_their_own_notes() {
    let dev = DevServer::open_with(example::notes(), Clock::system(), &[]);
    let (ada, grace) = (dev.log_in("ada"), dev.log_in("grace"));
    let mut socket = Socket::connect_with_token(&dev.runtime, dev.development().doors.public(), &ada);
    socket.subscribe("1", "subscription { noteAdded { text } }");
    let event = socket.first_event(|turn| {
        for (token, name) in [(&grace, "grace"), (&ada, "ada")] {
            let add = format!("mutation {{ addNote(text: \"{name} {turn}\") {{ id }} }}");
            assert_eq!(ask(&dev, PUBLIC, Some(token), &add).status, 200);
        }
    });
    let text = event["data"]["noteAdded"]["text"].as_str().unwrap();
    assert!(text.starts_with("ada "), "{event}");
}

#[test]
fn graphiql_starts_with_a_valid_query() {
    let dev = DevServer::open_with(example::notes(), Clock::system(), &[]);
    let page = format!("http://{}/graphiql/door.json", dev.development().doors.public());
    let to_try = dev.http.get(&page, &[]).unwrap().at("/toTry").as_str().unwrap().to_owned();
    assert_eq!(to_try, "{ notes { text } }");
    let answer = ask(&dev, PUBLIC, Some(&dev.log_in("ada")), &to_try);
    assert_eq!(answer.json(), json!({"data": {"notes": []}}));
}

#[test]
fn the_gate_guards_the_team_s_schema() {
    let dev = DevServer::open_with(example::notes(), Clock::system(), &[]);
    assert_eq!(ask(&dev, PUBLIC, None, "{ notes { text } }").code().as_deref(), Some("NO_TOKEN"));
    let mallory = dev.log_in("mallory");
    assert_eq!(ask(&dev, PUBLIC, Some(&mallory), "{ notes { text } }").code().as_deref(), Some("BLOCKED"));
}

#[test]
fn staff_need_the_team_s_own_permission_to_read_notes() {
    let read_notes = |set: &[&str]| {
        let dev = DevServer::open_with(example::notes(), Clock::system(), set);
        // The rule user-in-token queries the team's schema.
        drop(ask(&dev, PUBLIC, Some(&dev.log_in("ada")), "{ notes { text } }"));
        let staff = dev.token("katherine", INTERNAL).json();
        let staff = staff["access_token"].as_str().unwrap().to_owned();
        let author = ask(&dev, INTERNAL, Some(&staff), "{ user(auth0Id: \"auth0|ada\") { id } }");
        let author = author.at("/data/user/id");
        ask(&dev, INTERNAL, Some(&staff), &format!("{{ notes(author: {author}) {{ text }} }}"))
    };
    let refused = read_notes(&[]);
    assert_eq!(refused.code().as_deref(), Some("NOT_PERMITTED"), "{}", refused.body);
    let allowed = read_notes(&["roles.admin=[\"users:read\", \"notes:read\"]"]);
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
