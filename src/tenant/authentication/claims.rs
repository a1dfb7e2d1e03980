//! The claims of tokens, in the shapes that Auth0 gives them. Pure.
//!
//! Sources: Auth0, "Access token profiles"; RFC 9068; OpenID Connect Core 1.0 §2. A machine's token has `gty`; a user's
//! token from a code has none. `aud` is a list only when the token is good for `/userinfo` too.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::super::apis::is_management;
use super::super::response::object;
use crate::bundle::{Organization, ResourceServer};

/// Claims that scripts cannot set; Auth0 drops them silently ("Create custom claims", restricted claims). `scope` is not
/// among them: a rule that sets it changes the granted scopes, see `login.rs`.
const RESTRICTED: &str = "acr act active amr at_hash ath attest aud auth_time authorization_details azp c_hash client_id cnf \
    cty dest entitlements events exp groups gty htm htu iat internalService iss jcard jku jti jwe jwk \
    kid may_act mky nbf nonce object_id org_id org_name orig origid permissions roles rph s_hash scope \
    sid sub sub_jwk toe txn typ uuid vot vtm x5t#S256";

/// Hosts whose namespaces are Auth0's own.
const RESERVED_HOSTS: [&str; 3] = ["auth0.com", "webtask.io", "webtask.run"];

/// The claims of `/userinfo` and of ID tokens by scope (OpenID Connect Core 1.0 §5.4).
const PROFILE_CLAIMS: [(&str, &str); 3] = [
    ("profile", "name nickname given_name family_name picture locale gender birthdate updated_at"),
    ("email", "email email_verified"),
    ("phone", "phone_number phone_verified"),
];

/// The values that all tokens of one request share.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenContext<'a> {
    /// With its final slash.
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    /// Unix seconds.
    pub(super) now: i64,
    /// `jti`, of the RFC 9068 dialect only.
    pub(super) jti: &'a str,
    /// The organization that the user logged in to, and whether tokens have its name.
    pub(super) organization: Option<(&'a Organization, bool)>,
}

/// The part of a user's access token that the login decides.
#[derive(Debug, Clone, Copy)]
pub(super) struct UserGrant<'a> {
    pub(super) subject: &'a str,
    pub(super) scopes: &'a [String],
    /// The permissions that the user's roles have at the API.
    pub(super) permissions: &'a [String],
    /// `password` for the password grants, else none.
    pub(super) gty: Option<&'a str>,
    /// The custom claims that scripts set.
    pub(super) custom: &'a Map<String, Value>,
    /// `act`: who acts for the user.
    pub(super) actor: Option<&'a Value>,
}

/// The part of an ID token that the login decides.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LoginDetails<'a> {
    pub(super) nonce: Option<&'a str>,
    /// The id of the browser session.
    pub(super) sid: Option<&'a str>,
    /// When the user authenticated, unix seconds; only for requests with `max_age` (OpenID Connect Core 1.0 §2).
    pub(super) auth_time: Option<i64>,
    /// The code that the ID token comes with (OpenID Connect Core 1.0 §3.3.2.11).
    pub(super) code: Option<&'a str>,
    /// The organization's id.
    pub(super) organization: Option<&'a str>,
    /// `amr`; left out when it is empty.
    pub(super) amr: &'a [String],
    /// `act`: who acts for the user.
    pub(super) actor: Option<&'a Value>,
}

