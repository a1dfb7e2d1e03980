//! Auth0 logins and two GraphQL APIs, in one executable with SQLite inside.
//!
//! Vestibule serves a Public API for frontends and an Internal API for machines and staff. Every request passes four
//! stages (bearer → claims → permit → caller) before a resolver runs. The resolver then finds the caller, the current user
//! and the database in its [`Context`].
//!
//! The executable serves ready-made schemas. To serve your own juniper schemas instead, depend on this crate and hand them
//! to [`main`]. This is the whole program:
//!
//! ```no_run
//! use juniper::{EmptyMutation, EmptySubscription, RootNode, graphql_object};
//! use vestibule::{ApiError, Context, Vestibule};
//!
//! struct Query;
//!
//! #[graphql_object(context = Context)]
//! impl Query {
//!     /// Greets the current user.
//!     fn hello(context: &Context) -> Result<String, ApiError> {
//!         Ok(format!("Hello {}", context.current_user()?.id()))
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let public = RootNode::new(Query, EmptyMutation::new(), EmptySubscription::new());
//!     let vestibule = Vestibule::new(public, vestibule::internal::schema());
//!     vestibule::main(vestibule.with_sample_queries("{ hello }", "{ users { totalCount } }"))
//! }
//! ```
//!
//! `cargo run -- dev` then starts both APIs with your schema and an Auth0-compatible tenant to log in at. The commands and
//! settings are those of the `vestibule` executable.
//!
//! - [`Vestibule`]: the schemas of both doors, and the state their resolvers share.
//! - [`Context`]: what a resolver gets. [`Context::caller`] is the [`Caller`]; [`Context::require`] asks for a permission.
//! - [`ApiError`]: what a resolver returns when it fails.
//! - [`Vestibule::database`]: tables of your own, which resolvers use by [`Context::read`] and [`Context::write`].
//! - [`testing`]: both doors and the dev tenant in a team's own tests.
//! - [`public`] and [`internal`]: the ready-made schemas, and their types for use in yours.
//!
//! `docs/embedding.md` shows each step; `examples/notes.rs` has queries, mutations, subscriptions and a table of its own. `docs/architecture.md` in the
//! repository explains the source: start with `api/endpoint.rs`, then read `auth/mod.rs`.

pub use api::{ApiError, Context, List, ListItem, Schema, TextField, internal, public};
pub use app::Vestibule;
pub use auth::{Caller, Principal, Refusal};
pub use cli::main;
pub use config::Config;
pub use scope::Permissions;
pub use sqlite::{DatabaseError, DatabaseSchema, rusqlite};
pub use user::{CurrentUser, UserId};

// The modules below are for the executable, the tests and the benches. They may change without notice.

// Layer 0: words and the edges of the system.
#[doc(hidden)]
pub mod user;
#[doc(hidden)]
pub mod scope;
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod pool;
#[doc(hidden)]
pub mod telemetry;

// Layer 1: files and the network.
#[doc(hidden)]
pub mod sqlite;
#[doc(hidden)]
pub mod auth0;
#[doc(hidden)]
pub mod bundle;

// Layer 2: people and scripts.
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod script;

// Layer 3: the gate, deployments, and the dev tenant.
#[doc(hidden)]
pub mod auth;
#[doc(hidden)]
pub mod deploy;
#[doc(hidden)]
pub mod tenant;

// Layer 4: the two doors.
#[doc(hidden)]
pub mod api;

// Layer 5: settings, and the running process.
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod app;

// Layer 6: the command line.
#[doc(hidden)]
pub mod cli;

// Layer 7: what a team's tests use.
pub mod testing;

#[cfg(doctest)]
#[doc = include_str!("../docs/embedding.md")]
struct EmbeddingPage;
