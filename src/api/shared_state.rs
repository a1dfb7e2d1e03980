//! What a team's resolvers share besides our own services: one value of a type of theirs.

use std::any::Any;
use std::sync::Arc;

/// A value of any type, handed out by [`Context::state`](super::Context::state). Cheap to clone.
#[derive(Clone)]
pub struct SharedState(Arc<dyn Any + Send + Sync>);

impl SharedState {
    /// Shares `value` among all requests of both doors.
    pub fn new<T: Send + Sync + 'static>(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// The value, if that is its type.
    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// Of nothing: what our own schemas need.
impl Default for SharedState {
    fn default() -> Self {
        Self::new(())
    }
}

impl std::fmt::Debug for SharedState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedState").finish_non_exhaustive()
    }
}
