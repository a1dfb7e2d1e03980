//! What stands behind the doors: two schemas, what their resolvers share, and a query of each to try it with.

use anyhow::Context;

use crate::api::{self, Schema, SharedState};
use crate::config::Config;

/// A vestibule as a team wants it, before it is opened. [`Vestibule::default`] has our own schemas.
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
///     /// Greets whoever is logged in.
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
    /// With these schemas: juniper's root nodes over [`api::Context`].
    pub fn new(public: impl Into<Schema>, internal: impl Into<Schema>) -> Self {
        Self {
            public: public.into(),
            internal: internal.into(),
            open_state: Box::new(|_| Ok(SharedState::default())),
            samples: ["{ __typename }"; 2],
        }
    }

    /// What the resolvers of both doors share: [`api::Context::state`] gives it to them by its type. `open` is called
    /// once, when the doors open; its failure keeps them closed.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(
        mut self,
        open: impl FnOnce(&Config) -> anyhow::Result<T> + Send + 'static,
    ) -> Self {
        self.open_state = Box::new(move |config| open(config).map(SharedState::new));
        self
    }

    /// Queries that GraphiQL begins with, and that `vestibule dev` prints, ready to paste: one that a person may ask the public door, and one that a
    /// machine may ask the internal one.
    #[must_use]
    pub fn with_sample_queries(mut self, public: &'static str, internal: &'static str) -> Self {
        self.samples = [public, internal];
        self
    }

    /// See [`Vestibule::with_sample_queries`]: the public door's, the internal door's.
    pub fn sample_queries(&self) -> [&'static str; 2] {
        self.samples
    }

    /// The public door's schema as SDL, without a door being open.
    pub fn public_sdl(&self) -> String {
        self.public.sdl()
    }

    /// The internal door's.
    pub fn internal_sdl(&self) -> String {
        self.internal.sdl()
    }

    /// The schemas of both doors, and what their resolvers share.
    pub(super) fn open(self, config: &Config) -> anyhow::Result<(Schema, Schema, SharedState)> {
        let state = (self.open_state)(config).context("what the resolvers share can not be opened")?;
        Ok((self.public, self.internal, state))
    }
}

/// With our own schemas, which take no other way than a team's.
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
