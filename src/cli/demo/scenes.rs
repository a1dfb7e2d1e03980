//! The acts of the demo but the last: a sign-up, a second login, a second identity, users created beforehand, a machine, staff,
//! and refused requests.

use serde_json::Value;

use super::narrator::{Narrator, payload};
use crate::tenant::HttpExchange;

const ME: &str = "{ me { id name email roles } }";

/// Runs the acts; later ones build on earlier ones.
pub(super) fn run_all(demo: &mut Narrator<'_>) -> anyhow::Result<()> {
    let (ada, id) = sign_up(demo)?;
    second_login(demo, &id)?;
    second_identity(demo, &id)?;
    pre_created_user(demo)?;
    unverified_email(demo)?;
    machine(demo)?;
    staff(demo)?;
    refusals(demo, &ada)
}

/// Steps 1 to 7 for a new user. Returns her token and her new id.
fn sign_up(demo: &mut Narrator<'_>) -> anyhow::Result<(String, Value)> {
    demo.title("1. Ada signs up and calls the Public API. She is not in the database yet.")?;
    demo.say("Steps 1 to 6: she logs in, rules and actions run, the tenant signs a token.")?;
    let token = demo.log_in("ada@example.com", &demo.config.public.audience)?;
    let posted = demo.sign_ups.received();
    let tracked = posted.len() == 1
        && posted.first().and_then(|sign_up| sign_up.get("user_id")) == Some(&"auth0|ada".into());
    demo.check(tracked, "the sign-up was tracked once")?;
    let is_unknown = payload(&token).get(demo.claim("user")).is_none();
    demo.check(is_unknown, "the Internal API did not know her: the token contains no user")?;

    demo.say("Step 7: she calls the Public API. She is in neither the token nor the database, so the door fetches her profile.")?;
    let (response, exchanges) = demo.query(&demo.public(), Some(&token), ME)?;
    let id = response.at("/data/me/id");
    demo.check(profile_fetches(&exchanges) == 1, "the door fetched her profile from the tenant once")?;
    let has_row = response.at("/data/me/email") == "ada@example.com" && id.is_string();
    demo.check(has_row, "she now has a row with an id of ours")?;
    Ok((token, id))
}

fn second_login(demo: &mut Narrator<'_>, id: &Value) -> anyhow::Result<()> {
    demo.title("2. Ada logs in again for the Public API. Now the rule finds her and adds her to the token.")?;
    let token = demo.log_in("ada@example.com", &demo.config.public.audience)?;
    demo.check(demo.sign_ups.received().len() == 1, "a second login is not tracked as a sign-up")?;
    let user = payload(&token).get(demo.claim("user")).cloned().unwrap_or_default();
    demo.say(&format!("The token's payload contains {user}"))?;
    let (response, exchanges) = demo.query(&demo.public(), Some(&token), ME)?;
    let is_same = user.get("id") == Some(id) && response.at("/data/me/id") == *id;
    demo.check(is_same, "the payload's user is the current user")?;
    demo.check(exchanges.is_empty(), "the tenant received no request")
}

fn second_identity(demo: &mut Narrator<'_>, id: &Value) -> anyhow::Result<()> {
    demo.title("3. Ada logs in with Google, her second identity, for the Public API.")?;
    let (public, audience) = (demo.public(), demo.config.public.audience.clone());
    let first = demo.log_in("google-oauth2|ada", &audience)?;
    let subject = payload(&first).get("sub").cloned().unwrap_or_default();
    demo.check(subject == "google-oauth2|ada", "the token's subject is the id at Google")?;
    let (response, exchanges) = demo.query(&public, Some(&first), ME)?;
    demo.check(response.at("/data/me/id") == *id, "her verified email led to the same row")?;
    demo.check(exchanges.is_empty(), "the tenant received no request")?;

    demo.say("She logs in with Google again. The rule finds her by the id at Google now.")?;
    let second = demo.log_in("google-oauth2|ada", &audience)?;
    let user = payload(&second).get(demo.claim("user")).cloned().unwrap_or_default();
    let carries = user.get("id") == Some(id) && user.get("auth0Id") == Some(&subject);
    demo.check(carries, "the token carries her, with the identity that logged in")?;
    let (response, _) = demo.query(&public, Some(&second), ME)?;
    demo.check(response.at("/data/me/id") == *id, "she is still the same user")?;

    let reports = demo.machine_token("reports", &demo.config.internal.audience)?;
    let find = r#"{ user(auth0Id: "auth0|ada") { identities { auth0Id } } }"#;
    demo.say("A machine reads both identities at the Internal API.")?;
    let (response, _) = demo.query(&demo.internal(), Some(&reports), find)?;
    let linked = response.at("/data/user/identities").as_array().map(Vec::len);
    demo.check(linked == Some(2), "both identities belong to her row")
}

