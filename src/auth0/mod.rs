//! The blocking client of a tenant. It runs on a pool of its own.
//!
//! Owns all our requests to Auth0: discovery, signing keys, client-credentials tokens, profiles, blocks,
//! and the objects of a tenant that is deployed to. Depends on layer 0.
//! Never uses SQLite; returns wire types.

mod settings;
mod tls;
mod error;
mod resolver;
mod client;
mod keys;
mod token;
mod profile;
mod management;
mod objects;

pub use client::{Auth0, Quota};
pub use error::{Auth0Error, Call};
pub use objects::Change;
pub use profile::Profile;
pub use settings::{Issuer, Settings};
pub use tls::client_tls;
pub use token::ClientToken;
