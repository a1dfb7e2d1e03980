//! Lists printed page by page, in constant memory.

use std::fmt::Display;

use super::out;
use crate::store::{PAGE_MAX, StoreError};

/// Options of a list.
#[derive(Debug, clap::Args)]
pub(super) struct PageOptions {
    /// Number of entries.
    #[arg(long, value_name = "N", default_value_t = 50)]
    first: usize,
    /// Print all entries.
    #[arg(long, conflicts_with = "first")]
    all: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

impl PageOptions {
    /// Prints the list after `position`, with the `heading` of its columns. `page` returns at most that many entries after a
    /// position, and whether more follow; `show`, an entry's position and its text or JSON. `option` continues the list after
    /// a position.
    pub(super) fn print<T, P: Copy + Display>(
        &self,
        option: &str,
        heading: &str,
        mut position: Option<P>,
        mut page: impl FnMut(usize, Option<P>) -> Result<(Vec<T>, bool), StoreError>,
        show: impl Fn(&T, bool) -> (P, String),
    ) -> anyhow::Result<()> {
        let mut is_headed = false;
        let mut left = if self.all { usize::MAX } else { self.first };
        loop {
            let (entries, has_next) = page(left.min(PAGE_MAX), position)?;
            if !self.json && !is_headed && !entries.is_empty() {
                out::line(out::heading(heading))?;
                is_headed = true;
            }
            for entry in &entries {
                let (at, text) = show(entry, self.json);
                out::line(text)?;
                position = Some(at);
            }
            left = left.saturating_sub(entries.len());
            if !has_next {
                return Ok(());
            }
            if left == 0 || entries.is_empty() {
                if let (false, Some(last)) = (self.json, position) {
                    out::line(format_args!("more: {option} {last}, or --all"))?;
                }
                return Ok(());
            }
        }
    }
}
