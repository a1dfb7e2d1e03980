//! The messages of `graphql-transport-ws` (the GraphQL over WebSocket protocol of the npm package `graphql-ws`), and the
//! codes it closes with.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::outcome::{Body, Errors};
use crate::auth::{Presented, Refusal, credential, parse};

/// The name of the protocol, as `Sec-WebSocket-Protocol` has it.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromClient {
    ConnectionInit {
        #[serde(default)]
        payload: Option<Map<String, Value>>,
    },
    Ping {},
    Pong {},
    Subscribe {
        id: String,
        payload: Value,
    },
    Complete {
        id: String,
    },
}

/// What we say.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ToClient<'a> {
    ConnectionAck,
    Pong,
    Next { id: &'a str, payload: Body<'a> },
    Error { id: &'a str, payload: Errors<'a> },
    Complete { id: &'a str },
}

/// Why we close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

/// RFC 6455 §5.5: a control frame holds 125 bytes, two of them the code.
const REASON_MAX: usize = 123;

impl Close {
    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// The server stops. Clients come back by themselves.
    pub(super) const GOING_AWAY: Self = Self::new(1001, "The server is going away; connect again.");
    pub(super) const TOO_BIG: Self = Self::new(1009, "The message is over the limit (socket.message).");
    pub(super) const BAD_MESSAGE: Self = Self::new(4400, "Invalid message");
    pub(super) const NOT_ACKNOWLEDGED: Self = Self::new(4401, "Unauthorized");
    pub(super) const NO_INIT: Self = Self::new(4408, "Connection initialisation timeout");
    pub(super) const TAKEN: Self = Self::new(4409, "Subscriber already exists");
    pub(super) const SECOND_INIT: Self = Self::new(4429, "Too many initialisation requests");

    /// The gate said no: 4403, after which clients may try again with another token; or 1013, try again later, when it could
    /// not decide.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        let code = if refusal.status() == 503 { 1013 } else { 4403 };
        let mut reason = format!("{}: {}", refusal.code(), refusal.message());
        reason.truncate(reason.floor_char_boundary(REASON_MAX));
        Self { code, reason: reason.into() }
    }
}

/// What `connection_init` presents: `Authorization` or `authorization` as the header would have it, or the bare token as
/// `token`.
///
/// # Errors
/// As the bearer stage has them.
pub(super) fn presented(payload: Option<&Map<String, Value>>) -> Result<Presented, Refusal> {
    let mut found = None;
    for name in ["Authorization", "authorization", "token"] {
        let value = match payload.and_then(|payload| payload.get(name)) {
            None | Some(Value::Null) => continue,
            Some(Value::String(value)) => value,
            Some(_) => return Err(Refusal::MalformedRequest("The token of connection_init is no text.")),
        };
        if found.replace((name, value)).is_some() {
            return Err(Refusal::MalformedRequest("Two tokens were sent in connection_init; send one."));
        }
    }
    match found {
        None => credential(None),
        Some(("token", token)) => parse(token).map(Presented::Token),
        Some((_, value)) => credential(Some(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Permissions;
    use serde_json::json;

    fn from(payload: Value) -> Result<Presented, Refusal> {
        presented(payload.as_object())
    }

    #[test]
    fn a_token_is_found_where_clients_put_it() {
        for payload in [
            json!({"Authorization": "Bearer a.b.c"}),
            json!({"authorization": "bearer a.b.c", "other": 1}),
            json!({"token": "a.b.c", "authorization": null}),
        ] {
            assert!(matches!(from(payload.clone()), Ok(Presented::Token(_))), "{payload}");
        }
        for nothing in [json!(null), json!({}), json!({"Authorization": "Basic dTpw"})] {
            assert!(matches!(from(nothing.clone()), Ok(Presented::Nothing(_))), "{nothing}");
        }
        for bad in [
            json!({"Authorization": 7}),
            json!({"Authorization": "Bearer"}),
            json!({"Authorization": "Bearer a.b.c", "token": "a.b.c"}),
            json!({"token": "Bearer a.b.c"}),
            json!({"token": ""}),
        ] {
            assert!(from(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reason_fits_its_frame() {
        let close = Close::refused(&Refusal::MalformedRequest(
            "A text that is longer than what a control frame of a WebSocket may hold, which is a hundred and twenty-five bytes \
             with the code.",
        ));
        assert_eq!((close.code, close.reason.len()), (4403, REASON_MAX));
        let missing = Permissions::from_scope(&"ä".repeat(REASON_MAX));
        let close = Close::refused(&Refusal::NotPermitted { missing });
        assert!((REASON_MAX - 1..=REASON_MAX).contains(&close.reason.len()), "{}", close.reason);
        assert_eq!(Close::refused(&Refusal::KeysUnavailable).code, 1013);
    }
}
