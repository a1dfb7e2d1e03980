//! Parameters of a request: from a query, a form or a JSON object. What a form says twice is refused.

use std::collections::BTreeMap;

use serde_json::Value;

use super::refusal::Refusal;

/// Names and values. An empty value counts as absent (RFC 6749 §3.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    /// From a query string or a form.
    pub(super) fn from_form(text: &[u8]) -> Result<Self, Refusal> {
        let mut params = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text) {
            if params.contains_key(name.as_ref()) {
                return Err(Refusal::invalid_request(format!("Parameter '{name}' is given twice")));
            }
            params.insert(name.into_owned(), value.into_owned());
        }
        Ok(Self(params))
    }

    /// From a body, by its content type.
    pub(super) fn from_body(content_type: Option<&str>, body: &[u8]) -> Result<Self, Refusal> {
        let media = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Self::from_form(body);
        }
        if !media.eq_ignore_ascii_case("application/json") {
            let say = "Content-Type must be application/json or application/x-www-form-urlencoded";
            return Err(Refusal::invalid_request(say));
        }
        let object: BTreeMap<String, Value> = serde_json::from_slice(body)
            .map_err(|_| Refusal::invalid_request("The body is no JSON object"))?;
        let mut params = BTreeMap::new();
        for (name, value) in object {
            match value {
                Value::String(value) => drop(params.insert(name, value)),
                Value::Null => {}
                // Sign-up's metadata; nobody asks for it as text.
                Value::Object(_) => drop(params.insert(name, value.to_string())),
                _ => return Err(Refusal::invalid_request(format!("Parameter '{name}' must be a string"))),
            }
        }
        Ok(Self(params))
    }

    /// A value, if it is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A value that must be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::invalid_request(format!("Missing required parameter: {name}")))
    }

    /// All of it but secrets, as rules see `context.request`.
    pub(super) fn for_rules(&self) -> Value {
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
    fn forms_and_json_say_the_same() {
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
        assert!(form.for_rules().get("password").is_none() && form.for_rules().get("username").is_some());
    }

    #[test]
    fn what_is_doubled_or_of_another_kind_is_refused() {
        for (content_type, body) in [
            (Some("application/x-www-form-urlencoded"), "a=1&a=2"),
            (Some("application/json"), "[1]"),
            (Some("application/json"), "{"),
            (Some("application/json"), r#"{"a":1}"#),
            (Some("text/plain"), "a=1"),
            (None, "a=1"),
        ] {
            let refusal = Params::from_body(content_type, body.as_bytes()).unwrap_err();
            assert_eq!((refusal.status, refusal.error), (400, "invalid_request"), "{body}");
        }
    }
}
