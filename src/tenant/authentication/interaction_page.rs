//! The page on which the developer chooses what becomes of a second factor, or of a form: Auth0 shows screens of its own there.

use serde_json::{Value, json};

use super::super::oauth_error::OAuthError;
use super::super::response::HttpResponse;
use super::super::{Inner, clients};
use super::html::{self, escape};
use super::pending::{Pending, Wait};

/// The factors to choose from when the script names none.
const FACTORS: [&str; 7] =
    ["otp", "sms", "email", "push-notification", "webauthn-roaming", "webauthn-platform", "recovery-code"];

/// The page of a login that waits, with a problem of the last try.
///
/// # Errors
/// The login waits for a redirect.
pub(super) fn page(
    tenant: &Inner,
    state: &str,
    pending: &Pending,
    problem: Option<&str>,
) -> Result<HttpResponse, OAuthError> {
    let (title, action, main) = match &pending.wait {
        Wait::Redirect { .. } => return Err(OAuthError::invalid_request("This login waits for a redirect.")),
        Wait::Factor { factors, is_enrollment, .. } => {
            let title = if *is_enrollment { "Enroll a second factor" } else { "Prove a second factor" };
            (title, "/u/mfa", factor_buttons(factors))
        }
        Wait::Prompt { id, fields, vars, .. } => (id.as_str(), "/u/prompt", form_fields(fields, vars)),
    };
    let asked_by = pending.wait.script().map_or_else(
        || "<p>A script asks for it.</p>".to_owned(),
        |script| format!("<p>The action <code>{}</code> asks for it.</p>", escape(script)),
    );
    let problem =
        problem.map(|problem| format!("<p class=\"problem\" role=\"alert\">{}</p>", escape(problem)));
    let hidden = html::hidden([("state", state)].into_iter());
    let main = format!(
        "<h1>{}</h1>{asked_by}<p>Auth0 shows its own screen here. Choose the outcome.</p>{}\
         <form method=\"post\" action=\"{action}\" class=\"password\">{hidden}{main}</form>",
        escape(title),
        problem.unwrap_or_default()
    );
    let transaction = &pending.transaction;
    let name =
        clients::find(&tenant.bundle, &transaction.client_id).map_or("", |client| client.name.as_str());
    let callback =
        transaction.authorization.as_ref().map(|request| request.redirect_uri.as_str()).unwrap_or_default();
    Ok(html::document(200, title, name, &main, html::form_action(callback)))
}

fn factor_buttons(factors: &[Value]) -> String {
    let named: Vec<&str> = factors.iter().filter_map(|factor| factor.get("type")?.as_str()).collect();
    let names = if named.is_empty() { FACTORS.to_vec() } else { named };
    let button = |name: &&str| {
        format!("<button class=\"go\" name=\"outcome\" value=\"{0}\">It passes: {0}</button>", escape(name))
    };
    let mut buttons: String = names.iter().map(button).collect();
    buttons += "<button class=\"no\" name=\"outcome\" value=\"fail\">It fails</button>";
    buttons
}

fn form_fields(fields: &serde_json::Map<String, Value>, vars: &serde_json::Map<String, Value>) -> String {
    let vars = if vars.is_empty() {
        String::new()
    } else {
        format!("<p>Variables: <code>{}</code></p>", escape(&json!(vars).to_string()))
    };
    format!(
        "{vars}<label>The fields that the user fills in, as JSON\
         <textarea name=\"fields\" rows=\"8\">{}</textarea></label><button class=\"go\">Submit</button>",
        escape(&format!("{:#}", json!(fields)))
    )
}
