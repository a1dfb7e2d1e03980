//! What is handed out as a random text and given back later. Only its hash is kept.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rusqlite::OptionalExtension;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::TenantError;
use super::State;

/// The most tickets kept at once; the first to expire give way.
const ROOM: i64 = 20_000;

/// What a ticket is for. One kind is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tenant) enum Kind {
    /// A login under way: between `/authorize` and the login form's answer.
    Login,
    /// An authorization code.
    Code,
    /// A login session: the cookie.
    Session,
    /// An opaque access token.
    AccessToken,
    /// What a login's rules added to the ID token, for `/userinfo`.
    Extra,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Code => "code",
            Self::Session => "session",
            Self::AccessToken => "access_token",
            Self::Extra => "extra",
        }
    }
}

impl State {
    /// Keeps `body` for `seconds` and gives the text to hand out.
    pub(in crate::tenant) fn issue<T: Serialize>(
        &self,
        kind: Kind,
        body: &T,
        now: Timestamp,
        seconds: i64,
    ) -> Result<String, TenantError> {
        let text = random()?;
        self.keep(kind, &text, body, now, seconds)?;
        Ok(text)
    }

    /// Keeps `body` for `seconds` under a text that is known already.
    pub(in crate::tenant) fn keep<T: Serialize>(
        &self,
        kind: Kind,
        text: &str,
        body: &T,
        now: Timestamp,
        seconds: i64,
    ) -> Result<(), TenantError> {
        let body = serde_json::to_string(body).map_err(|_| TenantError::Damaged("a ticket is no JSON"))?;
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM ticket WHERE expires_at <= ?1", [now.as_second()])?;
        let count: i64 = transaction.query_row("SELECT count(*) FROM ticket", [], |row| row.get(0))?;
        if count >= ROOM {
            transaction.execute(
                "DELETE FROM ticket WHERE (kind, hash) IN
                     (SELECT kind, hash FROM ticket ORDER BY expires_at LIMIT ?1)",
                [count - ROOM + 1],
            )?;
        }
        transaction.execute(
            "INSERT OR REPLACE INTO ticket (kind, hash, body, expires_at) VALUES (?1, ?2, ?3, ?4)",
            (kind.word(), hash(text), body, now.as_second().saturating_add(seconds)),
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// What `text` stands for, if it is a ticket of this kind and has not expired.
    pub(in crate::tenant) fn look<T: DeserializeOwned>(
        &self,
        kind: Kind,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<T>, TenantError> {
        self.body(
            "SELECT body FROM ticket WHERE kind = ?1 AND hash = ?2 AND expires_at > ?3",
            kind,
            text,
            now,
        )
    }

    /// As [`State::look`], and the ticket is gone: of two who take it at once, one gets it.
    pub(in crate::tenant) fn take<T: DeserializeOwned>(
        &self,
        kind: Kind,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<T>, TenantError> {
        self.body(
            "DELETE FROM ticket WHERE kind = ?1 AND hash = ?2 AND expires_at > ?3 RETURNING body",
            kind,
            text,
            now,
        )
    }

    fn body<T: DeserializeOwned>(
        &self,
        sql: &str,
        kind: Kind,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<T>, TenantError> {
        let body: Option<String> = self
            .lock()
            .prepare_cached(sql)?
            .query_row((kind.word(), hash(text), now.as_second()), |row| row.get(0))
            .optional()?;
        let read =
            |body: String| serde_json::from_str(&body).map_err(|_| TenantError::Damaged("a ticket's JSON"));
        body.map(read).transpose()
    }
}

/// 256 random bits, as text that is safe in a URL.
pub(in crate::tenant) fn random() -> Result<String, TenantError> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).map_err(|_| TenantError::Crypto("no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn hash(text: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_of_one_kind_expires_and_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("t.db")).unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let later = |seconds: i64| Timestamp::from_second(1_700_000_000 + seconds).unwrap();
        let text = state.issue(Kind::Code, &"body", now, 60).unwrap();
        assert_eq!(text.len(), 43);
        assert_eq!(state.look::<String>(Kind::Session, &text, now).unwrap(), None);
        assert_eq!(state.look::<String>(Kind::Code, &text, later(60)).unwrap(), None);
        assert_eq!(state.look::<String>(Kind::Code, &text, later(59)).unwrap().as_deref(), Some("body"));
        assert_eq!(state.take::<String>(Kind::Code, &text, now).unwrap().as_deref(), Some("body"));
        assert_eq!(state.take::<String>(Kind::Code, &text, now).unwrap(), None);
    }
}
