//! Serves Git repositories over the smart HTTP protocol, in place of a forge in the demo.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use warp::Filter;
use warp::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use warp::path::FullPath;
use warp::reply::Reply;

use super::Listener;
use super::listen::Server;
use crate::api::HttpSettings;
use crate::deploy::forge::GIT_ENVIRONMENT;

/// The maximum size of a request: a list of commits.
const BODY_MAX: u64 = 1024 * 1024;

/// A server on a free loopback port. Everyone on this machine can read what it serves; no one can push.
#[derive(Debug)]
pub struct GitServer {
    url: String,
    server: Server,
}

impl GitServer {
    /// Serves the repositories below `root`.
    pub async fn open(root: PathBuf, settings: &HttpSettings) -> anyhow::Result<Self> {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), "demo").await?;
        let url = format!("http://{}", listener.address());
        let routes = warp::method()
            .and(warp::path::full())
            .and(warp::query::raw().or(warp::any().map(String::new)).unify())
            .and(warp::header::headers_cloned())
            .and(warp::body::content_length_limit(BODY_MAX).or(warp::get()).unify())
            .and(warp::body::bytes())
            .then(move |method: Method, path: FullPath, query: String, headers: HeaderMap, body: Bytes| {
                let root = root.clone();
                async move {
                    let answer = http_backend(&root, (&method, path.as_str(), &query), &headers, &body).await;
                    answer.map_or(StatusCode::BAD_GATEWAY.into_response(), Reply::into_response)
                }
            })
            .or(warp::any().map(|| StatusCode::BAD_REQUEST.into_response()))
            .unify()
            .boxed();
        Ok(Self { url, server: listener.serve(routes, settings) })
    }

    /// Its origin, without a final slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops listening.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// The response of `git http-backend`, a CGI program (RFC 3875), for the repositories below `root`.
///
/// # Errors
/// When git cannot be started, or does not respond.
pub async fn http_backend(
    root: &Path,
    (method, path, query): (&Method, &str, &str),
    headers: &HeaderMap,
    body: &[u8],
) -> io::Result<Response<Vec<u8>>> {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env_clear()
        .envs(GIT_ENVIRONMENT)
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method.as_str())
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(body).await?;
    }
    let output = child.wait_with_output().await?.stdout;
    let no_response = || io::Error::other("git http-backend did not respond");
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(no_response)?;
    let (head, content) = output.split_at(end);
    let mut response = Response::new(content.get(4..).unwrap_or_default().to_vec());
    for (name, value) in String::from_utf8_lossy(head).lines().filter_map(|line| line.split_once(": ")) {
        let status = value.get(..3).filter(|_| name == "Status").and_then(|code| code.parse().ok());
        if let Some(status) = status {
            *response.status_mut() = status;
        } else if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
