//! Vestibule: the hall between Auth0 and a small team's two GraphQL APIs.
//!
//! One executable, SQLite inside. A request enters at one of two doors, passes four stages
//! (bearer → claims → permit → caller) and reaches a juniper schema with its current user in the context.
//!
//! The library is made of rooms on floors; a room imports only lower rooms, and a test holds it to that.
//! `docs/architecture.md` is the map. To follow a request, read in this order: [`api`]'s `endpoint.rs`,
//! [`auth`], its four stages, then [`api`]'s `context.rs` and schemas.

// Floor 0: words and the world's edges.
pub mod user;
pub mod scope;
pub mod clock;
pub mod pool;
pub mod telemetry;

// Floor 1: what holds state.
pub mod store;
pub mod auth0;
pub mod bundle;

// Floor 2: what decides.
pub mod auth;
pub mod script;

// Floor 3: what answers.
pub mod api;
pub mod tenant;

// Floor 4: what puts it together.
pub mod config;
pub mod app;

// Floor 5: what people type.
pub mod cli;
