//! What goes into tokens, exactly as Auth0 shapes them. Pure.
//!
//! Auth0, "Access token profiles"; RFC 9068; OpenID Connect Core 1.0 §2. A machine's token has `gty`, a user's from a
//! code has none; `aud` is a list only when `/userinfo` is meant too.

use serde_json::{Map, Value, json};

use super::apis::Api;

/// Claims that rules can not set; Auth0 drops them silently ("Create custom claims", restricted claims). `scope` is
/// not on its list: a rule sets it, but to change what is granted, which is another place than here.
const RESTRICTED: [&str; 56] = [
    "acr",
    "act",
    "active",
    "amr",
    "at_hash",
    "ath",
    "attest",
    "aud",
    "auth_time",
    "authorization_details",
    "azp",
    "c_hash",
    "client_id",
    "cnf",
    "cty",
    "dest",
    "entitlements",
    "events",
    "exp",
    "groups",
    "gty",
    "htm",
    "htu",
    "iat",
    "internalService",
    "iss",
    "jcard",
    "jku",
    "jti",
    "jwe",
    "jwk",
    "kid",
    "may_act",
    "mky",
    "nbf",
    "nonce",
    "object_id",
    "org_id",
    "org_name",
    "orig",
    "origid",
    "permissions",
    "roles",
    "rph",
    "s_hash",
    "scope",
    "sid",
    "sub",
    "sub_jwk",
    "toe",
    "txn",
    "typ",
    "uuid",
    "vot",
    "vtm",
    "x5t#S256",
];

/// Namespaces that are Auth0's own.
const RESERVED_HOSTS: [&str; 3] = ["auth0.com", "webtask.io", "webtask.run"];

/// What every token of one request has in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Issue<'a> {
    /// With its final slash.
    pub(super) issuer: &'a str,
    /// The application.
    pub(super) client_id: &'a str,
    /// Unix seconds.
    pub(super) now: i64,
    /// For `jti`, where the dialect has one.
    pub(super) jti: &'a str,
}

/// What a user's access token says besides.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfUser<'a> {
    /// `auth0|…`.
    pub(super) subject: &'a str,
    /// Granted scopes.
    pub(super) scopes: &'a [String],
    /// What the user's roles permit at the API.
    pub(super) permissions: &'a [String],
    /// `password` for the password grants, else none.
    pub(super) gty: Option<&'a str>,
    /// What rules put into `context.accessToken`.
    pub(super) custom: &'a Map<String, Value>,
}

/// What an ID token says of the login that it comes from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OfLogin<'a> {
    /// As the application gave it.
    pub(super) nonce: Option<&'a str>,
    /// Names the session.
    pub(super) sid: Option<&'a str>,
    /// When the person proved who they are, unix seconds; told to whom asked with `max_age` (OpenID Connect Core 1.0 §2).
    pub(super) auth_time: Option<i64>,
}

