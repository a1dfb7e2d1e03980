//! Standard output. A reader that has left (`vestibule config | head -1`) ends the command, and is no failure.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

pub(super) use crate::telemetry::plain;

/// Why something could not be printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    /// Whoever read our output has stopped. Nothing is left to do, and nothing went wrong.
    #[error("nobody reads the output any more")]
    ReaderClosed,
    /// The output is a full disk, or worse.
    #[error("can not write the output")]
    Failed(#[source] io::Error),
}

/// Prints one line, and at once: a command that goes on working shows how far it is.
pub(super) fn line(text: impl Display) -> Result<(), OutputError> {
    write_line(&mut io::stdout().lock(), text)
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
    fn a_reader_that_left_is_told_from_a_failed_write() {
        let error = |kind| write_line(&mut Broken(kind), "x").unwrap_err();
        assert!(matches!(error(ErrorKind::BrokenPipe), OutputError::ReaderClosed));
        assert!(matches!(error(ErrorKind::StorageFull), OutputError::Failed(_)));
    }
}
