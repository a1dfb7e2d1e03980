//! Formats the lines of the text log.
//!
//! The same text as tracing-subscriber's [`Format`], which took a seventh of the instructions of a small request.

use std::cell::RefCell;
use std::fmt::{self, Debug, Write};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, time};
use tracing_subscriber::registry::LookupSpan;

/// Memory for a usual line.
const LINE: usize = 256;

/// Formats plain lines itself; those with colours, spans, errors or control characters as the library does.
pub(super) struct TextLine(Format<Full, time::SystemTime>);

impl Default for TextLine {
    fn default() -> Self {
        Self(Format::default().with_target(false))
    }
}

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    #[expect(
        clippy::disallowed_methods,
        reason = "a line has the time at which it is written, also in tests"
    )]
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if !to.has_ansi_escapes() && ctx.event_scope().is_none() {
            let mut fields = Fields { line: String::with_capacity(LINE), is_plain: true };
            push_time(&mut fields.line, Timestamp::now())?;
            fields.line.push_str(level(*event.metadata().level()));
            event.record(&mut fields);
            if fields.is_plain {
                fields.line.push('\n');
                return to.write_str(&fields.line);
            }
        }
        self.0.format_event(ctx, to, event)
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => " ERROR",
        Level::WARN => "  WARN",
        Level::INFO => "  INFO",
        Level::DEBUG => " DEBUG",
        Level::TRACE => " TRACE",
    }
}

/// Adds the time in UTC, to the microsecond. Formats the date once a second.
fn push_time(line: &mut String, now: Timestamp) -> fmt::Result {
    thread_local! {
        static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.as_second() {
            *second = now.as_second();
            *text = Timestamp::from_second(*second).unwrap_or_default().to_string();
        }
        line.push_str(text.trim_end_matches('Z'));
    });
    write!(line, ".{:06}Z", now.subsec_microsecond())
}

/// The fields of an event, each after a space.
struct Fields {
    line: String,
    /// Whether the line has nothing that the library would escape or lay out.
    is_plain: bool,
}

impl Fields {
    fn push_name(&mut self, field: &Field) {
        self.line.push(' ');
        if field.name() != "message" {
            self.is_plain &= !field.name().starts_with("r#");
            self.line.push_str(field.name());
            self.line.push('=');
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.push_name(field);
        let begin = self.line.len();
        self.is_plain &= write!(self.line, "{value:?}").is_ok();
        if field.name() == "message" {
            self.is_plain &= self.line.get(begin..).is_some_and(is_printable);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            return self.record_debug(field, &format_args!("{value}"));
        }
        if !is_printable(value) || value.contains(['"', '\\']) {
            return self.record_debug(field, &value);
        }
        self.push_name(field);
        self.line.push('"');
        self.line.push_str(value);
        self.line.push('"');
    }

    fn record_error(&mut self, _: &Field, _: &(dyn std::error::Error + 'static)) {
        self.is_plain = false;
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // A number of at most 15 digits is the shortest that is read as this one.
        let thousandths = (value * 1e3).round();
        if !(1.0..1e15).contains(&thousandths) || thousandths / 1e3 != value {
            return self.record_debug(field, &value);
        }
        self.push_name(field);
        let thousandths = thousandths as u64;
        let fraction = thousandths % 1000;
        self.is_plain &= match (fraction % 10, fraction % 100) {
            (_, 0) => write!(self.line, "{}.{}", thousandths / 1000, fraction / 100),
            (0, _) => write!(self.line, "{}.{:02}", thousandths / 1000, fraction / 10),
            _ => write!(self.line, "{}.{fraction:03}", thousandths / 1000),
        }
        .is_ok();
    }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// The lines that `log` writes with a format, without their times.
    fn lines(
        format: impl FnOnce(Lines) -> Box<dyn Subscriber + Send + Sync>,
        log: impl FnOnce(),
    ) -> Vec<String> {
        let written = Lines::default();
        tracing::subscriber::with_default(format(written.clone()), log);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let without_time = |line: &str| line.split_once('Z').map_or(line, |(_, rest)| rest).to_owned();
        text.split_inclusive('\n').map(without_time).collect()
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_the_one_of_the_library() {
        let layer = |ansi| tracing_subscriber::fmt::layer().with_ansi(ansi);
        for ansi in [false, true] {
            let ours = |to: Lines| -> Box<dyn Subscriber + Send + Sync> {
                let layer = layer(ansi).event_format(TextLine::default()).with_writer(move || to.clone());
                Box::new(tracing_subscriber::registry().with(layer))
            };
            let theirs = |to: Lines| -> Box<dyn Subscriber + Send + Sync> {
                let layer = layer(ansi).with_target(false).with_writer(move || to.clone());
                Box::new(tracing_subscriber::registry().with(layer))
            };
            let log = || {
                for text in [
                    "plain",
                    "",
                    "a \"quote\" and \\",
                    "tab\t, line\n, esc \u{1b}[31m",
                    "é \u{85} \u{202e}",
                    "\u{7f}'",
                ] {
                    tracing::info!(text, shown = %text, debugged = ?text, "{text}");
                    tracing::warn!(none = None::<&str>, some = Some(text), r#type = text);
                }
                for ms in [
                    0.0, -0.0, 0.001, 0.01, 0.1, 0.12, 0.217, 1.0, 1.05, 10.5, 12.0, 1e3, 123456.789, 1e11,
                    1e12, 1e15, 1e17,
                ] {
                    tracing::error!(ms, negative = -ms, other = ms / 7.0, double = ms * 2.0, "numbers");
                }
                for ms in [f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, f64::MAX] {
                    tracing::debug!(ms, count = 7_u64, less = -7, yes = true);
                }
                let error = io::Error::other(io::Error::other("why\u{1b}"));
                tracing::trace!(error = &error as &dyn std::error::Error, "failed");
                tracing::info_span!("span", of = 1).in_scope(|| tracing::info!("in a span"));
            };
            let (ours, theirs) = (lines(ours, log), lines(theirs, log));
            assert_eq!(ours, theirs);
            assert!(ours.len() > 30, "{ours:?}");
        }
    }

    #[test]
    fn times_are_in_utc_to_the_microsecond() {
        for (nanos, expected) in [
            (1_800_000_000_000_001_999, "2027-01-15T08:00:00.000001Z"),
            (1_800_000_000_999_999_000, "2027-01-15T08:00:00.999999Z"),
            (1_800_000_001_000_000_000, "2027-01-15T08:00:01.000000Z"),
            (1_800_000_000_000_000_000, "2027-01-15T08:00:00.000000Z"),
        ] {
            let mut line = String::new();
            push_time(&mut line, Timestamp::from_nanosecond(nanos).unwrap()).unwrap();
            assert_eq!(line, expected);
        }
    }
}