impl Issue<'_> {
    /// A machine's access token.
    pub(super) fn machine(&self, api: &Api, scopes: &[String]) -> Map<String, Value> {
        let subject = format!("{}@clients", self.client_id);
        let mut claims = self.access(api, &subject, Value::from(api.identifier.clone()), scopes);
        if !api.rfc9068 {
            claims.insert("gty".to_owned(), Value::from("client-credentials"));
        }
        if api.authz {
            claims.insert("permissions".to_owned(), json!(scopes));
        }
        claims
    }

    /// A user's access token.
    pub(super) fn user(&self, api: &Api, of: OfUser<'_>) -> Map<String, Value> {
        let audience = if of.scopes.iter().any(|scope| scope == "openid") {
            json!([api.identifier, format!("{}userinfo", self.issuer)])
        } else {
            Value::from(api.identifier.clone())
        };
        let mut claims = allowed(of.custom);
        claims.append(&mut self.access(api, of.subject, audience, of.scopes));
        if let (Some(gty), false) = (of.gty, api.rfc9068) {
            claims.insert("gty".to_owned(), Value::from(gty));
        }
        if api.authz {
            claims.insert("permissions".to_owned(), json!(of.permissions));
        }
        claims
    }

    /// An ID token for the application.
    pub(super) fn id(
        &self,
        lifetime: u32,
        about: Map<String, Value>,
        custom: &Map<String, Value>,
        of: OfLogin<'_>,
    ) -> Map<String, Value> {
        let mut claims = about;
        claims.extend(allowed(custom));
        claims.extend([
            ("iss".to_owned(), Value::from(self.issuer)),
            ("aud".to_owned(), Value::from(self.client_id)),
            ("iat".to_owned(), Value::from(self.now)),
            ("exp".to_owned(), Value::from(self.now.saturating_add(i64::from(lifetime)))),
        ]);
        let told = [
            ("nonce", of.nonce.map(Value::from)),
            ("sid", of.sid.map(Value::from)),
            ("auth_time", of.auth_time.map(Value::from)),
        ];
        claims.extend(told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        claims
    }

    fn access(&self, api: &Api, subject: &str, audience: Value, scopes: &[String]) -> Map<String, Value> {
        let mut claims = Map::from_iter([
            ("iss".to_owned(), Value::from(self.issuer)),
            ("sub".to_owned(), Value::from(subject)),
            ("aud".to_owned(), audience),
            ("iat".to_owned(), Value::from(self.now)),
            ("exp".to_owned(), Value::from(self.now.saturating_add(i64::from(api.lifetime)))),
        ]);
        if api.rfc9068 {
            claims.insert("client_id".to_owned(), Value::from(self.client_id));
            claims.insert("jti".to_owned(), Value::from(self.jti));
        } else {
            claims.insert("azp".to_owned(), Value::from(self.client_id));
        }
        if !scopes.is_empty() {
            claims.insert("scope".to_owned(), Value::from(scopes.join(" ")));
        }
        claims
    }
}

/// The `typ` of an access token's header.
pub(super) fn typ(api: &Api) -> &'static str {
    if api.rfc9068 { "at+jwt" } else { "JWT" }
}

/// What a user is, as far as `scopes` let it be told: the ID token's and `/userinfo`'s claims.
pub(super) fn about(user: &Map<String, Value>, scopes: &[String]) -> Map<String, Value> {
    let has = |scope: &str| scopes.iter().any(|granted| granted == scope);
    let mut names: Vec<&str> = Vec::new();
    if has("profile") {
        names.extend([
            "name",
            "nickname",
            "given_name",
            "family_name",
            "picture",
            "locale",
            "gender",
            "birthdate",
            "updated_at",
        ]);
    }
    if has("email") {
        names.extend(["email", "email_verified"]);
    }
    if has("phone") {
        names.extend(["phone_number", "phone_verified"]);
    }
    let mut claims = Map::new();
    for name in names {
        if let Some(value) = user.get(name).filter(|value| !value.is_null()) {
            // OpenID Connect's name for what Auth0's profile calls differently.
            let claim = if name == "phone_verified" { "phone_number_verified" } else { name };
            claims.insert(claim.to_owned(), value.clone());
        }
    }
    if let Some(subject) = user.get("user_id") {
        claims.insert("sub".to_owned(), subject.clone());
    }
    claims
}

