//! Names, picture and phone number of a person, and which values may be stored.

use serde::{Deserialize, Serialize};

use super::text::{is_plain, is_visible};

/// The longest name or phone number, in characters.
pub const NAME_MAX: usize = 200;
/// The longest URL of a picture, in bytes.
pub const PICTURE_MAX: usize = 2048;

/// Names, picture and phone number of a person. Every field may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of OpenID Connect's claims")]
pub struct Person {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// Phone number, usually in E.164 format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl Person {
    /// Builds a person from the value of each field, which `value` gets by its accessor.
    pub fn from_fields(value: impl Fn(fn(&Self) -> &Option<String>) -> Option<String>) -> Self {
        Self {
            name: value(|person| &person.name),
            given_name: value(|person| &person.given_name),
            family_name: value(|person| &person.family_name),
            nickname: value(|person| &person.nickname),
            picture: value(|person| &person.picture),
            phone: value(|person| &person.phone),
        }
    }

    /// This person, with the fields of `other` where it has none.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self::from_fields(|field| field(self).as_ref().or(field(other).as_ref()).cloned())
    }

    /// Drops empty values and those that may not be stored. For profiles from elsewhere, which must not keep their owner
    /// out. Values that a person enters are refused instead.
    #[must_use]
    pub fn cleaned(self) -> Self {
        let valid = |field: fn(&Self) -> &Option<String>| {
            field(&self).clone().filter(|text| !text.is_empty() && is_valid_name(text))
        };
        Self { picture: self.picture.clone().filter(|url| is_picture_url(url)), ..Self::from_fields(valid) }
    }
}

/// Whether a name or a phone number may be stored: at most [`NAME_MAX`] characters, no controls, and invisible characters
/// only where they shape letters or join emoji.
pub fn is_valid_name(text: &str) -> bool {
    text.chars().count() <= NAME_MAX && is_plain(text)
}

/// Whether the URL of a picture may be stored: http or https, at most [`PICTURE_MAX`] bytes. Pages show pictures by their
/// URL, so any other scheme could be a script.
pub fn is_picture_url(text: &str) -> bool {
    text.len() <= PICTURE_MAX
        && is_visible(text)
        && url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_could_harm_a_page_or_a_terminal_are_dropped() {
        let some = |text: &str| Some(text.to_owned());
        let person = Person {
            name: some("Ada\u{1b}[31m"),
            nickname: some("A\u{202e}da"),
            given_name: some(&"a".repeat(NAME_MAX + 1)),
            family_name: some("Lovelace"),
            picture: some("javascript:alert(1)"),
            phone: some("+44 1234"),
        };
        let kept = Person { family_name: some("Lovelace"), phone: some("+44 1234"), ..Person::default() };
        assert_eq!(person.cleaned(), kept);
    }

    #[test]
    fn a_picture_must_be_a_web_address() {
        for bad in [
            "/local.png",
            "data:image/png;base64,AA==",
            "java\nscript:alert(1)",
            "https://a/\n",
            "https://a/\u{202e}gnp",
            "ada",
        ] {
            assert!(!is_picture_url(bad), "{bad:?}");
        }
        let longest = format!("https://a.example/{}", "a".repeat(PICTURE_MAX - 18));
        assert!(is_picture_url(&longest) && !is_picture_url(&format!("{longest}a")));
        assert!(
            is_picture_url("https://pics.example/ada.png") && is_picture_url("http://127.0.0.1:4002/p.svg")
        );
    }
}
