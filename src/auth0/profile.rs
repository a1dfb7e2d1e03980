//! A user profile as the Management API returns it.

use serde_json::Value;

use crate::user::Person;

/// A user profile at Auth0. A member that is null or of another type than Auth0 documents counts as absent: imported users
/// have what their importer wrote, and that must not keep them out.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The user's id; [`Auth0::profile`](super::Auth0::profile) checks that it is the requested one.
    pub user_id: String,
    /// As Auth0 has it, not in canonical form.
    pub email: Option<String>,
    /// Only a JSON `true` counts.
    pub email_verified: bool,
    /// Whether Auth0 refuses the user's logins.
    pub blocked: bool,
    /// Names, picture and phone number, not yet checked.
    pub person: Person,
    /// The whole profile.
    pub whole: Value,
}

impl Profile {
    /// Reads a profile as the Management API returns it, or as it was stored. `None` without a `user_id`.
    pub fn read(whole: Value) -> Option<Self> {
        let text = |name: &str| whole.get(name).and_then(Value::as_str).map(str::to_owned);
        // What a sign-up did not ask for, rules and actions keep here: only Auth0 writes the members beside it.
        let kept = |name: &str| whole.get("user_metadata")?.get(name)?.as_str().map(str::to_owned);
        let email = text("email");
        // Auth0 fills an unknown name with the email.
        let name = text("name").filter(|name| Some(name) != email.as_ref()).or_else(|| kept("name"));
        Some(Self {
            user_id: text("user_id")?,
            email,
            email_verified: whole.get("email_verified") == Some(&Value::Bool(true)),
            blocked: whole.get("blocked") == Some(&Value::Bool(true)),
            person: Person {
                name: name.or_else(|| text("name")),
                given_name: text("given_name").or_else(|| kept("given_name")),
                family_name: text("family_name").or_else(|| kept("family_name")),
                nickname: text("nickname"),
                picture: text("picture"),
                phone: text("phone_number"),
            },
            whole,
        })
    }

    /// The name of the connection that the user logs in with: that of the identity which has their `user_id`.
    pub fn connection(&self) -> Option<&str> {
        let identities = self.whole.get("identities")?.as_array()?;
        identities.iter().find_map(|identity| {
            let text = |member: &str| identity.get(member).and_then(Value::as_str);
            let is_own = self.user_id.split_once('|') == text("provider").zip(text("user_id"));
            text("connection").filter(|_| is_own)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_that_auth0_lacks_comes_from_the_metadata() {
        let name = |more: Value| {
            let mut profile = json!({"user_id": "auth0|a", "email": "a@x", "user_metadata": {"name": "Ada", "given_name": "A"}});
            profile.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let person = Profile::read(profile).unwrap().person;
            (person.name, person.given_name)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(name(json!({"name": "a@x"})), (some("Ada"), some("A")));
        assert_eq!(name(json!({})), (some("Ada"), some("A")));
        assert_eq!(name(json!({"name": "Countess", "given_name": "B"})), (some("Countess"), some("B")));
        assert_eq!(name(json!({"name": "a@x", "user_metadata": {"name": 1}})).0, some("a@x"));
    }

    #[test]
    fn only_user_id_is_required_and_only_true_is_verified() {
        for not_true in [json!("true"), json!(1), json!(null), json!({}), json!(false)] {
            let whole =
                json!({"user_id": "auth0|1", "email": "a@b.c", "email_verified": not_true, "name": 7});
            let profile = Profile::read(whole.clone()).unwrap();
            assert_eq!((profile.email.as_deref(), profile.email_verified), (Some("a@b.c"), false), "{whole}");
            assert_eq!((profile.person.name, profile.whole), (None, whole));
        }
        let verified = json!({"user_id": "auth0|1", "email": ["a@b.c"], "email_verified": true});
        let profile = Profile::read(verified).unwrap();
        assert_eq!((profile.email, profile.email_verified), (None, true));
        for malformed in
            [json!({}), json!({"user_id": 1}), json!({"user_id": null}), json!("auth0|1"), json!([])]
        {
            assert_eq!(Profile::read(malformed.clone()), None, "{malformed}");
        }
    }
}
