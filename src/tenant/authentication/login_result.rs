//! The part of a user's tokens that scripts decide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What the scripts made of a login.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LoginResult {
    /// Whom the tokens are for.
    pub(super) user_id: String,
    /// The user as the rules left it.
    pub(super) user: Map<String, Value>,
    /// Custom claims of the access token.
    pub(super) access: Map<String, Value>,
    /// Custom claims of the ID token.
    pub(super) id: Map<String, Value>,
    /// `context.accessToken.scope`, if a rule set it: replaces the granted scopes.
    pub(super) scope: Option<Vec<String>>,
    /// Scopes that actions added (true) or removed.
    pub(super) scopes: BTreeMap<String, bool>,
    /// `amr` of the ID token: `mfa`, and the URLs of custom methods.
    pub(super) amr: Vec<String>,
    /// `act` of both tokens.
    pub(super) actor: Option<Value>,
    /// Metadata of the refresh token that the login gets.
    pub(super) refresh_token_metadata: Map<String, Value>,
}
