//! Calls to a target's Management API: repeated while the tenant limits or fails, within bounds.

use std::time::Duration;

use serde_json::Value;

use super::error::DeployError;
use super::settings::TargetSettings;
use crate::auth0::{Auth0, Auth0Error, Change};
use crate::clock::Clock;

/// How often a call is made at most. The pauses between add up to about a minute.
const ATTEMPTS: u32 = 8;
/// The first pause after a failure, doubled each time …
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// … up to this. A limited call waits as long as the tenant says, up to this too: its limits are of seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A sign of life, sometimes with a line for the log.
pub(super) type OnWait<'a> = &'a dyn Fn(Option<&str>) -> Result<(), DeployError>;

/// A connection to a tenant.
pub(super) struct Connection<'a> {
    target: &'a str,
    settings: &'a TargetSettings,
    auth0: Auth0,
    on_wait: OnWait<'a>,
}

impl<'a> Connection<'a> {
    pub(super) fn open(
        target: &'a str,
        settings: &'a TargetSettings,
        clock: &Clock,
        on_wait: OnWait<'a>,
    ) -> Result<Self, DeployError> {
        let auth0 = Auth0::new(&settings.client(), clock.clone());
        let auth0 = auth0.map_err(|source| tenant(target, source))?;
        Ok(Self { target, settings, auth0, on_wait })
    }

    /// The id of the client that deploys.
    pub(super) fn client_id(&self) -> &str {
        self.settings.client_id.as_deref().unwrap_or_default()
    }

    /// See [`Auth0::objects`].
    pub(super) fn list(&self, what: &'static str, path: &str, key: &str) -> Result<Vec<Value>, DeployError> {
        self.repeated(|| self.auth0.objects(what, path, key))
    }

    /// See [`Auth0::object`].
    pub(super) fn get(&self, what: &'static str, path: &str) -> Result<Option<Value>, DeployError> {
        self.repeated(|| self.auth0.object(what, path))
    }

    /// A change that has the same effect when it is made twice.
    pub(super) fn change(
        &self,
        what: &'static str,
        path: &str,
        change: Change<'_>,
    ) -> Result<Value, DeployError> {
        self.repeated(|| self.auth0.change(what, path, change))
    }

    /// A creation, made once. Within the result, an error after which it is unknown whether it happened, or another object
    /// with the same name is there: look before it is repeated.
    pub(super) fn create(
        &self,
        what: &'static str,
        path: &str,
        body: &Value,
    ) -> Result<Result<Value, DeployError>, DeployError> {
        self.repeated(|| match self.auth0.change(what, path, Change::Post(body)) {
            Err(error @ Auth0Error::RateLimited { .. }) => Err(error),
            Err(error @ Auth0Error::Refused { status: 409, .. }) => Ok(Err(self.failed(error))),
            Err(error) if error_is_passing(&error) => Ok(Err(self.failed(error))),
            other => other.map(Ok),
        })
    }

    /// Waits, and gives a sign of life.
    pub(super) fn wait(&self, pause: Duration, why: Option<&str>) -> Result<(), DeployError> {
        (self.on_wait)(why)?;
        sleep(pause);
        Ok(())
    }

    fn repeated<T>(&self, call: impl Fn() -> Result<T, Auth0Error>) -> Result<T, DeployError> {
        (self.on_wait)(None)?;
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            let error = match call() {
                Ok(value) => return Ok(value),
                Err(error) if error_is_passing(&error) => error,
                Err(error) => return Err(self.failed(error)),
            };
            let asked = match &error {
                Auth0Error::RateLimited { wait, .. } => *wait,
                _ => None,
            };
            let wait = asked.unwrap_or(pause).min(LONGEST_PAUSE).max(Duration::from_millis(100));
            self.wait(wait, Some(&format!("{error}; trying again in {:.1} s", wait.as_secs_f32())))?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        call().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: Auth0Error) -> DeployError {
        match error {
            Auth0Error::Refused { scopes: Some(ref scopes), .. } => DeployError::Scope {
                target: self.target.to_owned(),
                client_id: self.client_id().to_owned(),
                scopes: scopes.clone(),
                source: Box::new(error),
            },
            other => tenant(self.target, other),
        }
    }
}

fn tenant(target: &str, source: Auth0Error) -> DeployError {
    DeployError::Tenant { what: format!("the tenant of [targets.{target}]"), source: Box::new(source) }
}

/// Whether the same call may succeed in a moment: also after something like a proxy's page.
fn error_is_passing(error: &Auth0Error) -> bool {
    error.is_temporary() || matches!(error, Auth0Error::UnexpectedAnswer { .. })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a deployment has a thread of its own, and waits for the tenant"
)]
fn sleep(pause: Duration) {
    std::thread::sleep(pause);
}
