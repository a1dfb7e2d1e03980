//! The tenant's APIs, and the scopes that machines and users get. Pure: depends on the bundle only.

use crate::bundle::{AccessPolicy, Bundle, ClientGrant, ResourceServer};

use super::oauth_error::OAuthError;

/// The scopes of the Management API that users get: for their own account only.
const OWN_ACCOUNT: [&str; 3] =
    ["read:current_user", "update:current_user_metadata", "update:current_user_identities"];

/// The scopes of OpenID Connect (Core 1.0 §5.4), granted at any audience.
const OIDC_SCOPES: [&str; 5] = ["openid", "profile", "email", "address", "phone"];

/// The bundle's APIs and the Management API, which every tenant has.
#[derive(Clone)]
pub(super) struct Apis {
    apis: Vec<ResourceServer>,
    management: String,
}

impl Apis {
    pub(super) fn new(bundle: &Bundle, issuer: &str) -> Self {
        let management = format!("{issuer}api/v2/");
        let is_foreign =
            |api: &ResourceServer| is_management(&api.identifier) && api.identifier != management;
        let apis = bundle.resource_servers.iter().filter(|api| !is_foreign(api)).cloned().collect();
        Self { apis, management }
    }

    /// The audience of the Management API.
    pub(super) fn management(&self) -> &str {
        &self.management
    }

    /// The API with this audience.
    pub(super) fn find(&self, audience: &str) -> Result<&ResourceServer, OAuthError> {
        // The Management API has one audience for each of the tenant's names and listeners.
        let audience = if is_own_management(audience) { &self.management } else { audience };
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
        let grant = self.grant(bundle, client_id, api, false);
        let grant = grant.filter(|_| !is(&api.subject_type_authorization.client, "deny_all")).ok_or_else(|| {
            OAuthError::access_denied(format!(
                "Client is not authorized to access \"{}\". You need to create a \"client-grant\" associated to this \
                 API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants",
                api.identifier
            ))
        })?;
        if grant.organization_usage.as_deref() == Some("require") {
            return Err(OAuthError::invalid_request("parameter organization is required for this client"));
        }
        let is_requested = |scope: &&String| match requested {
            None | Some("") => true,
            Some(requested) => requested.split(' ').any(|requested| requested == scope.as_str()),
        };
        Ok(granted_scopes(grant, api).filter(is_requested).cloned().collect())
    }

    /// Removes the scopes that users of a client cannot get at the API.
    ///
    /// # Errors
    /// The API denies users, or needs a client grant for users, and the client has none.
    pub(super) fn limit_user_scopes(
        &self,
        bundle: &Bundle,
        client_id: &str,
        api: Option<&ResourceServer>,
        scopes: &mut Vec<String>,
    ) -> Result<(), OAuthError> {
        let Some(api) = api else { return Ok(()) };
        let policy = &api.subject_type_authorization.user;
        let grant = self.grant(bundle, client_id, api, true);
        if let Some(grant) = grant.filter(|_| is(policy, "require_client_grant")) {
            let limit: Vec<_> = granted_scopes(grant, api).collect();
            scopes.retain(|scope| OIDC_SCOPES.contains(&scope.as_str()) || limit.contains(&scope));
        } else if is(policy, "deny_all") || is(policy, "require_client_grant") {
            let audience = &api.identifier;
            let description = format!("Client is not authorized to access resource server \"{audience}\".");
            return Err(OAuthError::access_denied(description));
        }
        Ok(())
    }

