//! Logs a user in as a browser with a single-page application does: authorization code with PKCE (RFC 7636).

use anyhow::{Context, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use url::Url;

use super::super::http_client::{HttpClient, HttpResponse};
use super::super::token_request::{TokenRequest, access_token};

/// The redirect URI; nothing listens there.
const CALLBACK: &str = "http://127.0.0.1/callback";

/// Opens the login page, submits the form, follows the redirects and exchanges the code for a token.
/// Shows each request: its method, URL, response and a note.
pub(super) fn log_in(
    http: &HttpClient,
    request: TokenRequest<'_>,
    email: &str,
    password: &str,
    show: &mut dyn FnMut(&str, &Url, &HttpResponse, &str) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let (state, verifier) = (random()?, random()?);
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let mut page = Url::parse(request.issuer)?.join("authorize")?;
    page.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", request.client_id),
        ("redirect_uri", CALLBACK),
        ("audience", request.audience),
        ("scope", "openid profile email"),
        ("state", &state),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let mut response = http.get(page.as_str(), &[])?;
    let note = "the authorization request, with a PKCE challenge";
    show("GET", &page, &response, note)?;
    // The tenant may answer with the login page, or redirect to it.
    if let Some(location) = response.header("location") {
        page = page.join(location)?;
        response = http.get(page.as_str(), &cookie_header(&cookies(&response)))?;
        show("GET", &page, &response, "the login page")?;
    }
    ensure!(response.status == 200, "the tenant shows no login page: {}", response.body);

    let (action, form) = password_form(&response.body, email, password)
        .context("the login page has no form with a password")?;
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let target = page.join(&action)?;
    let cookies = cookies(&response);
    let mut response = http.post_form(target.as_str(), &cookie_header(&cookies), &form)?;
    show("POST", &target, &response, &format!("{email} logs in; the rules and actions run"))?;
    let redirect = |base: &Url, response: &HttpResponse| {
        anyhow::Ok(base.join(response.header("location").context("the login does not redirect")?)?)
    };
    let mut location = redirect(&target, &response)?;
    if location.origin() == target.origin() {
        response = http.get(location.as_str(), &cookie_header(&cookies))?;
        show("GET", &location, &response, "a redirect of the tenant")?;
        location = redirect(&location, &response)?;
    }
    let parameter =
        |name: &str| location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let reason = || parameter("error_description").unwrap_or_default();
    ensure!(parameter("error").is_none(), "the login was denied: {}", reason());
    ensure!(parameter("state").as_deref() == Some(state.as_str()), "the state differs from the one sent");
    let code = parameter("code").context("the redirect has no code")?;

    let token_url = Url::parse(request.issuer)?.join("oauth/token")?;
    let exchange = json!({
        "grant_type": "authorization_code",
        "client_id": request.client_id,
        "redirect_uri": CALLBACK,
        "code": code,
        "code_verifier": verifier,
    });
    let response = http.post_json(token_url.as_str(), &[], &exchange)?;
    let note = "exchanges the code and the PKCE verifier for a token";
    show("POST", &token_url, &response, note)?;
    access_token(&response)
}

/// 32 random bytes, as base64url.
pub(super) fn random() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok().context("the system has no random numbers")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The cookies that a response sets, as the value of a `Cookie` header.
fn cookies(response: &HttpResponse) -> String {
    let set = response.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ")
}

fn cookie_header(cookies: &str) -> Vec<(&str, &str)> {
    if cookies.is_empty() { Vec::new() } else { vec![("cookie", cookies)] }
}

/// The action and the filled-in fields of the form that has a password field.
fn password_form(page: &str, email: &str, password: &str) -> Option<(String, Vec<(String, String)>)> {
    let mut forms = page.split("<form").skip(1).map(|form| form.split("</form").next().unwrap_or(form));
    let form = forms.find(|form| form.contains("type=\"password\""))?;
    let action = attribute(form.split('>').next()?, "action").unwrap_or_default();
    let inputs = form.split("<input").skip(1).filter_map(|input| input.split('>').next());
    let fields = inputs.filter_map(|input| {
        let value = match attribute(input, "type").as_deref() {
            Some("password") => password.to_owned(),
            Some("hidden") => attribute(input, "value").unwrap_or_default(),
            Some("submit") => return None,
            _ => email.to_owned(),
        };
        Some((attribute(input, "name")?, value))
    });
    Some((action, fields.collect()))
}

/// An attribute's value, unescaped.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag.get(start..)?.split('"').next()?;
    let escapes =
        [("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    Some(escapes.iter().fold(value.to_owned(), |text, (escape, plain)| text.replace(escape, plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_with_the_password_is_filled_in() {
        let page = r#"<form action="/one"><button name="user" value="a"></button></form>
            <form method="post" action="/two?a=1&amp;b=2"><input type="hidden" name="state" value="x&quot;y">
            <input type="email" name="username"><input type="password" name="password"></form>"#;
        let (action, fields) = password_form(page, "ada@example.com", "secret").unwrap();
        assert_eq!(action, "/two?a=1&b=2");
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, [("state", "x\"y"), ("username", "ada@example.com"), ("password", "secret")]);
        assert!(password_form("<form></form>", "", "").is_none());
    }
}
