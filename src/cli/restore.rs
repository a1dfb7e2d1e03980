//! `vestibule restore`: puts a backup in the place of the database.

use std::path::PathBuf;

use anyhow::Context;

use super::{Global, out};
use crate::clock::Clock;
use crate::config::{self, PRODUCTION};
use crate::sqlite::Verification;
use crate::store::{Restored, Store};

/// Which backup.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A backup, with `FILE.sha256` beside it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Takes a file without a checksum. It is still checked as `vestibule check` does.
    #[arg(long)]
    unchecked: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let config = config::load(global.sources(PRODUCTION))?;
    let verification = if args.unchecked { Verification::FileOnly } else { Verification::Checksum };
    let path = config.store.path.display();
    let restored = Store::restore(&config.store, &args.file, verification, &Clock::system())
        .with_context(|| format!("can not restore {path}"))?;
    for line in told(&restored) {
        out::line(line)?;
    }
    out::line(format_args!("{path} is now what {} was", args.file.display()))?;
    Ok(())
}

fn told(Restored { kept, kept_log, erased_again }: &Restored) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(kept) = kept {
        lines.push(format!("the database that was there is kept as {}", kept.display()));
    }
    if let Some(log) = kept_log {
        lines.push(format!(
            "the database was gone; the write-ahead log that was left of it is kept as {}",
            log.display()
        ));
    }
    match erased_again {
        Some(0) => {}
        Some(count) => lines.push(format!("erased again, as they had been since the backup: {count}")),
        None => lines.push(
            "who was erased since the backup could not be read: erase them again (`vestibule users erase`)"
                .to_owned(),
        ),
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_has_to_know_is_told() {
        let nothing = Restored { kept: None, kept_log: None, erased_again: Some(0) };
        assert_eq!(told(&nothing), [""; 0]);
        let kept = Restored { kept: Some("old.db".into()), ..nothing.clone() };
        let lines = told(&Restored { erased_again: Some(3), ..kept.clone() }).join("\n");
        assert!(lines.contains("old.db") && lines.contains(": 3"), "{lines}");
        let lines = told(&Restored { kept_log: Some("old.db-wal".into()), ..nothing }).join("\n");
        assert!(lines.contains("old.db-wal"), "{lines}");
        let lines = told(&Restored { erased_again: None, ..kept });
        assert!(lines[1].contains("erase them again"), "{lines:?}");
    }
}
