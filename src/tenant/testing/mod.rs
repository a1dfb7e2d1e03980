//! Test cases of a bundle's scripts: run as in a login, without a network, and compared with what they expect.
//!
//! A script gets what the tenant would give it for the case's person, client and API, with the case's own members over it. It
//! runs alone, and nothing it changes is kept.

mod case;
mod expectation;
mod login;
mod run;
mod subject;

pub use case::{Case, CaseFile, ScriptPath, read_cases};
pub use login::log_in;
pub use run::{CaseResult, failures, run_case};
pub use subject::SubjectNames;
