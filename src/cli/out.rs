//! Standard output. When its reader closes it (`vestibule config | head -1`), the command ends without an error.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

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
    fn a_closed_pipe_differs_from_a_failed_write() {
        let error = |kind| write_line(&mut Broken(kind), "x").unwrap_err();
        assert!(matches!(error(ErrorKind::BrokenPipe), OutputError::ReaderClosed));
        assert!(matches!(error(ErrorKind::StorageFull), OutputError::Failed(_)));
    }
}
