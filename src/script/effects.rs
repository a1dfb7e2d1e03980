//! What the actions of one run asked for. The host applies it when the run has ended.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The changes that actions asked for through `api`, merged in the order of their calls.
///
/// After a suspension the next run starts from the effects so far ([`ActionsInput::effects`]). Auth0 saves metadata even when
/// the login is denied; everything else counts only for a finished run.
///
/// [`ActionsInput::effects`]: super::ActionsInput
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Effects {
    /// Custom claims of the access token, reserved names included. Auth0 drops those silently.
    pub access_token: Map<String, Value>,
    /// Custom claims of the ID token, reserved names included.
    pub id_token: Map<String, Value>,
    /// Scopes of the access token: `true` was added, `false` removed. The last call for a scope counts.
    pub scopes: BTreeMap<String, bool>,
    /// Changes of the scopes that a credentials exchange asks for, in order.
    pub target_scopes: Vec<TargetScopes>,
    /// Members of `app_metadata`; `null` removes one.
    pub app_metadata: Map<String, Value>,
    /// Members of `user_metadata`; `null` removes one.
    pub user_metadata: Map<String, Value>,
    /// Members of `transaction.metadata`; `null` removes one.
    pub transaction_metadata: Map<String, Value>,
    /// The user whom the tokens are for instead of the one who logged in.
    pub primary_user: Option<String>,
    /// The URLs of custom authentication methods that were completed.
    pub recorded_methods: Vec<String>,
    /// The second factor to ask for when all actions have run; `none` as provider asks for none.
    pub multifactor: Option<Multifactor>,
    /// Changes of the browser session.
    pub session: LifetimeChanges,
    /// Changes of the refresh token.
    pub refresh_token: LifetimeChanges,
    /// The user of a custom token exchange.
    pub user: Option<ExchangeUser>,
    /// The organization of a custom token exchange: its id or name.
    pub organization: Option<String>,
    /// The actor of a custom token exchange (`act`).
    pub actor: Option<Value>,
    /// Where a password reset ends.
    pub result_url: Option<String>,
    /// What became of a message, unless the action sent it.
    pub notification: Option<Notification>,
    /// Members of `api` that were accepted and have no effect here (`samlResponse.…`, `session.setCookieMode`).
    pub ignored: BTreeSet<String>,
    /// The denial, if one was called for.
    pub denial: Option<Denial>,
    /// What to wait for before the next action runs.
    pub suspension: Option<Suspension>,
}

/// `api.transaction.…TargetScope…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the member of the same name")]
pub enum TargetScopes {
    Add(String),
    Remove(String),
    Set(Vec<String>),
    Clear,
}

/// `api.multifactor.enable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Multifactor {
    /// `any`, `none`, `duo`, `guardian`, `google-authenticator`.
    pub provider: String,
    /// Whether the browser may be remembered.
    pub allow_remember_browser: bool,
}

/// Changes of a session or of a refresh token. Times are milliseconds since 1970; the earliest of several calls counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LifetimeChanges {
    /// It is revoked, and the login denied.
    pub revoked: bool,
    /// With `revoked`: whether the session's refresh tokens stay valid.
    pub preserve_refresh_tokens: bool,
    /// When it expires.
    pub expires_at: Option<i64>,
    /// When it expires unless it is used.
    pub idle_expires_at: Option<i64>,
    /// Whether its earlier metadata is removed first.
    pub evict_metadata: bool,
    /// Members of its metadata; `null` removes one.
    pub metadata: Map<String, Value>,
}

/// The user of a custom token exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ExchangeUser {
    /// An existing user.
    ById(String),
    /// A user of a connection, created or updated as asked.
    ByConnection {
        /// The connection's name.
        connection: String,
        /// The user's attributes, with a `user_id` that is unique in the connection.
        attributes: Map<String, Value>,
        /// Create the user if there is none (`create_if_not_exists`).
        create: bool,
        /// Replace the attributes of an existing user (`replace`).
        update: bool,
    },
}

/// The fate of a message whose provider action did not send it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notification {
    /// It is not sent. With the reason.
    Dropped(String),
    /// It is to be sent again later. With the reason.
    Retry(String),
}

/// A run that an action denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Which member denied it.
    pub kind: DenialKind,
    /// The error code, where the member takes one.
    pub code: Option<String>,
    /// The reason, for the application. Of a pre-user-registration: for the log only.
    pub reason: String,
    /// Of a pre-user-registration: the text for the user.
    pub user_message: Option<String>,
}

/// The members of `api` that deny a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DenialKind {
    /// `api.access.deny`.
    Access,
    /// `api.validation.error`.
    Validation,
    /// `api.access.rejectInvalidSubjectToken`: `invalid_request`, and counts for attack protection.
    InvalidSubjectToken,
    /// `api.session.revoke` or `api.refreshToken.revoke`.
    Revoked,
}

/// What a suspended run waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Suspension {
    /// The browser goes to this URL (the host adds `state`) and comes back to `/continue`.
    Redirect(String),
    /// A form is shown.
    Prompt {
        /// The form's id.
        id: String,
        /// Values of its fields.
        fields: Map<String, Value>,
        /// Its variables.
        vars: Map<String, Value>,
    },
    /// The user proves one of these factors; the first is the default, unless `choose` shows the choice first.
    Challenge {
        /// The factors: objects with a `type`, and perhaps `options`.
        factors: Vec<Value>,
        /// Whether the user chooses first.
        choose: bool,
    },
    /// The user enrolls one of these factors.
    Enroll {
        /// As for a challenge.
        factors: Vec<Value>,
        /// As for a challenge.
        choose: bool,
    },
}

impl Effects {
    /// Whether no further action may run.
    pub(super) fn stops(&self) -> bool {
        self.denial.is_some() || self.suspension.is_some()
    }
}
