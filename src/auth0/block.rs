//! Blocking at the tenant itself: nobody logs in there who is blocked there.

use serde_json::{Value, json};

use super::{Auth0, Auth0Error, Call};
use crate::user::Auth0Id;

impl Auth0 {
    /// Blocks a user, or no longer, by `PATCH /api/v2/users/{id}`, which needs the scope `update:users`. Says whether
    /// there is such a user.
    ///
    /// # Errors
    /// See [`Auth0Error`]; [`Auth0Error::Status`] 403 when the client's grant lacks the scope.
    pub fn set_blocked(&self, id: &Auth0Id, blocked: bool) -> Result<bool, Auth0Error> {
        let uri = self.user_uri(id);
        let told = self.about_user(|bearer| {
            let request = self.agent.patch(&uri).header("authorization", bearer);
            self.json::<Value>(Call::Block, request.send_json(json!({ "blocked": blocked })))
        })?;
        Ok(told.is_some())
    }
}
