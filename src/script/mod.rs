//! Rules and actions: the team's JavaScript, run at login.
//!
//! Owns the JavaScript engine and the processes it runs in. [`ScriptRunner`] is the host: it keeps a few worker
//! processes of this same binary, gives each one login at a time, answers what its scripts ask for (a fetch, a
//! metadata update, a timer) and holds the wall clock. The worker ([`worker_main`]) is QuickJS with a memory limit,
//! behind resource limits of the kernel, with no network, no files and an empty environment. An interrupt inside the
//! engine does not stop `new Array(1e9) + ''`; a SIGKILL from outside does, so that is what the limit is.
//!
//! Leans on floor 0 (`pool`, `clock`) and on `bundle` for the rules. Never opens SQLite, never knows who logs in
//! beyond the two objects a rule sees, and never takes a broken answer for a good one: whatever is not a clean
//! `callback(null, user, context)` of every rule denies the login.
//!
//! Reading order: `outcome.rs` (what goes in and comes out), `host.rs`, `crew.rs` (its workers), `conversation.rs`
//! (one login, the host's side), `fetch.rs`, then `worker/` and the JavaScript in `prelude/`.

mod settings;

mod outcome;

mod host;

mod conversation;

mod crew;

mod process;

mod fetch;

mod ipc;

mod redact;

mod worker;

pub use crew::WorkerCommand;
pub use fetch::{InvalidOrigin, parse_origin};
pub use host::ScriptRunner;
pub use outcome::{
    ConsoleLevel, ConsoleLine, Denied, DenyReason, FetchRecord, LoginInput, LoginOutput, MetadataKind,
    MetadataUpdate, MetadataWriter,
};
pub use settings::Settings;
pub use worker::worker_main;
