//! Lists that are printed page by page, so that ten million lines take no more memory than a thousand.

use std::fmt::Display;

use serde_json::Value;

use super::out;
use crate::store::{PAGE_MAX, StoreError};

/// How much of a list, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Pages {
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    first: usize,
    /// All of them.
    #[arg(long, conflicts_with = "first")]
    all: bool,
    /// Prints a JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What one thing in a list looks like, and how the list goes on after it.
pub(super) struct Form<T, P> {
    /// Where it stands.
    pub(super) place: fn(&T) -> P,
    /// What to type before the place to go on from there.
    pub(super) go_on: &'static str,
    pub(super) text: fn(&T) -> String,
    pub(super) json: fn(&T) -> Value,
}

impl Pages {
    /// Prints what `page` gives, beginning after `place`. It is asked for at most so many things after a place, and tells
    /// whether more follow.
    pub(super) fn print<T, P: Copy + Display>(
        &self,
        form: &Form<T, P>,
        mut place: Option<P>,
        mut page: impl FnMut(usize, Option<P>) -> Result<(Vec<T>, bool), StoreError>,
    ) -> anyhow::Result<()> {
        let mut left = if self.all { usize::MAX } else { self.first };
        loop {
            let (things, has_next) = page(left.min(PAGE_MAX), place)?;
            for thing in &things {
                out::line(if self.json { (form.json)(thing).to_string() } else { (form.text)(thing) })?;
            }
            left = left.saturating_sub(things.len());
            place = things.last().map(form.place).or(place);
            if !has_next {
                return Ok(());
            }
            if left == 0 || things.is_empty() {
                if let (false, Some(last)) = (self.json, place) {
                    out::line(format_args!("there are more: {} {last}, or --all", form.go_on))?;
                }
                return Ok(());
            }
        }
    }
}