    fn grant<'a>(
        &self,
        bundle: &'a Bundle,
        client_id: &str,
        api: &ResourceServer,
        is_for_users: bool,
    ) -> Option<&'a ClientGrant> {
        let is_for_api = |audience: &str| {
            // An exported grant names the Management API of its own tenant; here it means this tenant's.
            audience == api.identifier || (api.identifier == self.management && is_management(audience))
        };
        bundle.client_grants.iter().find(|grant| {
            grant.client_id == client_id
                && grant.is_for_users() == is_for_users
                && is_for_api(&grant.audience)
        })
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
        let is_of_api = |scope: &str| {
            api.is_some_and(|api| {
                // Of the Management API, a user's token must not read other users.
                let is_allowed = api.identifier != self.management || OWN_ACCOUNT.contains(&scope);
                is_allowed
                    && api.scopes.iter().any(|known| known.value == scope)
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

fn is(policy: &AccessPolicy, value: &str) -> bool {
    policy.policy.as_deref() == Some(value)
}

fn granted_scopes<'a>(grant: &'a ClientGrant, api: &'a ResourceServer) -> impl Iterator<Item = &'a String> {
    let all = grant.allow_all_scopes.then(|| api.scopes.iter().map(|scope| &scope.value));
    let listed = (!grant.allow_all_scopes).then_some(&grant.scope);
    all.into_iter().flatten().chain(listed.into_iter().flatten())
}

/// Whether an audience is `api/v2/` of a loopback address.
fn is_own_management(audience: &str) -> bool {
    let url = url::Url::parse(audience).ok().filter(|url| url.path() == "/api/v2/");
    url.is_some_and(|url| url.host_str().is_some_and(super::request::is_loopback))
}

/// Whether an identifier is the Management API: of this tenant, or of a real one.
pub(super) fn is_management(identifier: &str) -> bool {
    is_own_management(identifier) || is_auth0_management(identifier)
}

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
            ..ClientGrant::default()
        };
        Bundle {
            resource_servers: vec![
                server(serde_json::json!({"identifier": "https://open", "scopes": scopes})),
                server(serde_json::json!({"identifier": "http://127.0.0.1/api/v2/",
                    "scopes": [{"value": "read:users"}, {"value": "read:current_user"}]})),
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
        let apis = Apis::new(&bundle, "http://127.0.0.1/");
        let scopes = |client: &str, audience: &str, requested| {
            apis.find(audience).and_then(|api| apis.machine_scopes(&bundle, client, api, requested))
        };
        assert_eq!(scopes("m", "https://open", None).unwrap(), ["a", "b"]);
        assert_eq!(scopes("m", "https://open", Some("b c")).unwrap(), ["b"]);
        assert_eq!(scopes("x", "http://127.0.0.1/api/v2/", None).unwrap(), ["a", "b"]);
        let refused = scopes("m", "https://rbac", None).unwrap_err();
        assert_eq!((refused.status, &*refused.error), (403, "access_denied"));
        assert_eq!(
            refused.description,
            "Client is not authorized to access \"https://rbac\". You need to create a \"client-grant\" associated \
             to this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"
        );
        let unknown = scopes("m", "https://open/", None).unwrap_err();
        assert_eq!((unknown.status, &*unknown.error), (403, "access_denied"));
        assert_eq!(unknown.description, "Service not found: https://open/");
    }

    #[test]
    fn grants_of_both_subject_types_and_the_policies_of_the_api_are_obeyed() {
        let mut bundle = bundle();
        let users = |scope: &str| ClientGrant {
            client_id: "x".to_owned(),
            audience: "https://open".to_owned(),
            scope: vec![scope.to_owned()],
            subject_type: Some("user".to_owned()),
            ..ClientGrant::default()
        };
        bundle.client_grants.insert(0, users("b"));
        let apis = Apis::new(&bundle, "http://127.0.0.1/");
        let mut api = apis.find("https://open").unwrap().clone();
        assert_eq!(apis.machine_scopes(&bundle, "x", &api, None).unwrap_err().status, 403);
        let limited = |bundle: &Bundle, client: &str, api: &ResourceServer| {
            let mut scopes = ["openid", "a", "b"].map(str::to_owned).to_vec();
            let limited = apis.limit_user_scopes(bundle, client, Some(api), &mut scopes);
            limited.map(|()| scopes.join(" ")).map_err(|error| error.error.into_owned())
        };
        assert_eq!(limited(&bundle, "x", &api).unwrap(), "openid a b");
        api.subject_type_authorization.user.policy = Some("require_client_grant".to_owned());
        assert_eq!(limited(&bundle, "x", &api).unwrap(), "openid b");
        assert_eq!(limited(&bundle, "m", &api), Err("access_denied".to_owned()));
        bundle.client_grants[0].allow_all_scopes = true;
        assert_eq!(limited(&bundle, "x", &api).unwrap(), "openid a b");
        api.subject_type_authorization.user.policy = Some("deny_all".to_owned());
        assert_eq!(limited(&bundle, "x", &api), Err("access_denied".to_owned()));
        assert_eq!(apis.machine_scopes(&bundle, "m", &api, None).unwrap(), ["a", "b"]);
        bundle.client_grants[1].organization_usage = Some("require".to_owned());
        assert_eq!(apis.machine_scopes(&bundle, "m", &api, None).unwrap_err().error, "invalid_request");
        api.subject_type_authorization.client.policy = Some("deny_all".to_owned());
        assert_eq!(apis.machine_scopes(&bundle, "m", &api, None).unwrap_err().error, "access_denied");
    }

    #[test]
    fn a_user_gets_the_requested_scopes_that_exist_and_under_rbac_those_of_the_roles() {
        let bundle = bundle();
        let apis = Apis::new(&bundle, "http://127.0.0.1/");
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
}
