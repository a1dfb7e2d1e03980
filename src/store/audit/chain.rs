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
use rusqlite::Connection;
use serde_json::json;

use crate::sqlite::hex;
use crate::store::query::first;
use crate::store::{Result, Store};

/// The hash of a line, and so of all lines before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash([u8; 32]);

#[derive(Debug)]
pub(crate) struct LineRow {
    pub(crate) id: i64,
    pub(crate) at: i64,
    pub(crate) actor_kind: String,
    pub(crate) actor_id: Option<String>,
    pub(crate) action: String,
    pub(crate) target: Option<[u8; 16]>,
    pub(crate) changes: String,
    pub(crate) request_id: Option<String>,
}

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
    let mut found =
        AuditVerification { lines: 0, head: None, first_broken: None, contains_known_head: known.is_none() };
    while let Some(row) = rows.next()? {
        let line = LineRow {
            id: row.get(0)?,
            at: row.get(1)?,
            actor_kind: row.get(2)?,
            actor_id: row.get(3)?,
            action: row.get(4)?,
            target: row.get(5)?,
            changes: row.get(6)?,
            request_id: row.get(7)?,
        };
        let hash = ChainHash(row.get(8)?);
        if line.hash(found.head.map(|(_, hash)| hash)) != hash {
            found.first_broken = Some(line.id);
            return Ok(found);
        }
        found.lines += 1;
        found.head = Some((line.id, hash));
        found.contains_known_head |= known == Some(hash);
    }
    Ok(found)
}

/// The id and the hash of the last line.
pub(crate) fn head(connection: &Connection) -> Result<Option<(i64, ChainHash)>> {
    first(connection, "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", [], |row| {
        Ok((row.get(0)?, ChainHash(row.get(1)?)))
    })
}

impl LineRow {
    pub(crate) fn hash(&self, before: Option<ChainHash>) -> ChainHash {
        let line = json!([
            self.id,
            self.at,
            self.actor_kind,
            self.actor_id,
            self.action,
            self.target.map(|bytes| hex(&bytes)),
            self.changes,
            self.request_id
        ]);
        let mut sum = Context::new(&SHA256);
        sum.update(&before.map_or([0; 32], |hash| hash.0));
        sum.update(line.to_string().as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(sum.finish().as_ref());
        ChainHash(hash)
    }
}

impl ChainHash {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// The text is not the 64 hexadecimal digits of a [`ChainHash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hash of the audit log: expected 64 hexadecimal digits")]
pub struct ParseChainHashError;

impl FromStr for ChainHash {
    type Err = ParseChainHashError;

    fn from_str(text: &str) -> Result<Self, ParseChainHashError> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseChainHashError);
        }
        let mut hash = [0; 32];
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| ParseChainHashError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ParseChainHashError)?;
        }
        Ok(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_tool_can_compute_the_hash_of_a_line() {
        let line = LineRow {
            id: 1,
            at: 1_800_000_000_000,
            actor_kind: "cli".into(),
            actor_id: None,
            action: "user.created".into(),
            target: Some([1; 16]),
            changes: r#"{"status":{"new":"active","old":null}}"#.into(),
            request_id: None,
        };
        // printf '%064d' 0 | xxd -r -p | cat - <(printf '%s' '[1,…]') | sha256sum
        let text = r#"[1,1800000000000,"cli",null,"user.created","01010101010101010101010101010101","{\"status\":{\"new\":\"active\",\"old\":null}}",null]"#;
        let expected = aws_lc_rs::digest::digest(&SHA256, &[&[0; 32], text.as_bytes()].concat());
        let hash = line.hash(None);
        assert_eq!(hash.as_bytes(), expected.as_ref());
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_ne!(line.hash(Some(hash)), hash);
        assert_eq!("é".repeat(32).parse::<ChainHash>(), Err(ParseChainHashError));
        assert_eq!("0".repeat(63).parse::<ChainHash>(), Err(ParseChainHashError));
    }
}
