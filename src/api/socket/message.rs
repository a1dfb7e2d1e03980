//! The messages and close codes of `graphql-transport-ws`, the protocol of the npm package `graphql-ws`.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};

use crate::api::response::{ResponseBody, ResponseErrors};
use crate::auth::{Presented, Refusal, credential, parse, strict_json};

/// The subprotocol in `Sec-WebSocket-Protocol`.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";

/// A message from the client.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromClient {
    ConnectionInit {
        /// Refuses anything but an object; [`presented`] reads it.
        #[serde(default, rename = "payload")]
        _payload: Option<HashMap<String, IgnoredAny>>,
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
    pub(super) const PROTOCOL_ERROR: Self = Self::new(1002, "The WebSocket protocol was violated.");
    pub(super) const NOT_UTF8: Self = Self::new(1007, "A text message is not UTF-8.");
    pub(super) const TOO_BIG: Self = Self::new(1009, "The message exceeds the limit (socket.message).");
    pub(super) const TOO_MANY: Self =
        Self::new(1013, "The caller has too many WebSockets (socket.per_caller); close another one.");
    pub(super) const BAD_MESSAGE: Self = Self::new(4400, "Invalid message");
    pub(super) const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    pub(super) const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    pub(super) const DUPLICATE_ID: Self = Self::new(4409, "Subscriber already exists");
    pub(super) const SECOND_INIT: Self = Self::new(4429, "Too many initialisation requests");

    /// The close frame for an error of the WebSocket itself; `None` when the connection is gone.
    pub(super) fn broken(error: &Error) -> Option<Self> {
        match error {
            Error::Capacity(_) => Some(Self::TOO_BIG),
            Error::Utf8(_) => Some(Self::NOT_UTF8),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
            Error::Protocol(_) => Some(Self::PROTOCOL_ERROR),
            _ => None,
        }
    }

    /// The gate refused the caller: 4403. It could not decide: 1013, try again later.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        let code = if refusal.status() == 503 { 1013 } else { 4403 };
        let mut reason = format!("{}: {}", refusal.code(), refusal.message());
        reason.truncate(reason.floor_char_boundary(REASON_MAX));
        Self { code, reason: reason.into() }
    }
}

/// Members of `connection_init`'s payload that clients put a token in, and whether it is a whole `Authorization` value. The
/// object `headers` may have the first two as well.
const TOKEN_MEMBERS: [(&str, bool); 5] = [
    ("Authorization", true),
    ("authorization", true),
    ("accessToken", false),
    ("authToken", false),
    ("token", false),
];

