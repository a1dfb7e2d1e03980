//! Signing keys: discovery, then the key set (RFC 8414, RFC 7517).

use serde::Deserialize;
use url::Url;

use super::{Auth0, Auth0Error, Call, Issuer};

/// The members of the discovery document that are used.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Auth0 {
    /// The key set of `issuer`, as unchecked JSON of at most 64 KiB.
    ///
    /// Without a configured `jwks_uri` the discovery document names it. That document must name the configured issuer, and
    /// the keys must be on the issuer's host.
    ///
    /// # Errors
    /// See [`Auth0Error`].
    pub fn signing_keys(&self, issuer: &Issuer) -> Result<String, Auth0Error> {
        let uri = match &issuer.jwks_uri {
            Some(uri) => uri.clone(),
            None => self.discover(&issuer.issuer)?,
        };
        self.text(Call::Keys, self.agent.get(&uri).call())
    }

    fn discover(&self, issuer: &str) -> Result<String, Auth0Error> {
        let call = Call::Discovery;
        // The issuers of forges have no final slash.
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document: Discovery = self.json(call, self.agent.get(url).call())?;
        if document.issuer != issuer {
            return Err(Auth0Error::UnexpectedAnswer { call, what: "the document of another issuer" });
        }
        let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin());
        if origin(&document.jwks_uri).is_none() || origin(&document.jwks_uri) != origin(issuer) {
            return Err(Auth0Error::UnexpectedAnswer {
                call,
                what: "a jwks_uri that is not on the issuer's host",
            });
        }
        Ok(document.jwks_uri)
    }
}
