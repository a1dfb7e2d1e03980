//! The records of an export, one after the other, whatever its form: Auth0's own (a JSON object a line), the array
//! that Auth0's bulk import takes, or CSV with a header.
//!
//! A record that can not be understood is told with its place, and the next one is read.

use std::fmt;
use std::io::{BufRead, Read};

use anyhow::Context;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;

use crate::store::ImportRow;
use crate::user::{Auth0Id, Email, Person};

/// The longest line of a file of lines, in bytes. A profile with large metadata is some ten thousand.
const MAX_LINE: u64 = 1024 * 1024;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// A JSON object a line, as Auth0's user export gives.
    Ndjson,
    /// A JSON array of objects, as Auth0's bulk user import takes.
    Json,
    /// Comma-separated values; the first line names the columns.
    Csv,
}

/// Where a record stands, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Line(u64),
    /// In an array, which has no lines of its own.
    Record(u64),
}

/// What a file held besides users.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// Records with a hash of a password. Passwords stay at Auth0.
    pub(super) password_hashes: u64,
    /// Columns that say nothing to us.
    pub(super) unknown_columns: Vec<String>,
}

/// A record as it is written. Names are those of Auth0's user profile; ours are taken too.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record {
    #[serde(alias = "auth0Id")]
    user_id: Option<String>,
    email: Option<String>,
    #[serde(alias = "emailVerified")]
    email_verified: Option<Flag>,
    name: Option<String>,
    #[serde(alias = "givenName")]
    given_name: Option<String>,
    #[serde(alias = "familyName")]
    family_name: Option<String>,
    nickname: Option<String>,
    picture: Option<String>,
    #[serde(alias = "phone")]
    phone_number: Option<String>,
    blocked: Option<Flag>,
    password_hash: Option<IgnoredAny>,
    custom_password_hash: Option<IgnoredAny>,
}

/// The names above, as columns are compared with: without case, spaces and underscores.
const COLUMNS: [(&str, &str); 14] = [
    ("userid", "user_id"),
    ("auth0id", "user_id"),
    ("id", "user_id"),
    ("email", "email"),
    ("emailverified", "email_verified"),
    ("name", "name"),
    ("givenname", "given_name"),
    ("familyname", "family_name"),
    ("nickname", "nickname"),
    ("picture", "picture"),
    ("phonenumber", "phone_number"),
    ("phone", "phone_number"),
    ("blocked", "blocked"),
    ("passwordhash", "password_hash"),
];

/// What is done with each record: a user, or why it is none.
pub(super) type Each<'a> = dyn FnMut(Place, Result<ImportRow, String>) -> anyhow::Result<()> + 'a;

/// The form of what `input` begins with.
///
/// # Errors
/// When it is empty, or packed.
pub(super) fn sniff(input: &mut impl BufRead) -> anyhow::Result<Format> {
    let start = input.fill_buf().context("it can not be read")?;
    anyhow::ensure!(
        !start.starts_with(&[0x1f, 0x8b]),
        "it is packed with gzip; unpack it on the way: `gunzip -c FILE | vestibule users import -`"
    );
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => anyhow::bail!("it is empty"),
        Some(b'[') => Ok(Format::Json),
        Some(b'{') => Ok(Format::Ndjson),
        Some(_) => Ok(Format::Csv),
    }
}

/// Reads to the end.
///
/// # Errors
/// Those of `each`, and what leaves no way to go on: a failed read, an array that is cut off.
pub(super) fn read(mut input: impl BufRead, format: Format, each: &mut Each<'_>) -> anyhow::Result<Notes> {
    if input.fill_buf().context("it can not be read")?.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    let mut notes = Notes::default();
    match format {
        Format::Ndjson => lines(input, &mut notes, each)?,
        Format::Json => array(input, &mut notes, each)?,
        Format::Csv => table(input, &mut notes, each)?,
    }
    Ok(notes)
}

fn lines(mut input: impl BufRead, notes: &mut Notes, each: &mut Each<'_>) -> anyhow::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read =
            input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).context("it can not be read")?;
        if read == 0 {
            break;
        }
        anyhow::ensure!(
            line.ends_with(b"\n") || u64::try_from(read).is_ok_and(|read| read < MAX_LINE),
            "line {number} is longer than {MAX_LINE} bytes; is it really a file of lines (--format)?"
        );
        if !line.trim_ascii().is_empty() {
            each(Place::Line(number), from_json(&line, notes))?;
        }
    }
    Ok(())
}

