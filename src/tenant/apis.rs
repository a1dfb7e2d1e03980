//! The tenant's APIs, and who may ask for which of their scopes. Pure: decided from the bundle alone.

use crate::bundle::{Bundle, ResourceServer};

use super::TenantError;
use super::refusal::Refusal;

/// Scopes of the Management API that the tenant serves.
pub(super) const READ_USERS: &str = "read:users";
pub(super) const UPDATE_USERS: &str = "update:users";

/// What a user may be told about themselves, at any audience (OpenID Connect Core 1.0 §5.4).
const OIDC_SCOPES: [&str; 5] = ["openid", "profile", "email", "address", "phone"];

/// An API, as tokens need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Api {
    /// The audience.
    pub(super) identifier: String,
    /// How long its access tokens live, in seconds.
    pub(super) lifetime: u32,
    /// RFC 9068 instead of Auth0's own dialect.
    pub(super) rfc9068: bool,
    /// Tokens carry `permissions`.
    pub(super) authz: bool,
    /// RBAC: users get the scopes that their roles grant, no others.
    pub(super) enforce: bool,
    /// What may be asked.
    pub(super) scopes: Vec<String>,
}

impl Api {
    fn new(server: &ResourceServer) -> Result<Self, TenantError> {
        if server.signing_alg != "RS256" {
            return Err(TenantError::Bundle(format!(
                "the API {:?} wants {} tokens; only RS256 is served, so set its signing_alg",
                server.identifier, server.signing_alg
            )));
        }
        Ok(Self {
            identifier: server.identifier.clone(),
            lifetime: server.token_lifetime,
            rfc9068: server.token_dialect.starts_with("rfc9068"),
            authz: server.token_dialect.ends_with("_authz"),
            enforce: server.enforce_policies,
            scopes: server.scopes.iter().map(|scope| scope.value.clone()).collect(),
        })
    }
}

/// All of them, and the Management API, which every tenant has.
pub(super) struct Apis {
    apis: Vec<Api>,
    management: String,
}

impl Apis {
    pub(super) fn new(bundle: &Bundle, issuer: &str) -> Result<Self, TenantError> {
        let management = format!("{issuer}api/v2/");
        let mut apis = bundle.resource_servers.iter().map(Api::new).collect::<Result<Vec<_>, _>>()?;
        apis.retain(|api| !is_some_management(&api.identifier) && api.identifier != management);
        apis.push(Api {
            identifier: management.clone(),
            lifetime: 86_400,
            rfc9068: false,
            authz: false,
            enforce: false,
            scopes: vec![READ_USERS.to_owned(), UPDATE_USERS.to_owned()],
        });
        Ok(Self { apis, management })
    }

    /// The audience of the Management API.
    pub(super) fn management(&self) -> &str {
        &self.management
    }

    /// The API with this audience.
    pub(super) fn find(&self, audience: &str) -> Result<&Api, Refusal> {
        let found = self.apis.iter().find(|api| api.identifier == audience);
        found.ok_or_else(|| Refusal::access_denied(format!("Service not found: {audience}")))
    }

    /// The scopes that a machine gets of `api`: those of its client grant, or those of them that it asked for.
    pub(super) fn machine_scopes(
        &self,
        bundle: &Bundle,
        client_id: &str,
        api: &Api,
        asked: Option<&str>,
    ) -> Result<Vec<String>, Refusal> {
        let grant = bundle.client_grants.iter().find(|grant| {
            // An exported grant names the Management API of the tenant it comes from; here it means ours.
            let ours = grant.audience == api.identifier
                || (api.identifier == self.management && is_some_management(&grant.audience));
            grant.client_id == client_id && ours
        });
        let grant = grant.ok_or_else(|| {
            Refusal::access_denied(format!(
                "Client is not authorized to access \"{}\". You need to create a \"client-grant\" associated to this \
                 API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants",
                api.identifier
            ))
        })?;
        let asked: Option<Vec<&str>> =
            asked.filter(|asked| !asked.is_empty()).map(|asked| asked.split(' ').collect());
        let wanted = |scope: &&String| asked.as_ref().is_none_or(|asked| asked.contains(&scope.as_str()));
        Ok(grant.scope.iter().filter(wanted).cloned().collect())
    }

