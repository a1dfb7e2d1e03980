//! The acts of the demo: a sign-up, a return, an expected guest, a machine, staff, and those who are turned away.

use serde_json::Value;

use super::stage::{Stage, payload};
use crate::tenant::HttpExchange;

const ME: &str = "{ me { id name email roles } }";

/// All acts, in their order: later ones build on earlier ones.
pub(super) fn all(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let (ada, id) = sign_up(stage)?;
    come_back(stage, &id)?;
    expected_guest(stage)?;
    unverified(stage)?;
    machine(stage)?;
    staff(stage)?;
    refusals(stage, &ada)
}

/// Steps 1 to 7 for somebody new. Gives her token and the id she got.
fn sign_up(stage: &mut Stage<'_>) -> anyhow::Result<(String, Value)> {
    stage.title("1. Ada signs up. NoSuchUser here has seen her.")?;
    stage.say("Steps 1 to 6: she logs in, the rules run and ask the Internal API for her, the tenant signs a token.")?;
    let audience = stage.config().public.audience.clone();
    let token = stage.log_in("ada@example.com", &audience)?;
    let posted = stage.sign_ups();
    let tracked = posted.len() == 1
        && posted.first().and_then(|sign_up| sign_up.get("user_id")) == Some(&"auth0|ada".into());
    stage.check(tracked, "the sign-up was tracked, once")?;
    let user = stage.claim("user");
    stage.check(
        payload(&token).get(&user).is_none(),
        "the Internal API did not know her: no user in the token",
    )?;

    stage.say(
        "Step 7: she calls the Public API. Not in the token, not in the database: the door asks the tenant.",
    )?;
    let (answer, asked) = stage.ask(&stage.public(), Some(&token), ME)?;
    let id = answer.at("/data/me/id");
    stage.check(profiles(&asked) == 1, "her profile was fetched from the tenant, once")?;
    stage.check(
        answer.at("/data/me/email") == "ada@example.com" && id.is_string(),
        "she has a row, and an id of ours",
    )?;
    Ok((token, id))
}

fn come_back(stage: &mut Stage<'_>, id: &Value) -> anyhow::Result<()> {
    stage.title("2. Ada comes back. Now the rule finds her, and the token tells who she is.")?;
    let audience = stage.config().public.audience.clone();
    let token = stage.log_in("ada@example.com", &audience)?;
    stage.check(stage.sign_ups().len() == 1, "a second login is no second sign-up")?;
    let user = payload(&token).get(stage.claim("user")).cloned().unwrap_or_default();
    stage.say(&format!("The token's payload holds {user}"))?;
    let (answer, asked) = stage.ask(&stage.public(), Some(&token), ME)?;
    stage.check(
        user.get("id") == Some(id) && answer.at("/data/me/id") == *id,
        "the payload's user is the current user",
    )?;
    stage.check(asked.is_empty(), "the tenant was not asked")
}

fn expected_guest(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.title("3. Grace comes for the first time. Staff had entered her email beforehand.")?;
    let internal = stage.config().internal.audience.clone();
    let reports = stage.machine_token("reports", &internal)?;
    let find = r#"{ user(email: "grace@example.com") { id auth0Id emailVerified } }"#;
    let (before, _) = stage.ask(&stage.internal(), Some(&reports), find)?;
    let id = before.at("/data/user/id");
    stage.check(
        id.is_string() && before.at("/data/user/auth0Id").is_null(),
        "her row waits, without an identity",
    )?;

    let audience = stage.config().public.audience.clone();
    let token = stage.log_in("grace@example.com", &audience)?;
    let (answer, asked) = stage.ask(&stage.public(), Some(&token), ME)?;
    stage.check(
        answer.at("/data/me/id") == id,
        "she was found in the database by the token's verified email",
    )?;
    stage.check(profiles(&asked) == 0, "her profile was not fetched")?;
    let (after, _) = stage.ask(&stage.internal(), Some(&reports), find)?;
    stage.check(after.at("/data/user/auth0Id") == "auth0|grace", "her identity is linked to the row")
}

