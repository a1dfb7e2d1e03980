//! Requests for access tokens, as a frontend or a machine sends them to a tenant.

use anyhow::{Context, bail};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::http_client::{HttpClient, HttpResponse};
use crate::bundle::{self, Bundle};

/// The grant for a user's password (Auth0: "Resource Owner Password Flow", with a realm).
const PASSWORD_REALM: &str = "http://auth0.com/oauth/grant-type/password-realm";

/// A token request, without credentials.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenRequest<'a> {
    /// The tenant's issuer, with its final slash.
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    /// The API the token is for.
    pub(super) audience: &'a str,
}

impl TokenRequest<'_> {
    /// Gets a user's access token with their password (the `password-realm` grant).
    pub(super) fn with_password(
        &self,
        http: &HttpClient,
        realm: &str,
        email: &str,
        password: &str,
    ) -> anyhow::Result<String> {
        let login = json!({
            "grant_type": PASSWORD_REALM,
            "realm": realm,
            "client_id": self.client_id,
            "audience": self.audience,
            "username": email,
            "password": password,
            "scope": "openid profile email",
        });
        self.token(http, &login)
    }

    /// Gets the client's own access token with its secret.
    pub(super) fn with_secret(&self, http: &HttpClient, secret: &str) -> anyhow::Result<String> {
        let login = json!({
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": secret,
            "audience": self.audience,
        });
        self.token(http, &login)
    }

    /// Gets a user's access token as a frontend does: by the login page of the dev tenant, and a code with PKCE (RFC 7636).
    pub(super) fn with_code(
        &self,
        http: &HttpClient,
        client: &bundle::Client,
        user_id: &str,
    ) -> anyhow::Result<String> {
        let callback = client.callback().context("the client has no callback to send a code to")?;
        // A fixed verifier: the code is exchanged at once, by this process.
        let verifier = "vestibule-token-vestibule-token-vestibule-token";
        let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(hash);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", self.client_id),
                ("redirect_uri", callback),
                ("audience", self.audience),
                ("scope", "openid profile email"),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        let page = http.get(&format!("{}authorize?{query}", self.issuer), &[])?;
        let state = redirected(&page, "state")?;
        let form = [("state", state.as_str()), ("user", user_id)];
        let back = http.post_form(&format!("{}u/login", self.issuer), &[], &form)?;
        let mut exchange = json!({
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "code": redirected(&back, "code")?,
            "redirect_uri": callback,
            "code_verifier": verifier,
        });
        if let (Some(secret), Some(members)) = (&client.client_secret, exchange.as_object_mut()) {
            members.insert("client_secret".to_owned(), secret.expose().into());
        }
        self.token(http, &exchange)
    }

    fn token(&self, http: &HttpClient, login: &Value) -> anyhow::Result<String> {
        let response = http.post_json(&format!("{}oauth/token", self.issuer), &[], login)?;
        access_token(&response).map_err(|error| match self.denied_by(http) {
            Some(script) if response.status != 200 => anyhow::anyhow!("{error}, by the script \"{script}\""),
            _ => error,
        })
    }

    /// The script that denied the latest login, by the dev tenant's login log.
    fn denied_by(&self, http: &HttpClient) -> Option<String> {
        let log = http.get(&format!("{}dev/logins", self.issuer), &[]).ok()?;
        log.at("/logins/0/denied_by").as_str().map(str::to_owned)
    }
}

/// The access token in a response of `/oauth/token`.
pub(super) fn access_token(response: &HttpResponse) -> anyhow::Result<String> {
    if response.status != 200 {
        let [error, description] = ["/error", "/error_description"]
            .map(|member| response.at(member).as_str().unwrap_or("no reason").to_owned());
        bail!("the tenant refused the token request: {description} ({error}, status {})", response.status);
    }
    let token = response.at("/access_token");
    Ok(token.as_str().context("the tenant's response has no access_token")?.to_owned())
}

/// The database that a user logs in with by password: the user's own, else Auth0's default one.
pub(super) fn realm<'a>(bundle: &Bundle, user: &'a bundle::TestUser) -> &'a str {
    let found = bundle.objects.find(bundle::Kind::Connection, "name", user.connection());
    let is_database =
        found.is_some_and(|found| found.get("strategy").is_some_and(|strategy| strategy == "auth0"));
    if is_database { user.connection() } else { bundle::DEFAULT_CONNECTION }
}

/// The bundle's first public client with the password grant.
pub(super) fn password_client(bundle: &Bundle) -> Option<&bundle::Client> {
    bundle.clients.iter().find(|client| client.is_public() && client.may_use(PASSWORD_REALM))
}

/// The bundle's first client that gets a code: a public one, else one whose secret is known.
pub(super) fn code_client(bundle: &Bundle) -> Option<&bundle::Client> {
    let with_code = || bundle.clients.iter().filter(|client| client.logs_people_in());
    with_code().find(|client| client.is_public()).or_else(|| with_code().next())
}

/// A parameter of the URL that a response redirects to.
fn redirected(response: &HttpResponse, name: &str) -> anyhow::Result<String> {
    let location = response.header("location").unwrap_or_default();
    let (_, query) = location.split_once('?').unwrap_or_default();
    let find = |name: &str| url::form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known == name);
    if let Some((_, value)) = find(name) {
        return Ok(value.into_owned());
    }
    let error = find("error_description").or_else(|| find("error")).map(|(_, error)| error.into_owned());
    bail!(
        "the tenant refused the login: {} (status {})",
        error.unwrap_or_else(|| "it did not redirect".to_owned()),
        response.status
    )
}

/// The bundle's first machine client with a grant for `audience` and a secret.
pub(super) fn machine_client<'a>(bundle: &'a Bundle, audience: &str) -> Option<&'a bundle::Client> {
    let granted = bundle.client_grants.iter().filter(|grant| grant.audience == audience);
    granted
        .filter_map(|grant| bundle.clients.iter().find(|client| client.client_id == grant.client_id))
        .find(|client| client.client_secret.is_some())
}
