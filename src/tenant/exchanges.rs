//! The HTTP exchanges, in and out: a bounded list that `demo` prints and tests count.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most exchanges kept.
const CAPACITY: usize = 2_000;

/// The direction of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the tenant.
    In,
    /// From a script to another server.
    Out,
}

/// One request and its response, without secrets: no query, no header, no body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpExchange {
    /// To the tenant, or from a script.
    pub direction: Direction,
    /// `GET`, `POST`, ….
    pub method: String,
    /// The path of an incoming request; the URL without its query of an outgoing one.
    pub path: String,
    /// The response's status; `None` when there was no response.
    pub status: Option<u16>,
    /// The client or user the request was for, or the script that made it, if known.
    pub actor: Option<String>,
}

/// The latest exchanges.
#[derive(Default)]
pub(super) struct ExchangeLog(Mutex<VecDeque<HttpExchange>>);

impl ExchangeLog {
    pub(super) fn record(&self, exchange: HttpExchange) {
        let mut list = self.lock();
        list.push_back(exchange);
        if list.len() > CAPACITY {
            list.pop_front();
        }
    }

    /// The oldest first.
    pub(super) fn all(&self) -> Vec<HttpExchange> {
        self.lock().iter().cloned().collect()
    }

    /// The list is only pushed to and popped from, so it is consistent even after a panic.
    fn lock(&self) -> MutexGuard<'_, VecDeque<HttpExchange>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_exchanges_are_dropped() {
        let exchanges = ExchangeLog::default();
        for i in 0..=CAPACITY {
            let (direction, method) = (Direction::In, "GET".to_owned());
            let (path, status) = (i.to_string(), Some(200));
            exchanges.record(HttpExchange { direction, method, path, status, actor: None });
        }
        let all = exchanges.all();
        assert_eq!(all.len(), CAPACITY);
        assert_eq!(all[0].path, "1");
    }
}
