//! Reads the users of an export one by one: Auth0's own export (one JSON object per line), the JSON array of Auth0's bulk
//! import, or CSV with a header.
//!
//! An invalid record is reported with its position, and reading goes on.

use std::fmt;
use std::io::{BufRead, Read};

use anyhow::Context;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::store::ImportRow;
use crate::user::{Auth0Id, Email, Person};

/// The longest line of NDJSON, in bytes. A profile with large metadata has some ten thousand.
const MAX_LINE: u64 = 1024 * 1024;

const UNREADABLE: &str = "cannot read the file";

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Format {
    /// One JSON object per line: Auth0's user export.
    Ndjson,
    /// A JSON array of objects: Auth0's bulk user import.
    Json,
    /// Comma-separated values; the first line names the columns.
    Csv,
}

/// The position of a record, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) enum Position {
    Line(u64),
    /// The index in a JSON array.
    Record(u64),
}

/// What was ignored in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Notes {
    /// Records with a password hash. Passwords stay at Auth0.
    pub(in crate::cli) password_hashes: u64,
    pub(in crate::cli) unknown_columns: Vec<String>,
}

/// A record before validation. Names are those of Auth0's user profile, or ours.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record {
    #[serde(alias = "auth0Id")]
    user_id: Option<String>,
    email: Option<String>,
    #[serde(alias = "emailVerified", deserialize_with = "flag")]
    email_verified: bool,
    name: Option<String>,
    #[serde(alias = "givenName")]
    given_name: Option<String>,
    #[serde(alias = "familyName")]
    family_name: Option<String>,
    nickname: Option<String>,
    picture: Option<String>,
    #[serde(alias = "phone")]
    phone_number: Option<String>,
    #[serde(deserialize_with = "flag")]
    blocked: bool,
    password_hash: Option<IgnoredAny>,
    custom_password_hash: Option<IgnoredAny>,
}

/// Called with each record: a user, or why it is invalid.
pub(in crate::cli) type OnRecord<'a> =
    dyn FnMut(Position, Result<ImportRow, String>) -> anyhow::Result<()> + 'a;

/// Detects the format from the first bytes of `input`, which must not be empty or compressed.
pub(in crate::cli) fn detect_format(input: &mut impl BufRead) -> anyhow::Result<Format> {
    let start = input.fill_buf().context(UNREADABLE)?;
    anyhow::ensure!(
        !start.starts_with(&[0x1f, 0x8b]),
        "it is compressed with gzip; decompress it: `gunzip -c FILE | vestibule users import -`"
    );
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => anyhow::bail!("it is empty"),
        Some(b'[') => Ok(Format::Json),
        Some(b'{') => Ok(Format::Ndjson),
        Some(_) => Ok(Format::Csv),
    }
}

/// Reads all records. Stops at an error of `on_record`, and where reading cannot go on: an I/O error, an interrupted array.
pub(in crate::cli) fn read(
    mut input: impl BufRead,
    format: Format,
    on_record: &mut OnRecord<'_>,
) -> anyhow::Result<Notes> {
    if input.fill_buf().context(UNREADABLE)?.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    let mut notes = Notes::default();
    match format {
        Format::Ndjson => read_lines(input, &mut notes, on_record)?,
        Format::Json => read_array(input, &mut notes, on_record)?,
        Format::Csv => read_csv(input, &mut notes, on_record)?,
    }
    Ok(notes)
}

fn read_lines(
    mut input: impl BufRead,
    notes: &mut Notes,
    on_record: &mut OnRecord<'_>,
) -> anyhow::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).context(UNREADABLE)?;
        if read == 0 {
            break;
        }
        anyhow::ensure!(
            line.ends_with(b"\n") || u64::try_from(read).is_ok_and(|read| read < MAX_LINE),
            "line {number} is longer than {MAX_LINE} bytes; is the format right (--format)?"
        );
        if !line.trim_ascii().is_empty() {
            on_record(Position::Line(number), from_json(&line, notes))?;
        }
    }
    Ok(())
}

fn from_json(text: &[u8], notes: &mut Notes) -> Result<ImportRow, String> {
    // serde's message could contain a value.
    let record: Record = serde_json::from_slice(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "a field has the wrong type".to_owned(),
        _ => format!("not a JSON object (column {})", error.column()),
    })?;
    record.row(notes)
}

