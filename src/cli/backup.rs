//! `vestibule backup` and `vestibule restore`: copy the database while servers run, and replace it with a copy.

use std::path::PathBuf;

use anyhow::Context;

use super::{Global, out};
use crate::clock::Clock;
use crate::store::{Restored, Store};

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

/// Replace the database with a backup. No server may be running on it.
///
/// The replaced database is kept. Damaged backups are refused (exit code 65).
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// Backup file, with `FILE.sha256` next to it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Accept a file without a checksum. It is still checked, as by `vestibule check`.
    #[arg(long)]
    unchecked: bool,
}

pub(super) fn restore(global: &Global, args: &RestoreArgs) -> anyhow::Result<()> {
    let config = global.config_to_create()?;
    let path = config.store.path.display();
    let restored = Store::restore(&config.store, &args.file, args.unchecked, &Clock::system())
        .with_context(|| format!("cannot restore {path}"))?;
    for line in describe(&restored) {
        out::line(line)?;
    }
    out::line(format_args!("{path} is restored from {}", args.file.display()))?;
    Ok(())
}

fn describe(Restored { kept, erased_again }: &Restored) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(kept) = kept {
        // Of a database that was gone, its write-ahead log.
        lines.push(format!("the replaced database is kept as {}", kept.display()));
    }
    match erased_again {
        Some(0) => {}
        Some(count) => lines.push(format!("users erased since the backup, erased again: {count}")),
        None => lines.push(
            "cannot read which users were erased since the backup: erase them again (`vestibule users erase`)"
                .to_owned(),
        ),
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_names_kept_files_and_erased_users() {
        let nothing = Restored { kept: None, erased_again: Some(0) };
        assert_eq!(describe(&nothing), [""; 0]);
        let kept = Restored { kept: Some("old.db".into()), ..nothing };
        let lines = describe(&Restored { erased_again: Some(3), ..kept.clone() }).join("\n");
        assert!(lines.contains("old.db") && lines.contains(": 3"), "{lines}");
        let lines = describe(&Restored { erased_again: None, ..kept });
        assert!(lines[1].contains("erase them again"), "{lines:?}");
    }
}
