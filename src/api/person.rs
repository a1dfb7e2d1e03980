//! What a person is called, as clients write it: checked before it is stored.

use juniper::Nullable;

use super::ApiError;
use crate::store::UserUpdate;
use crate::user::{Person, is_picture_url, is_valid_name};

/// The personal fields of an input. What is not given stays as it is; null or an empty text empties it.
#[derive(Debug, Clone, Default)]
pub(super) struct PersonInput {
    pub(super) name: Nullable<String>,
    pub(super) given_name: Nullable<String>,
    pub(super) family_name: Nullable<String>,
    pub(super) nickname: Nullable<String>,
    pub(super) picture: Nullable<String>,
    pub(super) phone: Nullable<String>,
}

/// Gives inputs that have the personal fields a way to have them taken out.
macro_rules! have_a_person {
    ($($input:ident),*) => {$(
        impl $input {
            /// The personal fields, taken out.
            pub(super) fn person(&mut self) -> crate::api::person::PersonInput {
                crate::api::person::PersonInput {
                    name: std::mem::take(&mut self.name),
                    given_name: std::mem::take(&mut self.given_name),
                    family_name: std::mem::take(&mut self.family_name),
                    nickname: std::mem::take(&mut self.nickname),
                    picture: std::mem::take(&mut self.picture),
                    phone: std::mem::take(&mut self.phone),
                }
            }
        }
    )*};
}
pub(super) use have_a_person;

impl PersonInput {
    /// What the store is to change.
    ///
    /// # Errors
    /// [`ApiError::BadInput`], naming the field.
    pub(super) fn update(self) -> Result<UserUpdate, ApiError> {
        Ok(UserUpdate {
            name: words(self.name, "The name has at most 200 characters, and no control characters.")?,
            given_name: words(
                self.given_name,
                "The first name has at most 200 characters, and no control characters.",
            )?,
            family_name: words(
                self.family_name,
                "The last name has at most 200 characters, and no control characters.",
            )?,
            nickname: words(
                self.nickname,
                "The nickname has at most 200 characters, and no control characters.",
            )?,
            picture: picture(self.picture)?,
            phone: words(
                self.phone,
                "The phone number has at most 200 characters, and no control characters.",
            )?,
            ..UserUpdate::default()
        })
    }

    /// Somebody new.
    ///
    /// # Errors
    /// As [`PersonInput::update`].
    pub(super) fn person(self) -> Result<Person, ApiError> {
        let update = self.update()?;
        Ok(Person {
            name: update.name.flatten(),
            given_name: update.given_name.flatten(),
            family_name: update.family_name.flatten(),
            nickname: update.nickname.flatten(),
            picture: update.picture.flatten(),
            phone: update.phone.flatten(),
        })
    }
}

type Change = Option<Option<String>>;

fn change(written: Nullable<String>) -> Change {
    match written {
        Nullable::ImplicitNull => None,
        Nullable::ExplicitNull => Some(None),
        Nullable::Some(text) => Some(Some(text).filter(|text| !text.is_empty())),
    }
}

fn words(written: Nullable<String>, otherwise: &'static str) -> Result<Change, ApiError> {
    let change = change(written);
    let fit = change.iter().flatten().all(|text| is_valid_name(text));
    if fit { Ok(change) } else { Err(ApiError::BadInput(otherwise)) }
}

fn picture(written: Nullable<String>) -> Result<Change, ApiError> {
    let change = change(written);
    if change.iter().flatten().all(|text| is_picture_url(text)) {
        return Ok(change);
    }
    Err(ApiError::BadInput("The picture is an http or https URL of at most 2,048 bytes."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_stays_and_null_or_nothing_empties() {
        let input = PersonInput {
            name: Nullable::ExplicitNull,
            nickname: Nullable::Some(String::new()),
            phone: Nullable::Some("+44 1234".into()),
            ..PersonInput::default()
        };
        let update = input.update().unwrap();
        assert_eq!((update.name, update.given_name, update.nickname), (Some(None), None, Some(None)));
        assert_eq!(update.phone, Some(Some("+44 1234".into())));
    }

    #[test]
    fn what_could_harm_a_page_is_refused() {
        let some = |text: &str| Nullable::Some(text.to_owned());
        for bad in [
            PersonInput { picture: some("javascript:alert(1)"), ..PersonInput::default() },
            PersonInput { picture: some("/local.png"), ..PersonInput::default() },
            PersonInput { picture: some(&format!("https://{}", "a".repeat(2048))), ..PersonInput::default() },
            PersonInput { name: some("a\u{0}b"), ..PersonInput::default() },
            PersonInput { name: some(&"a".repeat(201)), ..PersonInput::default() },
        ] {
            assert!(matches!(bad.clone().update(), Err(ApiError::BadInput(_))), "{bad:?}");
        }
        let good = PersonInput { picture: some("https://pics.example/ada.png"), ..PersonInput::default() };
        assert!(good.person().unwrap().picture.is_some());
    }
}
