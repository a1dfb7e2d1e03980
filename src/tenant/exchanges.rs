//! What went over the wire, in and out: a bounded list, for `demo` to narrate and for journeys to count.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most that is remembered.
const ROOM: usize = 2_000;

/// Which way a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the tenant.
    In,
    /// From a script, to wherever it asked.
    Out,
}

/// One request and its answer, without anything secret: no query, no header, no body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpExchange {
    /// Which way.
    pub direction: Direction,
    /// `GET`, `POST`, ….
    pub method: String,
    /// The path of what came in; the URL, without its query, of what went out.
    pub path: String,
    /// The answer's status; none when there was no answer.
    pub status: Option<u16>,
    /// The client or person it was for, or the script that asked, if that is known.
    pub actor: Option<String>,
}

/// The list.
#[derive(Default)]
pub(super) struct Exchanges(Mutex<VecDeque<HttpExchange>>);

impl Exchanges {
    pub(super) fn note(&self, exchange: HttpExchange) {
        let mut list = self.lock();
        if list.len() >= ROOM {
            list.pop_front();
        }
        list.push_back(exchange);
    }

    /// The oldest first.
    pub(super) fn all(&self) -> Vec<HttpExchange> {
        self.lock().iter().cloned().collect()
    }

    /// The list is only ever pushed to and popped from, so a poisoned lock still holds a whole one.
    fn lock(&self) -> MutexGuard<'_, VecDeque<HttpExchange>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let exchanges = Exchanges::default();
        for i in 0..=ROOM {
            let (direction, method) = (Direction::In, "GET".to_owned());
            exchanges.note(HttpExchange {
                direction,
                method,
                path: i.to_string(),
                status: Some(200),
                actor: None,
            });
        }
        let all = exchanges.all();
        assert_eq!(all.len(), ROOM);
        assert_eq!(all[0].path, "1");
    }
}
