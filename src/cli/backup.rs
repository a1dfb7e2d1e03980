//! `vestibule backup`: a copy of the database, made while servers go on.

use std::path::PathBuf;

use anyhow::Context;

use super::{Global, out};
use crate::config::{self, PRODUCTION};
use crate::store::Store;

/// What to write.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to make. `FILE.sha256`, which `restore` verifies it by, is made beside it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let config = config::load(global.sources(PRODUCTION))?;
    let done = Store::backup(&config.store, &args.file)
        .with_context(|| format!("can not back up {}", config.store.path.display()))?;
    out::line(format_args!("{}: {} bytes, SHA-256 {}", args.file.display(), done.bytes, done.sha256))?;
    Ok(())
}
