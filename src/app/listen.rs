//! Serves warp filters with what `warp::serve` lacks: first-byte, header and idle timeouts, a limit on connections, and a
//! drain that lets running requests end.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::io::InspectReader;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::api::{HttpSettings, Share, Shares};

/// The maximum size of a request's headers, in bytes; more get status 431.
const HEADERS_MAX: usize = 32 * 1024;

/// How often a port is sought that is free in both address families.
const FREE_PORT_ATTEMPTS: u32 = 20;

/// A bound port, not served yet.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

/// A port that is served until stopped.
#[derive(Debug)]
pub(super) struct Server {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one. An error names the setting, `key`.
    pub async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}; set another address with `--set {key}=\"127.0.0.1:PORT\"`")
        })?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// As [`bind`](Self::bind), on both 127.0.0.1 and `[::1]` if `address` is one of them: `localhost` means either. A machine
    /// without IPv6 listens on the first only.
    pub(super) async fn bind_loopback(address: SocketAddr, key: &str) -> anyhow::Result<Vec<Self>> {
        let other: IpAddr = match address.ip() {
            IpAddr::V4(Ipv4Addr::LOCALHOST) => Ipv6Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::LOCALHOST) => Ipv4Addr::LOCALHOST.into(),
            _ => return Ok(vec![Self::bind(address, key).await?]),
        };
        // A free port of one family may be taken in the other.
        let mut attempts = 0;
        loop {
            attempts += 1;
            let first = Self::bind(address, key).await?;
            let second = SocketAddr::new(other, first.address.port());
            match TcpListener::bind(second).await {
                Ok(listener) => return Ok(vec![first, Self { listener, address: second }]),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    if address.port() != 0 || attempts == FREE_PORT_ATTEMPTS {
                        let context = format!(
                            "cannot listen on {second}, which `localhost` means too; set another address with `{key}`"
                        );
                        return Err(error).context(context);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, address = %second, "not listening there");
                    return Ok(vec![first]);
                }
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `routes` from now on.
    pub(super) fn serve(self, routes: BoxedFilter<(Response,)>, settings: &HttpSettings) -> Server {
        self.serve_with(routes, settings, None, 0)
    }

    /// As [`serve`](Self::serve), over TLS if it is given. Its connections may become as many WebSockets as `sockets`.
    pub(super) fn serve_with(
        self,
        routes: BoxedFilter<(Response,)>,
        settings: &HttpSettings,
        tls: Option<TlsAcceptor>,
        sockets: usize,
    ) -> Server {
        let (stop, stopped) = watch::channel(false);
        let (wanted, share) = (settings.connections.saturating_add(sockets), share_of_files());
        if share < wanted {
            let address = self.address;
            tracing::warn!(%address, share, wanted, "few files may be open, so few connections; raise LimitNOFILE");
        }
        let places = Arc::new(Semaphore::new(wanted.min(share)));
        let task = tokio::spawn(accept(self.listener, routes, settings.clone(), tls, places, stopped));
        Server { stop, task }
    }
}

impl Server {
    /// Stops accepting, lets running requests end within `http.drain`, then closes the remaining connections.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        // The task panics only if hyper does.
        drop(self.task.await);
    }
}

