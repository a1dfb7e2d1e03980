//! `vestibule users import`: users from an export, in constant memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use super::super::{Global, exit, out};
use super::format::{self, Format};
use super::records::{Notes, Position};
use crate::clock::Clock;
use crate::sqlite::DatabaseError;
use crate::store::{Actor, ImportOutcome, ImportRules, Store};

/// How many bytes to read before the import begins, so that a slow pipe with little data never locks the database.
const READ_AHEAD: u64 = 1024 * 1024;

/// How many positions to print for each reason.
const POSITIONS: usize = 5;

/// Add and update users from Auth0: an export, a page of the Management API, bulk-import JSON, or CSV, also gzipped.
///
/// Exit code 65 if a record is invalid, or if no user was taken over.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// File to import; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// File format [default: detected from the file's first bytes].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Print what would be done, and what each column would become, without changing anything. While servers run, rows are tried
    /// in batches, so a duplicate far down the file is counted as added.
    #[arg(long)]
    dry_run: bool,
}

/// Skips invalid records; the others are imported.
pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = global.config_to_create()?;
    let (mut input, bar) = open(&args.file)?;
    let mut ahead = Vec::new();
    let read = input.by_ref().take(READ_AHEAD).read_to_end(&mut ahead);
    read.with_context(|| format!("cannot read {}", args.file.display()))?;
    let input = Cursor::new(ahead).chain(input);
    let rules = ImportRules { link: (&config.link).into(), dry_run: args.dry_run };
    let (mut outcomes, mut unreadable) = (Counts::new(), Counts::<String>::new());
    let mut notes = Notes::default();
    let records = format::read(input, args.format, &mut notes)
        .with_context(|| format!("cannot import {}", args.file.display()))?;
    let store = Store::open(&config.store, Clock::system())
        .with_context(|| format!("cannot open the database {}", config.store.path.display()))?;
    let imported = {
        let rows = records.filter_map(|record| match record {
            Ok((position, Ok(row))) => Some(Ok((position, row))),
            Ok((position, Err(reason))) => {
                unreadable.entry(reason).or_default().add(position);
                None
            }
            Err(error) => Some(Err(error)),
        });
        // The end of a large import builds indexes.
        let rows = rows.chain(iter::from_fn(|| {
            bar.set_style(ProgressStyle::with_template("{spinner} finishing").ok()?);
            bar.enable_steady_tick(Duration::from_millis(100));
            None
        }));
        let report = |position, outcome| outcomes.entry(outcome).or_default().add(position);
        store.import(rules, &Actor::Cli, rows, report)
    };
    bar.finish_and_clear();
    imported.with_context(|| {
        format!("{} was not imported completely; run the import again", args.file.display())
    })?;
    for line in summary(&outcomes, &unreadable, args.dry_run) {
        out::line(line)?;
    }
    store.wait_until_known();
    store.close()?;
    for line in note_lines(&notes, args.dry_run) {
        out::line(line)?;
    }
    let taken_over = outcomes.keys().any(|outcome| skipped(*outcome).is_none());
    let is_fine = unreadable.is_empty() && (taken_over || outcomes.is_empty());
    Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::from(exit::DAMAGED_DATA) })
}

/// Opens the input with a progress bar, which is shown if standard error is a terminal.
fn open(file: &Path) -> anyhow::Result<(Box<dyn BufRead>, ProgressBar)> {
    if file == Path::new("-") {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template("{spinner} {bytes} {bytes_per_sec}")?);
        return Ok((buffered(bar.wrap_read(std::io::stdin())), bar));
    }
    let input = File::open(file).map_err(|source| DatabaseError::unreadable(file, source))?;
    let bar = ProgressBar::new(input.metadata().map_or(0, |metadata| metadata.len()));
    bar.set_style(ProgressStyle::with_template("{wide_bar} {percent}% {bytes_per_sec}, {eta} to go")?);
    Ok((buffered(bar.wrap_read(input)), bar))
}

fn buffered(input: impl Read + 'static) -> Box<dyn BufRead> {
    Box::new(BufReader::with_capacity(256 * 1024, input))
}

/// The number of records, and the positions of the first ones.
#[derive(Debug, Default)]
struct Count {
    number: u64,
    first: Vec<Position>,
}

type Counts<K> = BTreeMap<K, Count>;

impl Count {
    fn add(&mut self, position: Position) {
        self.number += 1;
        if self.first.len() < POSITIONS {
            self.first.push(position);
        }
    }

    fn positions(&self) -> String {
        let mut positions: Vec<String> = self.first.iter().map(ToString::to_string).collect();
        if self.number > u64::try_from(positions.len()).unwrap_or(u64::MAX) {
            positions.push("…".to_owned());
        }
        positions.join(", ")
    }
}

fn summary(outcomes: &Counts<ImportOutcome>, unreadable: &Counts<String>, dry_run: bool) -> Vec<String> {
    let number = |outcome| outcomes.get(&outcome).map_or(0, |count| count.number);
    let refused = outcomes.iter().filter_map(|(outcome, count)| Some((skipped(*outcome)?, count)));
    let unreadable = unreadable.iter().map(|(reason, count)| (reason.as_str(), count));
    let reasons: Vec<(&str, &Count)> = refused.chain(unreadable).collect();
    let skipped: u64 = reasons.iter().map(|(_, count)| count.number).sum();
    let (added, updated) = (number(ImportOutcome::Added), number(ImportOutcome::Updated));
    let unchanged = number(ImportOutcome::Unchanged);
    let would = if dry_run { "would be " } else { "" };
    let total =
        format!("{would}added {added}, {would}updated {updated}, unchanged {unchanged}, skipped {skipped}");
    let line = |(reason, count): &(&str, &Count)| {
        format!("  skipped {}: {reason} ({})", count.number, count.positions())
    };
    iter::once(total).chain(reasons.iter().map(line)).collect()
}

fn skipped(outcome: ImportOutcome) -> Option<&'static str> {
    match outcome {
        ImportOutcome::Added | ImportOutcome::Updated | ImportOutcome::Unchanged => None,
        ImportOutcome::Erased => Some("the user was erased"),
        ImportOutcome::EmailTaken => {
            Some("another user has the email verified; link or merge the two by hand")
        }
        ImportOutcome::NoKey => Some("has neither user_id nor email"),
    }
}

fn note_lines(notes: &Notes, dry_run: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if notes.password_hashes > 0 {
        lines.push(format!(
            "ignored password hashes in {} records: passwords stay at Auth0",
            notes.password_hashes
        ));
    }
    let columns = notes.columns.iter();
    if dry_run {
        lines.extend(columns.map(|(name, field)| match field {
            Some(field) => format!("  {name} becomes {field}"),
            None => format!("  {name} is not kept"),
        }));
        return lines.iter().map(|line| out::plain(line)).collect();
    }
    let ignored: Vec<&str> =
        columns.filter(|(_, field)| field.is_none()).map(|(name, _)| name.as_str()).collect();
    if !ignored.is_empty() {
        lines.push(out::plain(&format!("ignored columns: {}", ignored.join(", "))));
    }
    lines
}
