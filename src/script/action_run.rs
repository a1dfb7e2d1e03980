//! The input and output of a trigger's actions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::{Action, Trigger};
use super::effects::{Denial, Effects, Suspension};
use super::trace::Trace;

/// A trigger's actions with everything they get.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActionsInput {
    /// The trigger.
    pub trigger: Trigger,
    /// Its actions, in the order of their bindings.
    pub actions: Arc<[Action]>,
    /// Where a suspended run goes on; `None` starts with the first action.
    pub resume: Option<Resume>,
    /// `event` without `secrets`: plain JSON. Each action gets a copy of its own, with its own secrets.
    /// `user.user_id` and `request.hostname`, `ip`, `query` and `body` are used for the tokens of `api.redirect`.
    pub event: Value,
    /// What `api` answers from.
    pub facts: ApiFacts,
    /// The effects of the run before the suspension.
    pub effects: Effects,
}

/// What `api` answers from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ApiFacts {
    /// `api.redirect.canRedirect()`: false for `prompt=none`, refresh tokens and passwords. A run may be suspended all the
    /// same; the caller answers `interaction_required` then, as Auth0 does.
    pub can_redirect: bool,
    /// The ids of the rules that ran in this login: `api.rules.wasExecuted`.
    pub executed_rules: Vec<String>,
    /// The user's groups, each an object with `id` and `name`: `api.groups`.
    pub groups: Vec<Value>,
    /// The user's roles, each an object with `id` and `name`: `api.roles`.
    pub roles: Vec<Value>,
}

/// Where a suspended run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The index of the next action to run.
    pub action: usize,
    /// Its continue handler runs (after a redirect or a prompt) instead of its first handler.
    pub continues: bool,
}

/// The result of a run in which no script failed.
#[derive(Debug, Clone)]
pub struct ActionsOutput {
    /// How it ended.
    pub outcome: Outcome,
    /// What the actions asked for, also when they denied. Without `denial` and `suspension`: those are the outcome.
    pub effects: Effects,
    /// What the actions did.
    pub trace: Trace,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Every action has run.
    Finished,
    /// An action denied it; later ones did not run.
    Denied {
        /// The action's name.
        action: String,
        /// What it called.
        denial: Denial,
    },
    /// It waits. Later actions run when it is resumed.
    Suspended {
        /// The action's name.
        action: String,
        /// What it waits for.
        suspension: Suspension,
        /// What to pass to the next run, with the output's effects.
        resume: Resume,
    },
}
