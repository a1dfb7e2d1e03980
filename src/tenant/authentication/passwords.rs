//! Changing a password: by a mail, whose link leads to a form.

use std::sync::Arc;

use serde_json::json;

use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::password_hash::hash_password;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::tickets::TicketKind;
use super::super::{Inner, clients, connections};
use super::mails::Recipient;
use super::password_reset::AllowedReset;
use super::registration::AccountRequest;
use super::script_request::ScriptRequest;
use super::{html, mails, password_reset, registration, signup};

/// `POST /dbconnections/change_password`: a mail, if the email has an account. The response does not say whether.
pub(super) async fn change_password(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
) -> Result<HttpResponse, OAuthError> {
    let params = Params::from_body(request.header("content-type"), &request.body)?;
    let client =
        clients::find(&tenant.bundle, params.require("client_id")?).ok_or_else(OAuthError::unknown_client)?;
    let connection = signup::require_database(tenant, &params)?;
    let found = tenant.users.find_by_email(params.require("email")?)?;
    if let Some(user) = found.iter().find(|user| user.connection() == connection) {
        let view = ScriptRequest::with_body(request, &params);
        let account =
            AccountRequest { client_id: &client.client_id, connection, authorization: None, request: view };
        mails::send(tenant, &account, user, mails::RESET).await?;
    }
    Ok(HttpResponse::text(200, "We've just sent you an email to reset your password."))
}

/// `GET` and `POST /u/reset-password`: a form for a new password, which ends all refresh tokens and links of the user. Where
/// actions come before the form, it has a ticket of its own.
pub(super) async fn reset_password(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
) -> Result<HttpResponse, OAuthError> {
    let is_guarded = tenant.scripts.bound(password_reset::TRIGGER).is_some();
    if request.body.is_empty() {
        let params = Params::from_form(request.query.as_bytes())?;
        let ticket = params.require("ticket")?;
        let recipient: Recipient = tenant.tickets.read(TicketKind::RESET, ticket)?.ok_or_else(mails::used)?;
        return match is_guarded {
            true => password_reset::begin(tenant, request, &recipient).await,
            false => Ok(html::reset_password(ticket, None)),
        };
    }
    let params = Params::from_body(request.header("content-type"), &request.body)?;
    let (ticket, password) = (params.require("ticket")?.to_owned(), params.require("password")?.to_owned());
    let find = move |tenant: &Inner, ticket: &str, takes: bool| {
        let tickets = &tenant.tickets;
        if is_guarded {
            let kind = TicketKind::RESET_FORM;
            return if takes {
                tickets.take::<AllowedReset>(kind, ticket)
            } else {
                tickets.read(kind, ticket)
            };
        }
        let kind = TicketKind::RESET;
        let found = if takes { tickets.take::<Recipient>(kind, ticket) } else { tickets.read(kind, ticket) };
        Ok(found?.map(|Recipient { user_id, .. }| AllowedReset { user_id, result_url: None }))
    };
    let reset = find(tenant, &ticket, false)?.ok_or_else(mails::used)?;
    let user = tenant.users.find(&reset.user_id)?.ok_or_else(mails::used)?;
    if let Some(problem) = connections::weakness(&tenant.bundle, user.connection(), &password) {
        return Ok(html::reset_password(&ticket, Some(&problem)));
    }
    let changed = tenant.in_pool(move |tenant| {
        let Some(AllowedReset { user_id, .. }) = find(tenant, &ticket, true)? else { return Ok(false) };
        tenant.db.set_password(&user_id, &hash_password(&password)?)?;
        tenant.refresh_tokens.revoke_all(&user_id)?;
        tenant.tickets.end_resets(&user_id)?;
        Ok(true)
    });
    if !changed.await? {
        return Err(mails::used());
    }
    let view = ScriptRequest::with_query(request, json!({}));
    let account =
        AccountRequest { client_id: "", connection: user.connection(), authorization: None, request: view };
    registration::after_password_change(tenant, &account, &user);
    Ok(match reset.result_url {
        Some(url) => html::leave(&url),
        None => html::notice("Your password was changed."),
    })
}
