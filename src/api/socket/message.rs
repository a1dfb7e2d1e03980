//! The messages and close codes of `graphql-transport-ws`, the protocol of the npm package `graphql-ws`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::response::{ResponseBody, ResponseErrors};
use crate::auth::{Presented, Refusal, credential, parse};

/// The subprotocol in `Sec-WebSocket-Protocol`.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";

/// A message from the client.
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

/// A message to the client.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ToClient<'a> {
    ConnectionAck,
    Pong,
    Next { id: &'a str, payload: ResponseBody<'a> },
    Error { id: &'a str, payload: ResponseErrors<'a> },
    Complete { id: &'a str },
}

/// The code and reason of a close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

/// A control frame holds 125 bytes, two of them for the code (RFC 6455 §5.5).
const REASON_MAX: usize = 123;

impl Close {
    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// The server stops. Clients reconnect by themselves.
    pub(super) const GOING_AWAY: Self = Self::new(1001, "The server is going away; connect again.");
    pub(super) const TOO_BIG: Self = Self::new(1009, "The message exceeds the limit (socket.message).");
    pub(super) const BAD_MESSAGE: Self = Self::new(4400, "Invalid message");
    pub(super) const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    pub(super) const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    pub(super) const DUPLICATE_ID: Self = Self::new(4409, "Subscriber already exists");
    pub(super) const SECOND_INIT: Self = Self::new(4429, "Too many initialisation requests");

    /// The gate refused the caller: 4403. It could not decide: 1013, try again later.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        let code = if refusal.status() == 503 { 1013 } else { 4403 };
        let mut reason = format!("{}: {}", refusal.code(), refusal.message());
        reason.truncate(reason.floor_char_boundary(REASON_MAX));
        Self { code, reason: reason.into() }
    }
}

/// The credential in `connection_init`: `Authorization` or `authorization` with the value of the HTTP header, or `token` with the
/// bare token. Refuses two of them, and what the bearer stage refuses.
pub(super) fn presented(payload: Option<&Map<String, Value>>) -> Result<Presented, Refusal> {
    let mut credentials = None;
    for name in ["Authorization", "authorization", "token"] {
        let value = match payload.and_then(|payload| payload.get(name)) {
            None | Some(Value::Null) => continue,
            Some(Value::String(value)) => value,
            Some(_) => {
                return Err(Refusal::MalformedRequest("The token in connection_init is not a string."));
            }
        };
        if credentials.replace((name, value)).is_some() {
            return Err(Refusal::MalformedRequest("connection_init has two tokens; send one."));
        }
    }
    match credentials {
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
    fn a_token_is_read_from_each_place_that_clients_use() {
        for payload in [
            json!({"Authorization": "Bearer a.b.c"}),
            json!({"authorization": "bearer a.b.c", "other": 1}),
            json!({"token": "a.b.c", "authorization": null}),
        ] {
            assert!(matches!(from(payload.clone()), Ok(Presented::Token(_))), "{payload}");
        }
        for absent in [json!(null), json!({}), json!({"Authorization": "Basic dTpw"})] {
            assert!(matches!(from(absent.clone()), Ok(Presented::Nothing(_))), "{absent}");
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
    fn a_long_reason_is_cut_to_the_size_of_its_frame() {
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
