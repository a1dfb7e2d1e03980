//! What a person is called and looks like, and which values are fit to be stored.

use serde::{Deserialize, Serialize};

/// The longest name or phone number, in characters.
pub const WORDS_MAX: usize = 200;
/// The longest URL of a picture, in bytes.
pub const PICTURE_MAX: usize = 2048;

/// What a person is called and looks like. Every field may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// First name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// What friends say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// URL of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// Phone number, E.164 where Auth0 gives it so.
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

    /// Without the values that are not fit to be stored, and without empty ones. For what comes from elsewhere, whose
    /// owner is not kept out over it; who writes a value by hand is told instead.
    #[must_use]
    pub fn cleaned(self) -> Self {
        let kept =
            |value: Option<String>, fit: fn(&str) -> bool| value.filter(|text| !text.is_empty() && fit(text));
        Self {
            name: kept(self.name, is_words),
            given_name: kept(self.given_name, is_words),
            family_name: kept(self.family_name, is_words),
            nickname: kept(self.nickname, is_words),
            picture: kept(self.picture, is_picture),
            phone: kept(self.phone, is_words),
        }
    }
}

/// Whether a name or a phone number is fit to be stored: not longer than [`WORDS_MAX`], and without control characters.
pub fn is_words(text: &str) -> bool {
    text.chars().count() <= WORDS_MAX && !text.chars().any(char::is_control)
}

/// Whether a picture is fit to be stored: an http or https URL, not longer than [`PICTURE_MAX`]. Pages show pictures by
/// their URL, so anything but a web address could be a script.
pub fn is_picture(text: &str) -> bool {
    text.len() <= PICTURE_MAX
        && !text.chars().any(char::is_control)
        && url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_harm_a_page_or_a_terminal_is_dropped_and_the_rest_stays() {
        let some = |text: &str| Some(text.to_owned());
        let person = Person {
            name: some("Ada\u{1b}[31m"),
            given_name: some(&"a".repeat(WORDS_MAX + 1)),
            family_name: some("Lovelace"),
            nickname: some(""),
            picture: some("javascript:alert(1)"),
            phone: some("+44 1234"),
        };
        let kept = Person { family_name: some("Lovelace"), phone: some("+44 1234"), ..Person::default() };
        assert_eq!(person.cleaned(), kept);
    }

    #[test]
    fn a_picture_is_a_web_address() {
        for bad in
            ["/local.png", "data:image/png;base64,AA==", "java\nscript:alert(1)", "https://a/\n", "ada"]
        {
            assert!(!is_picture(bad), "{bad:?}");
        }
        assert!(!is_picture(&format!("https://a.example/{}", "a".repeat(PICTURE_MAX))));
        assert!(is_picture("https://pics.example/ada.png") && is_picture("http://127.0.0.1:4002/p.svg"));
    }
}
