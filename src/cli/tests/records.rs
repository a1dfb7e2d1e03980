//! Records in each format, valid and invalid.

use std::io::{BufRead, BufReader, Read, Write};

use crate::cli::users::format::{Format, read};
use crate::cli::users::records::{Notes, Position};
use crate::store::ImportRow;
use crate::user::Person;

type Rows = Vec<(Position, Result<ImportRow, String>)>;

fn read_from(input: impl BufRead, format: Option<Format>) -> (Rows, anyhow::Result<Notes>) {
    let (mut rows, mut notes) = (Vec::new(), Notes::default());
    let outcome = read(input, format, &mut notes)
        .and_then(|mut records| records.try_for_each(|record| record.map(|row| rows.push(row))));
    (rows, outcome.map(|()| notes))
}

fn read_all(text: &str, format: Option<Format>) -> (Rows, anyhow::Result<Notes>) {
    read_from(text.as_bytes(), format)
}

/// The Auth0 ids of a file without invalid records.
fn ids(text: &str) -> Vec<String> {
    let (rows, outcome) = read_all(text, None);
    outcome.unwrap();
    rows.into_iter().map(|(_, row)| row.unwrap().auth0_id.unwrap().to_string()).collect()
}

fn user(text: &str) -> Result<ImportRow, String> {
    let (mut rows, outcome) = read_all(text, None);
    outcome.unwrap();
    assert_eq!(rows.len(), 1, "{text}");
    rows.remove(0).1
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn ada() -> ImportRow {
    ImportRow {
        auth0_id: Some("auth0|1".parse().unwrap()),
        email: Some("ada@example.com".parse().unwrap()),
        email_verified: true,
        person: Person {
            name: Some("Ada Lovelace".into()),
            given_name: Some("Ada".into()),
            phone: Some("+441234".into()),
            ..Person::default()
        },
        blocked: None,
    }
}

#[test]
fn a_user_is_the_same_in_every_format() {
    for (text, position) in [
        (
            "\u{feff}{\"user_id\":\"auth0|1\",\"email\":\"Ada@Example.com\",\"email_verified\":true,\"name\":\"Ada Lovelace\",\
             \"given_name\":\"Ada\",\"phone_number\":\"+441234\",\"app_metadata\":{\"roles\":[\"admin\"]},\"nickname\":null}\n",
            Position::Line(1),
        ),
        (
            "\n [\n {\"user_id\": \"1\", \"email\": \"ada@example.com\", \"email_verified\": true,\n\
             \"name\": \"Ada Lovelace\", \"given_name\": \"Ada\", \"phone_number\": \"+441234\"} ]",
            Position::Record(1),
        ),
        (
            "Id,Given Name,Name,Email,Email Verified,Phone,Blocked,nickname\n\
             auth0|1,Ada,\"Ada Lovelace\", ada@example.com,TRUE,+441234,,\n",
            Position::Line(2),
        ),
    ] {
        let (rows, notes) = read_all(text, None);
        assert_eq!(rows, [(position, Ok(ada()))], "{text}");
        assert_eq!(notes.unwrap().password_hashes, 0);
        let compressed = gzip(text);
        assert_eq!(read_from(compressed.as_slice(), None).0, rows, "by its magic number: {text}");
        let twice = [gzip(""), compressed].concat();
        assert_eq!(read_from(twice.as_slice(), None).0, rows, "as several members");
    }
}

#[test]
fn json_is_read_however_it_is_broken_into_records() {
    let one = r#"{"user_id":"auth0|1","identities":[{"user_id":"1"}],"users":7}"#;
    let pretty =
        "{\n  \"user_id\": \"auth0|2\",\n  \"app_metadata\": {\n    \"a\": [\"}\", \"\\\"{\"]\n  }\n}";
    let both = ["auth0|1", "auth0|2"];
    for text in [
        format!("{one}\n{pretty}\n"),
        format!("{pretty}{one}").replace("|2", "|0").replace("|1", "|2").replace("|0", "|1"),
        format!("{one} {pretty}"),
        format!("{one},\n{pretty},\n"),
        format!("[{one},{pretty}]"),
        format!(" [\n{one} , {pretty} ]\n"),
        format!("[{one}]\n[{pretty}]"),
        format!(r#"{{"users": [{one}, {pretty}]}}"#),
        format!(r#"{{"start":0,"limit":50,"length":2,"users":[{one},{pretty}],"total":2}}"#),
        format!("{{\n  \"total\": 2,\n  \"users\": [\n{one}\n]}}\n{{\"users\":[{pretty}],\"next\":\"x]y\"}}"),
    ] {
        assert_eq!(ids(&text), both, "{text}");
    }
    for empty in ["[]", r#"{"users":[],"total":0}"#, "[\n]\n"] {
        assert_eq!(ids(empty), [""; 0], "{empty}");
    }
    // In pieces of every size, as from a pipe.
    let text = format!("{one}\n{pretty}\n[{one}]");
    for size in 1..text.len() {
        let (rows, outcome) = read_from(BufReader::with_capacity(size, text.as_bytes().take(9999)), None);
        assert!(outcome.is_ok() && rows.len() == 3, "{size}: {rows:?}");
        assert_eq!(
            [rows[0].0, rows[1].0, rows[2].0],
            [Position::Line(1), Position::Line(2), Position::Record(1)]
        );
    }
}

#[test]
fn a_missing_block_differs_from_one_that_was_lifted() {
    for (text, expected) in [
        (r#"{"user_id":"1"}"#, None),
        (r#"{"user_id":"1","blocked":false}"#, Some(false)),
        ("user_id,blocked\n1,true\n", Some(true)),
        ("user_id,blocked\n1,\n", None),
    ] {
        assert_eq!(user(text).unwrap().blocked, expected, "{text}");
    }
}

#[test]
fn columns_have_the_same_names_in_json_and_csv() {
    let csv = "Id,Given Name,Family Name,Email,Email Verified,Connection\nauth0|1,Iris,Holt,iris@example.com,true,db\n";
    let json = r#"{"Id":"auth0|1","Given Name":"Iris","Family Name":"Holt","Email":"iris@example.com","Email Verified":true,"Connection":"db"}"#;
    assert_eq!(user(csv), user(json));
    let iris = user(json).unwrap();
    assert_eq!((iris.person.given_name.as_deref(), iris.email_verified), (Some("Iris"), true));
    assert_eq!(read_all(csv, None).1.unwrap(), read_all(json, None).1.unwrap());
    // Our own lists have an id beside the Auth0 id.
    let own =
        r#"{"id":"0191d2a4-7e3c-7000-8000-000000000000","auth0Id":"auth0|1","email":null,"name":"Iris"}"#;
    assert_eq!(user(own).unwrap().auth0_id.unwrap().as_str(), "auth0|1");
}

#[test]
fn the_apostrophes_of_auth0s_csv_export_are_stripped_and_others_stay() {
    let export = "\"'user_id\",\"email\",\"email_verified\",\"'name\"\n\"'auth0|1\",\"'ada@example.com\",true,\"''t Hooft\"\n";
    let user_of_export = user(export).unwrap();
    assert_eq!(user_of_export.auth0_id.unwrap().as_str(), "auth0|1");
    assert_eq!(user_of_export.email.unwrap().as_str(), "ada@example.com");
    assert!(user_of_export.email_verified);
    assert_eq!(user_of_export.person.name.as_deref(), Some("'t Hooft"));
    let other = user("email,name\nada@example.com,'t Hooft\n").unwrap();
    assert_eq!(other.person.name.as_deref(), Some("'t Hooft"));
}

#[test]
fn a_record_is_read_as_a_login_reads_a_profile() {
    let read = user(
        r#"{"user_id":"samlp|7","email":"UID-77","email_verified":true,"phone_number":4915100000002,"name":{}}"#,
    );
    let expected = ImportRow {
        auth0_id: Some("samlp|7".parse().unwrap()),
        person: Person { phone: Some("4915100000002".into()), ..Person::default() },
        ..ImportRow::default()
    };
    assert_eq!(read, Ok(expected.clone()), "an invalid address is no email, and nothing is verified");
    for unusable in ["null", "7", "[]", "\"\""] {
        let text = format!(
            r#"{{"user_id":"samlp|7","email":{unusable},"email_verified":"maybe","phone_number":"4915100000002"}}"#
        );
        assert_eq!(user(&text), Ok(expected.clone()), "{text}");
    }
    for (verified, expected) in [("true", true), ("\"true\"", false), ("1", false), ("null", false)] {
        let text = format!(r#"{{"user_id":"1","email":"ada@example.com","email_verified":{verified}}}"#);
        assert_eq!(user(&text).unwrap().email_verified, expected, "{text}");
    }
    for (verified, expected) in [("TRUE", true), ("1", true), ("false", false), ("maybe", false), ("", false)]
    {
        let text = format!("user_id,email,email_verified\n1,ada@example.com,{verified}\n");
        assert_eq!(user(&text).unwrap().email_verified, expected, "{text}");
    }
    for (text, why) in [
        (r#"{"user_id":7}"#, "user_id is a number, not text"),
        (r#"{"user_id":{"a":"secret"}}"#, "user_id is an object, not text"),
        (r#"{"email":["ada"]}"#, "has no user_id, and email is a list, not an address"),
        (r#"{"email":"ada"}"#, "has no user_id, and email is text, not an address"),
        (r#"{"user_id":"1","blocked":"perhaps"}"#, "blocked is text, neither true nor false"),
    ] {
        assert_eq!(user(text), Err(why.to_owned()));
    }
    assert_eq!(user(r#"{"user_id":"1","blocked":"TRUE"}"#).unwrap().blocked, Some(true));
}

#[test]
fn an_invalid_record_is_reported_with_its_position_and_reading_goes_on() {
    let good = r#"{"user_id":"auth0|1"}"#;
    for (wrong, why) in [
        (r#"{"user_id":"auth0|2""#, "not a JSON object"),
        (r#"{"user_id":"auth0|2"#, "not a JSON object"),
        (r#"{"user_id":}"#, "not a JSON object (column 12)"),
        ("Dear Sir or Madam", "not a JSON object"),
        ("7", "not an object"),
        (r#"{"email":"ada"}"#, "not an address"),
        ("{\"user_id\":\"a\\u0000\"}", "user_id"),
    ] {
        let (rows, notes) = read_all(&format!("{good}\n\n{wrong}\n{good}"), Some(Format::Json));
        let places: Vec<Position> = rows.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [Position::Line(1), Position::Line(3), Position::Line(4)], "{wrong}");
        let said = rows[1].1.as_ref().unwrap_err();
        assert!(said.contains(why) && !said.contains("auth0|2"), "{said}");
        assert!(rows[2].1.is_ok() && notes.is_ok());
    }
    let (rows, _) = read_all(r#"[{"email":"ada"}, {"user_id":"1"}]"#, None);
    assert!(rows[0].1.is_err() && rows[1].1.is_ok() && rows[1].0 == Position::Record(2), "{rows:?}");
    let (rows, _) = read_all("user_id,blocked\na|1,true\na|2\na|3,maybe\na|4,false\n", None);
    assert_eq!(rows[1], (Position::Line(3), Err("has 1 columns, not 2".into())));
    assert_eq!(rows[2].1.as_ref().unwrap_err(), "blocked is text, neither true nor false");
    assert!(rows[0].1.is_ok() && rows[3].1.is_ok());
}

#[test]
fn an_interrupted_file_is_reported_after_its_records() {
    for text in [r#"[{"user_id":"1"}, {"user_id":"2"#, r#"{"users":[{"user_id":"1"},"#] {
        let (rows, outcome) = read_all(text, None);
        assert_eq!(rows.len(), 1);
        assert!(outcome.unwrap_err().to_string().contains("after record 1"));
    }
    let cut = gzip(r#"{"user_id":"1"}"#);
    let (_, outcome) = read_from(&cut[..cut.len() - 9], None);
    assert!(outcome.is_err(), "{outcome:?}");
    let (_, outcome) = read_all("Dear Sir or Madam,\nthis is a letter\n", None);
    let error = outcome.unwrap_err().to_string();
    assert!(
        error.contains("no column is named")
            && error.contains("the columns in its first line are \"Dear Sir or Madam\""),
        "{error}"
    );
    let (rows, outcome) = read_all("Phone,email,phone_number\n1,a@example.com,1\n", None);
    let said = outcome.unwrap_err().to_string();
    assert!(
        rows.is_empty() && said.contains("two columns contain phone, the second is phone_number"),
        "{said}"
    );
    assert!(read_all("email,other,other\na@example.com,1,2\n", None).1.is_ok(), "unknown columns");
    for start in ["", " \n"] {
        assert!(read_all(start, None).1.unwrap_err().to_string().contains("empty"));
        assert!(read_from(gzip(start).as_slice(), None).1.unwrap_err().to_string().contains("empty"));
    }
}

#[test]
fn a_record_without_end_is_not_read_into_memory() {
    // Two gigabytes of it, were they read.
    let endless =
        |start: &'static str| BufReader::new(start.as_bytes().chain(std::io::repeat(b'x')).take(2 << 30));
    for start in ["{\"user_id\":\"", "[{\"user_id\":\"", "user_id\n\"", "user_id\n"] {
        let (rows, outcome) = read_from(endless(start), None);
        let error = format!("{:#}", outcome.unwrap_err());
        assert!(rows.is_empty() && error.contains("longer than 20971520 bytes"), "{start}: {error}");
    }
}

#[test]
fn unsafe_profile_values_are_dropped() {
    let line = r#"{"user_id":"1","name":"a\u0007b","nickname":"ada","picture":"javascript:alert(1)"}"#;
    let (rows, _) = read_all(line, None);
    let person = Person { nickname: Some("ada".into()), ..Person::default() };
    assert_eq!(rows[0].1.as_ref().unwrap().person, person);
}

#[test]
fn password_hashes_and_unknown_columns_are_noted() {
    let lines = "{\"user_id\":\"1\",\"password_hash\":\"$2b$\"}\n{\"user_id\":\"2\",\"custom_password_hash\":{\"algorithm\":\"md5\"}}\n{\"user_id\":\"3\"}";
    let (rows, notes) = read_all(lines, None);
    assert!(rows.iter().all(|(_, row)| row.is_ok()));
    assert_eq!(notes.unwrap().password_hashes, 2);
    let (_, notes) = read_all("email,user_metadata.country,Last Login\na@example.com,GB,\n", None);
    let columns = notes.unwrap().columns;
    let ignored: Vec<_> = columns.iter().filter(|(_, field)| field.is_none()).map(|(name, _)| name).collect();
    assert_eq!(ignored, ["Last Login", "user_metadata.country"]);
    // Names in a file are without bound; what is kept of them is not.
    let many: String = (0..1000).map(|number| format!("{{\"user_id\":\"1\",\"{number}\":0}}")).collect();
    assert_eq!(read_all(&many, None).1.unwrap().columns.len(), 200);
}
