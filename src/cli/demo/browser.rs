//! A browser with a single-page application in it: logs a person in by authorization code with PKCE (RFC 7636).

use anyhow::{Context, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use url::Url;

use super::super::frontend::{Client, access_token};
use super::super::http_client::{HttpClient, HttpResponse};

/// Where the tenant sends the browser after the login.
const CALLBACK: &str = "http://127.0.0.1/callback";

/// One hop of a login.
pub(super) struct Hop {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) note: String,
}

/// Logs in as a person would: opens the page, fills in the form, follows the redirect, trades the code for a token.
pub(super) fn log_in(
    wire: &HttpClient,
    client: Client<'_>,
    email: &str,
    password: &str,
) -> anyhow::Result<(String, Vec<Hop>)> {
    let mut hops = Vec::new();
    let (state, verifier) = (random()?, random()?);
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let mut authorize = Url::parse(client.issuer)?.join("authorize")?;
    authorize.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", client.client_id),
        ("redirect_uri", CALLBACK),
        ("audience", client.audience),
        ("scope", "openid profile email"),
        ("state", &state),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    // The tenant may send the browser to the page in one hop or in two.
    let mut page = authorize.clone();
    let mut answer = wire.get(page.as_str(), &[])?;
    hops.push(hop("GET", &page, &answer, "the login page is asked for, with a PKCE challenge"));
    if let Some(location) = answer.header("location") {
        page = page.join(location)?;
        answer = wire.get(
            page.as_str(),
            &cookies(&answer).as_deref().map(|c| ("cookie", c)).into_iter().collect::<Vec<_>>(),
        )?;
        hops.push(hop("GET", &page, &answer, "the login page"));
    }
    ensure!(answer.status == 200, "the tenant shows no login page: {}", answer.body);

    let (action, mut fields) =
        password_form(&answer.body).context("the login page has no form with a password")?;
    for (name, value) in &mut fields {
        match value {
            Field::Given(_) => {}
            Field::Password => *value = Field::Given(password.to_owned()),
            Field::Name => *value = Field::Given(email.to_owned()),
        }
        ensure!(!name.is_empty(), "the login form has a field without a name");
    }
    let form: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| {
            (name.as_str(), if let Field::Given(value) = value { value.as_str() } else { "" })
        })
        .collect();
    let target = page.join(&action)?;
    let cookie = cookies(&answer);
    let headers: Vec<_> = cookie.as_deref().map(|cookie| ("cookie", cookie)).into_iter().collect();
    let mut answer = wire.post_form(target.as_str(), &headers, &form)?;
    hops.push(hop("POST", &target, &answer, &format!("{email} logs in; the rules run")));
    let mut location = target.join(answer.header("location").context("the login leads nowhere")?)?;
    if location.origin() == target.origin() {
        answer = wire.get(location.as_str(), &headers)?;
        hops.push(hop("GET", &location, &answer, "and on"));
        location = location.join(answer.header("location").context("the login leads nowhere")?)?;
    }
    let said =
        |name: &str| location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    ensure!(
        said("error").is_none(),
        "the login was denied: {}",
        said("error_description").unwrap_or_default()
    );
    ensure!(said("state").as_deref() == Some(state.as_str()), "the state came back changed");
    let code = said("code").context("the login brought no code")?;

    let token_url = Url::parse(client.issuer)?.join("oauth/token")?;
    let answer = wire.post_json(
        token_url.as_str(),
        &[],
        &json!({
            "grant_type": "authorization_code",
            "client_id": client.client_id,
            "redirect_uri": CALLBACK,
            "code": code,
            "code_verifier": verifier,
        }),
    )?;
    hops.push(hop("POST", &token_url, &answer, "the code and the PKCE verifier, for a token"));
    Ok((access_token(&answer)?, hops))
}

fn hop(method: &'static str, url: &Url, answer: &HttpResponse, note: &str) -> Hop {
    Hop { method, path: url.path().to_owned(), status: answer.status, note: note.to_owned() }
}

fn random() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok().context("the machine gives no random numbers")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The cookies an answer sets, as a request sends them back.
fn cookies(answer: &HttpResponse) -> Option<String> {
    let set = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let pairs: Vec<_> = set.filter_map(|cookie| cookie.split(';').next()).collect();
    if pairs.is_empty() { None } else { Some(pairs.join("; ")) }
}

/// A field of a form, as far as the page filled it in.
enum Field {
    Given(String),
    Name,
    Password,
}

/// The form that asks for a password: where it goes, and its fields.
fn password_form(page: &str) -> Option<(String, Vec<(String, Field)>)> {
    let form = page.split("<form").skip(1).map(|form| form.split("</form").next().unwrap_or(form));
    let form = form.into_iter().find(|form| form.contains("type=\"password\""))?;
    let action = attribute(form.split('>').next()?, "action").unwrap_or_default();
    let inputs = form.split("<input").skip(1).filter_map(|input| input.split('>').next());
    let fields = inputs.filter_map(|input| {
        let name = attribute(input, "name")?;
        let field = match attribute(input, "type").as_deref() {
            Some("password") => Field::Password,
            Some("hidden") => Field::Given(attribute(input, "value").unwrap_or_default()),
            Some("submit") => return None,
            _ => Field::Name,
        };
        Some((name, field))
    });
    Some((action, fields.collect()))
}

/// The value of an attribute, unescaped.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag.get(start..)?.split('"').next()?;
    let unescaped = value
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    Some(unescaped.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_with_the_password_is_found_and_read() {
        let page = r#"<form action="/one"><button name="user" value="a"></button></form>
            <form method="post" action="/two?a=1&amp;b=2"><input type="hidden" name="state" value="x&quot;y">
            <input type="email" name="username"><input type="password" name="password"></form>"#;
        let (action, fields) = password_form(page).unwrap();
        assert_eq!(action, "/two?a=1&b=2");
        assert!(matches!(&fields[0], (name, Field::Given(value)) if name == "state" && value == "x\"y"));
        assert!(matches!(&fields[1].1, Field::Name) && matches!(&fields[2].1, Field::Password));
        assert!(password_form("<form></form>").is_none());
    }
}
