//! Exit codes, and the error message on standard error.
//!
//! 0 success · 1 failure · 2 wrong usage · 64 and above as in `sysexits.h`, where one fits.

use std::io::Write;
use std::process::ExitCode;

use super::out::OutputError;
use super::users::{NoKeyColumn, NoSuchUser};
use crate::app::ManifestError;
use crate::bundle::BundleError;
use crate::config::ConfigError;
use crate::deploy::DeployError;
use crate::sqlite::DatabaseError;
use crate::store::StoreError;

const FAILED: u8 = 1;
pub(super) const DAMAGED_DATA: u8 = 65; // EX_DATAERR
const NO_INPUT: u8 = 66; // EX_NOINPUT
const NO_USER: u8 = 67; // EX_NOUSER
const CANNOT_CREATE: u8 = 73; // EX_CANTCREAT
const IO_ERROR: u8 = 74; // EX_IOERR
/// `EX_TEMPFAIL`: the same command may succeed later.
const TEMPORARY_FAILURE: u8 = 75;
const NO_PERMISSION: u8 = 77; // EX_NOPERM
const BAD_CONFIG: u8 = 78; // EX_CONFIG

/// The exit code for `error`.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(code(error))
}

/// Prints `error` and its causes to standard error. Help and version, which clap returns as errors, go to standard
/// output.
pub fn print_error(error: &anyhow::Error) {
    // If standard error is closed, the exit code is all that is left.
    drop(match error.downcast_ref::<clap::Error>() {
        Some(usage) => usage.print(),
        None if is_quiet(error) => Ok(()),
        None => {
            let text = super::out::wrapped_for_stderr(&chain(error), 2);
            writeln!(std::io::stderr(), "{} {text}", console::style("error:").red().for_stderr())
        }
    });
}

fn code(error: &anyhow::Error) -> u8 {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        return u8::try_from(usage.exit_code()).unwrap_or(FAILED);
    }
    if is_quiet(error) {
        return 0;
    }
    error.chain().find_map(code_of_cause).unwrap_or(FAILED)
}

/// The exit code of one cause, if it has its own.
fn code_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if cause.is::<ConfigError>() {
        return Some(BAD_CONFIG);
    }
    if cause.is::<NoKeyColumn>() {
        return Some(DAMAGED_DATA);
    }
    if cause.is::<NoSuchUser>() {
        return Some(NO_USER);
    }
    if let Some(error) = cause.downcast_ref::<DeployError>() {
        match error {
            DeployError::Keywords { .. } | DeployError::NoTarget { .. } => return Some(BAD_CONFIG),
            DeployError::NotABundle(_) => return Some(NO_INPUT),
            DeployError::Undeployable(_) => return Some(DAMAGED_DATA),
            DeployError::Scope { .. } => return Some(NO_PERMISSION),
            DeployError::Store(error) => return code_of_cause(error),
            DeployError::Bundle(error) => return code_of_cause(error),
            error if error.is_temporary() => return Some(TEMPORARY_FAILURE),
            _ => {}
        }
    }
    if let Some(error) = cause.downcast_ref::<BundleError>() {
        return Some(match error {
            BundleError::NotABundle { .. } | BundleError::Unreadable { .. } => NO_INPUT,
            BundleError::Json { .. } | BundleError::Yaml { .. } | BundleError::Invalid { .. } => DAMAGED_DATA,
            BundleError::Keywords { .. } => BAD_CONFIG,
        });
    }
    if let Some(error) = cause.downcast_ref::<ManifestError>() {
        return Some(match error {
            ManifestError::Unreadable(..) => NO_INPUT,
            ManifestError::Malformed(_) | ManifestError::Ambiguous(..) => DAMAGED_DATA,
        });
    }
    if let Some(error) = cause.downcast_ref::<std::io::Error>()
        && error.kind() == std::io::ErrorKind::AddrInUse
    {
        return Some(TEMPORARY_FAILURE);
    }
    match cause.downcast_ref::<StoreError>() {
        Some(StoreError::NotFound(_)) => Some(NO_USER),
        Some(StoreError::Database(error)) => code_of_database(error),
        Some(_) => None,
        None => code_of_database(cause.downcast_ref()?),
    }
}

fn code_of_database(error: &DatabaseError) -> Option<u8> {
    use DatabaseError as E;
    Some(match error {
        E::Damaged { .. }
        | E::Empty(_)
        | E::Truncated { .. }
        | E::OrphanedLog { .. }
        | E::ChecksumMismatch(_)
        | E::UnsoundBackup { .. } => DAMAGED_DATA,
        E::Missing(_) | E::NoChecksum(_) | E::Read(..) => NO_INPUT,
        E::IsFolder(_) | E::Exists(_) | E::Write(..) => CANNOT_CREATE,
        E::Full(_) | E::SyncFailed(_) => IO_ERROR,
        E::InUse(_) | E::Locked(_) | E::Busy => TEMPORARY_FAILURE,
        E::ReadOnly(_) => NO_PERMISSION,
        _ => return None,
    })
}

fn is_quiet(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<OutputError>(), Some(OutputError::ReaderClosed))
}

/// The error and its causes, without those whose text an outer error already includes.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}\n  because: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        let refused = ConfigError { profile: "production".into(), problems: Vec::new() };
        assert_eq!(code(&anyhow::Error::from(refused).context("cannot start")), 78);
        let damaged = DatabaseError::Damaged { at: "users.email", source: None };
        assert_eq!(code(&anyhow::Error::from(damaged).context("cannot start")), 65);
        for (error, expected) in [
            (DatabaseError::Truncated { path: "v.db".into(), missing: 1 }, 65),
            (DatabaseError::Missing("v.db".into()), 66),
            (DatabaseError::IsFolder("/tmp".into()), 73),
            (DatabaseError::Exists("v.db".into()), 73),
            (DatabaseError::InUse("v.db".into()), 75),
            (DatabaseError::ReadOnly("v.db".into()), 77),
        ] {
            assert_eq!(code(&StoreError::from(error).into()), expected);
        }
        let folder = BundleError::NotABundle { folder: "nowhere".into() };
        assert_eq!(code(&anyhow::Error::from(folder).context("`tenant.bundle`")), 66);
        let wrong = BundleError::Invalid { file: "rules/a.js".into(), problem: "it is a link".into() };
        assert_eq!(code(&wrong.into()), 65);
        assert_eq!(code(&ManifestError::Malformed("documents/a.json".into()).into()), 65);
        let taken = std::io::Error::from(std::io::ErrorKind::AddrInUse);
        assert_eq!(code(&anyhow::Error::from(taken).context("cannot listen")), 75);
        assert_eq!(code(&anyhow::anyhow!("out of luck")), 1);
        assert_eq!(code(&OutputError::ReaderClosed.into()), 0);
        assert_eq!(code(&clap::Command::new("x").try_get_matches_from(["x", "-y"]).unwrap_err().into()), 2);
    }

    #[test]
    fn causes_are_printed_in_order_and_once() {
        let error = Err::<(), _>(anyhow::anyhow!("disk full"))
            .context("cannot save: disk full")
            .context("cannot stop");
        assert_eq!(chain(&error.unwrap_err()), "cannot stop\n  because: cannot save: disk full");
    }
}
