//! Headers + body → [`Delivery`]: whether the sender of a webhook knows its secret. The first of the three things that forges
//! differ in.
//!
//! - GitLab signs `webhook-id.webhook-timestamp.body` (Standard Webhooks) when its webhook has a signing token. With a signing
//!   token configured here, nothing else is accepted. Without one, `X-Gitlab-Token` must be the secret itself.
//! - GitHub signs the body: `X-Hub-Signature-256`.
//! - Gitea and Forgejo sign the body: `X-Gitea-Signature`, `X-Forgejo-Signature`.
//!
//! All comparisons take constant time.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use jiff::Timestamp;

use super::settings::{ForgeKind, ForgeSettings};

/// How far the timestamp of a signed delivery may be from now, in seconds, before and after.
const TIMESTAMP_TOLERANCE: i64 = 300;
/// The most signatures of one delivery: one for each key while a key is replaced.
const SIGNATURES_MAX: usize = 8;
/// The longest delivery id.
const ID_MAX: usize = 128;

/// Checks the deliveries of one webhook.
pub struct Verifier {
    kind: ForgeKind,
    secret: WebhookSecret,
}

enum WebhookSecret {
    /// The key of Standard Webhooks.
    Signing(hmac::Key),
    /// The key of signatures over the body.
    Body(hmac::Key),
    /// The SHA-256 of what the header must be.
    Token(digest::Digest),
}

/// The headers of a delivery that may be genuine: its body has to be checked. Only this file makes one.
pub struct UnverifiedDelivery<'a> {
    verifier: &'a Verifier,
    id: Option<String>,
    event: String,
    /// What was signed before the body.
    signed_prefix: String,
    signatures: Vec<Vec<u8>>,
}

/// A delivery whose sender knows the secret. Only this file makes one.
#[derive(Debug)]
pub struct Delivery {
    pub(super) kind: ForgeKind,
    /// The forge's id of the delivery, the same when it is sent again.
    pub(super) id: Option<String>,
    /// The forge's word for what happened.
    pub(super) event: String,
    pub(super) body: Vec<u8>,
}

/// Why a delivery was not accepted, for the log. Its sender gets one answer for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum VerifyError {
    #[error("it has no header with a signature or token; set the secret at the forge too")]
    Missing,
    #[error("it has no header that names the event")]
    NoEvent,
    #[error("its webhook-timestamp is missing or over five minutes from this machine's time")]
    WrongTime,
    #[error("its signature or token is wrong; compare the secrets here and at the forge")]
    Wrong,
}

impl Verifier {
    /// Checks by the configured secret; `None` without one.
    pub fn new(settings: &ForgeSettings) -> Option<Self> {
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let signing = settings.signing_token.as_ref();
        let secret = match (settings.kind, signing, settings.webhook_token.as_ref()) {
            (_, None, None) => return None,
            (ForgeKind::Gitlab, Some(token), _) => {
                let decoded = ForgeSettings::signing_key(token);
                WebhookSecret::Signing(key(&decoded.unwrap_or_else(|| token.expose().as_bytes().to_vec())))
            }
            (ForgeKind::Gitlab, None, Some(token)) => {
                WebhookSecret::Token(digest::digest(&digest::SHA256, token.expose().as_bytes()))
            }
            (_, Some(token), _) | (_, None, Some(token)) => {
                WebhookSecret::Body(key(token.expose().as_bytes()))
            }
        };
        Some(Self { kind: settings.kind, secret })
    }

    /// Checks what the headers show, before the body is read. `header` returns a header that was sent exactly once.
    ///
    /// # Errors
    /// See [`VerifyError`].
    pub fn headers<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        now: Timestamp,
    ) -> Result<UnverifiedDelivery<'_>, VerifyError> {
        let id = |names: &[&str]| {
            let sent = names.iter().find_map(|name| header(name));
            let is_id =
                |id: &&str| (1..=ID_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
            sent.filter(is_id).map(str::to_owned)
        };
        let (event, ids): (_, &[&str]) = match self.kind {
            ForgeKind::Gitlab => {
                ("x-gitlab-event", &["idempotency-key", "webhook-id", "x-gitlab-event-uuid"])
            }
            ForgeKind::Github => ("x-github-event", &["x-github-delivery"]),
            ForgeKind::Gitea => ("x-gitea-event", &["x-gitea-delivery", "x-forgejo-delivery"]),
        };
        let event =
            header(event).or_else(|| header("x-forgejo-event").filter(|_| self.kind == ForgeKind::Gitea));
        let (mut signed_prefix, mut signatures, mut known) = (String::new(), Vec::new(), id(ids));
        match &self.secret {
            WebhookSecret::Token(expected) => {
                let sent = header("x-gitlab-token").ok_or(VerifyError::Missing)?;
                let sent = digest::digest(&digest::SHA256, sent.as_bytes());
                verify_slices_are_equal(sent.as_ref(), expected.as_ref()).map_err(|_| VerifyError::Wrong)?;
            }
            WebhookSecret::Signing(_) => {
                let sent = header("webhook-signature").ok_or(VerifyError::Missing)?;
                // The signature covers this id, and not those of other headers.
                known = Some(id(&["webhook-id"]).ok_or(VerifyError::Missing)?);
                let timestamp = header("webhook-timestamp").ok_or(VerifyError::WrongTime)?;
                let seconds: i64 = timestamp.parse().map_err(|_| VerifyError::WrongTime)?;
                let apart = seconds.saturating_sub(now.as_second());
                if !(-TIMESTAMP_TOLERANCE..=TIMESTAMP_TOLERANCE).contains(&apart) {
                    return Err(VerifyError::WrongTime);
                }
                signed_prefix = format!("{}.{timestamp}.", known.as_deref().unwrap_or_default());
                let current = sent.split(' ').filter_map(|one| one.strip_prefix("v1,"));
                signatures =
                    current.take(SIGNATURES_MAX).filter_map(|one| STANDARD.decode(one).ok()).collect();
            }
            WebhookSecret::Body(_) => {
                let sent = match self.kind {
                    ForgeKind::Github => {
                        header("x-hub-signature-256").and_then(|sent| sent.strip_prefix("sha256="))
                    }
                    _ => header("x-gitea-signature").or_else(|| header("x-forgejo-signature")),
                };
                let sent = sent.ok_or(VerifyError::Missing)?;
                signatures.extend(HEXLOWER.decode(sent.as_bytes()));
            }
        }
        let event = event.ok_or(VerifyError::NoEvent)?.to_owned();
        Ok(UnverifiedDelivery { verifier: self, id: known, event, signed_prefix, signatures })
    }
}

impl UnverifiedDelivery<'_> {
    /// Checks the body.
    ///
    /// # Errors
    /// [`VerifyError::Wrong`].
    pub fn body(self, body: Vec<u8>) -> Result<Delivery, VerifyError> {
        let Self { verifier: Verifier { kind, secret }, id, event, signed_prefix, signatures } = self;
        if let WebhookSecret::Signing(key) | WebhookSecret::Body(key) = secret {
            let mut context = hmac::Context::with_key(key);
            context.update(signed_prefix.as_bytes());
            context.update(&body);
            let tag = context.sign();
            let is_ours = |sent: &Vec<u8>| verify_slices_are_equal(sent, tag.as_ref()).is_ok();
            if !signatures.iter().any(is_ours) {
                return Err(VerifyError::Wrong);
            }
        }
        Ok(Delivery { kind: *kind, id, event, body })
    }
}

#[cfg(test)]
#[path = "tests/verify.rs"]
mod tests;