fn unverified(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.title("4. Edsger was expected too, but never verified the email he gives.")?;
    let audience = stage.config().public.audience.clone();
    let token = stage.log_in("edsger@example.com", &audience)?;
    let (answer, _) = stage.ask(&stage.public(), Some(&token), ME)?;
    let own = answer.at("/data/me/id");
    let internal = stage.config().internal.audience.clone();
    let reports = stage.machine_token("reports", &internal)?;
    let find = r#"{ user(email: "edsger@example.com") { id auth0Id } }"#;
    let (answer, _) = stage.ask(&stage.internal(), Some(&reports), find)?;
    let expected = answer.at("/data/user/id");
    let apart = own.is_string() && expected.is_string() && own != expected;
    stage.check(
        apart && answer.at("/data/user/auth0Id").is_null(),
        "he got a row of his own, and the expected one still waits",
    )
}

fn machine(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.title("5. A machine asks the Internal API. Its scope decides.")?;
    let audience = stage.config().internal.audience.clone();
    let token = stage.machine_token("reports", &audience)?;
    let query = "{ me { id } users(first: 3) { edges { node { name status } } pageInfo { hasNextPage } } }";
    let (answer, _) = stage.ask(&stage.internal(), Some(&token), query)?;
    let page = answer.at("/data/users/edges").as_array().map(Vec::len);
    stage.check(page.is_some() && answer.at("/data/me").is_null(), "a machine has no current user")?;
    stage.check(
        page == Some(3) && answer.at("/data/users/pageInfo/hasNextPage") == true,
        "it sees users, a page at a time",
    )
}

fn staff(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.title("6. Katherine is staff. Her role decides.")?;
    let audience = stage.config().internal.audience.clone();
    let token = stage.log_in("katherine@example.com", &audience)?;
    let roles = payload(&token).get(stage.claim("roles")).cloned().unwrap_or_default();
    stage.say(&format!("The token's roles are {roles}"))?;
    let query = r#"{ me { name } user(auth0Id: "auth0|mallory") { name status } }"#;
    let (answer, _) = stage.ask(&stage.internal(), Some(&token), query)?;
    stage.check(answer.at("/data/me/name") == "Katherine Johnson", "the current user is Katherine")?;
    stage.check(answer.at("/data/user/status") == "BLOCKED", "she sees what only staff and machines may see")
}

fn refusals(stage: &mut Stage<'_>, ada: &str) -> anyhow::Result<()> {
    stage.title("7. Five who are turned away, each with the reason.")?;
    let (public, internal) = (stage.public(), stage.internal());
    let (own, other) = (stage.config().public.audience.clone(), stage.config().internal.audience.clone());
    refused(stage, "NoSuchUser sends a token.", &public, None, 401, "NO_TOKEN")?;
    let forged = forged(ada);
    refused(stage, "Somebody changes the token's signature.", &public, Some(&forged), 401, "BAD_SIGNATURE")?;
    refused(stage, "Ada takes her token to the other door.", &internal, Some(ada), 401, "WRONG_AUDIENCE")?;
    let for_internal = stage.log_in("ada@example.com", &other)?;
    refused(
        stage,
        "Ada gets a token for that door, but has no role.",
        &internal,
        Some(&for_internal),
        403,
        "NOT_PERMITTED",
    )?;
    let mallory = stage.log_in("mallory@example.com", &own)?;
    refused(stage, "Mallory is blocked in our database.", &public, Some(&mallory), 403, "BLOCKED")
}

fn refused(
    stage: &mut Stage<'_>,
    who: &str,
    url: &str,
    token: Option<&str>,
    status: u16,
    code: &str,
) -> anyhow::Result<()> {
    stage.say(who)?;
    let (answer, asked) = stage.ask(url, token, ME)?;
    let told = answer.status == status && answer.code().as_deref() == Some(code);
    stage.check(told && asked.is_empty(), &format!("{status} {code}, and nothing was looked up"))
}

/// How often a profile was fetched.
fn profiles(asked: &[HttpExchange]) -> usize {
    asked.iter().filter(|exchange| exchange.path.starts_with("/api/v2/users/")).count()
}

/// The token with one character of its signature changed.
fn forged(token: &str) -> String {
    let at = token.rfind('.').map_or(0, |dot| dot + 20);
    let change = |(i, c)| {
        if i != at {
            c
        } else if c == 'A' {
            'B'
        } else {
            'A'
        }
    };
    token.chars().enumerate().map(change).collect()
}
