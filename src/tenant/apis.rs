//! The tenant's APIs, and the scopes that machines and users get. Pure: depends on the bundle only.

use crate::bundle::{ApiScope, Bundle, ResourceServer};

use super::TenantError;
use super::oauth_error::OAuthError;

/// Scopes of the Management API that the tenant serves.
pub(super) const READ_USERS: &str = "read:users";
pub(super) const UPDATE_USERS: &str = "update:users";

/// The scopes of OpenID Connect (Core 1.0 §5.4), granted at any audience.
const OIDC_SCOPES: [&str; 5] = ["openid", "profile", "email", "address", "phone"];

/// The bundle's APIs and the Management API, which every tenant has.
pub(super) struct Apis {
    apis: Vec<ResourceServer>,
    management: String,
}

impl Apis {
    pub(super) fn new(bundle: &Bundle, issuer: &str) -> Result<Self, TenantError> {
        let management = format!("{issuer}api/v2/");
        if let Some(api) = bundle.resource_servers.iter().find(|api| api.signing_alg != "RS256") {
            return Err(TenantError::Bundle(format!(
                "the API {:?} wants {} tokens; the dev tenant signs with RS256 only, so set its signing_alg",
                api.identifier, api.signing_alg
            )));
        }
        let mut apis = bundle.resource_servers.clone();
        apis.retain(|api| !is_auth0_management(&api.identifier) && api.identifier != management);
        apis.push(ResourceServer {
            identifier: management.clone(),
            scopes: [READ_USERS, UPDATE_USERS].map(|value| ApiScope { value: value.to_owned() }).into(),
            token_lifetime: 86_400,
            token_dialect: "access_token".to_owned(),
            enforce_policies: false,
            allow_offline_access: false,
            signing_alg: "RS256".to_owned(),
        });
        Ok(Self { apis, management })
    }

    /// The audience of the Management API.
    pub(super) fn management(&self) -> &str {
        &self.management
    }

    /// The API with this audience.
    pub(super) fn find(&self, audience: &str) -> Result<&ResourceServer, OAuthError> {
        let found = self.apis.iter().find(|api| api.identifier == audience);
        found.ok_or_else(|| OAuthError::access_denied(format!("Service not found: {audience}")))
    }

    /// The scopes that a machine gets at `api`: those of its client grant, or the ones among them that it requests.
    pub(super) fn machine_scopes(
        &self,
        bundle: &Bundle,
        client_id: &str,
        api: &ResourceServer,
        requested: Option<&str>,
    ) -> Result<Vec<String>, OAuthError> {
        let is_for_api = |audience: &str| {
            // An exported grant names the Management API of its own tenant; here it means this tenant's.
            audience == api.identifier || (api.identifier == self.management && is_auth0_management(audience))
        };
        let mut grants = bundle.client_grants.iter().filter(|grant| grant.client_id == client_id);
        let grant = grants.find(|grant| is_for_api(&grant.audience)).ok_or_else(|| {
            OAuthError::access_denied(format!(
                "Client is not authorized to access \"{}\". You need to create a \"client-grant\" associated to this \
                 API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants",
                api.identifier
            ))
        })?;
        let is_requested = |scope: &&String| match requested {
            None | Some("") => true,
            Some(requested) => requested.split(' ').any(|requested| requested == scope.as_str()),
        };
        Ok(grant.scope.iter().filter(is_requested).cloned().collect())
    }

    /// The scopes that a user's client gets: the requested ones that OpenID Connect or the API has and, under RBAC, that
    /// the user's `permissions` include. Unknown scopes are dropped silently, as at Auth0. A trusted client, which has the
    /// user's password, gets all scopes of the API when it requests none.
    pub(super) fn user_scopes(
        &self,
        api: Option<&ResourceServer>,
        permissions: &[String],
        requested: Option<&str>,
        is_trusted: bool,
    ) -> Vec<String> {
        let requested: Vec<&str> = match (requested, api) {
            (Some(scope), _) => scope.split(' ').collect(),
            (None, Some(api)) if is_trusted => api.scopes.iter().map(|scope| scope.value.as_str()).collect(),
            _ => Vec::new(),
        };
        // The Management API gives a user's token no scopes: they would let it read other users.
        let api = api.filter(|api| api.identifier != self.management);
        let is_of_api = |scope: &str| {
            api.is_some_and(|api| {
                api.scopes.iter().any(|known| known.value == scope)
                    && (!api.enforce_policies || permissions.iter().any(|permission| permission == scope))
            })
        };
        let mut granted: Vec<String> = Vec::new();
        for scope in requested {
            let is_known = OIDC_SCOPES.contains(&scope) || is_of_api(scope);
            if is_known && !granted.iter().any(|already| already == scope) {
                granted.push(scope.to_owned());
            }
        }
        granted
    }
}

/// Whether an identifier is the Management API of a real tenant.
fn is_auth0_management(identifier: &str) -> bool {
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
    fn a_machine_gets_the_requested_scopes_of_its_grant() {
        let bundle = bundle();
        let apis = Apis::new(&bundle, "http://127.0.0.1/").unwrap();
        let scopes = |client: &str, audience: &str, requested| {
            apis.find(audience).and_then(|api| apis.machine_scopes(&bundle, client, api, requested))
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
    fn a_user_gets_the_requested_scopes_that_exist_and_under_rbac_those_of_the_roles() {
        let bundle = bundle();
        let apis = Apis::new(&bundle, "http://127.0.0.1/").unwrap();
        let held = ["a".to_owned()];
        for (audience, requested, is_trusted, expected) in [
            (Some("https://open"), Some("openid a z openid offline_access"), false, vec!["openid", "a"]),
            (Some("https://open"), None, false, vec![]),
            (Some("https://open"), None, true, vec!["a", "b"]),
            (Some("https://rbac"), Some("openid b a"), false, vec!["openid", "a"]),
            (Some("https://rbac"), None, true, vec!["a"]),
            (Some("http://127.0.0.1/api/v2/"), Some("read:users openid"), false, vec!["openid"]),
            (None, Some("openid profile a"), false, vec!["openid", "profile"]),
            (None, None, true, vec![]),
        ] {
            let api = audience.map(|audience| apis.find(audience).unwrap());
            assert_eq!(
                apis.user_scopes(api, &held, requested, is_trusted),
                expected,
                "{audience:?} {requested:?}"
            );
        }
    }

    #[test]
    fn an_api_with_another_signing_algorithm_is_refused() {
        let servers = vec![server(serde_json::json!({"identifier": "u", "signing_alg": "HS256"}))];
        let bundle = Bundle { resource_servers: servers, ..Bundle::default() };
        assert!(matches!(Apis::new(&bundle, "http://127.0.0.1/"), Err(TenantError::Bundle(_))));
    }
}
