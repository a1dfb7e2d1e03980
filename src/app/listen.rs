//! Listeners: warp's filters under an accept loop that has what `warp::serve` lacks. First-byte, header and idle
//! timeouts, a cap on connections, and a drain that lets requests under way end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::api::HttpSettings;

/// More headers than this, in bytes, are answered with 431.
const HEADERS_MAX: usize = 32 * 1024;

/// A bound port that does not serve yet.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

/// A port that serves until it is stopped.
#[derive(Debug)]
pub(super) struct Server {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the port is taken or may not be used; the text names the setting, `key`.
    pub async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            anyhow::Error::new(error).context(format!(
                "can not listen on {address}; give another address with `--set {key}=\"127.0.0.1:PORT\"`"
            ))
        })?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `routes` from now on.
    pub(super) fn serve(self, routes: BoxedFilter<(Response,)>, settings: &HttpSettings) -> Server {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(self.listener, routes, settings.clone(), stopped));
        Server { stop, task }
    }
}

impl Server {
    /// Takes no more connections, lets requests under way end within `http.drain`, then closes what is left.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        // The task ends by itself; it panics only if hyper does.
        drop(self.task.await);
    }
}

async fn accept(
    listener: TcpListener,
    routes: BoxedFilter<(Response,)>,
    settings: HttpSettings,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(settings.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: existing connections must end before this gets better.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Over the cap: closed at once, which tells the client more than a silence would.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (routes, settings, stopped) = (routes.clone(), settings.clone(), stopped.clone());
        connections.spawn(async move {
            serve(stream, routes, &settings, stopped).await;
            drop(place);
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(settings.drain, drained).await.is_err() {
        tracing::warn!("requests were still under way at the end of the drain; they are cut off");
    }
}

/// One connection, from its first byte to its last.
async fn serve(
    stream: TcpStream,
    routes: BoxedFilter<(Response,)>,
    settings: &HttpSettings,
    mut stopped: watch::Receiver<bool>,
) {
    // Small answers should not wait for the client's acknowledgement.
    drop(stream.set_nodelay(true));
    let life = Arc::new(Life::new());
    let io = TokioIo::new(Watched { stream, life: Arc::clone(&life) });
    let service = Timed { routes: TowerToHyperService::new(warp::service(routes)), life: Arc::clone(&life) };
    let connection = http1::Builder::new()
        .max_buf_size(HEADERS_MAX)
        .header_read_timeout(None)
        .serve_connection(io, service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A connection that breaks is its client's affair.
        _ = connection.as_mut() => return,
        () = life.expired(settings) => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = life.expired(settings) => {}
    }
}

/// What a connection is waiting for, and since when.
struct Life {
    phase: AtomicU8,
    since: Mutex<Instant>,
    changed: Notify,
}

/// Nothing has come yet.
const SILENT: u8 = 0;
/// A request's headers have begun to come.
const HEADERS: u8 = 1;
/// A request is being answered; the endpoint has its own limits.
const ANSWERING: u8 = 2;
/// Between requests.
const IDLE: u8 = 3;

impl Life {
    fn new() -> Self {
        Self { phase: AtomicU8::new(SILENT), since: Mutex::new(Instant::now()), changed: Notify::new() }
    }

    fn enter(&self, phase: u8) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.phase.store(phase, Ordering::Release);
        self.changed.notify_one();
    }

    /// Bytes came.
    fn heard(&self) {
        if matches!(self.phase.load(Ordering::Acquire), SILENT | IDLE) {
            self.enter(HEADERS);
        }
    }

    /// Ends when a phase took longer than it may.
    async fn expired(&self, settings: &HttpSettings) {
        loop {
            let limit = match self.phase.load(Ordering::Acquire) {
                SILENT => settings.first_byte,
                HEADERS => settings.header,
                IDLE => settings.idle,
                _ => {
                    self.changed.notified().await;
                    continue;
                }
            };
            let until = *self.since.lock().unwrap_or_else(PoisonError::into_inner) + limit;
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                () = self.changed.notified() => {}
            }
        }
    }
}

/// A stream that tells when bytes come.
struct Watched {
    stream: TcpStream,
    life: Arc<Life>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.life.heard();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A service that tells when a request's headers are complete and when its answer is ready.
struct Timed<S> {
    routes: S,
    life: Arc<Life>,
}

impl<S, R> Service<R> for Timed<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn call(&self, request: R) -> Self::Future {
        self.life.enter(ANSWERING);
        let life = Arc::clone(&self.life);
        let answer = self.routes.call(request);
        Box::pin(async move {
            let answer = answer.await;
            life.enter(IDLE);
            answer
        })
    }
}
