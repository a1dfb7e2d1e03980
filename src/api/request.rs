//! Reads a GraphQL request from a body, a query string or a WebSocket message, as "GraphQL over HTTP" specifies.

use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use juniper::{DefaultScalarValue, InputValue, Variables};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use warp::http::HeaderMap;
use warp::http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::request_error::RequestError;

/// A GraphQL request.
#[derive(Debug)]
pub(super) struct GraphqlRequest {
    pub(super) document: Document,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Variables,
}

/// The document of a request: its text, or the id of a trusted one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Document {
    Text(String),
    Id(String),
}

/// The members of a request's JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestJson {
    query: Option<String>,
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: Option<Map<String, Value>>,
    extensions: Option<Extensions>,
}

/// The one extension that is read here.
#[derive(Deserialize)]
struct Extensions {
    #[serde(rename = "persistedQuery")]
    persisted_query: Option<PersistedQuery>,
    /// Refuses anything but an object.
    #[serde(flatten)]
    _others: HashMap<String, IgnoredAny>,
}

/// A persisted query as Apollo's clients name it.
#[derive(Deserialize)]
struct PersistedQuery {
    #[serde(rename = "sha256Hash")]
    hash: String,
}

/// Reads the body of a POST. Holds at most `limit` bytes, whatever `Content-Length` says, and waits at most `time`.
pub(super) async fn from_body(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf + Send, warp::Error>> + Send,
    limit: usize,
    time: Duration,
) -> Result<GraphqlRequest, RequestError> {
    let bytes = read_json(headers, body, limit, time).await?;
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(RequestError::Batch);
    }
    parsed(serde_json::from_slice(&bytes))?.request(RequestError::NotGraphql)
}

/// Reads a body that is to be JSON, with the limits of [`from_body`].
pub(super) async fn read_json(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf + Send, warp::Error>> + Send,
    limit: usize,
    time: Duration,
) -> Result<Vec<u8>, RequestError> {
    if !is_json(headers) {
        return Err(RequestError::MediaType);
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(RequestError::BodyTooLarge(limit));
    }
    let capacity = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(1024);
    let read = async {
        let mut bytes = Vec::with_capacity(capacity);
        let mut body = pin!(body);
        while let Some(chunk) = body.next().await {
            let mut chunk = chunk.map_err(|_| RequestError::BodyIncomplete)?;
            while chunk.has_remaining() {
                let part = chunk.chunk();
                if bytes.len() + part.len() > limit {
                    return Err(RequestError::BodyTooLarge(limit));
                }
                bytes.extend_from_slice(part);
                let length = part.len();
                chunk.advance(length);
            }
        }
        Ok(bytes)
    };
    tokio::time::timeout(time, read).await.map_err(|_| RequestError::BodyTimeout)?
}

/// Reads the payload of a WebSocket's `subscribe`.
pub(super) fn from_json(payload: Value) -> Result<GraphqlRequest, RequestError> {
    parsed(serde_json::from_value(payload))?.request(RequestError::NotGraphql)
}

/// Reads the query string of a GET.
pub(super) fn from_query(query: &str) -> Result<GraphqlRequest, RequestError> {
    const NOT_OBJECTS: RequestError =
        RequestError::Parameter("The parameters variables and extensions must be JSON objects.");
    let mut members = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "query" | "documentId" => Value::String(value.into_owned()),
            "operationName" => Some(value).filter(|name| !name.is_empty()).map(Cow::into_owned).into(),
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" | "extensions" => serde_json::from_str(&value).map_err(|_| NOT_OBJECTS)?,
            _ => continue,
        };
        if members.insert(name.into_owned(), value).is_some() {
            return Err(RequestError::Parameter(
                "A parameter is repeated in the query string; send it once.",
            ));
        }
    }
    let json: RequestJson = serde_json::from_value(members.into()).map_err(|_| NOT_OBJECTS)?;
    json.request(RequestError::Parameter("The parameter query is missing."))
}

