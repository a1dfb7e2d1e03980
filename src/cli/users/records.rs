//! One record of an export, read as a login reads a profile: what its columns become, and why it may be invalid.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::ImportRow;
use crate::user::{Auth0Id, Email, Person};

/// The largest record, in bytes. Auth0 keeps at most 16 MB of metadata about a user.
pub(super) const RECORD_MAX: usize = 20 * 1024 * 1024;

pub(super) const UNREADABLE: &str = "cannot read the file";

/// How many different names of columns are noted.
const COLUMNS_MAX: usize = 200;

/// The position of a record, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) enum Position {
    /// The line it begins on.
    Line(u64),
    /// Its number in a JSON list.
    Record(u64),
}

/// What a column becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Field {
    UserId,
    /// The Auth0 id if there is no better one: our own lists have an `id` too.
    Id,
    Email,
    EmailVerified,
    Name,
    GivenName,
    FamilyName,
    Nickname,
    Picture,
    Phone,
    Blocked,
    PasswordHash,
}

/// What was seen in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Notes {
    /// Records with a password hash. Passwords stay at Auth0.
    pub(in crate::cli) password_hashes: u64,
    /// The first names of columns, and what each becomes: `None` for what is not kept.
    pub(in crate::cli) columns: BTreeMap<String, Option<Field>>,
}

/// A record: a user, or why it is invalid.
pub(in crate::cli) type Row = (Position, Result<ImportRow, String>);

/// The values of one record: no null, no empty text.
pub(super) type Record = BTreeMap<Field, Value>;

impl Field {
    /// What a column becomes, by its name in a profile of Auth0, in our lists, or in a file of the export extension.
    fn of(name: &str) -> Option<Self> {
        let plain = name.replace(|c: char| !c.is_ascii_alphanumeric(), "").to_ascii_lowercase();
        Some(match plain.as_str() {
            "userid" | "auth0id" => Self::UserId,
            "id" => Self::Id,
            "email" => Self::Email,
            "emailverified" => Self::EmailVerified,
            "name" => Self::Name,
            "givenname" => Self::GivenName,
            "familyname" => Self::FamilyName,
            "nickname" => Self::Nickname,
            "picture" => Self::Picture,
            "phonenumber" | "phone" => Self::Phone,
            "blocked" => Self::Blocked,
            "passwordhash" | "custompasswordhash" => Self::PasswordHash,
            _ => return None,
        })
    }
}

impl Notes {
    /// What the column of that name becomes.
    pub(super) fn field(&mut self, name: &str) -> Option<Field> {
        if let Some(field) = self.columns.get(name) {
            return *field;
        }
        let field = Field::of(name);
        if self.columns.len() < COLUMNS_MAX {
            self.columns.insert(name.to_owned(), field);
        }
        field
    }

    /// The user of a record. Invalid is only what leaves no way to find the user, and an unreadable `blocked`.
    pub(super) fn row(&mut self, record: &Record) -> Result<ImportRow, String> {
        self.password_hashes += u64::from(record.contains_key(&Field::PasswordHash));
        let get = |field| record.get(&field);
        let (id, address) = (get(Field::UserId).or(get(Field::Id)), get(Field::Email));
        // Auth0's CSV export begins each text with an apostrophe; no id and no address does.
        let quoted = id.or(address).and_then(Value::as_str).is_some_and(|key| key.starts_with('\''));
        let text = |field| match get(field)? {
            Value::String(text) => {
                Some(text.strip_prefix('\'').filter(|_| quoted).unwrap_or(text).to_owned())
            }
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let auth0_id = match id {
            None => None,
            Some(Value::String(id)) => {
                Some(auth0_id(id.strip_prefix('\'').filter(|_| quoted).unwrap_or(id))?)
            }
            Some(other) => return Err(format!("user_id is {}, not text", kind(other))),
        };
        let email: Option<Email> = text(Field::Email).and_then(|email| email.parse().ok());
        if let (None, None, Some(address)) = (&auth0_id, &email, address) {
            return Err(format!("has no user_id, and email is {}, not an address", kind(address)));
        }
        // Absent is not the same as false, which lifts a block.
        let blocked = get(Field::Blocked).map(|value| {
            flag(value).ok_or_else(|| format!("blocked is {}, neither true nor false", kind(value)))
        });
        let blocked = blocked.transpose()?;
        Ok(ImportRow {
            auth0_id,
            email_verified: email.is_some() && get(Field::EmailVerified) == Some(&Value::Bool(true)),
            email,
            person: Person {
                name: text(Field::Name),
                given_name: text(Field::GivenName),
                family_name: text(Field::FamilyName),
                nickname: text(Field::Nickname),
                picture: text(Field::Picture),
                phone: text(Field::Phone),
            }
            .cleaned(),
            blocked,
        })
    }
}

/// Ids of the bulk import lack the prefix of Auth0's database connection.
fn auth0_id(text: &str) -> Result<Auth0Id, String> {
    let whole = if text.contains('|') { text.to_owned() } else { format!("auth0|{text}") };
    whole.parse().map_err(|error| format!("user_id is {error}"))
}

/// True or false, as JSON and spreadsheets write them.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value.to_string().trim_matches(['"', '\'']).to_ascii_lowercase().as_str() {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserId | Self::Id => "auth0Id",
            Self::Email => "email",
            Self::EmailVerified => "emailVerified",
            Self::Name => "name",
            Self::GivenName => "givenName",
            Self::FamilyName => "familyName",
            Self::Nickname => "nickname",
            Self::Picture => "picture",
            Self::Phone => "phone",
            Self::Blocked => "status",
            Self::PasswordHash => "nothing: passwords stay at Auth0",
        })
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