fn read_array(input: impl BufRead, notes: &mut Notes, on_record: &mut OnRecord<'_>) -> anyhow::Result<()> {
    let (mut failed, mut number) = (None, 0);
    let mut one = |raw: &RawValue| {
        number += 1;
        let outcome = on_record(Position::Record(number), from_json(raw.get().as_bytes(), notes));
        outcome.map_err(|error| failed = Some(error)).is_ok()
    };
    let mut json = serde_json::Deserializer::from_reader(input);
    let outcome = json.deserialize_seq(Elements(&mut one)).and_then(|()| json.end());
    match (failed, outcome) {
        (Some(error), _) => Err(error),
        (None, outcome) => outcome.with_context(|| format!("the array is interrupted after record {number}")),
    }
}

/// Passes on the elements of an array one by one; serde would collect them.
struct Elements<'a>(&'a mut dyn FnMut(&RawValue) -> bool);

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of users")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(raw) = elements.next_element::<Box<RawValue>>()? {
            if !(self.0)(&raw) {
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

fn read_csv(input: impl BufRead, notes: &mut Notes, on_record: &mut OnRecord<'_>) -> anyhow::Result<()> {
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let mut headers = csv::StringRecord::new();
    for name in table.headers().context("the first line does not name columns")? {
        let plain = name.replace(|c: char| !c.is_ascii_alphanumeric(), "").to_ascii_lowercase();
        let field = match plain.as_str() {
            "email" | "name" | "nickname" | "picture" | "blocked" => plain.as_str(),
            "userid" | "auth0id" | "id" => "user_id",
            "emailverified" => "email_verified",
            "givenname" => "given_name",
            "familyname" => "family_name",
            "phonenumber" | "phone" => "phone_number",
            "passwordhash" => "password_hash",
            _ => {
                notes.unknown_columns.push(name.to_owned());
                headers.push_field(name);
                continue;
            }
        };
        anyhow::ensure!(
            !headers.iter().any(|earlier| earlier == field),
            "two columns contain {field}, the second is {name}; remove one of them"
        );
        headers.push_field(field);
    }
    anyhow::ensure!(
        headers.iter().any(|name| matches!(name, "user_id" | "email")),
        "no column is named user_id or email; the first line must name the columns"
    );
    let mut record = csv::StringRecord::new();
    loop {
        let read = table.read_record(&mut record);
        let line = record.position().map_or(0, csv::Position::line);
        let row = match read {
            Ok(false) => return Ok(()),
            Ok(true) => record
                .deserialize::<Record>(Some(&headers))
                // All other columns are text.
                .map_err(|_| "email_verified or blocked is not true or false".to_owned())
                .and_then(|record| record.row(notes)),
            Err(error) => match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    Err(format!("has {len} columns, not {expected_len}"))
                }
                csv::ErrorKind::Utf8 { .. } => Err("is not UTF-8".to_owned()),
                _ => return Err(error).context(UNREADABLE),
            },
        };
        on_record(Position::Line(line), row)?;
    }
}

impl Record {
    fn row(self, notes: &mut Notes) -> Result<ImportRow, String> {
        if self.password_hash.is_some() || self.custom_password_hash.is_some() {
            notes.password_hashes += 1;
        }
        let auth0_id = self.user_id.filter(|id| !id.is_empty()).map(|id| auth0_id(&id)).transpose()?;
        let email = self.email.filter(|email| !email.is_empty());
        let email: Option<Email> =
            email.map(|email| email.parse()).transpose().map_err(|error| format!("{error}"))?;
        Ok(ImportRow {
            auth0_id,
            email_verified: email.is_some() && self.email_verified,
            email,
            person: Person {
                name: self.name,
                given_name: self.given_name,
                family_name: self.family_name,
                nickname: self.nickname,
                picture: self.picture,
                phone: self.phone_number,
            }
            .cleaned(),
            blocked: self.blocked,
        })
    }
}

/// Ids of the bulk import lack the prefix of Auth0's database connection.
fn auth0_id(text: &str) -> Result<Auth0Id, String> {
    let whole = if text.contains('|') { text.to_owned() } else { format!("auth0|{text}") };
    whole.parse().map_err(|error| format!("user_id is {error}"))
}

/// True or false, as JSON and spreadsheets write them; nothing is false.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let Some(value) = Option::<Value>::deserialize(deserializer)? else { return Ok(false) };
    match value.to_string().trim_matches('"').to_ascii_lowercase().as_str() {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(D::Error::custom("not true or false")),
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Record(number) => write!(f, "record {number}"),
        }
    }
}
