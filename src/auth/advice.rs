//! How to get a token that a door accepts: the advice of an explanation, for frontend developers.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::header::decode;
use super::permit::Subject;
use super::{Grants, MAX_TOKEN, Refusal, RolesFrom};
use crate::scope::Permissions;
use crate::user::PayloadUser;

/// What JavaScript makes of a variable that holds no token.
const NO_VALUES: [&str; 7] =
    ["undefined", "null", "NaN", "true", "false", "[object Object]", "[object Promise]"];

/// Advice about a text that is not a JWT in compact form.
pub(super) fn for_bearer(token: &str) -> String {
    let parts = token.split('.').count();
    let is_encrypted = || {
        let header = token.split('.').next().and_then(|header| decode(header).ok());
        header.is_some_and(|header| header.contains_key("enc"))
    };
    if NO_VALUES.contains(&token) {
        return format!(
            "This is JavaScript's {token}, not a token: the frontend sent its variable before it held one. Await the login, \
             and the function that returns the token."
        );
    }
    match parts {
        _ if token.starts_with('{') => {
            "This is JSON: send the value of its member access_token only.".to_owned()
        }
        _ if token.len() > MAX_TOKEN => "Have the tenant put less into the token.".to_owned(),
        5 if is_encrypted() => {
            "It is encrypted (JWE). At Auth0, turn token encryption off for this API.".to_owned()
        }
        4.. => "Several tokens run together here: send one, the access token.".to_owned(),
        1 => "It is opaque. Auth0 issues such tokens without an API: send `audience` with the login."
            .to_owned(),
        2 => "Its end is missing: send the whole token as the tenant issued it.".to_owned(),
        _ => "Send the whole token as the tenant issued it, without anything around it.".to_owned(),
    }
}

/// Advice about a token for another audience than `wanted`. `door` and `other` are the name of the door and the audience of
/// the other one.
pub(super) fn for_audience(payload: &Map<String, Value>, door: &str, wanted: &str, other: &str) -> String {
    let text = |claim: &str| payload.get(claim).and_then(Value::as_str);
    let audiences: Vec<&str> = match payload.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let issuer = text("iss").unwrap_or_default();
    // APIs of Auth0 itself, whose tokens no other API may accept.
    let is_tenants =
        |aud: &&str| aud.strip_prefix(issuer).is_some_and(|path| matches!(path, "userinfo" | "api/v2/"));
    // Auth0's access tokens name their client; an ID token is for a client, and has the session's id.
    let is_id_token = payload.contains_key("sid")
        || text("azp").or(text("client_id")).is_none_or(|client| audiences == [client]);
    if audiences.contains(&other) {
        return format!(
            "It is for the other door. For this one request the audience {wanted} from the tenant."
        );
    }
    if audiences
        .iter()
        .any(|aud| aud.trim_end_matches('/').eq_ignore_ascii_case(wanted.trim_end_matches('/')))
    {
        return format!("Audiences are compared byte for byte: this door requires exactly {wanted}.");
    }
    if is_id_token {
        return format!(
            "It looks like an ID token, which is for the client that logged in and for no API. Send the access token, \
             requested with the audience {wanted}."
        );
    }
    match audiences.iter().find(|aud| !is_tenants(aud)) {
        Some(aud) => format!(
            "Request the audience {wanted} from the tenant. If {aud} is the identifier of this very API at Auth0, set \
             {door}.audience to it."
        ),
        None => format!("Request the audience {wanted} from the tenant."),
    }
}

/// Who the token is about, and what of theirs a permit is decided by.
pub(super) struct Shown<'a> {
    /// `None` when it is neither a user nor a machine.
    pub(super) subject: Option<&'a Subject>,
    /// The roles of the user's row, if they have one.
    pub(super) row_roles: Option<Vec<String>>,
    /// The name of the claim with the roles.
    pub(super) roles_claim: &'a str,
    pub(super) payload: &'a Map<String, Value>,
}

impl Shown<'_> {
    fn member(&self, claim: &str) -> String {
        format!("{claim}: {}", self.payload.get(claim).map_or_else(|| "absent".to_owned(), Value::to_string))
    }

    fn text(&self, claim: &str) -> &str {
        self.payload.get(claim).and_then(Value::as_str).unwrap_or_default()
    }

    /// What the permit stage read.
    pub(super) fn found(&self, grants: &Grants) -> String {
        let roles = match (self.subject, grants.roles_from, &self.row_roles) {
            (None, ..) => {
                return [self.member("sub"), self.member("sub_profile"), self.member("gty")].join(", ");
            }
            (Some(Subject::User(..)), RolesFrom::Database, None) => "no row here".to_owned(),
            (Some(Subject::User(..)), RolesFrom::Database, Some(roles)) => {
                format!("roles of the row: {roles:?}")
            }
            (Some(Subject::User(..)), RolesFrom::Token, _) => self.member(self.roles_claim),
            (Some(_), ..) => self.member("scope"),
        };
        format!("{roles}, {}", self.member("permissions"))
    }
}

