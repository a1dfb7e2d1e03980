//! A tiny HTTP server whose answers a test decides. One request a connection.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The request line and the headers, names in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct StubResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

pub(crate) struct HttpStub {
    pub(crate) origin: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

type Decide = Arc<dyn Fn(&Request) -> StubResponse + Send + Sync>;

impl HttpStub {
    /// Requests for `/meet` are answered when `together` of them have come.
    pub(crate) async fn open(
        together: usize,
        decide: impl Fn(&Request) -> StubResponse + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (decide, barrier): (Decide, _) = (Arc::new(decide), Arc::new(Barrier::new(together)));
        let log = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&decide), Arc::clone(&barrier), Arc::clone(&log)));
            }
        });
        Self { origin, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        self.requests.lock().unwrap().iter().filter(|request| request.path == path).cloned().collect()
    }
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) fn response(status: u16, body: impl Into<String>) -> StubResponse {
    StubResponse { status, headers: Vec::new(), body: body.into() }
}

async fn serve(mut stream: TcpStream, decide: Decide, barrier: Arc<Barrier>, log: Arc<Mutex<Vec<Request>>>) {
    let mut bytes = Vec::new();
    let request = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        if let Some(request) = parse(&String::from_utf8_lossy(&bytes)) {
            break request;
        }
    };
    log.lock().unwrap().push(request.clone());
    if request.path == "/meet" {
        barrier.wait().await;
    }
    if request.path == "/silence" {
        return std::future::pending().await;
    }
    let StubResponse { status, headers, body } = decide(&request);
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // A client that has read enough closes early.
    drop(stream.write_all(format!("{head}\r\n{body}").as_bytes()).await);
}

fn parse(text: &str) -> Option<Request> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let lines = head.lines().map(|line| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}\n", name.to_lowercase()),
        None => format!("{line}\n"),
    });
    let head: String = lines.collect();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().unwrap());
    (body.len() >= length).then(|| Request { method, path, head, body: body.to_owned() })
}
