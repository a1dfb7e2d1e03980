//! How a request ended, whichever way it came: what a reply or a WebSocket message then says.

use std::borrow::Cow;
use std::io::{self, Write};

use juniper::{DefaultScalarValue, ExecutionError, GraphQLError, Value};
use serde::{Serialize, Serializer};
use warp::http::StatusCode;

use super::cost::Excess;
use super::json::Numbers;
use super::schema::{Answer, Unfit};
use crate::auth::Refusal;
use crate::telemetry::RequestId;

/// How a request ended.
pub(super) enum Outcome {
    /// The gate said no.
    Refused(Refusal),
    /// It was no GraphQL request, or could not be carried out.
    Problem(Problem),
    /// The document or its variables are not valid in the schema.
    Invalid(GraphQLError),
    /// It was executed, perhaps with errors in some fields.
    Executed(Value, Vec<ExecutionError<DefaultScalarValue>>),
}

/// What keeps a request from being executed, other than its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    Method,
    MutationByGet,
    Subscription,
    SubscriptionRoot,
    UnknownDocument,
    NoDocuments,
    Untrusted,
    Protocol,
    Origin,
    Sockets,
    NotAcceptable,
    MediaType,
    TooLarge(usize),
    SlowBody,
    BrokenBody,
    Batch,
    Json(String),
    Parameter(&'static str),
    Excess(Excess),
    AnswerTooLarge(usize),
    OutOfTime,
    Panicked,
}

impl Problem {
    /// Status, code and message.
    pub(super) fn facts(&self) -> (StatusCode, &'static str, Cow<'static, str>) {
        const BAD: (StatusCode, &str) = (StatusCode::BAD_REQUEST, "BAD_REQUEST");
        const OVER: (StatusCode, &str) = (StatusCode::BAD_REQUEST, "LIMIT_EXCEEDED");
        const METHOD: (StatusCode, &str) = (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED");
        let ((status, code), message): (_, Cow<'static, str>) = match self {
            Self::Method => (METHOD, "Send GET or POST.".into()),
            Self::MutationByGet => (METHOD, "Send mutations by POST.".into()),
            Self::Subscription => {
                (BAD, "Subscriptions are served over WebSockets alone, by graphql-transport-ws.".into())
            }
            Self::SubscriptionRoot => {
                (BAD, "A subscription has one root field, and none of the introspection system.".into())
            }
            // The codes are those that Apollo's clients know.
            Self::UnknownDocument => (
                (StatusCode::BAD_REQUEST, "PERSISTED_QUERY_NOT_FOUND"),
                "No trusted document has this id; deploy the manifest before the frontend.".into(),
            ),
            Self::NoDocuments => (
                (StatusCode::BAD_REQUEST, "PERSISTED_QUERY_NOT_SUPPORTED"),
                "No documents are kept here (documents.dir); send the query itself.".into(),
            ),
            Self::Untrusted => (
                (StatusCode::BAD_REQUEST, "DOCUMENT_NOT_TRUSTED"),
                "Only trusted documents are served here (documents.only); send the id of one.".into(),
            ),
            Self::Protocol => (BAD, "The WebSocket has to speak graphql-transport-ws.".into()),
            Self::Origin => (
                (StatusCode::FORBIDDEN, "FORBIDDEN_ORIGIN"),
                "Pages of this origin may not open a WebSocket here (origins).".into(),
            ),
            Self::Sockets => (
                (StatusCode::SERVICE_UNAVAILABLE, "BUSY"),
                "Too many WebSockets are open (socket.connections); try again later.".into(),
            ),
            Self::NotAcceptable => (
                (StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE"),
                "Accept application/graphql-response+json or application/json.".into(),
            ),
            Self::MediaType => (
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"),
                "Send the request as application/json in UTF-8.".into(),
            ),
            Self::TooLarge(limit) => (
                (StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE"),
                format!("The body is over the limit of {limit} bytes (limits.body).").into(),
            ),
            Self::SlowBody => {
                ((StatusCode::REQUEST_TIMEOUT, "TOO_SLOW"), "The body took too long to arrive.".into())
            }
            Self::BrokenBody => (BAD, "The body ended before its time.".into()),
            Self::Batch => (BAD, "Batches are not served; send one request.".into()),
            Self::Json(what) => (BAD, what.clone().into()),
            Self::Parameter(what) => (BAD, (*what).into()),
            Self::Excess(Excess { limit: "cost", most, .. }) => (
                OVER,
                format!(
                    "The operation costs more than the limit of {most} (limits.cost); ask for smaller pages or \
                     fewer fields in them."
                )
                .into(),
            ),
            Self::Excess(Excess { limit: "operations", most, .. }) => (
                OVER,
                format!("The connection is at its limit of {most} operations at once (socket.operations).").into(),
            ),
            Self::Excess(Excess { limit, most, what }) => {
                (OVER, format!("The operation is over the limit of {most} {what} (limits.{limit}).").into())
            }
            Self::AnswerTooLarge(most) => (
                OVER,
                format!("The answer is over the limit of {most} bytes (limits.response); ask for less.").into(),
            ),
            Self::OutOfTime => (
                (StatusCode::SERVICE_UNAVAILABLE, "OUT_OF_TIME"),
                "The operation took longer than it may (limits.time). A change that had begun may still be made."
                    .into(),
            ),
            Self::Panicked => (
                (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
                "The server failed; its log tells more.".into(),
            ),
        };
        (status, code, message)
    }
}

impl From<Answer> for Outcome {
    fn from((data, errors): Answer) -> Self {
        Self::Executed(data, errors)
    }
}

impl From<Unfit> for Outcome {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Problem(problem) => Self::Problem(problem),
            Unfit::Invalid(error) => Self::Invalid(error),
        }
    }
}

/// The body that tells of an outcome.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Body<'a> {
    /// Data, perhaps with errors.
    Executed {
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        errors: &'a [ExecutionError<DefaultScalarValue>],
        data: &'a Value,
    },
    /// Errors alone.
    Errors { errors: Errors<'a> },
}

/// The errors of a request that was not executed.
pub(super) enum Errors<'a> {
    /// juniper serializes these as the list they are.
    Invalid(&'a GraphQLError),
    /// One, of ours.
    One(Failure<'a>),
}

/// One error, its members in the order people read them.
#[derive(Serialize)]
pub(super) struct Failure<'a> {
    message: Cow<'a, str>,
    extensions: Extensions<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extensions<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'a str>,
    request_id: String,
}

impl Serialize for Errors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Invalid(errors) => errors.serialize(serializer),
            Self::One(failure) => [failure].serialize(serializer),
        }
    }
}

