//! [`Caller`] → [`Context`]: what resolvers are given.

use std::sync::{Arc, OnceLock};

use super::{ApiError, Services, State};
use crate::auth::Caller;
use crate::pool::Pool;
use crate::store::Store;
use crate::telemetry::RequestId;
use crate::user::{CurrentUser, User};

/// What every resolver of a request shares.
#[derive(Debug)]
pub struct Context {
    caller: Caller,
    store: Store,
    pool: Pool,
    state: State,
    request: RequestId,
    /// The caller's row, once somebody asked for more than their token tells.
    row: OnceLock<Arc<User>>,
}

impl Context {
    pub(super) fn new(caller: Caller, services: &Services, request: RequestId) -> Self {
        let Services { store, pool, state, .. } = services.clone();
        Self { caller, store, pool, state, request, row: OnceLock::new() }
    }

    /// Who is calling.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Our database. Point reads may run inline; what scans or writes goes through the [pool](Self::pool).
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where blocking work goes.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What a team's resolvers share, as [`Vestibule::state`](crate::app::Vestibule::state) opened it.
    ///
    /// # Errors
    /// [`ApiError::NoState`] when nothing was opened, or something of another type.
    pub fn state<T: 'static>(&self) -> Result<&T, ApiError> {
        self.state.get().ok_or(ApiError::NoState(std::any::type_name::<T>()))
    }

    /// The request's name in its answer and in the log.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// Asks for one more permission than the door did.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`](crate::auth::Refusal::NotPermitted), naming it.
    pub fn require(&self, permission: &str) -> Result<(), ApiError> {
        Ok(self.caller.require(permission)?)
    }

    /// The row of a current user: at most one query a request, and none if the gate already read it.
    ///
    /// # Errors
    /// When the database fails, or holds no such row though the token says so.
    pub fn row(&self, user: &CurrentUser) -> Result<Arc<User>, ApiError> {
        if let CurrentUser::Row(row) = user {
            return Ok(Arc::clone(row));
        }
        if let Some(row) = self.row.get() {
            return Ok(Arc::clone(row));
        }
        let row = self.store.user(user.id())?;
        let row = Arc::new(row.ok_or(ApiError::BadInput("The user in the token is not in the database."))?);
        Ok(Arc::clone(self.row.get_or_init(|| row)))
    }
}

impl juniper::Context for Context {}
