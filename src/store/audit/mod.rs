//! The audit log: who changed what, written in the transaction of the change. Lines are never changed or deleted, so they
//! hold no personal data: of personal fields the names, of an identity its provider (an Auth0 id can contain an email).

mod actor;
mod action;
mod changes;
mod chain;
mod line;
mod list;
mod feed;

pub use action::Action;
pub use actor::Actor;
pub use chain::{AuditVerification, ChainHash, ParseChainHashError};
pub use feed::Change;
pub use line::AuditLine;
pub use list::AuditFilter;

pub(crate) use chain::verify;
pub(crate) use changes::{Changes, provider};
pub(crate) use feed::Feed;
pub(crate) use list::lines_about;