impl TokenContext<'_> {
    /// A machine's access token, with the custom claims that actions set.
    pub(super) fn machine(
        &self,
        api: &ResourceServer,
        scopes: &[String],
        custom: &Map<String, Value>,
    ) -> Map<String, Value> {
        let subject = format!("{}@clients", self.client_id);
        let mut claims = permitted(custom, is_management(&api.identifier));
        claims.extend(self.access(api, &subject, json!(api.identifier), scopes, "client-credentials"));
        if has_permissions(api) {
            claims.extend(object(json!({"permissions": scopes})));
        }
        claims
    }

    /// A user's access token.
    pub(super) fn user(&self, api: &ResourceServer, grant: UserGrant<'_>) -> Map<String, Value> {
        let audience = if grant.scopes.iter().any(|scope| scope == "openid") {
            json!([api.identifier, format!("{}userinfo", self.issuer)])
        } else {
            json!(api.identifier)
        };
        let mut claims = permitted(grant.custom, is_management(&api.identifier));
        let gty = grant.gty.unwrap_or_default();
        claims.append(&mut self.access(api, grant.subject, audience, grant.scopes, gty));
        if has_permissions(api) {
            claims.extend(object(json!({"permissions": grant.permissions})));
        }
        claims.extend(grant.actor.map(|actor| ("act".to_owned(), actor.clone())));
        claims
    }

    /// An ID token for the client.
    pub(super) fn id(
        &self,
        lifetime: u32,
        profile: Map<String, Value>,
        custom: &Map<String, Value>,
        login: LoginDetails<'_>,
    ) -> Map<String, Value> {
        let mut claims = profile;
        claims.extend(permitted(custom, false));
        let exp = self.now.saturating_add(i64::from(lifetime));
        let mut own = object(json!({
            "iss": self.issuer, "aud": self.client_id, "iat": self.now, "exp": exp,
            "nonce": login.nonce, "sid": login.sid, "auth_time": login.auth_time, "c_hash": login.code.map(half_hash),
            "amr": (!login.amr.is_empty()).then_some(login.amr), "act": login.actor,
        }));
        own.retain(|_, value| !value.is_null());
        claims.append(&mut own);
        claims.extend(self.organization());
        claims
    }

    fn organization(&self) -> Map<String, Value> {
        let Some((organization, has_name)) = self.organization else { return Map::new() };
        let mut claims = object(json!({"org_id": organization.id, "org_name": organization.name}));
        claims.retain(|name, _| name == "org_id" || has_name);
        claims
    }

    fn access(
        &self,
        api: &ResourceServer,
        subject: &str,
        audience: Value,
        scopes: &[String],
        gty: &str,
    ) -> Map<String, Value> {
        let exp = self.now.saturating_add(i64::from(api.token_lifetime));
        let mut claims =
            object(json!({"iss": self.issuer, "sub": subject, "aud": audience, "iat": self.now, "exp": exp}));
        if is_rfc9068(api) {
            claims.extend(object(json!({"client_id": self.client_id, "jti": self.jti})));
        } else {
            claims.extend(object(json!({"azp": self.client_id, "gty": gty})));
        }
        claims.extend(object(json!({"scope": scopes.join(" ")})));
        claims.extend(self.organization());
        // `gty` and `scope` are left out when empty.
        claims.retain(|_, value| value != "");
        claims
    }
}

/// The left half of a text's SHA-256, in base64url.
fn half_hash(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..16).unwrap_or_default())
}

/// The `typ` of an access token's header.
pub(super) fn typ(api: &ResourceServer) -> &'static str {
    if is_rfc9068(api) { "at+jwt" } else { "JWT" }
}

/// The user's claims that `scopes` allow, for ID tokens and `/userinfo`.
pub(super) fn profile(user: &Map<String, Value>, scopes: &[String]) -> Map<String, Value> {
    let granted = |(scope, _): &&(&str, &str)| scopes.iter().any(|granted| granted == scope);
    let mut claims = Map::new();
    for member in PROFILE_CLAIMS.iter().filter(granted).flat_map(|(_, members)| members.split(' ')) {
        if let Some(value) = user.get(member).filter(|value| !value.is_null()) {
            // Auth0's profiles have another name for this claim of OpenID Connect.
            let claim = if member == "phone_verified" { "phone_number_verified" } else { member };
            claims.insert(claim.to_owned(), value.clone());
        }
    }
    if let Some(subject) = user.get("user_id") {
        claims.insert("sub".to_owned(), subject.clone());
    }
    claims
}

/// The custom claims of scripts that Auth0 permits in a token; one for Auth0's own API has namespaced claims only.
pub(super) fn permitted(custom: &Map<String, Value>, is_for_auth0: bool) -> Map<String, Value> {
    let mut claims = custom.clone();
    claims.retain(|name, _| is_permitted(name, is_for_auth0));
    claims
}

/// The names of the others, which Auth0 drops silently.
pub(super) fn dropped(custom: &Map<String, Value>, is_for_auth0: bool) -> Vec<String> {
    custom.keys().filter(|name| !is_permitted(name, is_for_auth0)).cloned().collect()
}

fn is_permitted(name: &str, is_for_auth0: bool) -> bool {
    let restricted = RESTRICTED.split(' ').any(|restricted| restricted == name);
    if restricted || name.starts_with("sip_") || name.starts_with("urn:auth0") {
        return false;
    }
    let url = url::Url::parse(name).ok();
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    let is_within =
        |reserved: &&str| host.strip_suffix(reserved).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'));
    !RESERVED_HOSTS.iter().any(is_within) && (url.is_some() || !is_for_auth0)
}

fn is_rfc9068(api: &ResourceServer) -> bool {
    api.token_dialect.starts_with("rfc9068")
}

