//! What the doors serve: two schemas, the state their resolvers share, and a sample query for each.

use std::sync::Arc;

use anyhow::Context;

use crate::api::{self, Schema, SharedState};
use crate::config::Config;
use crate::sqlite::{Database, DatabaseSchema, DatabaseSettings};

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
    database: Option<(&'static str, &'static DatabaseSchema)>,
    name: Option<(&'static str, &'static str)>,
    samples: [&'static str; 2],
}

/// What [`Vestibule::open`] opened.
pub(super) struct Opened {
    pub(super) public: Schema,
    pub(super) internal: Schema,
    pub(super) state: SharedState,
    pub(super) database: Option<Database>,
}

type OpenState = Box<dyn FnOnce(&Config) -> anyhow::Result<SharedState> + Send>;

impl Vestibule {
    /// Serves these schemas: juniper root nodes with [`api::Context`].
    pub fn new(public: impl Into<Schema>, internal: impl Into<Schema>) -> Self {
        Self {
            public: public.into(),
            internal: internal.into(),
            open_state: Box::new(|_| Ok(Arc::new(()))),
            database: None,
            name: None,
            samples: ["{ __typename }"; 2],
        }
    }

    /// Gives `--version` and the banner of `dev` a name and a version of the team's own.
    #[must_use]
    pub fn with_name(mut self, name: &'static str, version: &'static str) -> Self {
        self.name = Some((name, version));
        self
    }

    /// The name and version, unless they are ours.
    pub fn name(&self) -> Option<(&'static str, &'static str)> {
        self.name
    }

    /// Adds tables of the team's own, in the file `file` beside our database; created and migrated before the doors open.
    /// Resolvers use them by [`Context::read`](api::Context::read) and [`Context::write`](api::Context::write).
    ///
    /// A file of their own, because a schema has one owner. Reference users by their id, which never changes; an erased user
    /// keeps it.
    #[must_use]
    pub fn database(mut self, file: &'static str, schema: &'static DatabaseSchema) -> Self {
        self.database = Some((file, schema));
        self
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

    /// The schemas of both doors, the resolvers' state and the team's tables.
    pub(super) fn open(self, config: &Config) -> anyhow::Result<Opened> {
        let state = (self.open_state)(config).context("cannot open the resolvers' state")?;
        let open = |(file, schema)| {
            let path = config.store.path.with_file_name(file);
            Database::open(&DatabaseSettings { path, ..config.store.database() }, schema)
                .with_context(|| format!("cannot open the database {file}"))
        };
        let database = self.database.map(open).transpose()?;
        Ok(Opened { public: self.public, internal: self.internal, state, database })
    }
}

/// Serves our own schemas.
impl Default for Vestibule {
    fn default() -> Self {
        Self::new(Schema::synchronous(api::public::schema()), api::internal::schema()).with_sample_queries(
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
