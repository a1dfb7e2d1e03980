//! Macros for the inputs and payloads of mutations, and checks of personal fields.

use juniper::Nullable;

use super::error::ApiError;
use crate::store::UserUpdate;
use crate::user::{Person, is_picture_url};

/// Defines inputs. Each gets a last field `clientMutationId`.
macro_rules! inputs {
    ($($doc:literal $name:ident { $($field_doc:literal $field:ident: $type:ty),* })*) => {$(
        #[doc = $doc]
        #[derive(Debug, Clone, juniper::GraphQLInputObject)]
        pub struct $name {
            $(#[doc = $field_doc] pub $field: $type,)*
            /// Returned unchanged in the payload.
            pub client_mutation_id: Option<String>,
        }
    )*};
}
pub(super) use inputs;

/// Defines payloads with fields besides `clientMutationId`.
macro_rules! payloads {
    ($($doc:literal $name:ident { $($field_doc:literal $field:ident: $type:ty),* })*) => {$(
        #[doc = $doc]
        #[derive(Debug, Clone, juniper::GraphQLObject)]
        #[graphql(context = Context)]
        pub struct $name {
            /// The `clientMutationId` of the input.
            pub client_mutation_id: Option<String>,
            $(#[doc = $field_doc] pub $field: $type,)*
        }

        impl $name {
            pub(super) fn new(client_mutation_id: Option<String>, $($field: impl Into<$type>),*) -> Option<Self> {
                Some(Self { client_mutation_id, $($field: $field.into()),* })
            }
        }
    )*};
}
pub(super) use payloads;

/// Defines an input with the personal fields between two groups of its own.
macro_rules! person_input {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$before_doc:meta])* $before:ident: $before_type:ty,)*
        ..person,
        $($(#[$after_doc:meta])* $after:ident: $after_type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, juniper::GraphQLInputObject)]
        pub struct $name {
            $($(#[$before_doc])* pub $before: $before_type,)*
            /// Full name.
            pub name: juniper::Nullable<String>,
            /// First name.
            pub given_name: juniper::Nullable<String>,
            /// Last name.
            pub family_name: juniper::Nullable<String>,
            /// Nickname.
            pub nickname: juniper::Nullable<String>,
            /// URL of a picture, http or https.
            pub picture: juniper::Nullable<String>,
            /// Phone number.
            pub phone: juniper::Nullable<String>,
            $($(#[$after_doc])* pub $after: $after_type,)*
        }

        impl $name {
            /// Takes the personal fields out, as an update. A missing field keeps its value; null or an empty text clears
            /// it. An error names the invalid field.
            pub(super) fn update(&mut self) -> Result<$crate::store::UserUpdate, $crate::api::ApiError> {
                Ok($crate::store::UserUpdate {
                    name: $crate::api::mutation_types::text!(self.name, "name")?,
                    given_name: $crate::api::mutation_types::text!(self.given_name, "first name")?,
                    family_name: $crate::api::mutation_types::text!(self.family_name, "last name")?,
                    nickname: $crate::api::mutation_types::text!(self.nickname, "nickname")?,
                    picture: $crate::api::mutation_types::picture(&mut self.picture)?,
                    phone: $crate::api::mutation_types::text!(self.phone, "phone number")?,
                    ..Default::default()
                })
            }
        }
    };
}
pub(super) use person_input;

macro_rules! text {
    ($input:expr, $field:literal) => {
        $crate::api::mutation_types::checked(
            &mut $input,
            $crate::user::is_valid_name,
            concat!("The ", $field, " must have at most 200 characters, and no control or invisible ones."),
        )
    };
}
pub(super) use text;

pub(super) fn picture(input: &mut Nullable<String>) -> Result<Option<Option<String>>, ApiError> {
    checked(input, is_picture_url, "The picture must be an http or https URL of at most 2,048 bytes.")
}

pub(super) fn checked(
    input: &mut Nullable<String>,
    is_valid: impl Fn(&str) -> bool,
    error: &'static str,
) -> Result<Option<Option<String>>, ApiError> {
    let update = std::mem::take(input).explicit().map(|text| text.filter(|text| !text.is_empty()));
    let valid = update.iter().flatten().all(|text| is_valid(text));
    if valid { Ok(update) } else { Err(ApiError::BadInput(error)) }
}

/// The personal fields of a new user.
pub(super) fn new_person(update: UserUpdate) -> Person {
    Person {
        name: update.name.flatten(),
        given_name: update.given_name.flatten(),
        family_name: update.family_name.flatten(),
        nickname: update.nickname.flatten(),
        picture: update.picture.flatten(),
        phone: update.phone.flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    person_input! {
        /// An input with personal fields only.
        #[expect(unreachable_pub, reason = "the macro defines inputs of public modules")]
        #[derive(Default)]
        Input { ..person, }
    }

    #[test]
    fn a_missing_field_stays_and_null_or_empty_text_clears_it() {
        let mut input = Input {
            name: Nullable::ExplicitNull,
            nickname: Nullable::Some(String::new()),
            phone: Nullable::Some("+44 1234".into()),
            ..Input::default()
        };
        let update = input.update().unwrap();
        assert_eq!((update.name, update.given_name, update.nickname), (Some(None), None, Some(None)));
        assert_eq!(update.phone, Some(Some("+44 1234".into())));
    }

    #[test]
    fn texts_that_could_harm_a_page_are_refused() {
        let some = |text: &str| Nullable::Some(text.to_owned());
        for mut bad in [
            Input { picture: some("javascript:alert(1)"), ..Input::default() },
            Input { picture: some("/local.png"), ..Input::default() },
            Input { picture: some(&format!("https://{}", "a".repeat(2048))), ..Input::default() },
            Input { name: some("a\u{0}b"), ..Input::default() },
            Input { name: some(&"a".repeat(201)), ..Input::default() },
        ] {
            assert!(matches!(bad.update(), Err(ApiError::BadInput(_))), "{bad:?}");
        }
        let mut good = Input { picture: some("https://pics.example/ada.png"), ..Input::default() };
        assert!(new_person(good.update().unwrap()).picture.is_some());
    }
}