impl Outcome {
    /// What is said of it. `request` is how the log calls it.
    pub(super) fn body(&self, request: RequestId) -> Body<'_> {
        let one = |code, stage, message| {
            let extensions = Extensions { code, stage, request_id: request.to_string() };
            Body::Errors { errors: Errors::One(Failure { message, extensions }) }
        };
        match self {
            Self::Executed(data, errors) => Body::Executed { errors, data },
            Self::Invalid(error) => Body::Errors { errors: Errors::Invalid(error) },
            Self::Refused(refusal) => one(refusal.code(), Some(refusal.stage().as_str()), refusal.message()),
            Self::Problem(problem) => {
                let (_, code, message) = problem.facts();
                one(code, None, message)
            }
        }
    }

    /// Says in the log how it ended, once.
    pub(super) fn log(&self, door: &'static str, request: RequestId) {
        match self {
            Self::Refused(refusal) => {
                let (code, stage) = (refusal.code(), refusal.stage().as_str());
                tracing::info!(door, %request, code, stage, "refused");
            }
            Self::Problem(problem) => {
                let (status, code, _) = problem.facts();
                if status.is_server_error() {
                    tracing::error!(door, %request, code, "failed");
                } else {
                    tracing::debug!(door, %request, code, "not executed");
                }
            }
            Self::Invalid(_) => tracing::debug!(door, %request, "invalid operation"),
            Self::Executed(_, errors) => tracing::debug!(door, %request, errors = errors.len(), "executed"),
        }
    }
}

/// JSON of at most `most` bytes. `None` when it would be more: what is too large is not held.
pub(super) fn json(value: &impl Serialize, most: usize) -> Option<Vec<u8>> {
    let mut bounded = Bounded { bytes: Vec::with_capacity(256), most };
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bounded, Numbers)).ok()?;
    Some(bounded.bytes)
}

struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > self.most {
            return Err(io::Error::other("over the limit"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_whole_or_not_there() {
        assert_eq!(json(&"abc", 5).as_deref(), Some(&b"\"abc\""[..]));
        assert_eq!(json(&"abcd", 5), None);
    }
}
