//! Tickets: random texts that are handed out and presented later. Only their hashes are stored.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{OptionalExtension, Params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::TenantError;
use super::db::TenantDb;
use super::error::Result;

/// The most tickets kept. Beyond it, those that expire first are deleted.
const CAPACITY: i64 = 20_000;

/// The purpose of a ticket, by its name in the database. A ticket of one kind is never accepted as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TicketKind(&'static str);

impl TicketKind {
    /// A pending login, between `/authorize` and the login form.
    pub(super) const LOGIN: Self = Self("login");
    /// An authorization code.
    pub(super) const CODE: Self = Self("code");
    /// A browser session: the cookie.
    pub(super) const SESSION: Self = Self("session");
    /// The link of a mail that resets a password.
    pub(super) const RESET: Self = Self("reset");
    /// The form of a password reset that actions have allowed.
    pub(super) const RESET_FORM: Self = Self("reset_form");
    /// The link of a mail that verifies an email.
    pub(super) const VERIFY: Self = Self("verify");
    /// An opaque access token.
    pub(super) const ACCESS_TOKEN: Self = Self("access_token");
    /// A login that waits for its browser: at another site, or at a page of the tenant.
    pub(super) const CONTINUE: Self = Self("continue");
    /// The rules' ID token claims, for `/userinfo`.
    pub(super) const EXTRA: Self = Self("extra");
}

/// The tickets in the tenant's database.
#[derive(Clone)]
pub(super) struct Tickets(pub(super) TenantDb);

impl Tickets {
    /// Stores `body` for `seconds` and returns the text to hand out.
    pub(super) fn issue<T: Serialize>(&self, kind: TicketKind, body: &T, seconds: i64) -> Result<String> {
        let text = random()?;
        self.store(kind, &text, body, seconds)?;
        Ok(text)
    }

