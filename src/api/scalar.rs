//! Scalars that GraphQL does not have by itself.

use jiff::Timestamp;
use juniper::GraphQLScalar;

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
