//! Mails that Auth0 would send, and where their links lead. The login log shows them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::Inner;
use super::super::accounts::Feed;
use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::response::{HttpResponse, object};
use super::super::tickets::TicketKind;
use super::super::users::TenantUser;
use super::html;
use super::login_log::{LoginStory, Mail};
use super::registration::{self, AccountRequest, Message};

/// A kind of mail: its subject, its link's path and its ticket.
type MailKind = (&'static str, &'static str, TicketKind);

pub(super) const VERIFY: MailKind = ("Verify your email", "u/verify-email", TicketKind::VERIFY);
pub(super) const RESET: MailKind = ("Reset your password", "u/reset-password", TicketKind::RESET);

/// The lifetime of a link, in seconds: five days, as at Auth0.
const LINK_LIFETIME: i64 = 5 * 86_400;

/// Who has a mail, and the client that asked for it: what the ticket of its link holds.
#[derive(Serialize, Deserialize)]
pub(super) struct Recipient {
    pub(super) user_id: String,
    pub(super) client_id: String,
}

/// Logs a mail to a user.
pub(super) async fn send(
    tenant: &Arc<Inner>,
    account: &AccountRequest<'_>,
    user: &TenantUser,
    (subject, path, kind): MailKind,
) -> Result<(), OAuthError> {
    let recipient = Recipient { user_id: user.user_id().to_owned(), client_id: account.client_id.to_owned() };
    let issue = move |tenant: &Inner| tenant.tickets.issue(kind, &recipient, LINK_LIFETIME);
    let link = format!("{}{path}?ticket={}", tenant.issuer, tenant.in_pool(issue).await?);
    let mut story = LoginStory::of(account.client_id);
    (story.user_id, story.email) = (Some(user.user_id().to_owned()), Some(user.email().to_owned()));
    story.mail = Some(Mail { to: user.email().to_owned(), subject, link: link.clone() });
    story.record(tenant, Ok("mail"));
    let message_type = if kind == TicketKind::RESET { "reset_email" } else { "verify_email" };
    registration::send_mail(tenant, account, user, &Message { message_type, subject, link: &link });
    Ok(())
}

/// `GET /u/verify-email?ticket=…`: verifies the email.
pub(super) async fn verify_email(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
) -> Result<HttpResponse, OAuthError> {
    let params = Params::from_form(request.query.as_bytes())?;
    let ticket = params.require("ticket")?.to_owned();
    let verified = tenant.in_pool(move |tenant| {
        let Some(Recipient { user_id, .. }) = tenant.tickets.take(TicketKind::VERIFY, &ticket)? else {
            return Ok(false);
        };
        let verified = |_: &_| object(serde_json::json!({"email_verified": true}));
        Ok(tenant.db.change_account(&user_id, Feed::Event("user.updated"), verified)?.is_some())
    });
    if verified.await? { Ok(html::notice("Your email was verified.")) } else { Err(used()) }
}

/// The error of a link whose ticket is gone.
pub(super) fn used() -> OAuthError {
    OAuthError::invalid_request("This link has expired or was used already.")
}
