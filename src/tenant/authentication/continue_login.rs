//! Where a login that waits goes on: `/continue` after a redirect, `/u/mfa` and `/u/prompt` after a page of the tenant.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::Inner;
use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::pending::{self, Pending, Wait};
use super::script_request::ScriptRequest;
use super::sessions::Method;
use super::transaction::{Step, Transaction};
use super::{authorize, interaction_page, password_reset, phone_messages};

/// `GET` or `POST /continue?state=…`: resumes a login that a script sent elsewhere.
pub(super) async fn resume(tenant: &Arc<Inner>, request: &HttpRequest) -> Result<HttpResponse, OAuthError> {
    let query = Params::from_form(request.query.as_bytes())?;
    let body = if request.body.is_empty() {
        Params::default()
    } else {
        Params::from_body(request.header("content-type"), &request.body)?
    };
    let state = query.get("state").or(body.get("state"));
    let state = state.ok_or_else(|| OAuthError::invalid_request("Missing required parameter: state"))?;
    if !matches!(pending::find(tenant, request, state)?.wait, Wait::Redirect { .. }) {
        return Err(OAuthError::invalid_request("This login does not wait for a redirect."));
    }
    let Pending { transaction, .. } = pending::take(tenant, state).await?;
    let view = ScriptRequest { http: request, query: query.all(), body: body.all() };
    advance(tenant, transaction, &view).await
}

/// A login goes on, or a password reset.
async fn advance(
    tenant: &Arc<Inner>,
    transaction: Transaction,
    request: &ScriptRequest<'_>,
) -> Result<HttpResponse, OAuthError> {
    match transaction.step {
        Step::PasswordReset(_) => password_reset::advance(tenant, transaction, request).await,
        _ => Ok(authorize::advance(tenant, transaction, request).await),
    }
}

/// `GET /u/mfa` and `/u/prompt`: the page.
pub(super) fn show(tenant: &Inner, request: &HttpRequest) -> Result<HttpResponse, OAuthError> {
    let params = Params::from_form(request.query.as_bytes())?;
    let state = params.require("state")?;
    let pending = pending::find(tenant, request, state)?;
    interaction_page::page(tenant, state, &pending, None)
}

/// `POST /u/mfa` with `outcome`, a factor or `fail`; `POST /u/prompt` with `fields`, a JSON object.
pub(super) async fn submit(tenant: &Arc<Inner>, request: &HttpRequest) -> Result<HttpResponse, OAuthError> {
    if !request.is_same_origin() {
        return Err(OAuthError::new(403, "invalid_request", "This form was sent from another site."));
    }
    let params = Params::from_body(request.header("content-type"), &request.body)?;
    let state = params.require("state")?;
    let waiting = pending::find(tenant, request, state)?;
    let mut fields = Map::new();
    match &waiting.wait {
        Wait::Redirect { .. } => return Err(OAuthError::invalid_request("This login waits for a redirect.")),
        Wait::Factor { .. } => drop(params.require("outcome")?),
        Wait::Prompt { .. } => match serde_json::from_str(params.get("fields").unwrap_or("{}")) {
            Ok(Value::Object(members)) => fields = members,
            _ => {
                return interaction_page::page(
                    tenant,
                    state,
                    &waiting,
                    Some("The fields are not a JSON object."),
                );
            }
        },
    }
    let Pending { mut transaction, wait, .. } = pending::take(tenant, state).await?;
    match wait {
        Wait::Prompt { id, vars, .. } => {
            transaction.prompt = Some(json!({"id": id, "fields": fields, "vars": vars}));
        }
        _ if params.get("outcome") == Some("fail") => {
            let error = OAuthError {
                script: wait.script().map(str::to_owned),
                ..OAuthError::access_denied("The multi-factor authentication failed.")
            };
            return Ok(authorize::refuse(tenant, &transaction, error));
        }
        _ => {
            transaction.methods.retain(|method| method.name != "mfa");
            transaction.methods.push(Method::new("mfa", tenant.clock.now()));
            if let Some(user) = tenant.users.find(&transaction.user_id)? {
                let view = ScriptRequest::with_query(request, json!({}));
                let factor = params.get("outcome").unwrap_or_default();
                phone_messages::send_code(tenant, &transaction, &user, factor, &view);
            }
        }
    }
    let query = transaction.authorization.as_ref().map(|request| request.query.clone()).unwrap_or_default();
    advance(tenant, transaction, &ScriptRequest::with_query(request, query)).await
}