/// Advice about a caller who may not enter.
pub(super) fn for_permit(refusal: &Refusal, shown: &Shown<'_>, grants: &Grants) -> String {
    let issuer = shown.text("iss");
    let missing = match refusal {
        Refusal::NotPermitted { missing } => missing,
        Refusal::AgentRefused => {
            return "Set claims.agents = \"as_user\" to let agents do what their user may do.".to_owned();
        }
        refusal => return for_caller(refusal, shown.payload, ""),
    };
    match shown.subject {
        None => for_unknown_kind(shown),
        Some(Subject::User(..)) if !grants.accept_users_of(issuer) => format!(
            "Only machines of this issuer are accepted, not its users. If {issuer} is another domain of the same tenant, set \
             same_users = true in its [[auth0.also]] table."
        ),
        Some(Subject::User(..)) => for_user(missing, shown, grants),
        Some(_) => format!(
            "Grant the client the scope {missing} at Auth0 (Applications, APIs, this API, Machine to Machine), and request a \
             new token."
        ),
    }
}

fn for_unknown_kind(shown: &Shown<'_>) -> String {
    match shown.text("sub") {
        sub if sub.starts_with("agt_") || shown.text("sub_profile") == "ai_agent" => {
            "It is of an agent that acts for itself; a user's token or a machine's is accepted.".to_owned()
        }
        sub if sub.starts_with("anon@") => "It is of an anonymous session: log in first.".to_owned(),
        sub if sub.ends_with("@clients") => "Its sub names another client than azp or client_id.".to_owned(),
        _ => "Its subject is neither a user's (<connection>|<id>) nor a machine's (<client id>@clients, or gty \
              client-credentials): log in at the tenant."
            .to_owned(),
    }
}

fn for_user(missing: &Permissions, shown: &Shown<'_>, grants: &Grants) -> String {
    let all_roles = grants.roles.load();
    let roles: Vec<&str> = all_roles.with_all(missing).collect();
    let (role, which) = match roles.as_slice() {
        [] => ("ROLE", format!("No role in [roles] gives {missing}: add one.")),
        [first, ..] => (*first, format!("Roles that give {missing}: {}.", roles.join(", "))),
    };
    let how = match grants.roles_from {
        RolesFrom::Database => {
            format!("Assign one here: vestibule users roles '{}' --add {role}.", shown.text("sub"))
        }
        RolesFrom::Token => format!(
            "Assign one at Auth0 (User Management, Roles), have an Action put the user's roles in the claim {}, and log in again.",
            shown.roles_claim
        ),
    };
    format!("{which} {how} The scope of a user grants nothing.")
}

/// Advice about a user who is refused. `user_claim` is the name of the claim with the user.
pub(super) fn for_caller(refusal: &Refusal, payload: &Map<String, Value>, user_claim: &str) -> String {
    let sub = payload.get("sub").and_then(Value::as_str).unwrap_or_default();
    match refusal {
        Refusal::ProfileUnavailable { .. } => {
            "Check auth0.client_id, its secret, and that the client has the scope read:users.".to_owned()
        }
        Refusal::TokenRevoked => {
            "The user signed out everywhere, was blocked, got other roles, or lost this identity after it was issued: log in again."
                .to_owned()
        }
        Refusal::Blocked => format!(
            "Unblock the user where they were blocked: here with vestibule users unblock '{sub}', or at Auth0."
        ),
        Refusal::Erased => {
            "The person was erased, and their ids stay erased; they can sign up at the tenant with a new account.".to_owned()
        }
        Refusal::NoSuchUser => {
            "The tenant of auth0.issuer has no such user: deleted there, or made up. Log in as a user who exists.".to_owned()
        }
        Refusal::BadPayload(message) => match payload.get(user_claim).map(PayloadUser::deserialize) {
            Some(Err(error)) => format!("In {user_claim}: {error}. A rule or an Action writes this claim: correct it there."),
            _ => (*message).to_owned(),
        },
        refusal => refusal.message().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_about_a_text_that_is_no_jwt_depends_on_its_form() {
        let long = format!("{}.a.b", "a".repeat(MAX_TOKEN));
        for (text, advice) in [
            ("undefined", "JavaScript's undefined"),
            ("{\"access_token\":\"a.b.c\"}", "access_token only"),
            (&long, "put less into the token"),
            ("a.b.c.d", "Several tokens"),
            ("opaque", "opaque"),
            ("a.b", "end is missing"),
            ("a.b.c", "without anything around it"),
        ] {
            assert!(for_bearer(text).contains(advice), "{text:.40}: {}", for_bearer(text));
        }
    }
}
