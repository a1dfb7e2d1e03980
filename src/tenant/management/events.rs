//! `GET /api/v2/events`: the feed of users' changes as server-sent events, in order, resumable after an offset.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};
use warp::sse::Event;

use super::super::Inner;
use super::super::accounts::document;
use super::super::db::TenantDb;
use super::super::error::Result;
use super::super::request::HttpRequest;
use super::call::ApiError;

/// The time between two signs of life on an idle stream.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The most streams open at a time.
const MAX_STREAMS: usize = 50;
/// The events read at a time.
const BATCH: i64 = 100;

/// Where a stream stands.
struct Feed {
    db: TenantDb,
    after: i64,
    kinds: Vec<String>,
    ready: VecDeque<Event>,
    changes: tokio::sync::watch::Receiver<u64>,
}

/// The stream of a request whose scopes were checked.
pub(super) fn subscribe(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
) -> std::result::Result<
    impl Stream<Item = std::result::Result<Event, Infallible>> + Send + Sync + use<>,
    ApiError,
> {
    let (mut kinds, mut from, mut since) = (Vec::new(), None, None);
    for (name, value) in url::form_urlencoded::parse(request.query.as_bytes()) {
        match name.as_ref() {
            "event_type" | "event_type[]" => kinds.extend(value.split(',').map(str::to_owned)),
            "from" => from = Some(value.into_owned()),
            "from_timestamp" => since = Some(value.into_owned()),
            _ => {}
        }
    }
    if from.is_some() && since.is_some() {
        return Err(ApiError::query("'from and from_timestamp exclude each other' on property from"));
    }
    let changes = tenant.db.events.subscribe();
    if tenant.db.events.receiver_count() > MAX_STREAMS {
        return Err(ApiError::new(429, "Too many connections to the feed.", "too_many_requests"));
    }
    // The header, which clients set when they reconnect, wins.
    let offset = request.header("last-event-id").map(str::to_owned).or(from);
    let after = match (offset, since) {
        (Some(offset), _) => offset
            .strip_prefix("evo_")
            .and_then(|seq| seq.parse().ok())
            .ok_or_else(|| ApiError::query("'Invalid offset' on property from"))?,
        (None, Some(since)) => {
            let since: Timestamp = since
                .parse()
                .map_err(|_| ApiError::query("'Invalid timestamp' on property from_timestamp"))?;
            tenant.db.event_before(since.as_millisecond())?
        }
        (None, None) => tenant.db.event_before(i64::MAX)?,
    };
    let feed = Feed { db: tenant.db.clone(), after, kinds, ready: VecDeque::new(), changes };
    let opening = Event::default().comment("connected").retry(Duration::from_secs(2));
    let opening = stream::once(async move { Ok(opening) });
    Ok(opening.chain(stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await;
        Some((Ok(event), feed))
    })))
}

impl Feed {
    /// The next event, or a mark of the offset after some idle time.
    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            self.changes.mark_unchanged();
            match self.read() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "the feed of events cannot be read"),
            }
            if !matches!(tokio::time::timeout(HEARTBEAT, self.changes.changed()).await, Ok(Ok(()))) {
                let offset = offset(self.after);
                let data = json!({"type": "offset-only", "offset": offset});
                return Event::default().event("offset-only").id(offset).data(data.to_string());
            }
        }
    }

    /// Reads the next events. Returns whether there were any, wanted or not.
    fn read(&mut self) -> Result<bool> {
        let read = self.db.events_after(self.after)?;
        for (seq, kind, event) in &read {
            self.after = *seq;
            if self.kinds.is_empty() || self.kinds.contains(kind) {
                let data = json!({"type": kind, "offset": offset(*seq), "event": event});
                self.ready
                    .push_back(Event::default().event(kind.as_str()).id(offset(*seq)).data(data.to_string()));
            }
        }
        Ok(!read.is_empty())
    }
}

fn offset(seq: i64) -> String {
    format!("evo_{seq:016}")
}

impl TenantDb {
    pub(in crate::tenant) fn events_after(&self, seq: i64) -> Result<Vec<(i64, String, Value)>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT seq, type, body FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
        let rows = statement
            .query_map([seq, BATCH], |row| Ok((row.get(0)?, row.get(1)?, document(row, 2)?.into())))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// The last event before a time, in unix milliseconds.
    fn event_before(&self, time: i64) -> Result<i64> {
        let sql = "SELECT coalesce(max(seq), 0) FROM event WHERE at < ?1";
        Ok(self.lock().query_row(sql, [time], |row| row.get(0))?)
    }
}
