//! Accepts connections, limits what each may use, and shuts down in order.
//!
//! Invariants:
//! - A connection that is slow to send its head or body, or to read its response, is ended.
//! - The number of connections is limited, in total and per address.
//! - A few connections beyond the limit get responses about health and nothing else. So a client that exhausts the limit does not
//!   make the server look dead.
//! - Nothing runs after the drain.
//!
//! A connection's buffers are small and grow only while it is busy, because most connections are idle.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::SharedHttpState;
use super::SocketLimits;
use super::address::{AddressPermit, PerAddress};
use super::write_timeout::{Silence, StaysOpen, StreamOpen, WriteTimeout};

/// The maximum size of a request's head, in bytes. The address may contain a document.
const LARGEST_HEAD: usize = 32 * 1024;
/// The maximum size of a connection's buffer, in bytes, for each direction.
const LARGEST_BUFFER: usize = 32 * 1024;
/// The pause after accepting failed, most likely because no file descriptors were left.
const RESPITE: Duration = Duration::from_millis(100);
/// The time for the last sockets, which close at the end of the drain, to send their close frames.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The number of connections beyond the limit that get responses about health, and the maximum of one address among them.
const RESERVE: usize = 16;
const RESERVE_PER_ADDRESS: usize = 4;
/// The maximum lifetime of such a connection.
const RESERVE_TIME: Duration = Duration::from_secs(5);
/// The response to connections beyond the limit and the reserve.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves until `stop` resolves, then drains. At once, readiness probes fail, upgrades are refused and idle connections close.
/// Requests in progress complete. Then [`super::HttpState::drain`] makes sockets close.
pub async fn serve(
    listener: TcpListener,
    state: SharedHttpState,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let server = Server {
        http: builder(&state),
        routes: super::router(Arc::clone(&state)),
        allowed: Arc::new(Semaphore::new(state.settings.http.max_connections)),
        reserve: PerAddress::new(RESERVE_PER_ADDRESS),
        reserved: Arc::new(Semaphore::new(RESERVE)),
        connections: TaskTracker::new(),
        end: CancellationToken::new(),
        state,
    };
    // Connections are accepted until the end, because readiness probes must get a response.
    tokio::select! {
        () = server.accept(&listener) => {}
        () = server.state.live_connections.watch(&server.state.services.clock, &server.state.services.current_rights) => {}
        () = server.drain(stop) => {}
    }
    server.end.cancel();
    Ok(())
}

fn builder(state: &SharedHttpState) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(state.settings.http.head_timeout)
        // Some clients find their subprotocol only under the header name as they wrote it: see `ws::upgrade`.
        .preserve_header_case(true)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(LARGEST_BUFFER);
    http
}

struct Server {
    state: SharedHttpState,
    routes: Router,
    http: http1::Builder,
    allowed: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    reserve: PerAddress,
    connections: TaskTracker,
    /// Ends connections that are still open after the drain.
    end: CancellationToken,
}

impl Server {
    async fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => self.welcome(stream, remote),
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connections can be accepted");
                    tokio::time::sleep(RESPITE).await;
                }
            }
        }
    }

    fn welcome(&self, stream: TcpStream, remote: SocketAddr) {
        let settings = &self.state.settings;
        probe_silence(&stream, &settings.sockets);
        if let Some(slot) = self.slot(remote.ip()) {
            self.connections.spawn(self.connection(stream, remote, slot));
        } else if let Some(slot) = self.reserved_slot(remote.ip()) {
            self.connections.spawn(self.health_connection(stream, slot));
        } else {
            // Sent only if the socket accepts it at once, as new connections do. The server does not wait.
            let _ = stream.try_write(FULL);
        }
    }

    /// Returns a slot for a connection if one is free. The connections of a trusted proxy belong to many
    /// clients, so its address has no limit.
    fn slot(&self, remote: IpAddr) -> Option<ConnectionSlot> {
        let permit = Arc::clone(&self.allowed).try_acquire_owned().ok()?;
        if self.state.settings.proxies.contain(remote) {
            return Some(ConnectionSlot::new(permit, None));
        }
        let Some(of_address) = self.state.addresses.take(remote) else {
            tracing::debug!(%remote, "an address has reached its maximum number of connections; if it is a proxy, set http.trusted_proxies");
            return None;
        };
        Some(ConnectionSlot::new(permit, Some(of_address)))
    }

    fn reserved_slot(&self, remote: IpAddr) -> Option<ConnectionSlot> {
        let permit = Arc::clone(&self.reserved).try_acquire_owned().ok()?;
        let of_address = self.reserve.take(remote)?;
        Some(ConnectionSlot::new(permit, Some(of_address)))
    }

    /// Responds to one health request on a connection beyond the limit.
    fn health_connection(&self, stream: TcpStream, slot: ConnectionSlot) -> impl Future<Output = ()> + Send + 'static {
        let routes = TowerToHyperService::new(super::health::routes(&self.state));
        let service = service_fn(move |request: Request<Incoming>| routes.call(request.map(Body::new)));
        let mut http = self.http.clone();
        http.keep_alive(false);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        async move {
            let _slot = slot;
            let _ = timeout(RESERVE_TIME, connection).await;
        }
    }

    /// Serves one connection until it ends, or has become a socket.
    fn connection(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        slot: ConnectionSlot,
    ) -> impl Future<Output = ()> + Send + 'static {
        let stopping = self.state.stopping.clone();
        let end = self.end.clone();
        let routes = TowerToHyperService::new(self.routes.clone());
        let state = Arc::clone(&self.state);
        let stays_open = slot.stays_open.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let client = state.settings.proxies.client(remote.ip(), request.headers());
            let client = SocketAddr::new(client, remote.port());
            request.extensions_mut().insert(ConnectInfo(client));
            // A socket keeps its connection's slot.
            request.extensions_mut().insert(slot.clone());
            routes.call(request.map(Body::new))
        });
        let settings = &self.state.settings;
        let silence = silence(&settings.sockets, settings.http.answer_timeout);
        let stream = WriteTimeout::new(stream, settings.http.answer_timeout, silence, stays_open);
        // A connection that closed at once would not learn that the server stops. So the request gets a
        // response, and then the connection closes.
        let is_late = stopping.is_cancelled();
        let mut http = self.http.clone();
        http.keep_alive(!is_late);
        let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopping.cancelled() => {
                    if !is_late {
                        connection.as_mut().graceful_shutdown();
                    }
                    tokio::select! {
                        ended = connection.as_mut() => ended,
                        () = end.cancelled() => Ok(()),
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, %remote, "a connection broke");
            }
        }
    }

    async fn drain(&self, stop: impl Future<Output = ()>) {
        stop.await;
        let time = self.state.settings.http.drain;
        self.state.stopping.cancel();
        self.connections.close();
        self.state.sockets.close();
        // Streams are requests that do not end automatically, so requests get only a part of the time.
        let _ = timeout(time / 4, self.connections.wait()).await;
        self.state.drain.cancel();
        let rest = async { tokio::join!(self.connections.wait(), self.state.sockets.wait()) };
        if timeout(time + LAST_WORDS, rest).await.is_err() {
            let (connections, sockets) = (self.connections.len(), self.state.sockets.len());
            tracing::warn!(connections, sockets, "some connections did not end in time");
        }
    }
}

