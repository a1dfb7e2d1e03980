//! Standard output, and texts for a terminal: colours, unless `NO_COLOR` is set, and lines of its width. When the reader of
//! the output closes it (`vestibule config | head -1`), the command ends without an error.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use console::{Term, style};

pub(super) use crate::telemetry::plain;

/// Why a line could not be printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    /// The reader closed the pipe; not a failure.
    #[error("the output was closed")]
    ReaderClosed,
    /// The disk is full, for example.
    #[error("cannot write the output")]
    Failed(#[source] io::Error),
}

/// Prints one line and flushes it.
pub(super) fn line(text: impl Display) -> Result<(), OutputError> {
    write_line(&mut io::stdout().lock(), text)
}

/// Prints a warning to standard error. If that is closed, nothing is left to tell it.
pub(super) fn warn(text: impl Display) {
    drop(writeln!(io::stderr().lock(), "warning: {text}"));
}

/// The mark of a check that passed or failed, in its colour.
pub(super) fn mark(passed: bool) -> String {
    if passed { style('✓').green().to_string() } else { style('✗').red().to_string() }
}

/// A heading, in bold.
pub(super) fn heading(text: &str) -> String {
    style(text).bold().to_string()
}

/// `text` with its lines broken at the width of the terminal, at most [`WIDTH_MAX`]. Each goes on `hang` columns to the right
/// of its beginning. Unchanged when the output is no terminal.
pub(super) fn wrapped(text: &str, hang: usize) -> String {
    wrap(text, hang, &Term::stdout())
}

/// The same, for standard error.
pub(super) fn wrapped_for_stderr(text: &str, hang: usize) -> String {
    wrap(text, hang, &Term::stderr())
}

const WIDTH_MAX: u16 = 100;

fn wrap(text: &str, hang: usize, terminal: &Term) -> String {
    match terminal.size_checked() {
        Some((_, columns)) => wrap_at(text, hang, columns.min(WIDTH_MAX).into()),
        None => text.to_owned(),
    }
}

fn wrap_at(text: &str, hang: usize, width: usize) -> String {
    let line = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        // A table's last column stays readable in a narrow terminal.
        let indent = if indent + hang > width / 2 { indent + 2 } else { indent + hang };
        let indent = " ".repeat(indent);
        // Explicit, since the defaults depend on features that any other crate may turn on.
        let options = textwrap::Options::new(width)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::fill(line, options)
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn write_line(out: &mut impl Write, text: impl Display) -> Result<(), OutputError> {
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => OutputError::ReaderClosed,
        _ => OutputError::Failed(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_broken_at_the_width_and_go_on_below_their_text() {
        let text = "  ✓ check  one two three\n\nnone";
        assert_eq!(wrap_at(text, 9, 22), "  ✓ check  one two\n           three\n\nnone");
        assert_eq!(wrap_at(text, 60, 14), "  ✓ check  one\n    two three\n\nnone", "narrow");
        assert_eq!(wrap_at("https://a.example/long", 2, 10), "https://a.example/long", "no word is broken");
    }

    #[test]
    fn a_closed_pipe_differs_from_a_failed_write() {
        let error = |kind| write_line(&mut Broken(kind), "x").unwrap_err();
        assert!(matches!(error(ErrorKind::BrokenPipe), OutputError::ReaderClosed));
        assert!(matches!(error(ErrorKind::StorageFull), OutputError::Failed(_)));
    }
}
