//! A listener that keeps the JSON posted to it: what stands in for an outside service when the flow is shown.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use warp::Filter;
use warp::http::StatusCode;
use warp::reply::Reply;

use super::Listener;
use super::listen::Server;
use crate::api::HttpSettings;

/// No post is longer.
const POST_MAX: u64 = 64 * 1024;

/// The listener, on a free loopback port.
#[derive(Debug)]
pub struct PostSink {
    url: String,
    received: Arc<Mutex<Vec<Value>>>,
    listening: Server,
}

impl PostSink {
    /// Listens.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn open(settings: &HttpSettings) -> anyhow::Result<Self> {
        let bound = Listener::bind(([127, 0, 0, 1], 0).into(), "demo").await?;
        let url = format!("http://{}/", bound.address());
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
        Ok(Self { url, received, listening: bound.serve(routes, settings) })
    }

    /// Its origin, with a final slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was posted so far, the oldest first.
    pub fn received(&self) -> Vec<Value> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops listening.
    pub async fn stop(self) {
        self.listening.stop().await;
    }
}