/// Those of a rule's claims that Auth0 lets through.
pub(super) fn allowed(custom: &Map<String, Value>) -> Map<String, Value> {
    custom
        .iter()
        .filter(|(name, _)| is_allowed(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn is_allowed(name: &str) -> bool {
    if RESTRICTED.contains(&name) || name.starts_with("sip_") || name.starts_with("urn:auth0") {
        return false;
    }
    let host = url::Url::parse(name).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_none_or(|host| {
        !RESERVED_HOSTS.iter().any(|reserved| {
            host == *reserved || host.strip_suffix(reserved).is_some_and(|sub| sub.ends_with('.'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUE: Issue<'_> = Issue { issuer: "http://t/", client_id: "spa", now: 1000, jti: "j" };

    fn api(rfc9068: bool, authz: bool) -> Api {
        Api {
            identifier: "https://api".into(),
            lifetime: 60,
            rfc9068,
            authz,
            enforce: false,
            scopes: Vec::new(),
        }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn a_machines_token_in_both_dialects() {
        let scopes = texts(&["a", "b"]);
        assert_eq!(
            Value::Object(ISSUE.machine(&api(false, false), &scopes)),
            json!({"iss": "http://t/", "sub": "spa@clients", "aud": "https://api", "iat": 1000, "exp": 1060,
                "azp": "spa", "gty": "client-credentials", "scope": "a b"})
        );
        assert_eq!(
            Value::Object(ISSUE.machine(&api(true, true), &scopes)),
            json!({"iss": "http://t/", "sub": "spa@clients", "aud": "https://api", "iat": 1000, "exp": 1060,
                "client_id": "spa", "jti": "j", "scope": "a b", "permissions": ["a", "b"]})
        );
        assert!(!ISSUE.machine(&api(false, false), &[]).contains_key("scope"));
    }

    #[test]
    fn a_users_token_in_both_dialects() {
        let custom =
            json!({"https://ns/roles": ["admin"], "sub": "auth0|evil", "scope": "x", "plan": "free"});
        let of = OfUser {
            subject: "auth0|a",
            scopes: &texts(&["openid", "a"]),
            permissions: &texts(&["a"]),
            gty: None,
            custom: custom.as_object().unwrap(),
        };
        assert_eq!(
            Value::Object(ISSUE.user(&api(false, true), of)),
            json!({"iss": "http://t/", "sub": "auth0|a", "aud": ["https://api", "http://t/userinfo"], "iat": 1000,
                "exp": 1060, "azp": "spa", "scope": "openid a", "permissions": ["a"], "plan": "free",
                "https://ns/roles": ["admin"]})
        );
        let plain =
            ISSUE.user(&api(true, false), OfUser { scopes: &texts(&["a"]), gty: Some("password"), ..of });
        assert_eq!(plain["aud"], "https://api");
        assert_eq!((&plain["client_id"], &plain["jti"]), (&json!("spa"), &json!("j")));
        assert!(
            !plain.contains_key("gty") && !plain.contains_key("azp") && !plain.contains_key("permissions")
        );
        let password = ISSUE.user(&api(false, false), OfUser { gty: Some("password"), ..of });
        assert_eq!(password["gty"], "password");
    }

    #[test]
    fn rules_can_not_set_what_auth0_reserves() {
        for name in [
            "roles",
            "sub",
            "permissions",
            "sip_x",
            "x5t#S256",
            "https://auth0.com/x",
            "https://a.auth0.com/x",
            "https://webtask.io/x",
            "urn:auth0:x",
            "exp",
            "aud",
            "iss",
            "gty",
            "azp",
            "client_id",
            "org_id",
        ] {
            assert!(!is_allowed(name), "{name}");
        }
        for name in
            ["https://vestibule.example/roles", "https://notauth0.com/x", "plan", "email", "urn:ours:x"]
        {
            assert!(is_allowed(name), "{name}");
        }
    }

    #[test]
    fn an_id_token_says_what_scopes_allow_and_keeps_its_own_claims() {
        let user = json!({"user_id": "auth0|a", "name": "Ada", "email": "a@x", "email_verified": true, "picture": null,
            "app_metadata": {"secret": 1}});
        let about = about(user.as_object().unwrap(), &texts(&["openid", "profile"]));
        assert_eq!(Value::Object(about.clone()), json!({"sub": "auth0|a", "name": "Ada"}));
        let custom = json!({"https://ns/x": 1, "aud": "evil", "nonce": "evil", "name": "Countess"});
        assert_eq!(
            Value::Object(ISSUE.id(
                36_000,
                about,
                custom.as_object().unwrap(),
                OfLogin { nonce: Some("n"), ..OfLogin::default() }
            )),
            json!({"iss": "http://t/", "sub": "auth0|a", "aud": "spa", "iat": 1000, "exp": 37_000, "nonce": "n",
                "name": "Countess", "https://ns/x": 1})
        );
    }
}
