//! Tickets: random texts that are handed out and presented later. Only their hashes are stored.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rusqlite::OptionalExtension;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::TenantError;
use super::TenantDb;

/// The most tickets kept. Beyond it, those that expire first are deleted.
const CAPACITY: i64 = 20_000;

/// The purpose of a ticket. A ticket of one kind is never accepted as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tenant) enum TicketKind {
    /// A pending login, between `/authorize` and the login form.
    Login,
    /// An authorization code.
    Code,
    /// A browser session: the cookie.
    Session,
    /// An opaque access token.
    AccessToken,
    /// The rules' ID token claims, for `/userinfo`.
    Extra,
}

impl TicketKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Code => "code",
            Self::Session => "session",
            Self::AccessToken => "access_token",
            Self::Extra => "extra",
        }
    }
}

impl TenantDb {
    /// Stores `body` for `seconds` and returns the text to hand out.
    pub(in crate::tenant) fn issue_ticket<T: Serialize>(
        &self,
        kind: TicketKind,
        body: &T,
        now: Timestamp,
        seconds: i64,
    ) -> Result<String, TenantError> {
        let text = random()?;
        self.store_ticket(kind, &text, body, now, seconds)?;
        Ok(text)
    }

    /// Stores `body` for `seconds` under a given text.
    pub(in crate::tenant) fn store_ticket<T: Serialize>(
        &self,
        kind: TicketKind,
        text: &str,
        body: &T,
        now: Timestamp,
        seconds: i64,
    ) -> Result<(), TenantError> {
        let body = serde_json::to_string(body).map_err(|_| TenantError::Damaged("a ticket is not JSON"))?;
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM ticket WHERE expires_at <= ?1", [now.as_second()])?;
        let count: i64 = transaction.query_row("SELECT count(*) FROM ticket", [], |row| row.get(0))?;
        if count >= CAPACITY {
            transaction.execute(
                "DELETE FROM ticket WHERE (kind, hash) IN
                     (SELECT kind, hash FROM ticket ORDER BY expires_at LIMIT ?1)",
                [count - CAPACITY + 1],
            )?;
        }
        transaction.execute(
            "INSERT OR REPLACE INTO ticket (kind, hash, body, expires_at) VALUES (?1, ?2, ?3, ?4)",
            (kind.as_str(), hash(text), body, now.as_second().saturating_add(seconds)),
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// The body of a ticket of this kind that has not expired.
    pub(in crate::tenant) fn read_ticket<T: DeserializeOwned>(
        &self,
        kind: TicketKind,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<T>, TenantError> {
        let sql = "SELECT body FROM ticket WHERE kind = ?1 AND hash = ?2 AND expires_at > ?3";
        self.ticket_body(sql, kind, text, now)
    }

    /// As [`TenantDb::read_ticket`], and deletes the ticket: it can be taken once only, even at the same time.
    pub(in crate::tenant) fn take_ticket<T: DeserializeOwned>(
        &self,
        kind: TicketKind,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<T>, TenantError> {
        let sql = "DELETE FROM ticket WHERE kind = ?1 AND hash = ?2 AND expires_at > ?3 RETURNING body";
        self.ticket_body(sql, kind, text, now)
    }

    fn ticket_body<T: DeserializeOwned>(
        &self,
        sql: &str,
        kind: TicketKind,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<T>, TenantError> {
        let params = (kind.as_str(), hash(text), now.as_second());
        let body: Option<String> =
            self.lock().prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?;
        let parsed = body.map(|body| serde_json::from_str(&body)).transpose();
        parsed.map_err(|_| TenantError::Damaged("a ticket's JSON"))
    }
}

/// 256 random bits in base64url.
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
    fn a_ticket_has_one_kind_expires_and_can_be_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let db = TenantDb::open(&folder.path().join("t.db")).unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let later = |seconds: i64| Timestamp::from_second(1_700_000_000 + seconds).unwrap();
        let text = db.issue_ticket(TicketKind::Code, &"body", now, 60).unwrap();
        assert_eq!(text.len(), 43);
        assert_eq!(db.read_ticket::<String>(TicketKind::Session, &text, now).unwrap(), None);
        assert_eq!(db.read_ticket::<String>(TicketKind::Code, &text, later(60)).unwrap(), None);
        assert_eq!(
            db.read_ticket::<String>(TicketKind::Code, &text, later(59)).unwrap().as_deref(),
            Some("body")
        );
        assert_eq!(db.take_ticket::<String>(TicketKind::Code, &text, now).unwrap().as_deref(), Some("body"));
        assert_eq!(db.take_ticket::<String>(TicketKind::Code, &text, now).unwrap(), None);
    }
}