async fn accept(
    listener: TcpListener,
    routes: BoxedFilter<(Response,)>,
    settings: HttpSettings,
    tls: Option<TlsAcceptor>,
    places: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    let addresses = Shares::new(settings.per_address);
    let permits = Arc::new(Semaphore::new(settings.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most likely out of file descriptors: other connections must end first.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Over a limit, a connection is closed at once.
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else { continue };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let Some(share) = addresses.take(network(remote.ip())) else { continue };
        let place = (place, share);
        let (routes, settings, tls, stopped) =
            (routes.clone(), settings.clone(), tls.clone(), stopped.clone());
        connections.spawn(async move {
            let _permit = permit;
            // Send small responses without waiting for an acknowledgement.
            drop(stream.set_nodelay(true));
            let Some(tls) = tls else { return serve(stream, place, routes, &settings, stopped).await };
            if let Ok(Ok(stream)) = tokio::time::timeout(settings.first_byte, tls.accept(stream)).await {
                serve(stream, place, routes, &settings, stopped).await;
            }
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(settings.drain, drained).await.is_err() {
        tracing::warn!("requests still running at the end of the drain are cut off");
    }
}

/// The connections that a listener has files for: the limit of open files, raised as far as the hard limit allows, without what
/// everything else needs, among the two doors and the dev tenant.
fn share_of_files() -> usize {
    const OTHERS: u64 = 128;
    const LISTENERS: u64 = 3;
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    usize::try_from(limit.saturating_sub(OTHERS) / LISTENERS)
        .unwrap_or(usize::MAX)
        .clamp(1, Semaphore::MAX_PERMITS)
}

/// What counts as one address: an IPv6 client usually has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// A connection's place among those of its listener, and in the share of its address.
type Place = (OwnedSemaphorePermit, Share<IpAddr>);

/// Serves one connection. It holds its `place` until it is closed, also as a WebSocket.
async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    place: Place,
    routes: BoxedFilter<(Response,)>,
    settings: &HttpSettings,
    mut stopped: watch::Receiver<bool>,
) {
    let state = Arc::new(ConnectionState::new());
    let reading = Arc::clone(&state);
    let stream = InspectReader::new(stream, move |bytes: &[u8]| {
        let _held = &place;
        if !bytes.is_empty() {
            reading.received();
        }
    });
    let (answering, routes) = (Arc::clone(&state), TowerToHyperService::new(warp::service(routes)));
    let service = service_fn(move |request: Request<Incoming>| {
        answering.enter(ANSWERING);
        let (answering, response) = (Arc::clone(&answering), routes.call(request));
        async move {
            let response = response.await;
            answering.enter(IDLE);
            response
        }
    });
    let connection = http1::Builder::new()
        .max_buf_size(HEADERS_MAX)
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A broken connection needs no handling.
        _ = connection.as_mut() => return,
        () = state.expired(settings) => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = state.expired(settings) => {}
    }
}

/// What a connection is waiting for, and since when: the phase in the lowest two bits, above them milliseconds since
/// `opened`. One number, so that requests change it without a lock and without waking the task that watches it.
struct ConnectionState {
    opened: Instant,
    phase: AtomicU64,
}

/// No bytes yet.
const SILENT: u64 = 0;
/// Reading a request's headers.
const HEADERS: u64 = 1;
/// Answering a request; the endpoint has limits of its own.
const ANSWERING: u64 = 2;
/// Between requests.
const IDLE: u64 = 3;

impl ConnectionState {
    fn new() -> Self {
        Self { opened: Instant::now(), phase: AtomicU64::new(SILENT) }
    }

    fn enter(&self, phase: u64) {
        let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.phase.store(since << 2 | phase, Ordering::Release);
    }

    /// Called when bytes arrive.
    fn received(&self) {
        if matches!(self.phase.load(Ordering::Acquire) & 3, SILENT | IDLE) {
            self.enter(HEADERS);
        }
    }

    /// Waits until a phase exceeds its timeout.
    async fn expired(&self, settings: &HttpSettings) {
        // A phase that begins from now on does not end before.
        let shortest =
            settings.first_byte.min(settings.header).min(settings.idle).max(Duration::from_millis(1));
        loop {
            let phase = self.phase.load(Ordering::Acquire);
            let limit = match phase & 3 {
                SILENT => settings.first_byte,
                HEADERS => settings.header,
                IDLE => settings.idle,
                _ => Duration::MAX,
            };
            let left = (Duration::from_millis(phase >> 2).saturating_add(limit))
                .saturating_sub(self.opened.elapsed());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(shortest)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ipv4_host_or_an_ipv6_network() {
        let of = |address: &str| network(address.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::9"), of("2001:db8:1:3::9"));
    }

    #[test]
    fn the_limit_of_files_is_raised_and_shared() {
        let share = share_of_files();
        let (soft, hard) = rlimit::Resource::NOFILE.get().unwrap();
        assert_eq!(soft, hard);
        assert!(share >= 1 && share as u64 <= soft / 3, "{share} of {soft}");
    }
}