/// Returns how long a connection lasts whose client does not acknowledge what was sent. Event streams send a comment as often as
/// sockets send a ping. Their time limit is that of a pong or a write of sockets. So a client that has lost its network loses its slot
/// equally soon by either. Without a limit the operating system would send again for a quarter of an hour.
///
/// Clients that are connected and do not read have their own time limits. This limit is not shorter than those.
fn silence(limits: &SocketLimits, answer_timeout: Duration) -> Silence {
    let of_streams = limits.pong_timeout.max(limits.write_timeout);
    Silence {
        of_answers: of_streams.max(answer_timeout),
        of_streams,
    }
}

/// Makes the operating system probe an idle client as often as sockets are pinged.
fn probe_silence(stream: &TcpStream, limits: &SocketLimits) {
    // Responses are written whole, so waiting to combine packets only delays them.
    let _ = stream.set_nodelay(true);
    let probes = TcpKeepalive::new()
        .with_time(limits.ping_interval)
        .with_interval(limits.pong_timeout);
    let _ = SockRef::from(stream).set_tcp_keepalive(&probes);
}

/// A connection's slot among those allowed. An upgraded connection keeps it for as long as the socket lives.
#[derive(Clone)]
pub(super) struct ConnectionSlot {
    _permit: Arc<OwnedSemaphorePermit>,
    of_address: Option<Arc<AddressPermit>>,
    stays_open: StaysOpen,
}

impl ConnectionSlot {
    fn new(permit: OwnedSemaphorePermit, of_address: Option<AddressPermit>) -> Self {
        Self {
            _permit: Arc::new(permit),
            of_address: of_address.map(Arc::new),
            stays_open: StaysOpen::default(),
        }
    }

    /// Marks the connection as carrying a stream of events until the returned guard is dropped.
    pub(super) fn begin_stream(&self) -> StreamOpen {
        self.stays_open.begin()
    }

    /// Keeps the slot for a connection that stays open, counted for the client's address. Connections of a trusted proxy are
    /// not counted before this call. Returns `None` if the address has reached its limit.
    pub(super) fn stay(self, addresses: &PerAddress, client: IpAddr) -> Option<Self> {
        if self.of_address.is_some() {
            return Some(self);
        }
        let of_address = Some(Arc::new(addresses.take(client)?));
        Some(Self { of_address, ..self })
    }
}

/// Returns whether the error affects only the connection that was being accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Measures from the last byte of a client until its connection ends, with the times of streams: within five seconds, as for
    /// sockets.
    #[tokio::test]
    async fn a_silent_end_is_given_up_as_soon_as_a_sockets() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, _) = accepted.expect("accepted");
        let limits = SocketLimits {
            ping_interval: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(15),
            init_timeout: Duration::from_secs(1),
            operations: 1,
            messages_per_second: 1,
            message_bytes: 1,
        };
        let of_socket = limits.ping_interval + limits.pong_timeout;
        let silence = silence(&limits, Duration::from_secs(30));
        assert_eq!(
            silence.of_answers,
            Duration::from_secs(30),
            "the longest that a client may read nothing"
        );
        let of_stream = limits.ping_interval + silence.of_streams;
        assert!(
            of_stream.saturating_sub(of_socket) <= Duration::from_secs(5),
            "{of_stream:?} as {of_socket:?}"
        );
        probe_silence(&stream, &limits);
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("readable") && stream.nodelay().expect("readable"));
        assert_eq!(socket.tcp_keepalive_time().expect("readable"), limits.ping_interval);
        drop(client.expect("connected"));
    }
}
