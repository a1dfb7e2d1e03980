//! `/u/login`: the page where a person says who they are, and its form's answer.

use std::sync::Arc;

use super::answer::Answer;
use super::authorize::{self, Asked, Mode};
use super::http::Request;
use super::params::Params;
use super::people::Account;
use super::refusal::Refusal;
use super::state::Kind;
use super::{Inner, TenantError, page};

/// `GET /u/login?state=…`: the page.
pub(super) fn show(tenant: &Arc<Inner>, request: &Request) -> Answer {
    let params = Params::from_form(request.query.as_bytes()).unwrap_or_default();
    match under_way(tenant, &params) {
        Ok((state, asked)) => form(tenant, state, &asked, None, 200),
        Err(answer) => *answer,
    }
}

/// `POST /u/login` with `state` and either `user` (the one-click buttons: a `user_id`) or `email` and `password`.
pub(super) async fn submit(tenant: &Arc<Inner>, request: &Request) -> Answer {
    // The one-click buttons ask for no password, so no other site's page may press them.
    if !request.is_same_origin() {
        return page::error(403, "This form was sent from another site.");
    }
    let params = match Params::from_body(request.header("content-type"), &request.body) {
        Ok(params) => params,
        Err(refusal) => return page::error(refusal.status, &refusal.description),
    };
    let (state, asked) = match under_way(tenant, &params) {
        Ok((state, asked)) => (state.to_owned(), asked),
        Err(answer) => return *answer,
    };
    match person(tenant, &params).await {
        Ok(Some(account)) => {
            // Taken only now, so that a mistyped password can be typed again; whoever takes it goes on.
            let inner = Arc::clone(tenant);
            let take = move || inner.state.take::<Asked>(Kind::Login, &state, inner.clock.now());
            match tenant.in_pool(take).await {
                Ok(Some(asked)) => authorize::logged_in(tenant, request, asked, account).await,
                Ok(None) => expired(),
                Err(error) => failed(error),
            }
        }
        Ok(None) => form(tenant, &state, &asked, Some("Wrong email or password."), 400),
        Err(error) => failed(error),
    }
}

async fn person(tenant: &Arc<Inner>, params: &Params) -> Result<Option<Account>, TenantError> {
    if let Some(user_id) = params.get("user") {
        return tenant.people.find(user_id);
    }
    let (Some(email), Some(password)) = (params.get("email"), params.get("password")) else {
        return Ok(None);
    };
    let (inner, email, password) = (Arc::clone(tenant), email.to_owned(), password.to_owned());
    tenant.in_pool(move || inner.people.authenticate(&email, &password)).await
}

fn under_way<'a>(tenant: &Inner, params: &'a Params) -> Result<(&'a str, Asked), Box<Answer>> {
    let expired = || Box::new(expired());
    let state = params.get("state").ok_or_else(expired)?;
    let asked = tenant.state.look::<Asked>(Kind::Login, state, tenant.clock.now());
    let asked = asked.map_err(|error| Box::new(failed(error)))?;
    Ok((state, asked.ok_or_else(expired)?))
}

fn form(tenant: &Inner, state: &str, asked: &Asked, problem: Option<&str>, status: u16) -> Answer {
    let signed_up = match tenant.state.all_signed_up() {
        Ok(records) => records,
        Err(error) => return failed(error),
    };
    let mut cards: Vec<page::Card> = tenant
        .people
        .bundled()
        .iter()
        .filter_map(|person| {
            let account = tenant.people.find(&person.user_id).ok()??;
            Some(page::Card::new(&account, person.note.as_deref()))
        })
        .collect();
    for record in signed_up {
        if let Ok(Some(account)) = tenant.people.find(&record.user_id) {
            cards.push(page::Card::new(&account, Some("signed up here")));
        }
    }
    let client = super::clients::find(&tenant.bundle, &asked.client_id);
    page::login(
        status,
        &page::Login {
            tenant: tenant.bundle.tenant.friendly_name.as_deref().unwrap_or("Dev tenant"),
            application: client.map_or("", |client| client.name.as_str()),
            redirect_uri: &asked.redirect_uri,
            state,
            cards: &cards,
            problem,
            hint: asked.login_hint.as_deref().unwrap_or_default(),
            has_opener: asked.mode == Mode::WebMessage,
        },
    )
}

fn expired() -> Answer {
    page::error(
        400,
        "This login has expired or was used already. Go back to the application and start again.",
    )
}

fn failed(error: TenantError) -> Answer {
    let refusal = Refusal::from(error);
    page::error(refusal.status, &refusal.description)
}
