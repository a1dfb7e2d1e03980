//! Scalars that GraphQL does not have by itself.

use jiff::Timestamp;
use juniper::GraphQLScalar;

use crate::user;

/// A moment in UTC, as RFC 3339 writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLScalar)]
#[graphql(
    with = date_time,
    parse_token(String),
    specified_by_url = "https://graphql-scalars.dev/docs/scalars/date-time"
)]
pub struct DateTime(pub Timestamp);

mod date_time {
    use super::{DateTime, Timestamp};

    pub(super) fn to_output(value: &DateTime) -> String {
        value.0.to_string()
    }

    pub(super) fn from_input(text: &str) -> Result<DateTime, Box<str>> {
        text.parse::<Timestamp>().map(DateTime).map_err(|_| "not a moment as RFC 3339 writes it".into())
    }
}

/// An email address. Taken in any spelling, given in one: local part in ASCII lower case, domain as IDNA has it, at
/// most 254 characters.
#[derive(Debug, Clone, PartialEq, Eq, GraphQLScalar)]
#[graphql(
    with = email,
    parse_token(String),
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2"
)]
pub struct Email(pub user::Email);

mod email {
    use super::Email;

    pub(super) fn to_output(value: &Email) -> &str {
        value.0.as_str()
    }

    pub(super) fn from_input(text: &str) -> Result<Email, Box<str>> {
        text.parse().map(Email).map_err(|error: crate::user::EmailError| error.to_string().into())
    }
}
