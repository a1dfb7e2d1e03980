//! `--door`: one of the two doors.

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum DoorArg {
    /// The Public API, for frontends.
    Public,
    /// The Internal API, for machines and staff.
    Internal,
}