fn pre_created_user(demo: &mut Narrator<'_>) -> anyhow::Result<()> {
    demo.title(
        "4. Grace and Edsger log in for the first time, for the Public API. Staff created their rows beforehand.",
    )?;
    demo.say("Grace's row waits with her email.")?;
    let reports = demo.machine_token("reports", &demo.config.internal.audience)?;
    let find = r#"{ user(email: "grace@example.com") { id auth0Id emailVerified } }"#;
    let (before, _) = demo.query(&demo.internal(), Some(&reports), find)?;
    let id = before.at("/data/user/id");
    let is_waiting = id.is_string() && before.at("/data/user/auth0Id").is_null();
    demo.check(is_waiting, "her row has no identity yet")?;

    let token = demo.log_in("grace@example.com", &demo.config.public.audience)?;
    let (response, exchanges) = demo.query(&demo.public(), Some(&token), ME)?;
    demo.check(response.at("/data/me/id") == id, "the token's verified email matched her row")?;
    demo.check(profile_fetches(&exchanges) == 0, "her profile was not fetched")?;
    let (after, _) = demo.query(&demo.internal(), Some(&reports), find)?;
    demo.check(after.at("/data/user/auth0Id") == "auth0|grace", "her identity is linked to the row")
}

fn unverified_email(demo: &mut Narrator<'_>) -> anyhow::Result<()> {
    demo.say("Edsger never verified his email.")?;
    let token = demo.log_in("edsger@example.com", &demo.config.public.audience)?;
    let (response, _) = demo.query(&demo.public(), Some(&token), ME)?;
    let (own, name) = (response.at("/data/me/id"), response.at("/data/me/name"));
    let reports = demo.machine_token("reports", &demo.config.internal.audience)?;
    let find = r#"{ user(email: "edsger@example.com") { id auth0Id } }"#;
    let (response, _) = demo.query(&demo.internal(), Some(&reports), find)?;
    let created = response.at("/data/user/id");
    demo.check(name == "Edsger", "the name that the rule populated at his sign-up is what `me` returns")?;
    let is_separate = own.is_string() && created.is_string() && own != created;
    let is_unlinked = response.at("/data/user/auth0Id").is_null();
    demo.check(is_separate && is_unlinked, "he got a new row; the one created for him is not linked")
}

fn machine(demo: &mut Narrator<'_>) -> anyhow::Result<()> {
    demo.title("5. A machine calls the Internal API. Its scopes decide.")?;
    let token = demo.machine_token("reports", &demo.config.internal.audience)?;
    let query = "{ me { id } users(first: 3) { edges { node { name status } } pageInfo { hasNextPage } } }";
    let (response, _) = demo.query(&demo.internal(), Some(&token), query)?;
    let length = response.at("/data/users/edges").as_array().map(Vec::len);
    let has_no_user = length.is_some() && response.at("/data/me").is_null();
    demo.check(has_no_user, "a machine has no current user")?;
    let is_page = length == Some(3) && response.at("/data/users/pageInfo/hasNextPage") == true;
    demo.check(is_page, "it can list users, page by page")
}

fn staff(demo: &mut Narrator<'_>) -> anyhow::Result<()> {
    demo.title("6. Katherine, who is staff, calls the Internal API. The roles of her row decide.")?;
    let token = demo.log_in("katherine@example.com", &demo.config.internal.audience)?;
    let query = r#"{ me { name roles } user(auth0Id: "auth0|mallory") { name status } }"#;
    let (response, _) = demo.query(&demo.internal(), Some(&token), query)?;
    let is_admin = response.at("/data/me/roles/0") == "admin";
    let is_she = response.at("/data/me/name") == "Katherine Johnson";
    demo.check(is_she && is_admin, "the current user is Katherine, an admin")?;
    demo.check(response.at("/data/user/status") == "BLOCKED", "she read the status of another user")
}

fn refusals(demo: &mut Narrator<'_>, ada: &str) -> anyhow::Result<()> {
    demo.title("7. Five refused requests, each with its door and reason.")?;
    let (public, internal) = (demo.public(), demo.internal());
    refused(demo, "At the Public API: a request without a token.", &public, None, 401, "NO_TOKEN")?;
    let forged = forge(ada);
    refused(
        demo,
        "At the Public API: a token with a changed signature.",
        &public,
        Some(&forged),
        401,
        "BAD_SIGNATURE",
    )?;
    refused(
        demo,
        "At the Internal API: Ada's token for the Public API.",
        &internal,
        Some(ada),
        401,
        "WRONG_AUDIENCE",
    )?;
    let token = demo.log_in("ada@example.com", &demo.config.internal.audience)?;
    let title = "At the Internal API: Ada's token for it; she has no role.";
    refused(demo, title, &internal, Some(&token), 403, "NOT_PERMITTED")?;
    let mallory = demo.log_in("mallory@example.com", &demo.config.public.audience)?;
    refused(
        demo,
        "At the Public API: Mallory, who is blocked in the database.",
        &public,
        Some(&mallory),
        403,
        "BLOCKED",
    )
}

fn refused(
    demo: &mut Narrator<'_>,
    title: &str,
    url: &str,
    token: Option<&str>,
    status: u16,
    code: &str,
) -> anyhow::Result<()> {
    demo.say(title)?;
    let (response, exchanges) = demo.query(url, token, ME)?;
    let is_refused = response.status == status && response.code().as_deref() == Some(code);
    let what = format!("{status} {code}, without a request to the tenant");
    demo.check(is_refused && exchanges.is_empty(), &what)
}

fn profile_fetches(exchanges: &[HttpExchange]) -> usize {
    exchanges.iter().filter(|exchange| exchange.path.starts_with("/api/v2/users/")).count()
}

/// The token with the first character of its signature changed.
fn forge(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{first}{}", signature.chars().skip(1).collect::<String>())
}