    /// Stores `body` for `seconds` under a given text.
    pub(super) fn store<T: Serialize>(
        &self,
        kind: TicketKind,
        text: &str,
        body: &T,
        seconds: i64,
    ) -> Result<()> {
        let body = serde_json::to_string(body).map_err(|_| TenantError::Damaged("a ticket is not JSON"))?;
        let now = self.0.now().as_second();
        let mut connection = self.0.lock();
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM ticket WHERE expires_at <= ?1", [now])?;
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
            (kind.0, hash(text), body, now.saturating_add(seconds)),
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// The body of a ticket of this kind that has not expired.
    pub(super) fn read<T: DeserializeOwned>(&self, kind: TicketKind, text: &str) -> Result<Option<T>> {
        let sql = "SELECT body FROM ticket WHERE kind = ?1 AND hash = ?2 AND expires_at > ?3";
        self.body(sql, (kind.0, hash(text), self.0.now().as_second()))
    }

    /// As [`Tickets::read`], and deletes the ticket: it can be taken once only, even at the same time.
    pub(super) fn take<T: DeserializeOwned>(&self, kind: TicketKind, text: &str) -> Result<Option<T>> {
        let sql = "DELETE FROM ticket WHERE kind = ?1 AND hash = ?2 AND expires_at > ?3 RETURNING body";
        self.body(sql, (kind.0, hash(text), self.0.now().as_second()))
    }

    /// Lets a ticket expire `seconds` from now at the earliest.
    pub(super) fn extend(&self, kind: TicketKind, text: &str, seconds: i64) -> Result<()> {
        let sql = "UPDATE ticket SET expires_at = max(expires_at, ?3) WHERE kind = ?1 AND hash = ?2";
        let until = self.0.now().as_second().saturating_add(seconds);
        self.0.lock().execute(sql, (kind.0, hash(text), until))?;
        Ok(())
    }

    /// Replaces the body of a browser session, if the cookie's session still has this id in tokens.
    pub(super) fn update_session<T: Serialize>(&self, cookie: &str, sid: &str, body: &T) -> Result<()> {
        let body = serde_json::to_string(body).map_err(|_| TenantError::Damaged("a ticket is not JSON"))?;
        let sql =
            "UPDATE ticket SET body = ?3 WHERE kind = 'session' AND hash = ?1 AND body ->> '$.sid' = ?2";
        self.0.lock().execute(sql, (hash(cookie), sid, body))?;
        Ok(())
    }

    /// The body of a browser session, by its id in tokens.
    pub(super) fn session<T: DeserializeOwned>(&self, sid: &str) -> Result<Option<T>> {
        let sql =
            "SELECT body FROM ticket WHERE kind = 'session' AND body ->> '$.sid' = ?1 AND expires_at > ?2";
        self.body(sql, (sid, self.0.now().as_second()))
    }

    /// Ends a browser session by its id in tokens.
    pub(super) fn end_session(&self, sid: &str) -> Result<()> {
        let sql = "DELETE FROM ticket WHERE kind = 'session' AND body ->> '$.sid' = ?1";
        self.0.lock().execute(sql, [sid])?;
        Ok(())
    }

    /// Ends the password resets of a user: their links and their forms.
    pub(super) fn end_resets(&self, user_id: &str) -> Result<()> {
        let sql = "DELETE FROM ticket WHERE kind IN ('reset', 'reset_form') AND body ->> '$.user_id' = ?1";
        self.0.lock().execute(sql, [user_id])?;
        Ok(())
    }

    fn body<T: DeserializeOwned>(&self, sql: &str, params: impl Params) -> Result<Option<T>> {
        let body: Option<String> =
            self.0.lock().prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?;
        let parsed = body.map(|body| serde_json::from_str(&body)).transpose();
        parsed.map_err(|_| TenantError::Damaged("a ticket's JSON"))
    }
}

/// The length of a random text.
pub(super) const LENGTH: usize = 43;

/// 256 random bits in base64url.
pub(super) fn random() -> Result<String> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).map_err(|_| TenantError::Crypto("no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The hash under which a text is stored.
pub(super) fn hash(text: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::time::Duration;

    #[test]
    fn a_ticket_has_one_kind_expires_and_can_be_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(jiff::Timestamp::from_second(1_700_000_000).unwrap());
        let tickets = Tickets(TenantDb::open(&folder.path().join("t.db"), clock.clone()).unwrap());
        let text = tickets.issue(TicketKind::CODE, &"body", 60).unwrap();
        assert_eq!(text.len(), LENGTH);
        let read = |kind| tickets.read::<String>(kind, &text).unwrap();
        assert_eq!(read(TicketKind::SESSION), None);
        assert_eq!(read(TicketKind::CODE).as_deref(), Some("body"));
        assert_eq!(tickets.take::<String>(TicketKind::CODE, &text).unwrap().as_deref(), Some("body"));
        assert_eq!(tickets.take::<String>(TicketKind::CODE, &text).unwrap(), None);

        let text = tickets.issue(TicketKind::CODE, &"body", 60).unwrap();
        clock.advance(Duration::from_secs(59));
        assert_eq!(tickets.read::<String>(TicketKind::CODE, &text).unwrap().as_deref(), Some("body"));
        clock.advance(Duration::from_secs(1));
        assert_eq!(tickets.read::<String>(TicketKind::CODE, &text).unwrap(), None);
    }

    #[test]
    fn an_update_of_a_session_leaves_the_one_that_replaced_it() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets(TenantDb::open(&folder.path().join("t.db"), Clock::system()).unwrap());
        let session = |sid: &str, user_id: &str| serde_json::json!({"sid": sid, "user_id": user_id});
        let cookie = tickets.issue(TicketKind::SESSION, &session("new", "grace"), 60).unwrap();
        let read = || tickets.read::<serde_json::Value>(TicketKind::SESSION, &cookie).unwrap().unwrap();
        tickets.update_session(&cookie, "old", &session("old", "ada")).unwrap();
        assert_eq!(read(), session("new", "grace"));
        tickets.update_session(&cookie, "new", &session("new", "linked")).unwrap();
        assert_eq!(read(), session("new", "linked"));
        assert_eq!(tickets.session::<serde_json::Value>("new").unwrap(), Some(read()));
    }
}
