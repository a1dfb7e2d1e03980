//! Reads a GraphQL request from a body or a query string, as "GraphQL over HTTP" has it. Bounded in size and time.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use juniper::{DefaultScalarValue, InputValue, Variables};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use warp::http::HeaderMap;
use warp::http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::outcome::Problem;

/// What a client asks for.
#[derive(Debug)]
pub(super) struct GraphQl {
    pub(super) document: Document,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Variables,
}

/// The document, or which of the trusted ones.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Document {
    Text(String),
    Id(String),
}

/// The members of a request.
#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    query: Option<String>,
    #[serde(default, rename = "documentId")]
    document_id: Option<String>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    extensions: Option<Extensions>,
}

/// Of the extensions, the one that is read here; whatever others there are is the client's affair.
#[derive(Deserialize)]
struct Extensions {
    #[serde(default, rename = "persistedQuery")]
    persisted_query: Option<PersistedQuery>,
    /// Makes anything but an object an error.
    #[serde(flatten)]
    _others: HashMap<String, IgnoredAny>,
}

/// As Apollo's clients send it.
#[derive(Deserialize)]
struct PersistedQuery {
    #[serde(rename = "sha256Hash")]
    hash: String,
}

/// A query that is written out is taken at its word, whatever hash comes with it.
fn document(
    text: Option<String>,
    id: Option<String>,
    extensions: Option<Extensions>,
) -> Result<Document, Problem> {
    let hash = extensions.and_then(|extensions| extensions.persisted_query).map(|persisted| persisted.hash);
    match (text, id, hash) {
        (Some(_), Some(_), _) => {
            Err(Problem::Parameter("Send a query or the id of a document, and not both."))
        }
        (Some(text), None, _) => Ok(Document::Text(text)),
        (None, Some(id), _) | (None, None, Some(id)) => Ok(Document::Id(id)),
        (None, None, None) => Err(Problem::Json(NO_REQUEST.to_owned())),
    }
}

const NO_REQUEST: &str =
    "The body is no GraphQL request: it is an object with a string `query`, or a `documentId`.";

/// A body as warp streams it.
pub(super) trait Body: Stream<Item = Result<Self::Chunk, warp::Error>> + Send {
    /// A piece of it.
    type Chunk: Buf + Send;
}

impl<B: Buf + Send, T: Stream<Item = Result<B, warp::Error>> + Send> Body for T {
    type Chunk = B;
}

/// Reads a POST. At most `limit` bytes are held, whatever the client says or sends, for at most `time`.
pub(super) async fn from_body(
    headers: &HeaderMap,
    body: impl Body,
    limit: usize,
    time: Duration,
) -> Result<GraphQl, Problem> {
    if !is_json(headers) {
        return Err(Problem::MediaType);
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Problem::TooLarge(limit));
    }
    let read = async {
        let mut bytes =
            Vec::with_capacity(announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(1024));
        let mut body = pin!(body);
        while let Some(chunk) = body.next().await {
            let mut chunk = chunk.map_err(|_| Problem::BrokenBody)?;
            while chunk.has_remaining() {
                let piece = chunk.chunk();
                if bytes.len() + piece.len() > limit {
                    return Err(Problem::TooLarge(limit));
                }
                bytes.extend_from_slice(piece);
                let length = piece.len();
                chunk.advance(length);
            }
        }
        Ok(bytes)
    };
    let bytes = tokio::time::timeout(time, read).await.map_err(|_| Problem::SlowBody)??;
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Problem::Batch);
    }
    wired(serde_json::from_slice(&bytes).map_err(|error| Problem::Json(where_in(&error)))?)
}

/// Reads the payload of a WebSocket's message.
pub(super) fn from_value(payload: serde_json::Value) -> Result<GraphQl, Problem> {
    wired(serde_json::from_value(payload).map_err(|error| Problem::Json(where_in(&error)))?)
}

fn wired(wire: Wire) -> Result<GraphQl, Problem> {
    Ok(GraphQl {
        document: document(wire.query, wire.document_id, wire.extensions)?,
        operation_name: wire.operation_name,
        variables: variables(wire.variables)?,
    })
}

/// Reads a GET.
pub(super) fn from_query(query: &str) -> Result<GraphQl, Problem> {
    let (mut text, mut id, mut operation_name, mut written, mut extensions) = (None, None, None, None, None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let place = match &*name {
            "query" => &mut text,
            "documentId" => &mut id,
            "operationName" => &mut operation_name,
            "variables" => &mut written,
            "extensions" => &mut extensions,
            _ => continue,
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(Problem::Parameter("A parameter stands twice in the query string."));
        }
    }
    let written = object(written, "The parameter variables is not a JSON object.")?;
    let extensions = object(extensions, "The parameter extensions is not a JSON object.")?;
    let document = document(text, id, extensions).map_err(|problem| match problem {
        Problem::Json(_) => Problem::Parameter("The parameter query is missing."),
        problem => problem,
    })?;
    Ok(GraphQl {
        document,
        operation_name: operation_name.filter(|name| !name.is_empty()),
        variables: variables(written)?,
    })
}

