//! The records of a CSV file, whose first line names the columns.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use anyhow::Context;

use super::records::{Field, Notes, Position, RECORD_MAX, Record, Row, UNREADABLE, flag};

/// How many columns an error names.
const COLUMNS_SHOWN: usize = 20;

/// A file without a column that identifies users.
#[derive(Debug, thiserror::Error)]
#[error("no column is named user_id or email; the columns in its first line are {0}")]
pub(in crate::cli) struct NoKeyColumn(String);

pub(super) struct CsvRecords<'a, R> {
    table: csv::Reader<Limited<R>>,
    left: Rc<Cell<usize>>,
    fields: Vec<Option<Field>>,
    notes: &'a mut Notes,
}

/// Fails when more was read than is `left`: a quotation mark that is never closed makes a field of the rest of the file.
struct Limited<R> {
    input: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        let left = self.left.get().checked_sub(read);
        self.left.set(left.ok_or_else(|| {
            io::Error::other(format!(
                "a record is longer than {RECORD_MAX} bytes; is a quotation mark missing?"
            ))
        })?);
        Ok(read)
    }
}

impl<'a, R: Read> CsvRecords<'a, R> {
    pub(super) fn new(input: R, notes: &'a mut Notes) -> anyhow::Result<Self> {
        let left = Rc::new(Cell::new(RECORD_MAX));
        let input = Limited { input, left: Rc::clone(&left) };
        let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
        let mut fields = Vec::new();
        for name in table.headers().context("the first line does not name columns")? {
            let name = name.strip_prefix('\'').unwrap_or(name);
            let field = notes.field(name);
            anyhow::ensure!(
                field.is_none() || !fields.contains(&field),
                "two columns contain {}, the second is {name}; remove one of them",
                field.map(|field| field.to_string()).unwrap_or_default()
            );
            fields.push(field);
        }
        if ![Field::UserId, Field::Id, Field::Email].iter().any(|key| fields.contains(&Some(*key))) {
            let names: Vec<String> =
                table.headers()?.iter().take(COLUMNS_SHOWN).map(|name| format!("{name:?}")).collect();
            return Err(NoKeyColumn(names.join(", ")).into());
        }
        Ok(Self { table, left, fields, notes })
    }

    fn read(&mut self) -> anyhow::Result<Option<Row>> {
        let mut record = csv::StringRecord::new();
        self.left.set(RECORD_MAX);
        let read = self.table.read_record(&mut record);
        let line = record.position().map_or(0, csv::Position::line);
        let row = match read {
            Ok(false) => return Ok(None),
            Ok(true) => {
                let values = self.fields.iter().zip(&record).filter(|(_, text)| !text.is_empty());
                let values = values.filter_map(|(field, text)| match (*field)? {
                    // In a profile only `true` counts, which a table has as text.
                    Field::EmailVerified => Some((Field::EmailVerified, flag(&text.into()).into())),
                    field => Some((field, text.into())),
                });
                let record: Record = values.collect();
                self.notes.row(&record)
            }
            Err(error) => match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    Err(format!("has {len} columns, not {expected_len}"))
                }
                csv::ErrorKind::Utf8 { .. } => Err("is not UTF-8".to_owned()),
                _ => return Err(error).context(UNREADABLE),
            },
        };
        Ok(Some((Position::Line(line), row)))
    }
}

impl<R: Read> Iterator for CsvRecords<'_, R> {
    type Item = anyhow::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
