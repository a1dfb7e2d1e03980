//! The hash chain of the audit log.
//!
//! A line's hash is SHA-256 over the hash of the previous line (32 zero bytes for the first) followed by the line as a JSON
//! array without spaces:
//!
//! ```text
//!   [id, at, actor_kind, actor_id, action, target, changes, request_id]
//! ```
//!
//! `target` is the user's id in hexadecimal, `changes` a string with the text as stored, and an absent value `null`. A chain
//! alone cannot show that its last lines were cut off: write down today's [`AuditVerification::head`] and look for it later.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::store::query::first;
use crate::store::{Result, Store};
use crate::user::UserId;

/// The hash of a line, and so of all lines before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash(pub(super) [u8; 32]);

/// What a check of the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerification {
    /// How many lines were checked, without the broken one.
    pub lines: u64,
    /// The last intact line, with its hash.
    pub head: Option<(i64, ChainHash)>,
    /// The first line whose hash does not match it and the line before.
    pub first_broken: Option<i64>,
    /// Whether a line has the hash of the earlier check. If not, lines were cut off or rewritten. `true` without one.
    pub contains_known_head: bool,
}

impl AuditVerification {
    /// Whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.first_broken.is_none() && self.contains_known_head
    }
}

impl Store {
    /// Checks the whole chain in one snapshot, at a microsecond or two a line. `known` is the head of an earlier check.
    pub fn verify_audit(&self, known: Option<ChainHash>) -> Result<AuditVerification> {
        self.read(|connection| verify(connection, known))
    }
}

pub(crate) fn verify(connection: &Connection, known: Option<ChainHash>) -> Result<AuditVerification> {
    let mut statement = connection.prepare(
        "SELECT id, at, actor_kind, actor_id, action, target, changes, request_id, hash FROM audit ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let (mut lines, mut head, mut contains_known_head) = (0, None, known.is_none());
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let text = |column| row.get::<_, Option<String>>(column);
        let target = hex(row.get(5)?);
        let line =
            json!([id, row.get::<_, i64>(1)?, text(2)?, text(3)?, text(4)?, target, text(6)?, text(7)?]);
        let hash = ChainHash(row.get(8)?);
        if ChainHash::of(&line, head.map(|(_, hash)| hash)) != hash {
            return Ok(AuditVerification { lines, head, first_broken: Some(id), contains_known_head });
        }
        lines += 1;
        head = Some((id, hash));
        contains_known_head |= known == Some(hash);
    }
    Ok(AuditVerification { lines, head, first_broken: None, contains_known_head })
}

/// The id and the hash of the last line.
pub(crate) fn head(connection: &Connection) -> Result<Option<(i64, ChainHash)>> {
    first(connection, "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", [], |row| {
        Ok((row.get(0)?, ChainHash(row.get(1)?)))
    })
}

/// The target of a line as it is hashed.
pub(super) fn hex(target: Option<UserId>) -> Option<String> {
    target.map(|user| HEXLOWER.encode(user.as_bytes()))
}

impl ChainHash {
    /// The hash of a line after the line with the hash `before`.
    pub(super) fn of(line: &Value, before: Option<Self>) -> Self {
        let mut sum = Context::new(&SHA256);
        sum.update(&before.map_or([0; 32], |hash| hash.0));
        sum.update(line.to_string().as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(sum.finish().as_ref());
        Self(hash)
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// The text is not the 64 hexadecimal digits of a [`ChainHash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hash of the audit log: expected 64 hexadecimal digits")]
pub struct ParseChainHashError;

impl FromStr for ChainHash {
    type Err = ParseChainHashError;

    fn from_str(text: &str) -> Result<Self, ParseChainHashError> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| ParseChainHashError)?;
        bytes.try_into().map(Self).map_err(|_| ParseChainHashError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_tool_can_compute_the_hash_of_a_line() {
        let changes = r#"{"status":{"new":"active","old":null}}"#;
        let target = hex(Some(UserId::from_bytes([1; 16])));
        let line = json!([1, 1_800_000_000_000_i64, "cli", null, "user.created", target, changes, null]);
        // printf '%064d' 0 | xxd -r -p | cat - <(printf '%s' '[1,…]') | sha256sum
        let text = r#"[1,1800000000000,"cli",null,"user.created","01010101010101010101010101010101","{\"status\":{\"new\":\"active\",\"old\":null}}",null]"#;
        let expected = aws_lc_rs::digest::digest(&SHA256, &[&[0; 32], text.as_bytes()].concat());
        let hash = ChainHash::of(&line, None);
        assert_eq!(hash.0, expected.as_ref());
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_string().to_uppercase().parse(), Ok(hash));
        assert_ne!(ChainHash::of(&line, Some(hash)), hash);
        assert_eq!("é".repeat(32).parse::<ChainHash>(), Err(ParseChainHashError));
        assert_eq!("0".repeat(63).parse::<ChainHash>(), Err(ParseChainHashError));
    }
}