/// JSON in a parameter; an empty one or `null` is as good as none.
fn object<T: DeserializeOwned>(text: Option<String>, problem: &'static str) -> Result<Option<T>, Problem> {
    match text.as_deref() {
        None | Some("" | "null") => Ok(None),
        Some(text) => serde_json::from_str(text).map(Some).map_err(|_| Problem::Parameter(problem)),
    }
}

fn variables(written: Option<serde_json::Map<String, serde_json::Value>>) -> Result<Variables, Problem> {
    let Some(written) = written else { return Ok(Variables::default()) };
    let value = |value| InputValue::<DefaultScalarValue>::deserialize(value);
    written
        .into_iter()
        .map(|(name, written)| Ok((name, value(written)?)))
        .collect::<Result<_, serde_json::Error>>()
        .map_err(|_| Problem::Parameter("The variables hold a value that GraphQL can not take."))
}

/// `application/json`, in UTF-8 if it says a charset.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

/// Where the JSON breaks, without quoting it.
fn where_in(error: &serde_json::Error) -> String {
    if error.is_data() {
        NO_REQUEST.to_owned()
    } else {
        format!("The body is not JSON: line {}, column {}.", error.line(), error.column())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::stream;
    use warp::http::HeaderValue;

    async fn post(content_type: &str, chunks: &[&str]) -> Result<GraphQl, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from(chunk.to_string()))).collect();
        from_body(&headers, stream::iter(chunks), 64, Duration::from_secs(1)).await
    }

    #[tokio::test]
    async fn a_request_is_read_from_pieces() {
        let read = post(
            "application/json; charset=\"UTF-8\"",
            &["{\"query\":\"{m", "e}\",\"variables\":{\"a\":1}}"],
        );
        let read = read.await.unwrap();
        assert_eq!(read.document, Document::Text("{me}".to_owned()));
        assert_eq!((read.operation_name, read.variables.len()), (None, 1));
    }

    #[tokio::test]
    async fn bodies_that_are_no_request_are_told_apart() {
        let json = "application/json";
        let long = format!("{{\"query\":\"{}\"}}", "x".repeat(64));
        for (content_type, body, problem) in [
            ("text/plain", "{}", Problem::MediaType),
            ("application/json; charset=latin1", "{}", Problem::MediaType),
            ("application/graphql", "{}", Problem::MediaType),
            (json, " [{\"query\":\"{me}\"}]", Problem::Batch),
            (json, &long, Problem::TooLarge(64)),
            (json, "{", Problem::Json("The body is not JSON: line 1, column 1.".into())),
        ] {
            assert_eq!(post(content_type, &[body]).await.unwrap_err(), problem, "{body:.20}");
        }
        for no_request in [
            "{}",
            "7",
            "{\"query\":7}",
            "{\"query\":\"{me}\",\"variables\":[]}",
            "{\"query\":\"{me}\",\"operationName\":1}",
            "{\"query\":\"{me}\",\"extensions\":1}",
        ] {
            assert!(matches!(post(json, &[no_request]).await, Err(Problem::Json(_))), "{no_request}");
        }
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let endless = stream::pending::<Result<Bytes, warp::Error>>();
        let outcome = from_body(&headers, endless, 64, Duration::from_millis(10)).await;
        assert_eq!(outcome.unwrap_err(), Problem::SlowBody);
    }

    #[tokio::test]
    async fn a_document_is_named_by_its_id_or_by_apollo_s_hash() {
        let json = "application/json";
        for body in
            [r#"{"documentId":"a1"}"#, r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"a1"}}}"#]
        {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(json));
            let chunk = stream::iter([Ok(Bytes::from_static(body.as_bytes()))]);
            let read = from_body(&headers, chunk, 100, Duration::from_secs(1)).await.unwrap();
            assert_eq!(read.document, Document::Id("a1".to_owned()), "{body}");
        }
        let both = post(json, &[r#"{"documentId":"a1","query":"{me}"}"#]).await;
        assert!(matches!(both, Err(Problem::Parameter(_))));
        assert_eq!(from_query("documentId=a1").unwrap().document, Document::Id("a1".to_owned()));
    }

    #[test]
    fn a_query_string_is_read_like_a_body() {
        let read =
            from_query("query=query+A%7Bme%7D&operationName=A&variables=%7B%22a%22%3A1%7D&x=1").unwrap();
        assert_eq!(read.document, Document::Text("query A{me}".to_owned()));
        assert_eq!(read.operation_name.as_deref(), Some("A"));
        assert_eq!(read.variables.len(), 1);
        for bad in [
            "",
            "query=a&query=b",
            "query=a&variables=7",
            "query=a&variables=%7B",
            "query=a&extensions=%5B%5D",
        ] {
            assert!(matches!(from_query(bad), Err(Problem::Parameter(_))), "{bad}");
        }
    }
}
