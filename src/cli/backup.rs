//! `vestibule backup`: copies the database while servers run.

use std::path::PathBuf;

use anyhow::Context;

use super::{Global, out};
use crate::store::Store;

/// Back up the database while servers run, with a checksum.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File to create; `FILE.sha256`, which `restore` verifies, is created next to it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let config = global.config()?;
    let done = Store::backup(&config.store, &args.file)
        .with_context(|| format!("cannot back up {}", config.store.path.display()))?;
    out::line(format_args!("{}: {} bytes, SHA-256 {}", args.file.display(), done.bytes, done.sha256))?;
    Ok(())
}
