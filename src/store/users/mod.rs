//! Users: found, created, changed, linked, merged and erased.

mod find;
mod list;
mod batch_reads;
mod describe;
mod identities;
mod insert;
mod create;
mod profile;
mod provision;
mod refresh;
mod update;
mod roles;
mod status;
mod erase;
mod merge;
mod tombstones;
mod terms;
mod export;
mod seed;
mod import_row;
mod import;

pub use create::NewUser;
pub use export::{Export, user_json};
pub use find::UserColumns;
pub use identities::Identity;
pub use import::ImportRules;
pub use import_row::{ImportOutcome, ImportRow};
pub use list::{Period, SEARCH_MAX, SortKey, UserCursor, UserFilter, UserOrder};
pub use profile::PROFILE_MAX_BYTES;
pub use provision::{NewIdentity, Provisioned};
pub use seed::SeedUser;
pub use terms::{AcceptedTerms, TERMS_MAX_CHARS, TERMS_MAX_VERSIONS};
pub use update::UserUpdate;

pub(crate) use find::{by_auth0_id, by_id};
pub(crate) use tombstones::Tombstones;

#[cfg(test)]
pub(crate) use {
    find::{BY_AUTH0_ID, BY_EMAIL},
    import::MANY,
    list::list_query,
};