fn has_permissions(api: &ResourceServer) -> bool {
    api.token_dialect.ends_with("_authz")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: TokenContext<'_> =
        TokenContext { issuer: "http://t/", client_id: "spa", now: 1000, jti: "j", organization: None };

    fn api(dialect: &str) -> ResourceServer {
        let api = json!({"identifier": "https://api", "token_lifetime": 60, "token_dialect": dialect});
        serde_json::from_value(api).unwrap()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn a_machines_token_in_both_dialects() {
        let scopes = texts(&["a", "b"]);
        assert_eq!(
            Value::Object(CONTEXT.machine(&api("access_token"), &scopes, &Map::new())),
            json!({"iss": "http://t/", "sub": "spa@clients", "aud": "https://api", "iat": 1000, "exp": 1060,
                "azp": "spa", "gty": "client-credentials", "scope": "a b"})
        );
        assert_eq!(
            Value::Object(CONTEXT.machine(&api("rfc9068_profile_authz"), &scopes, &Map::new())),
            json!({"iss": "http://t/", "sub": "spa@clients", "aud": "https://api", "iat": 1000, "exp": 1060,
                "client_id": "spa", "jti": "j", "scope": "a b", "permissions": ["a", "b"]})
        );
        assert!(!CONTEXT.machine(&api("access_token"), &[], &Map::new()).contains_key("scope"));
    }

    #[test]
    fn a_users_token_in_both_dialects() {
        let custom =
            json!({"https://ns/roles": ["admin"], "sub": "auth0|evil", "scope": "x", "plan": "free"});
        let grant = UserGrant {
            subject: "auth0|a",
            scopes: &texts(&["openid", "a"]),
            permissions: &texts(&["a"]),
            gty: None,
            custom: custom.as_object().unwrap(),
            actor: None,
        };
        assert_eq!(
            Value::Object(CONTEXT.user(&api("access_token_authz"), grant)),
            json!({"iss": "http://t/", "sub": "auth0|a", "aud": ["https://api", "http://t/userinfo"], "iat": 1000,
                "exp": 1060, "azp": "spa", "scope": "openid a", "permissions": ["a"], "plan": "free",
                "https://ns/roles": ["admin"]})
        );
        let plain = CONTEXT.user(
            &api("rfc9068_profile"),
            UserGrant { scopes: &texts(&["a"]), gty: Some("password"), ..grant },
        );
        assert_eq!(plain["aud"], "https://api");
        assert_eq!((&plain["client_id"], &plain["jti"]), (&json!("spa"), &json!("j")));
        assert!(
            !plain.contains_key("gty") && !plain.contains_key("azp") && !plain.contains_key("permissions")
        );
        let password = CONTEXT.user(&api("access_token"), UserGrant { gty: Some("password"), ..grant });
        assert_eq!(password["gty"], "password");
    }

    #[test]
    fn rules_cannot_set_reserved_claims() {
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
            assert!(!is_permitted(name, false), "{name}");
        }
        for name in
            ["https://vestibule.example/roles", "https://notauth0.com/x", "plan", "email", "urn:ours:x"]
        {
            assert!(is_permitted(name, false), "{name}");
        }
    }

    #[test]
    fn claims_for_auth0s_own_api_are_namespaced() {
        let custom = json!({"plan": "free", "https://ns/plan": "free", "urn:ours:plan": "free", "sub": "x"});
        let custom = custom.as_object().unwrap();
        assert_eq!(permitted(custom, true).keys().collect::<Vec<_>>(), ["https://ns/plan", "urn:ours:plan"]);
        assert_eq!(
            (dropped(custom, true), dropped(custom, false)),
            (texts(&["plan", "sub"]), texts(&["sub"]))
        );
    }

    #[test]
    fn an_id_token_has_the_scopes_claims_and_rules_cannot_replace_its_own() {
        let user = json!({"user_id": "auth0|a", "name": "Ada", "email": "a@x", "email_verified": true, "picture": null,
            "app_metadata": {"secret": 1}});
        let profile = profile(user.as_object().unwrap(), &texts(&["openid", "profile"]));
        assert_eq!(Value::Object(profile.clone()), json!({"sub": "auth0|a", "name": "Ada"}));
        let custom = json!({"https://ns/x": 1, "aud": "evil", "nonce": "evil", "name": "Countess"});
        assert_eq!(
            Value::Object(CONTEXT.id(
                36_000,
                profile,
                custom.as_object().unwrap(),
                LoginDetails { nonce: Some("n"), ..LoginDetails::default() }
            )),
            json!({"iss": "http://t/", "sub": "auth0|a", "aud": "spa", "iat": 1000, "exp": 37_000, "nonce": "n",
                "name": "Countess", "https://ns/x": 1})
        );
    }
}
