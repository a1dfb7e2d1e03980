//! Profiles, from the Management API.

use serde_json::Value;

use super::{Auth0, Auth0Error, Call};
use crate::user::Auth0Id;

/// A user as `GET /api/v2/users/{id}` gives them. What is null, or of another type than Auth0 gives it, is as good as
/// absent: imported users have what their importer wrote, and that keeps nobody out.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Equal to the id that was asked for: the call checks it.
    pub user_id: String,
    /// As Auth0 has it, not in canonical form.
    pub email: Option<String>,
    /// Only a JSON `true` is true.
    pub email_verified: bool,
    /// Full name.
    pub name: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// Last name.
    pub family_name: Option<String>,
    /// By default the local part of the email.
    pub nickname: Option<String>,
    /// URL of a picture.
    pub picture: Option<String>,
    /// For connections that have one.
    pub phone_number: Option<String>,
    /// The whole answer.
    pub whole: Value,
}

impl Auth0 {
    /// The profile of `id`; `None` when the tenant says there is no such user.
    ///
    /// # Errors
    /// See [`Auth0Error`]; among them an answer about somebody else.
    pub fn profile(&self, id: &Auth0Id) -> Result<Option<Profile>, Auth0Error> {
        let call = Call::Profile;
        let uri = self.user_uri(id);
        let found = self.about_user(|bearer| {
            self.json::<Value>(call, self.agent.get(&uri).header("authorization", bearer).call())
        })?;
        let Some(whole) = found else { return Ok(None) };
        let profile = Profile::read(whole)
            .ok_or(Auth0Error::UnexpectedAnswer { call, what: "something that is no profile" })?;
        if profile.user_id != id.as_str() {
            return Err(Auth0Error::UnexpectedAnswer { call, what: "the profile of somebody else" });
        }
        Ok(Some(profile))
    }
}

impl Profile {
    /// Reads one as the Management API gives it, or as it was kept. `None` when it is nobody's.
    pub fn read(whole: Value) -> Option<Self> {
        let text = |name: &str| whole.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            user_id: text("user_id")?,
            email: text("email"),
            email_verified: whole.get("email_verified") == Some(&Value::Bool(true)),
            name: text("name"),
            given_name: text("given_name"),
            family_name: text("family_name"),
            nickname: text("nickname"),
            picture: text("picture"),
            phone_number: text("phone_number"),
            whole,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_id_has_to_be_there_and_only_true_is_verified() {
        for not_true in [json!("true"), json!(1), json!(null), json!({}), json!(false)] {
            let whole =
                json!({"user_id": "auth0|1", "email": "a@b.c", "email_verified": not_true, "name": 7});
            let profile = Profile::read(whole.clone()).unwrap();
            assert_eq!((profile.email.as_deref(), profile.email_verified), (Some("a@b.c"), false), "{whole}");
            assert_eq!((profile.name, profile.whole), (None, whole));
        }
        let verified = json!({"user_id": "auth0|1", "email": ["a@b.c"], "email_verified": true});
        let profile = Profile::read(verified).unwrap();
        assert_eq!((profile.email, profile.email_verified), (None, true));
        for nobody in
            [json!({}), json!({"user_id": 1}), json!({"user_id": null}), json!("auth0|1"), json!([])]
        {
            assert_eq!(Profile::read(nobody.clone()), None, "{nobody}");
        }
    }
}