/// The credential in `connection_init`: in one of the [`TOKEN_MEMBERS`]. Refuses two of them, a token in another member, and what
/// the bearer stage refuses: only a message without a credential is anonymous.
pub(super) fn presented(init: &str) -> Result<Presented, Refusal> {
    let Ok(mut message) = strict_json(init.as_bytes()) else {
        return Err(Refusal::MalformedRequest("connection_init repeats a member or is nested too deeply."));
    };
    let payload = message.get_mut("payload").and_then(Value::as_object_mut);
    let mut credentials = Vec::new();
    if let Some(payload) = payload {
        let mut take = |members: &mut Map<String, Value>, places: &[(&'static str, bool)]| {
            let taken = places.iter().filter_map(|(name, whole)| Some((members.remove(*name)?, *whole)));
            credentials.extend(taken.filter(|(value, _)| !value.is_null()));
        };
        take(payload, &TOKEN_MEMBERS);
        if let Some(headers) = payload.get_mut("headers").and_then(Value::as_object_mut) {
            take(headers, TOKEN_MEMBERS.get(..2).unwrap_or_default());
        }
    }
    if message.iter().any(|(name, value)| has_token(name, value)) {
        return Err(Refusal::MalformedRequest(
            "connection_init has a token in a member that isn't read; send Authorization.",
        ));
    }
    match credentials.as_slice() {
        [] => credential(None),
        [(Value::String(value), true)] => credential(Some(value.as_bytes())),
        [(Value::String(token), false)] => parse(token).map(Presented::Token),
        [_] => Err(Refusal::MalformedRequest("The token in connection_init is not a string.")),
        _ => Err(Refusal::MalformedRequest("connection_init has two tokens; send one.")),
    }
}

/// Whether a member, or one inside it, looks like a credential by its name or its value.
fn has_token(name: &str, value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| has_token(name, value)),
        Value::Array(items) => items.iter().any(|item| has_token(name, item)),
        Value::Null => false,
        Value::String(text) if parse(text).is_ok_and(|_| text.starts_with("eyJ")) => true,
        Value::String(text) if text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")) => {
            true
        }
        _ => {
            let name = name.to_ascii_lowercase().replace(['-', '_'], "");
            ["authorization", "accesstoken", "authtoken", "idtoken", "token", "bearer", "jwt"]
                .contains(&&*name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Permissions;

    fn outcome(payload: &str) -> Result<bool, &'static str> {
        let message = format!(r#"{{"type":"connection_init","payload":{payload}}}"#);
        match presented(&message) {
            Ok(Presented::Token(bearer)) => Ok(bearer.as_bytes() == b"a.b.c"),
            Ok(Presented::Nothing(_)) => Ok(false),
            Err(refusal) => Err(refusal.code()),
        }
    }

    #[test]
    fn a_token_is_read_from_each_place_that_clients_use() {
        for payload in [
            r#"{"Authorization": "Bearer a.b.c"}"#,
            r#"{"authorization": "bearer a.b.c", "other": 1}"#,
            r#"{"headers": {"Authorization": "Bearer a.b.c", "x-other": "y"}}"#,
            r#"{"headers": {"authorization": "Bearer a.b.c"}, "Authorization": null}"#,
            r#"{"accessToken": "a.b.c"}"#,
            r#"{"authToken": "a.b.c"}"#,
            r#"{"token": "a.b.c", "authorization": null}"#,
        ] {
            assert_eq!(outcome(payload), Ok(true), "{payload}");
        }
    }

    #[test]
    fn only_a_message_without_a_credential_is_anonymous() {
        for absent in
            ["null", "{}", r#"{"token": null, "headers": {}}"#, r#"{"version": "1.2.3", "csrfToken": "x"}"#]
        {
            assert_eq!(outcome(absent), Ok(false), "{absent}");
        }
        let (malformed, other) = (Err("MALFORMED_REQUEST"), Err("NO_TOKEN"));
        for (payload, refused) in [
            (r#"{"Authorization": 7}"#, malformed),
            (r#"{"Authorization": ["Bearer a.b.c"]}"#, malformed),
            (r#"{"Authorization": "Bearer"}"#, malformed),
            (r#"{"Authorization": "a.b.c"}"#, malformed),
            (r#"{"Authorization": "Basic dTpw"}"#, other),
            (r#"{"token": "Bearer a.b.c"}"#, Err("MALFORMED_TOKEN")),
            (r#"{"token": ""}"#, Err("MALFORMED_TOKEN")),
            // Two, as two headers.
            (r#"{"Authorization": "Bearer a.b.c", "token": "a.b.c"}"#, malformed),
            (r#"{"Authorization": "Bearer a.b.c", "Authorization": "Bearer a.b.c"}"#, malformed),
            (r#"{"Authorization": "Bearer a.b.c", "\u0041uthorization": null}"#, malformed),
            (r#"{"authorization": "Bearer a.b.c", "headers": {"Authorization": "Bearer a.b.c"}}"#, malformed),
            (r#"{"headers": {}, "headers": {"Authorization": "Bearer a.b.c"}}"#, malformed),
            // In a place that isn't read.
            (r#"{"AUTHORIZATION": "Bearer a.b.c"}"#, malformed),
            (r#"{"access_token": "opaque"}"#, malformed),
            (r#"{"headers": {"X-Access-Token": "eyJ.b.c"}}"#, malformed),
            (r#"{"headers": "Bearer a.b.c"}"#, malformed),
            (r#"{"headers": [{"Authorization": "Bearer a.b.c"}]}"#, malformed),
            (r#"{"context": {"headers": {"authorization": "opaque"}}}"#, malformed),
            (r#"{"token": "a.b.c", "id_token": "d.e.f"}"#, malformed),
            // Beside the payload.
            (r#"{}, "Authorization": "Bearer a.b.c""#, malformed),
        ] {
            assert_eq!(outcome(payload), refused, "{payload}");
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
