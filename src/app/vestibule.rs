//! What the doors serve: two schemas, the state their resolvers share, and a sample query for each.

use std::sync::Arc;

use anyhow::Context;

use crate::api::{self, Schema, SharedState};
use crate::config::Config;

/// The schemas to serve. [`Vestibule::default`] has our own.
///
/// ```
/// use juniper::{EmptyMutation, EmptySubscription, RootNode, graphql_object};
/// use vestibule::api::{self, Context};
/// use vestibule::app::Vestibule;
///
/// struct Query;
///
/// #[graphql_object]
/// #[graphql(context = Context)]
/// impl Query {
///     /// Greets the caller.
///     fn hello(context: &Context) -> String {
///         match context.caller().user() {
///             Some(user) => format!("Hello {}", user.id()),
///             None => "Hello machine".to_owned(),
///         }
///     }
/// }
///
/// let public = RootNode::new(Query, EmptyMutation::new(), EmptySubscription::new());
/// let vestibule = Vestibule::new(public, api::internal::schema()).with_sample_queries("{ hello }", "{ me { id } }");
/// // In `main`: `vestibule::cli::main(vestibule)` is the whole executable with this schema in it.
/// # drop(vestibule);
/// ```
pub struct Vestibule {
    public: Schema,
    internal: Schema,
    open_state: OpenState,
    samples: [&'static str; 2],
}

type OpenState = Box<dyn FnOnce(&Config) -> anyhow::Result<SharedState> + Send>;

impl Vestibule {
    /// Serves these schemas: juniper root nodes with [`api::Context`].
    pub fn new(public: impl Into<Schema>, internal: impl Into<Schema>) -> Self {
        Self {
            public: public.into(),
            internal: internal.into(),
            open_state: Box::new(|_| Ok(Arc::new(()))),
            samples: ["{ __typename }"; 2],
        }
    }

    /// Adds state for the resolvers of both doors, which get it from [`api::Context::state`]. `open` is called once, before
    /// the doors open; if it fails, they do not.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(
        mut self,
        open: impl FnOnce(&Config) -> anyhow::Result<T> + Send + 'static,
    ) -> Self {
        self.open_state = Box::new(move |config| Ok(Arc::new(open(config)?)));
        self
    }

    /// Sets the queries that GraphiQL starts with and `vestibule dev` prints: one for a user at the public door, one for a
    /// machine at the internal door.
    #[must_use]
    pub fn with_sample_queries(mut self, public: &'static str, internal: &'static str) -> Self {
        self.samples = [public, internal];
        self
    }

    /// The sample queries of the public and the internal door.
    pub fn sample_queries(&self) -> [&'static str; 2] {
        self.samples
    }

    /// The public door's schema as SDL.
    pub fn public_sdl(&self) -> String {
        self.public.sdl()
    }

    /// The internal door's schema as SDL.
    pub fn internal_sdl(&self) -> String {
        self.internal.sdl()
    }

    /// The schemas of both doors, and the resolvers' state.
    pub(super) fn open(self, config: &Config) -> anyhow::Result<(Schema, Schema, SharedState)> {
        let state = (self.open_state)(config).context("cannot open the resolvers' state")?;
        Ok((self.public, self.internal, state))
    }
}

/// Serves our own schemas.
impl Default for Vestibule {
    fn default() -> Self {
        Self::new(api::public::schema(), api::internal::schema()).with_sample_queries(
            "{ me { id name email roles } }",
            "{ users(first: 10) { edges { node { email status } } } }",
        )
    }
}

impl std::fmt::Debug for Vestibule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vestibule").finish_non_exhaustive()
    }
}
