//! `vestibule schema`: the schemas of both doors as SDL, and what changed between two of them.

mod shape;
mod diff;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use self::diff::{Level, changes};
pub(in crate::cli) use self::shape::NoShape;
use self::shape::Shape;
use super::exit::Unreadable;
use super::out;
use crate::app::Vestibule;

/// Prints the schema of a door, or compares two.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Prints the Public API's schema, as SDL.
    Public,
    /// Prints the Internal API's schema, as SDL.
    Internal,
    /// Tells what changed between two schemas, and what of it breaks clients. Exits with 1 if something does.
    ///
    /// A change is breaking when an operation that was valid no longer is, or answers with what its client can not
    /// expect; dangerous when it stays valid but may mean something else; safe otherwise. Descriptions are not compared.
    Diff {
        /// The schema that clients know, as SDL.
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The schema they will meet.
        #[arg(value_name = "NEW")]
        new: PathBuf,
    },
}

pub(super) fn run(args: &Args, vestibule: &Vestibule) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Public => out::line(vestibule.public_sdl().trim_end())?,
        What::Internal => out::line(vestibule.internal_sdl().trim_end())?,
        What::Diff { old, new } => return compare(old, new),
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(old: &Path, new: &Path) -> anyhow::Result<ExitCode> {
    let changes = changes(&read(old)?, &read(new)?);
    for change in &changes {
        out::line(format_args!("{:9}  {}", change.level.word(), change.what))?;
    }
    let breaking = changes.iter().filter(|change| change.level == Level::Breaking).count();
    out::line(format_args!("{} changes, {breaking} of them breaking", changes.len()))?;
    Ok(if breaking == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &Path) -> anyhow::Result<Shape> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Unreadable { path: path.to_owned(), source })?;
    Shape::read(&text)
        .with_context(|| format!("{} is no schema; print one with `vestibule schema`", path.display()))
}
