//! Why a request isn't executed, apart from its caller.

use juniper::GraphQLError;
use warp::http::StatusCode;

/// The reason why a request isn't executed, as clients read it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestError {
    #[error("Send GET or POST.")]
    Method,
    #[error("Send mutations by POST.")]
    MutationByGet,
    #[error("Subscriptions are served over WebSockets only, by graphql-transport-ws.")]
    SubscriptionOverHttp,
    #[error("A subscription must have exactly one root field, and not one of the introspection system.")]
    SubscriptionRoot,
    #[error("No trusted document has this id; deploy the manifest before the frontend.")]
    UnknownDocument,
    #[error("This API has no trusted documents (documents.dir); send the query itself.")]
    NoDocuments,
    #[error("This API serves trusted documents only (documents.only); send the id of one.")]
    UntrustedDocument,
    #[error("The WebSocket must use the subprotocol graphql-transport-ws.")]
    Subprotocol,
    #[error("Pages of this origin may not open a WebSocket here (origins).")]
    Origin,
    #[error("Too many WebSockets are open (socket.connections); try again later.")]
    TooManySockets,
    #[error("Accept application/graphql-response+json or application/json.")]
    NotAcceptable,
    #[error("Send the request as application/json in UTF-8.")]
    MediaType,
    #[error("The body exceeds the limit of {0} bytes (limits.body).")]
    BodyTooLarge(usize),
    #[error("The body took too long to arrive.")]
    BodyTimeout,
    #[error("The body is incomplete.")]
    BodyIncomplete,
    #[error("Batches are not supported; send one request.")]
    Batch,
    #[error("The body is not JSON: line {line}, column {column}.")]
    NotJson { line: usize, column: usize },
    #[error("The body is not a GraphQL request: send an object with a string `query` or a `documentId`.")]
    NotGraphql,
    /// A parameter of the query string, or a member of the body.
    #[error("{0}")]
    Parameter(&'static str),
    /// `key` is the limit's key in `limits`, `unit` what it counts.
    #[error("The operation exceeds the limit of {max} {unit} (limits.{key}).")]
    LimitExceeded { key: &'static str, max: u64, unit: &'static str },
    #[error(
        "The operation costs more than the limit of {0} (limits.cost); ask for smaller pages or fewer fields in them."
    )]
    Cost(u64),
    #[error("The introspection selects more than {0} fields, twice what GraphiQL's does; select less.")]
    Introspection(u64),
    #[error("The connection already runs {0} operations, its limit (socket.operations).")]
    TooManyOperations(usize),
    #[error("The response exceeds the limit of {0} bytes (limits.response); ask for less.")]
    ResponseTooLarge(usize),
    #[error("The operation took too long (limits.time). A change that it began may still be made.")]
    Timeout,
    #[error("The server failed; its log has the details.")]
    Panicked,
}

impl RequestError {
    /// The HTTP status, and the code in `extensions`.
    pub(super) fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Method | Self::MutationByGet => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
            // Apollo's clients know the codes of persisted queries.
            Self::UnknownDocument => (StatusCode::BAD_REQUEST, "PERSISTED_QUERY_NOT_FOUND"),
            Self::NoDocuments => (StatusCode::BAD_REQUEST, "PERSISTED_QUERY_NOT_SUPPORTED"),
            Self::UntrustedDocument => (StatusCode::BAD_REQUEST, "DOCUMENT_NOT_TRUSTED"),
            Self::Origin => (StatusCode::FORBIDDEN, "FORBIDDEN_ORIGIN"),
            Self::TooManySockets => (StatusCode::SERVICE_UNAVAILABLE, "BUSY"),
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"),
            Self::BodyTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "TOO_SLOW"),
            Self::LimitExceeded { .. }
            | Self::Cost(_)
            | Self::Introspection(_)
            | Self::TooManyOperations(_)
            | Self::ResponseTooLarge(_) => (StatusCode::BAD_REQUEST, "LIMIT_EXCEEDED"),
            Self::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "OUT_OF_TIME"),
            Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
            _ => (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
        }
    }
}

/// Why no operation can be prepared from a document.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) enum PrepareError {
    /// The document exceeds a limit, or isn't allowed here.
    Request(#[from] RequestError),
    /// The document isn't GraphQL, or isn't valid in the schema.
    Invalid(GraphQLError),
}
