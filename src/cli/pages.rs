//! Lists printed page by page, in constant memory.

use std::fmt::Display;

use serde_json::Value;

use super::out;
use crate::store::{PAGE_MAX, StoreError};

/// Options of a list.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Number of entries.
    #[arg(long, value_name = "N", default_value_t = 50)]
    first: usize,
    /// Print all entries.
    #[arg(long, conflicts_with = "first")]
    all: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

/// How to print the entries of a list and where they are in it.
pub(super) struct ListFormat<T, P> {
    pub(super) position: fn(&T) -> P,
    /// The option that continues the list after a position.
    pub(super) continue_with: &'static str,
    pub(super) text: fn(&T) -> String,
    pub(super) json: fn(&T) -> Value,
}

impl ListArgs {
    /// Prints the list after `position`. `page` returns at most that many entries after a position, and whether more
    /// follow.
    pub(super) fn print<T, P: Copy + Display>(
        &self,
        format: &ListFormat<T, P>,
        mut position: Option<P>,
        mut page: impl FnMut(usize, Option<P>) -> Result<(Vec<T>, bool), StoreError>,
    ) -> anyhow::Result<()> {
        let mut left = if self.all { usize::MAX } else { self.first };
        loop {
            let (entries, has_next) = page(left.min(PAGE_MAX), position)?;
            for entry in &entries {
                out::line(if self.json { (format.json)(entry).to_string() } else { (format.text)(entry) })?;
            }
            left = left.saturating_sub(entries.len());
            position = entries.last().map(format.position).or(position);
            if !has_next {
                return Ok(());
            }
            if left == 0 || entries.is_empty() {
                if let (false, Some(last)) = (self.json, position) {
                    out::line(format_args!("more: {} {last}, or --all", format.continue_with))?;
                }
                return Ok(());
            }
        }
    }
}
