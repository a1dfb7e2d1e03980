//! Both doors with a team's schemas, and the dev tenant, for the team's own tests: on free ports, with databases of their
//! own, without a network.
//!
//! ```
//! use juniper::{EmptyMutation, EmptySubscription, RootNode, graphql_object};
//! use vestibule::testing::{Door, TestApp};
//! use vestibule::{ApiError, Context, Vestibule, internal};
//!
//! struct Query;
//!
//! #[graphql_object(context = Context)]
//! impl Query {
//!     fn hello(context: &Context) -> Result<String, ApiError> {
//!         Ok(format!("Hello {}", context.current_user()?.id()))
//!     }
//! }
//!
//! # fn main() -> anyhow::Result<()> {
//! let public = RootNode::new(Query, EmptyMutation::new(), EmptySubscription::new());
//! let app = TestApp::open(Vestibule::new(public, internal::schema()))?;
//! let ada = app.token(Door::Public, "ada@example.com")?;
//! let answer = app.query(Door::Public, Some(&ada), "{ hello }")?;
//! assert!(answer["data"]["hello"].as_str().is_some_and(|text| text.starts_with("Hello ")));
//! let refused = app.query(Door::Public, None, "{ hello }")?;
//! assert_eq!(refused["errors"][0]["extensions"]["code"], "NO_TOKEN");
//! # Ok(())
//! # }
//! ```

use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::app::{Development, Vestibule};
use crate::cli::http_client::HttpClient;
use crate::cli::{complete_samples, dev_tenant_token};
use crate::clock::Clock;
use crate::config::{self, Config, DEVELOPMENT, Sources};
use crate::script::WorkerCommand;

/// One of the two doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The Public API, for frontends.
    Public,
    /// The Internal API, for machines and staff.
    Internal,
}

/// What `vestibule dev` serves, until it is dropped. It has a runtime of its own: use it in plain tests, or in
/// `spawn_blocking`.
#[derive(Debug)]
pub struct TestApp {
    runtime: Runtime,
    development: Option<Development>,
    config: Config,
    http: HttpClient,
    _folder: TempDir,
}

impl TestApp {
    /// Opens everything with the development profile, that of `config/` if it has one, and the bundle in `fixtures/tenant`,
    /// else the sample bundle. Logins run no scripts.
    pub fn open(vestibule: Vestibule) -> anyhow::Result<Self> {
        Self::open_with(vestibule, &[], None)
    }

    /// As [`open`](Self::open), with other settings, written as for `--set`. Logins run the bundle's scripts if `executable` is
    /// given, in processes of it: `env!("CARGO_BIN_EXE_NAME")` in an integration test, where `NAME` is the team's binary.
    pub fn open_with(
        vestibule: Vestibule,
        settings: &[(&str, &str)],
        executable: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let file = |name: &str| folder.path().join(name).display().to_string();
        let flags = settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        let sources = Sources { tenant: true, flags, ..Sources::new(DEVELOPMENT) }
            .with_override("public.listen", "127.0.0.1:0")
            .with_override("internal.listen", "127.0.0.1:0")
            .with_override("tenant.http", "127.0.0.1:0")
            .with_override("tenant.https", "127.0.0.1:0")
            .with_override("tenant.issuer", "")
            .with_override("tenant.scripts", executable.is_some().to_string())
            .with_override("store.path", file("vestibule.db"))
            .with_override("tenant.data", file("tenant.db"));
        let mut config = config::load(sources)?;
        complete_samples(&mut config, folder.path())?;
        let worker =
            WorkerCommand { program: executable.unwrap_or_default(), args: vec!["script-worker".to_owned()] };
        let runtime = Runtime::new().context("cannot start the runtime's threads")?;
        let opening = Development::open(vestibule, &config, worker, Clock::system());
        let development = runtime.block_on(opening)?;
        development.tenant.issuer().clone_into(&mut config.auth0.issuer);
        Ok(Self { runtime, development: Some(development), config, http: HttpClient::new(), _folder: folder })
    }

    /// An access token for a door, from the dev tenant: of a person by email or `user_id`, or of a machine by client id.
    pub fn token(&self, door: Door, caller: &str) -> anyhow::Result<String> {
        let audience = match door {
            Door::Public => &self.config.public.audience,
            Door::Internal => &self.config.internal.audience,
        };
        let is_person = caller.contains(['@', '|']);
        dev_tenant_token(&self.config, audience, is_person.then_some(caller), Some(caller))
    }

    /// Sends a query or mutation to a door. Returns the whole response, `data` and `errors`.
    pub fn query(&self, door: Door, token: Option<&str>, query: &str) -> anyhow::Result<Value> {
        Ok(self.http.graphql(&self.url(door)?, token, query, Value::Null)?.json())
    }

    /// The URL of a door's endpoint, over HTTP; WebSockets have the same address.
    pub fn url(&self, door: Door) -> anyhow::Result<String> {
        let doors = &self.development.as_ref().context("it is closed")?.doors;
        let address = if door == Door::Public { doors.public() } else { doors.internal() };
        Ok(format!("http://{address}/graphql"))
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(development) = self.development.take() {
            self.runtime.block_on(development.stop());
        }
    }
}
