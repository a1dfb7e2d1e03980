//! The parameters of a request, from a query, a form or a JSON object.

use std::collections::BTreeMap;

use serde_json::Value;

use super::oauth_error::OAuthError;

/// Names and values. An empty value counts as absent (RFC 6749 §3.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    /// From a query string or a form. A repeated parameter is an error.
    pub(super) fn from_form(text: &[u8]) -> Result<Self, OAuthError> {
        let mut params = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text) {
            if params.contains_key(name.as_ref()) {
                return Err(OAuthError::invalid_request(format!("Parameter '{name}' is given twice")));
            }
            params.insert(name.into_owned(), value.into_owned());
        }
        Ok(Self(params))
    }

    /// From a body, by its content type.
    pub(super) fn from_body(content_type: Option<&str>, body: &[u8]) -> Result<Self, OAuthError> {
        let media = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Self::from_form(body);
        }
        if !media.eq_ignore_ascii_case("application/json") {
            let description = "Content-Type must be application/json or application/x-www-form-urlencoded";
            return Err(OAuthError::invalid_request(description));
        }
        let object: BTreeMap<String, Value> = serde_json::from_slice(body)
            .map_err(|_| OAuthError::invalid_request("The body is not a JSON object"))?;
        let mut params = BTreeMap::new();
        for (name, value) in object {
            match value {
                Value::String(value) => drop(params.insert(name, value)),
                Value::Null => {}
                // The metadata of a sign-up.
                Value::Object(_) => drop(params.insert(name, value.to_string())),
                _ => return Err(OAuthError::invalid_request(format!("Parameter '{name}' must be a string"))),
            }
        }
        Ok(Self(params))
    }

    /// A value, if it is present and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A required value.
    pub(super) fn require(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name)
            .ok_or_else(|| OAuthError::invalid_request(format!("Missing required parameter: {name}")))
    }

    /// All parameters, secrets included.
    pub(super) fn all(&self) -> Value {
        self.0.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
    }

    /// All parameters but secrets, for the scripts' `request`.
    pub(super) fn for_scripts(&self) -> Value {
        let secret =
            ["password", "client_secret", "code", "code_verifier", "refresh_token", "client_assertion"];
        let kept = self.0.iter().filter(|(name, _)| !secret.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_json_give_the_same_parameters() {
        let form = Params::from_body(
            Some("application/x-www-form-urlencoded; charset=utf-8"),
            b"grant_type=password&username=a%40x&scope=a+b&password=&empty",
        );
        let json = Params::from_body(
            Some("Application/JSON"),
            br#"{"grant_type":"password","username":"a@x","scope":"a b","other":null,"password":"","empty":""}"#,
        );
        assert_eq!(form, json);
        let form = form.unwrap();
        assert_eq!((form.get("scope"), form.get("password"), form.get("nope")), (Some("a b"), None, None));
        assert!(form.for_scripts().get("password").is_none() && form.for_scripts().get("username").is_some());
    }

    #[test]
    fn repeated_parameters_and_other_types_are_refused() {
        for (content_type, body) in [
            (Some("application/x-www-form-urlencoded"), "a=1&a=2"),
            (Some("application/json"), "[1]"),
            (Some("application/json"), "{"),
            (Some("application/json"), r#"{"a":1}"#),
            (Some("text/plain"), "a=1"),
            (None, "a=1"),
        ] {
            let error = Params::from_body(content_type, body.as_bytes()).unwrap_err();
            assert_eq!((error.status, &*error.error), (400, "invalid_request"), "{body}");
        }
    }
}
