//! The client of a tenant: blocking, run on a pool that has nothing else to do.
//!
//! Owns every request we make to Auth0: discovery, signing keys, client-credentials tokens, profiles, blocks.
//! Leans on floor 0. Never touches SQLite and knows no user of ours: it answers in Auth0's own wire types.

mod settings;
mod client;
mod keys;
mod token;
mod management;
mod profile;
mod block;
mod error;

pub use client::Auth0;
pub use error::{Auth0Error, Call};
pub use profile::Profile;
pub use settings::{Issuer, Settings};
pub use token::ClientToken;
