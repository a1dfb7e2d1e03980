//! Receives and keeps JSON posts, in place of an external service in the demo.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use warp::Filter;
use warp::http::StatusCode;
use warp::reply::Reply;

use super::Listener;
use super::listen::Server;
use crate::api::HttpSettings;

/// The maximum size of a post.
const POST_MAX: u64 = 64 * 1024;

/// A server on a free loopback port that keeps what is posted to it.
#[derive(Debug)]
pub struct PostSink {
    url: String,
    received: Arc<Mutex<Vec<Value>>>,
    server: Server,
}

impl PostSink {
    /// Starts the server.
    pub async fn open(settings: &HttpSettings) -> anyhow::Result<Self> {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), "demo").await?;
        let url = format!("http://{}/", listener.address());
        let received = Arc::<Mutex<Vec<Value>>>::default();
        let keep = Arc::clone(&received);
        let routes = warp::post()
            .and(warp::body::content_length_limit(POST_MAX))
            .and(warp::body::json())
            .map(move |posted| {
                keep.lock().unwrap_or_else(PoisonError::into_inner).push(posted);
                StatusCode::NO_CONTENT.into_response()
            })
            .or(warp::any().map(|| StatusCode::NOT_FOUND.into_response()))
            .unify()
            .boxed();
        Ok(Self { url, received, server: listener.serve(routes, settings) })
    }

    /// Its origin, with a final slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The posts so far, oldest first.
    pub fn received(&self) -> Vec<Value> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops listening.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}
