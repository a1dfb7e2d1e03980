//! Records in each format, valid and invalid.

use crate::cli::users::records::{Format, Notes, Position, detect_format, read};
use crate::store::ImportRow;
use crate::user::Person;

type Rows = Vec<(Position, Result<ImportRow, String>)>;

fn read_all(text: &str, format: Option<Format>) -> (Rows, anyhow::Result<Notes>) {
    let mut input = text.as_bytes();
    let format = format.unwrap_or_else(|| detect_format(&mut input).unwrap());
    let mut rows = Vec::new();
    let outcome = read(input, format, &mut |position, row| {
        rows.push((position, row));
        Ok(())
    });
    (rows, outcome)
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
        blocked: false,
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
            "\n [\n {\"user_id\": \"1\", \"email\": \"ada@example.com\", \"email_verified\": true, \"blocked\": false,\n\
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
        assert_eq!(notes.unwrap(), Notes::default());
    }
}

#[test]
fn an_invalid_record_is_reported_with_its_position_and_reading_goes_on() {
    let good = r#"{"user_id":"auth0|1"}"#;
    for (wrong, why) in [
        (r#"{"user_id":"auth0|2""#, "not a JSON object"),
        (r#"[1]"#, "the wrong type"),
        (r#"{"email":7}"#, "the wrong type"),
        (r#"{"email":"ada"}"#, "name@domain"),
        (r#"{"email":"ada@example.com","email_verified":"maybe"}"#, "the wrong type"),
        ("{\"user_id\":\"a\\u0000\"}", "user_id"),
    ] {
        let (rows, notes) = read_all(&format!("{good}\n\n{wrong}\n{good}"), Some(Format::Ndjson));
        let places: Vec<Position> = rows.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [Position::Line(1), Position::Line(3), Position::Line(4)], "{wrong}");
        let said = rows[1].1.as_ref().unwrap_err();
        assert!(said.contains(why) && !said.contains("maybe"), "{said}");
        assert!(rows[2].1.is_ok() && notes.is_ok());
    }
    let (rows, _) = read_all(r#"[{"email":"ada"}, {"user_id":"1"}]"#, None);
    assert!(rows[0].1.is_err() && rows[1].1.is_ok() && rows[1].0 == Position::Record(2), "{rows:?}");
    let (rows, _) = read_all("user_id,email_verified\na|1,true\na|2\na|3,maybe\na|4,false\n", None);
    assert_eq!(rows[1], (Position::Line(3), Err("has 1 columns, not 2".into())));
    assert_eq!(rows[2].1.as_ref().unwrap_err(), "email_verified or blocked is not true or false");
    assert!(rows[0].1.is_ok() && rows[3].1.is_ok());
}

#[test]
fn an_interrupted_file_is_reported_after_its_records() {
    let (rows, outcome) = read_all(r#"[{"user_id":"1"}, {"user_id":"2"#, None);
    assert_eq!(rows.len(), 1);
    assert!(outcome.unwrap_err().to_string().contains("after record 1"));
    let long = format!("{{\"user_id\":\"1\"}}\n{}", "x".repeat(2 << 20));
    let (rows, outcome) = read_all(&long, None);
    assert_eq!(rows.len(), 1);
    assert!(outcome.unwrap_err().to_string().contains("line 2 is longer"));
    let (_, outcome) = read_all("Dear Sir or Madam,\nthis is a letter\n", None);
    assert!(outcome.unwrap_err().to_string().contains("no column is named"));
    let (rows, outcome) = read_all("Phone,email,phone_number\n1,a@example.com,1\n", None);
    let said = outcome.unwrap_err().to_string();
    assert!(
        rows.is_empty() && said.contains("two columns contain phone_number, the second is phone_number"),
        "{said}"
    );
    assert!(read_all("email,other,other\na@example.com,1,2\n", None).1.is_ok(), "unknown columns");
    for (start, why) in [(&b""[..], "empty"), (b" \n", "empty"), (b"\x1f\x8b\x08\x00", "gunzip")] {
        let error = detect_format(&mut &*start).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn the_callback_can_stop_the_reading() {
    for text in [r#"[{"user_id":"1"},{"user_id":"2"}]"#, "{}\n{}\n", "email\na@b.c\nd@e.f\n"] {
        let mut input = text.as_bytes();
        let format = detect_format(&mut input).unwrap();
        let mut seen = 0;
        let outcome = read(input, format, &mut |_, _| {
            seen += 1;
            anyhow::bail!("the disk is full")
        });
        assert_eq!((outcome.unwrap_err().to_string().as_str(), seen), ("the disk is full", 1));
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
    assert_eq!(notes.unwrap().unknown_columns, ["user_metadata.country", "Last Login"]);
}
