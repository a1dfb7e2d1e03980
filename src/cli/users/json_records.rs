//! The records of JSON text: objects one after the other, however they are broken into lines; in a list; or in the list
//! `users` of a page of the Management API.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::records::{Notes, Position, RECORD_MAX, Record, Row, UNREADABLE};
use crate::store::ImportRow;

/// How many bytes to read at once.
const BLOCK: usize = 64 * 1024;

/// How far into an object the list `users` of a page begins at most.
const PAGE_HEAD: usize = 1024;

pub(super) struct JsonRecords<'a, R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the next record begins in the buffer, and on which line of the file.
    at: usize,
    line: u64,
    list: Option<List>,
    /// How many records there were in lists.
    records: u64,
    notes: &'a mut Notes,
}

#[derive(Clone, Copy, PartialEq)]
enum List {
    TopLevel,
    OfPage,
}

impl<R: BufRead> Iterator for JsonRecords<'_, R> {
    type Item = anyhow::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl<'a, R: BufRead> JsonRecords<'a, R> {
    pub(super) fn new(input: R, notes: &'a mut Notes) -> Self {
        Self { input, buffer: Vec::new(), at: 0, line: 1, list: None, records: 0, notes }
    }

    fn read(&mut self) -> anyhow::Result<Option<Row>> {
        loop {
            let byte = self.peek()?;
            match (byte, self.list) {
                (None, None) => return Ok(None),
                (None, Some(_)) => anyhow::bail!("the list is interrupted after record {}", self.records),
                (Some(b','), _) => self.skip(1),
                (Some(b'['), None) => {
                    self.list = Some(List::TopLevel);
                    self.skip(1);
                }
                (Some(b']'), Some(list)) => {
                    self.list = None;
                    self.skip(1);
                    while list == List::OfPage && self.peek()?.is_some_and(|byte| byte != b'}') {
                        self.skip(1);
                    }
                    self.skip(usize::from(list == List::OfPage));
                }
                (Some(byte), list) => {
                    let head = if byte == b'{' && list.is_none() { self.page_head()? } else { None };
                    let Some(head) = head else { return self.record().map(Some) };
                    self.list = Some(List::OfPage);
                    self.skip(head);
                }
            }
        }
    }

    fn record(&mut self) -> anyhow::Result<Row> {
        let position = match self.list {
            Some(_) => Position::Record(self.records + 1),
            None => Position::Line(self.line),
        };
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            let (length, error) =
                match <&RawValue>::deserialize(&mut serde_json::Deserializer::from_slice(rest)) {
                    Ok(raw) => {
                        let (row, length) = (from_json(raw.get(), self.notes), raw.get().len());
                        self.skip(length);
                        self.records += u64::from(self.list.is_some());
                        return Ok((position, row));
                    }
                    Err(error) => (rest.len(), error),
                };
            anyhow::ensure!(length <= RECORD_MAX, "{position} is longer than {RECORD_MAX} bytes");
            if error.is_eof() && self.fill()? {
                continue;
            }
            anyhow::ensure!(self.list.is_none(), "the list is interrupted after record {}", self.records);
            self.skip_broken()?;
            let line = if error.line() > 1 { format!("line {}, ", error.line()) } else { String::new() };
            return Ok((position, Err(format!("not a JSON object ({line}column {})", error.column()))));
        }
    }

    /// Skips to the next line that begins with an object.
    fn skip_broken(&mut self) -> anyhow::Result<()> {
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            if let Some(before) = rest.windows(2).position(|pair| pair == b"\n{") {
                self.skip(before + 1);
                return Ok(());
            }
            self.skip(rest.len().saturating_sub(1));
            if !self.fill()? {
                self.skip(1);
                return Ok(());
            }
        }
    }

    /// How long the beginning of a page is, up to its users.
    fn page_head(&mut self) -> anyhow::Result<Option<usize>> {
        while self.buffer.len() - self.at < PAGE_HEAD && self.fill()? {}
        let rest = self.buffer.get(self.at..).unwrap_or_default().iter().take(PAGE_HEAD);
        let head: Vec<u8> = rest.copied().take_while(|byte| *byte != b'[').collect();
        let plain: Vec<u8> = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        // Before the users there are only numbers.
        let is_page =
            plain.ends_with(b"\"users\":") && !plain.iter().skip(1).any(|byte| b"{}".contains(byte));
        Ok(is_page.then_some(head.len() + 1))
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> anyhow::Result<Option<u8>> {
        loop {
            while let Some(byte) = self.buffer.get(self.at) {
                if !byte.is_ascii_whitespace() {
                    return Ok(Some(*byte));
                }
                self.skip(1);
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn skip(&mut self, bytes: usize) {
        let skipped = self.buffer.iter().skip(self.at).take(bytes);
        self.line += skipped.map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        self.at = self.buffer.len().min(self.at + bytes);
    }

    /// Reads more: as much as is left, so that the tries to read one record cost no more than reading it twice.
    fn fill(&mut self) -> anyhow::Result<bool> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let more = u64::try_from(self.buffer.len().max(BLOCK))?;
        let read = self.input.by_ref().take(more).read_to_end(&mut self.buffer).context(UNREADABLE)?;
        Ok(read > 0)
    }
}

fn from_json(text: &str, notes: &mut Notes) -> Result<ImportRow, String> {
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|_| "is JSON, but not an object".to_owned())?;
    let mut record = Record::new();
    for (name, raw) in members {
        let value = notes.field(&name).map(|field| (field, serde_json::from_str(raw.get())));
        if let Some((field, Ok(value))) = value
            && !matches!(&value, Value::Null)
            && value.as_str() != Some("")
        {
            record.entry(field).or_insert(value);
        }
    }
    notes.row(&record)
}
