//! Reads the users of a file one by one: JSON of any shape that Auth0 and its tools write, or CSV with a header, either
//! compressed with gzip. An invalid record is reported with its position, and reading goes on.

use std::io::{BufRead, BufReader};

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;

use super::csv_records::CsvRecords;
use super::json_records::JsonRecords;
use super::records::{Notes, Row, UNREADABLE};

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Format {
    /// JSON objects, one after the other or in a list: Auth0's user export, bulk import, or Management API.
    #[value(alias = "ndjson")]
    Json,
    /// Comma-separated values; the first line names the columns.
    Csv,
}

type Rows<'a> = Box<dyn Iterator<Item = anyhow::Result<Row>> + 'a>;

/// The records of a file. An error ends them: of the disk, or an interrupted list.
pub(in crate::cli) fn read<'a>(
    mut input: impl BufRead + 'a,
    format: Option<Format>,
    notes: &'a mut Notes,
) -> anyhow::Result<Rows<'a>> {
    if input.fill_buf().context(UNREADABLE)?.starts_with(&[0x1f, 0x8b]) {
        return read_text(BufReader::new(MultiGzDecoder::new(input)), format, notes);
    }
    read_text(input, format, notes)
}

fn read_text<'a>(
    mut input: impl BufRead + 'a,
    format: Option<Format>,
    notes: &'a mut Notes,
) -> anyhow::Result<Rows<'a>> {
    let byte_order_mark = b"\xef\xbb\xbf";
    if input.fill_buf().context(UNREADABLE)?.starts_with(byte_order_mark) {
        input.consume(byte_order_mark.len());
    }
    let start = input.fill_buf().context(UNREADABLE)?;
    let detected = match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => anyhow::bail!("it is empty"),
        Some(b'[' | b'{') => Format::Json,
        Some(_) => Format::Csv,
    };
    Ok(match format.unwrap_or(detected) {
        Format::Json => Box::new(JsonRecords::new(input, notes)),
        Format::Csv => Box::new(CsvRecords::new(input, notes)?),
    })
}