fn from_json(text: &[u8], notes: &mut Notes) -> Result<ImportRow, String> {
    // The error's own words could quote a value.
    let record: Record = serde_json::from_slice(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "a field is not of the type it should be".to_owned(),
        _ => format!("not a JSON object (column {})", error.column()),
    })?;
    record.row(notes)
}

fn array(input: impl BufRead, notes: &mut Notes, each: &mut Each<'_>) -> anyhow::Result<()> {
    let (mut failed, mut number) = (None, 0);
    let mut one = |raw: &RawValue| {
        number += 1;
        let outcome = each(Place::Record(number), from_json(raw.get().as_bytes(), notes));
        outcome.map_err(|error| failed = Some(error)).is_ok()
    };
    let mut json = serde_json::Deserializer::from_reader(input);
    let outcome = Elements(&mut one).deserialize(&mut json).and_then(|()| json.end());
    match (failed, outcome) {
        (Some(error), _) => Err(error),
        (None, outcome) => outcome.with_context(|| {
            format!("the array breaks off after record {number}, and what follows can not be found")
        }),
    }
}

/// Gives the elements of an array away as they come. serde's own would gather them.
struct Elements<'a>(&'a mut dyn FnMut(&RawValue) -> bool);

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of users")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(raw) = elements.next_element::<Box<RawValue>>()? {
            if !(self.0)(&raw) {
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

fn table(input: impl BufRead, notes: &mut Notes, each: &mut Each<'_>) -> anyhow::Result<()> {
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let headers: csv::StringRecord = table
        .headers()
        .context("the first line does not name columns")?
        .iter()
        .map(|name| {
            let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            let known = COLUMNS.iter().find(|(column, _)| plain.eq_ignore_ascii_case(column));
            if known.is_none() {
                notes.unknown_columns.push(name.to_owned());
            }
            known.map_or(name, |(_, field)| *field)
        })
        .collect();
    if let Some((first, second, field)) = repeated(table.headers()?, &headers) {
        anyhow::bail!("the columns {first} and {second} both give {field}; leave one of them out");
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
                .map_err(|_| "email_verified or blocked is neither true nor false".to_owned())
                .and_then(|record| record.row(notes)),
            Err(error) => match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    Err(format!("has {len} columns, not {expected_len}"))
                }
                csv::ErrorKind::Utf8 { .. } => Err("is not UTF-8".to_owned()),
                _ => return Err(error).context("it can not be read"),
            },
        };
        each(Place::Line(line), row)?;
    }
}

/// Two columns by their names in the file, and the field that both mean.
fn repeated<'a>(
    named: &'a csv::StringRecord,
    fields: &'a csv::StringRecord,
) -> Option<(&'a str, &'a str, &'a str)> {
    let known = |field: &str| COLUMNS.iter().any(|(_, known)| *known == field);
    let columns = || named.iter().zip(fields.iter());
    columns().enumerate().find_map(|(place, (second, field))| {
        let (first, _) = columns().take(place).find(|(_, earlier)| *earlier == field && known(field))?;
        Some((first, second, field))
    })
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
        let flag = |flag: Option<Flag>| flag.is_some_and(|Flag(value)| value);
        Ok(ImportRow {
            auth0_id,
            email_verified: email.is_some() && flag(self.email_verified),
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
            blocked: flag(self.blocked),
        })
    }
}

/// The bulk import's ids lack the provider that Auth0 gives those users: its own database.
fn auth0_id(text: &str) -> Result<Auth0Id, String> {
    let whole = if text.contains('|') { text.to_owned() } else { format!("auth0|{text}") };
    whole.parse().map_err(|error| format!("user_id is {error}"))
}

/// True or false, as JSON and spreadsheets write them.
#[derive(Debug, Clone, Copy)]
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = Flag;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Flag, E> {
                match value {
                    0 => Ok(Flag(false)),
                    1 => Ok(Flag(true)),
                    _ => Err(E::invalid_value(Unexpected::Other("a number"), &self)),
                }
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Flag, E> {
                match text.to_ascii_lowercase().as_str() {
                    "true" | "1" => Ok(Flag(true)),
                    "false" | "0" => Ok(Flag(false)),
                    _ => Err(E::invalid_value(Unexpected::Other("text"), &self)),
                }
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Record(number) => write!(f, "record {number}"),
        }
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
