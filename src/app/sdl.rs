//! The doors' schemas as text, without a door being open.

use crate::api;

/// The Public API's schema, as SDL.
pub fn public_sdl() -> String {
    api::public::schema().as_sdl()
}

/// The Internal API's schema, as SDL.
pub fn internal_sdl() -> String {
    api::internal::schema().as_sdl()
}