/// Maps a parse error to its position, without quoting the text.
fn parsed(json: serde_json::Result<RequestJson>) -> Result<RequestJson, RequestError> {
    json.map_err(|error| match error.is_data() {
        true => RequestError::NotGraphql,
        false => RequestError::NotJson { line: error.line(), column: error.column() },
    })
}

impl RequestJson {
    /// The request, or `missing` when it has no document. A text wins over the hash of a persisted query.
    fn request(self, missing: RequestError) -> Result<GraphqlRequest, RequestError> {
        let hash = self.extensions.and_then(|extensions| extensions.persisted_query).map(|query| query.hash);
        let document = match (self.query, self.document_id, hash) {
            (Some(_), Some(_), _) => {
                return Err(RequestError::Parameter("Send a query or a documentId, not both."));
            }
            (Some(text), None, _) => Document::Text(text),
            (None, Some(id), _) | (None, None, Some(id)) => Document::Id(id),
            (None, None, None) => return Err(missing),
        };
        let value = |(name, value)| Ok((name, InputValue::<DefaultScalarValue>::deserialize(value)?));
        let variables = self.variables.unwrap_or_default().into_iter().map(value);
        let variables = variables.collect::<serde_json::Result<_>>();
        let variables = variables.map_err(|_| {
            RequestError::Parameter("The variables hold a value that GraphQL can't represent.")
        })?;
        Ok(GraphqlRequest { document, operation_name: self.operation_name, variables })
    }
}

/// Whether the content type is `application/json`, in UTF-8 when it names a charset.
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::stream;
    use warp::http::HeaderValue;

    async fn post(content_type: &str, chunks: &[&str]) -> Result<GraphqlRequest, RequestError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from(chunk.to_string()))).collect();
        from_body(&headers, stream::iter(chunks), 64, Duration::from_secs(1)).await
    }

    #[tokio::test]
    async fn a_request_is_read_from_chunks() {
        let read = post(
            "application/json; charset=\"UTF-8\"",
            &["{\"query\":\"{m", "e}\",\"variables\":{\"a\":1}}"],
        );
        let read = read.await.unwrap();
        assert_eq!(read.document, Document::Text("{me}".to_owned()));
        assert_eq!((read.operation_name, read.variables.len()), (None, 1));
    }

    #[tokio::test]
    async fn each_invalid_body_gets_its_own_error() {
        let json = "application/json";
        let long = format!("{{\"query\":\"{}\"}}", "x".repeat(64));
        for (content_type, body, error) in [
            ("text/plain", "{}", RequestError::MediaType),
            ("application/json; charset=latin1", "{}", RequestError::MediaType),
            ("application/graphql", "{}", RequestError::MediaType),
            (json, " [{\"query\":\"{me}\"}]", RequestError::Batch),
            (json, &long, RequestError::BodyTooLarge(64)),
            (json, "{", RequestError::NotJson { line: 1, column: 1 }),
        ] {
            assert_eq!(post(content_type, &[body]).await.unwrap_err(), error, "{body:.20}");
        }
        for invalid in [
            "{}",
            "7",
            "{\"query\":7}",
            "{\"query\":\"{me}\",\"variables\":[]}",
            "{\"query\":\"{me}\",\"operationName\":1}",
            "{\"query\":\"{me}\",\"extensions\":1}",
        ] {
            assert!(matches!(post(json, &[invalid]).await, Err(RequestError::NotGraphql)), "{invalid}");
        }
    }

    #[tokio::test]
    async fn a_body_that_never_ends_times_out() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let endless = stream::pending::<Result<Bytes, warp::Error>>();
        let outcome = from_body(&headers, endless, 64, Duration::from_millis(10)).await;
        assert_eq!(outcome.unwrap_err(), RequestError::BodyTimeout);
    }

    #[tokio::test]
    async fn a_document_id_or_a_persisted_query_hash_names_a_document() {
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
        assert!(matches!(both, Err(RequestError::Parameter(_))));
        assert_eq!(from_query("documentId=a1").unwrap().document, Document::Id("a1".to_owned()));
    }

    #[test]
    fn a_query_string_carries_the_members_of_a_body() {
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
            assert!(matches!(from_query(bad), Err(RequestError::Parameter(_))), "{bad}");
        }
    }
}
