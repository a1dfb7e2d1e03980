//! Scripts: the team's rules and actions, run where Auth0 runs them.
//!
//! Owns the JavaScript engine and its worker processes. [`ScriptRunner`] is the host: it gives a worker one run at a time,
//! handles the calls of its scripts and enforces the time limit with a SIGKILL: an interrupt inside the engine does not
//! stop `new Array(1e9) + ''`. The worker ([`worker_main`]) is QuickJS with resource limits, without network, files or
//! environment. Imports layer 0, and `bundle` for the rules. Never opens SQLite, never applies what an action asks for
//! (that is [`Effects`], for the tenant), and never accepts a broken result: anything but a clean
//! `callback(null, user, context)` of every rule, or an action whose handler ends without an error, denies the login.
//!
//! Reading order: `login.rs` (rules: input and output), `action.rs`, `action_run.rs`, `effects.rs`, `api_calls.rs`
//! (actions), `host.rs`, `worker_pool.rs`, `worker_run.rs` (one run, on the host's side), `fetch.rs`, `packages.rs`
//! (npm), then `worker/` and the JavaScript in `prelude/`: `modules.js` is `require`, `modules/` what is built in.

mod settings;
mod stubs;
mod trace;
mod reads;
mod login;
mod action;
mod effects;
mod api_members;
mod api_args;
mod api_calls;
mod action_cache;
mod redirect_token;
mod action_run;
mod host;
mod worker_pool;
mod worker_run;
mod fetch;
mod built_in;
mod package_json;
mod packages;
mod required;
mod ipc;
mod process;
mod redact;
mod worker;
mod convert;
mod verify;
mod types;

pub use action::{Action, ActionModule, Dependency, Trigger, post_login_object};
pub use action_run::{ActionsInput, ActionsOutput, ApiFacts, Outcome, Resume};
pub use convert::{
    ConvertError, Converted, Instrumented, Note, Traits, check_syntax, convert, has_named_function,
    instrumented, syntax_errors,
};
pub use effects::{
    Denial, DenialKind, Effects, ExchangeUser, LifetimeChanges, Multifactor, Notification, Suspension,
    TargetScopes,
};
pub use fetch::{InvalidOrigin, parse_origin};
pub use host::ScriptRunner;
pub use login::{
    Auth0Global, Denied, DenyReason, LoginInput, LoginOutput, MetadataKind, MetadataUpdate, MetadataWriter,
};
pub use required::{RequiredPackage, required_packages};
pub use settings::Settings;
pub use stubs::{StubbedAnswer, Stubs};
pub use trace::{ApiCall, Change, ConsoleLevel, ConsoleLine, FetchRecord, ScriptKind, ScriptRun, Trace};
pub use types::type_declarations;
pub use verify::{
    CannedResponse, Comparison, Continued, Difference, LoginCase, compare, fetched, generated_cases,
    observe_action, observe_actions, observe_rule,
};
pub use worker::worker_main;
pub use worker_pool::WorkerCommand;