    /// The scopes that a user's client gets: what it asked for, as far as OpenID Connect or the API has it, and under
    /// RBAC as far as the user's `permissions` grant it. What is unknown is dropped silently, as Auth0 does.
    ///
    /// `asked` is `None` when no scope was named at all: then a trusted client (one that saw the password) gets
    /// everything that the API has.
    pub(super) fn user_scopes(
        &self,
        api: Option<&Api>,
        permissions: &[String],
        asked: Asked<'_>,
    ) -> Vec<String> {
        let everything = || api.map_or_else(Vec::new, |api| api.scopes.iter().map(String::as_str).collect());
        let asked: Vec<&str> = match asked {
            Asked::For(scope) => scope.split(' ').collect(),
            Asked::Nothing => Vec::new(),
            Asked::NothingButTrusted => everything(),
        };
        let of_api = |scope: &str| {
            api.is_some_and(|api| {
                // A user's token reaches no one else through the Management API.
                api.identifier != self.management
                    && api.scopes.iter().any(|known| known == scope)
                    && (!api.enforce || permissions.iter().any(|held| held == scope))
            })
        };
        let mut granted: Vec<String> = Vec::new();
        for scope in asked {
            let known = OIDC_SCOPES.contains(&scope) || of_api(scope);
            if known && !granted.iter().any(|already| already == scope) {
                granted.push(scope.to_owned());
            }
        }
        granted
    }
}

/// What a request says about scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    /// These, separated by spaces.
    For(&'a str),
    /// No word of it.
    Nothing,
    /// No word of it, from a client that was given the person's password.
    NothingButTrusted,
}

/// Whether an identifier is the Management API of a tenant at Auth0.
fn is_some_management(identifier: &str) -> bool {
    identifier.starts_with("https://") && identifier.ends_with(".auth0.com/api/v2/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::ClientGrant;

    fn server(json: serde_json::Value) -> ResourceServer {
        serde_json::from_value(json).unwrap()
    }

    fn bundle() -> Bundle {
        let scopes = serde_json::json!([{"value": "a"}, {"value": "b"}]);
        let grant = |client: &str, audience: &str| ClientGrant {
            client_id: client.to_owned(),
            audience: audience.to_owned(),
            scope: vec!["a".to_owned(), "b".to_owned()],
            other: serde_json::Map::default(),
        };
        Bundle {
            resource_servers: vec![
                server(serde_json::json!({"identifier": "https://open", "scopes": scopes})),
                server(
                    serde_json::json!({"identifier": "https://rbac", "scopes": scopes, "enforce_policies": true,
                    "token_dialect": "rfc9068_profile_authz", "token_lifetime": 60}),
                ),
            ],
            client_grants: vec![grant("m", "https://open"), grant("x", "https://t.eu.auth0.com/api/v2/")],
            ..Bundle::default()
        }
    }

    #[test]
    fn a_machine_gets_its_grant_or_less() {
        let bundle = bundle();
        let apis = Apis::new(&bundle, "http://127.0.0.1/").unwrap();
        let scopes = |client: &str, audience: &str, asked| {
            apis.find(audience).and_then(|api| apis.machine_scopes(&bundle, client, api, asked))
        };
        assert_eq!(scopes("m", "https://open", None).unwrap(), ["a", "b"]);
        assert_eq!(scopes("m", "https://open", Some("b c")).unwrap(), ["b"]);
        assert_eq!(scopes("x", "http://127.0.0.1/api/v2/", None).unwrap(), ["a", "b"]);
        let refused = scopes("m", "https://rbac", None).unwrap_err();
        assert_eq!((refused.status, refused.error), (403, "access_denied"));
        assert_eq!(
            refused.description,
            "Client is not authorized to access \"https://rbac\". You need to create a \"client-grant\" associated \
             to this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"
        );
        let unknown = scopes("m", "https://open/", None).unwrap_err();
        assert_eq!((unknown.status, unknown.error), (403, "access_denied"));
        assert_eq!(unknown.description, "Service not found: https://open/");
    }

    #[test]
    fn a_user_gets_what_was_asked_and_exists_and_under_rbac_what_roles_grant() {
        let bundle = bundle();
        let apis = Apis::new(&bundle, "http://127.0.0.1/").unwrap();
        let held = ["a".to_owned()];
        for (audience, asked, expected) in [
            (Some("https://open"), Asked::For("openid a z openid offline_access"), vec!["openid", "a"]),
            (Some("https://open"), Asked::Nothing, vec![]),
            (Some("https://open"), Asked::NothingButTrusted, vec!["a", "b"]),
            (Some("https://rbac"), Asked::For("openid b a"), vec!["openid", "a"]),
            (Some("https://rbac"), Asked::NothingButTrusted, vec!["a"]),
            (Some("http://127.0.0.1/api/v2/"), Asked::For("read:users openid"), vec!["openid"]),
            (None, Asked::For("openid profile a"), vec!["openid", "profile"]),
            (None, Asked::NothingButTrusted, vec![]),
        ] {
            let api = audience.map(|audience| apis.find(audience).unwrap());
            assert_eq!(apis.user_scopes(api, &held, asked), expected, "{audience:?} {asked:?}");
        }
    }

    #[test]
    fn an_api_with_other_signatures_is_refused() {
        let servers = vec![server(serde_json::json!({"identifier": "u", "signing_alg": "HS256"}))];
        let bundle = Bundle { resource_servers: servers, ..Bundle::default() };
        assert!(matches!(Apis::new(&bundle, "http://127.0.0.1/"), Err(TenantError::Bundle(_))));
    }
}
