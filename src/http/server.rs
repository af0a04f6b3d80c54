//! The server: accepts connections, bounds what each may take, and ends them in good order.
//!
//! Invariants: a connection that is slow with its head, with its body or with reading its answer is ended; there are no more than
//! were allowed, overall and for each address; a few beyond that are answered about the server's health and nothing else, so that
//! a client which fills the bound does not make the server look dead; after the drain nothing is left running. A connection's
//! buffers are small and grow only while it is busy, for most are idle.

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

use super::SharedDoor;
use super::SocketLimits;
use super::address::{AddressPermit, PerAddress};
use super::stall::{Silence, StallGuard, StaysOpen, StreamOpen};

/// The largest head of a request, in bytes: a document may be in its address.
const LARGEST_HEAD: usize = 32 * 1024;
/// What a connection holds back in memory, at most, in bytes, each way.
const LARGEST_BUFFER: usize = 32 * 1024;
/// How long nothing is accepted after accepting failed, most likely for want of file descriptors.
const RESPITE: Duration = Duration::from_millis(100);
/// What is left for the last sockets, which close at the end of the drain, to say so.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Connections beyond those allowed that are answered about the server's health, and how many of them an address may have.
const RESERVE: usize = 16;
const RESERVE_PER_ADDRESS: usize = 4;
/// How long such a connection lives, whatever it does.
const RESERVE_TIME: Duration = Duration::from_secs(5);
/// The answer to connections beyond those allowed and the reserve.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves until `stop` resolves, then drains: whoever asks whether we are ready is told no and upgrades are refused at once, idle
/// connections close, requests under way end, and then [`super::Door::drain`] tells sockets to close.
pub async fn serve(listener: TcpListener, door: SharedDoor, stop: impl Future<Output = ()> + Send) -> io::Result<()> {
    let server = Server {
        http: builder(&door),
        routes: super::router(Arc::clone(&door)),
        allowed: Arc::new(Semaphore::new(door.settings.max_connections)),
        reserve: PerAddress::new(RESERVE_PER_ADDRESS),
        reserved: Arc::new(Semaphore::new(RESERVE)),
        connections: TaskTracker::new(),
        end: CancellationToken::new(),
        door,
    };
    // Connections are accepted to the last, for somebody has to be told that we are not ready.
    tokio::select! {
        () = server.accept(&listener) => {}
        () = server.door.seats.watch(&server.door.services.clock, &server.door.services.standing) => {}
        () = server.drain(stop) => {}
    }
    server.end.cancel();
    Ok(())
}

fn builder(door: &SharedDoor) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(door.settings.head_timeout)
        // Some clients look their subprotocol up by the letters in which they wrote the header: see `ws::upgrade`.
        .preserve_header_case(true)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(LARGEST_BUFFER);
    http
}

struct Server {
    door: SharedDoor,
    routes: Router,
    http: http1::Builder,
    allowed: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    reserve: PerAddress,
    connections: TaskTracker,
    /// Cuts off whoever has not ended after the drain.
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
        let settings = &self.door.settings;
        probe_silence(&stream, &settings.sockets);
        if let Some(place) = self.place(remote.ip()) {
            self.connections.spawn(self.connection(stream, remote, place));
        } else if let Some(place) = self.reserved_place(remote.ip()) {
            self.connections.spawn(self.health_connection(stream, place));
        } else {
            // Sent if it can be done at once, as it can on a new connection; not waited for.
            let _ = stream.try_write(FULL);
        }
    }

    /// A place for a connection among those allowed. The connections of a trusted proxy are many clients'.
    fn place(&self, remote: IpAddr) -> Option<Place> {
        let permit = Arc::clone(&self.allowed).try_acquire_owned().ok()?;
        if self.door.settings.proxies.contain(remote) {
            return Some(Place::new(permit, None));
        }
        let Some(of_address) = self.door.addresses.take(remote) else {
            tracing::debug!(%remote, "an address has as many connections as it may; if it is a proxy, set http.trusted_proxies");
            return None;
        };
        Some(Place::new(permit, Some(of_address)))
    }

    fn reserved_place(&self, remote: IpAddr) -> Option<Place> {
        let permit = Arc::clone(&self.reserved).try_acquire_owned().ok()?;
        let of_address = self.reserve.take(remote)?;
        Some(Place::new(permit, Some(of_address)))
    }

    /// Answers one question about the server's health on a connection beyond those allowed.
    fn health_connection(&self, stream: TcpStream, place: Place) -> impl Future<Output = ()> + Send + 'static {
        let routes = TowerToHyperService::new(super::health::routes(&self.door));
        let service = service_fn(move |request: Request<Incoming>| routes.call(request.map(Body::new)));
        let mut http = self.http.clone();
        http.keep_alive(false);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        async move {
            let _place = place;
            let _ = timeout(RESERVE_TIME, connection).await;
        }
    }

    /// Serves one connection until it ends, or has become a socket.
    fn connection(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        place: Place,
    ) -> impl Future<Output = ()> + Send + 'static {
        let stopping = self.door.stopping.clone();
        let end = self.end.clone();
        let routes = TowerToHyperService::new(self.routes.clone());
        let door = Arc::clone(&self.door);
        let stays_open = place.stays_open.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let client = door.settings.proxies.client(remote.ip(), request.headers());
            let client = SocketAddr::new(client, remote.port());
            request.extensions_mut().insert(ConnectInfo(client));
            // A socket takes its connection's place among those allowed.
            request.extensions_mut().insert(place.clone());
            routes.call(request.map(Body::new))
        });
        let settings = &self.door.settings;
        let silence = silence(&settings.sockets, settings.answer_timeout);
        let stream = StallGuard::new(stream, settings.answer_timeout, silence, stays_open);
        // Hung up on at once it would not learn that the server stops; so it is answered, and closed after that.
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
        let time = self.door.settings.drain;
        self.door.stopping.cancel();
        self.connections.close();
        self.door.sockets.close();
        // Streams are requests that do not end by themselves, so not all of the time is waited for those that do.
        let _ = timeout(time / 4, self.connections.wait()).await;
        self.door.drain.cancel();
        let rest = async { tokio::join!(self.connections.wait(), self.door.sockets.wait()) };
        if timeout(time + LAST_WORDS, rest).await.is_err() {
            let (connections, sockets) = (self.connections.len(), self.door.sockets.len());
            tracing::warn!(connections, sockets, "not all ended in time");
        }
    }
}

/// How long a connection lasts whose other end does not acknowledge what it was sent. Event streams send a comment as often as sockets
/// ping, and have as long for it as sockets have for a pong or a write: a client that has lost its network loses its place as soon by
/// either. Without that the system goes on sending for a quarter of an hour.
///
/// Clients that are there and do not read have the times that are theirs, so that the system ends none of them sooner.
fn silence(limits: &SocketLimits, answer_timeout: Duration) -> Silence {
    let of_streams = limits.pong_timeout.max(limits.write_timeout);
    Silence {
        of_answers: of_streams.max(answer_timeout),
        of_streams,
    }
}

/// Has the system ask an idle client whether it is there, as often as sockets are pinged.
fn probe_silence(stream: &TcpStream, limits: &SocketLimits) {
    // Answers are written whole.
    let _ = stream.set_nodelay(true);
    let probes = TcpKeepalive::new()
        .with_time(limits.ping_interval)
        .with_interval(limits.pong_timeout);
    let _ = SockRef::from(stream).set_tcp_keepalive(&probes);
}

/// A connection's place among those allowed. Whoever upgrades the connection keeps it for as long as the socket lives.
#[derive(Clone)]
pub(super) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
    of_address: Option<Arc<AddressPermit>>,
    stays_open: StaysOpen,
}

impl Place {
    fn new(permit: OwnedSemaphorePermit, of_address: Option<AddressPermit>) -> Self {
        Self {
            _permit: Arc::new(permit),
            of_address: of_address.map(Arc::new),
            stays_open: StaysOpen::default(),
        }
    }

    /// Says that the connection carries a stream of events until what is returned is dropped.
    pub(super) fn begin_stream(&self) -> StreamOpen {
        self.stays_open.begin()
    }

    /// The same place for something that stays open, counted for the client's address: the connections of a trusted proxy are
    /// not. `None` when the address has as many as it may.
    pub(super) fn stay(self, addresses: &PerAddress, client: IpAddr) -> Option<Self> {
        if self.of_address.is_some() {
            return Some(self);
        }
        let of_address = Some(Arc::new(addresses.take(client)?));
        Some(Self { of_address, ..self })
    }
}

/// Whether only the connection that was about to be accepted is lost.
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

    /// From the last byte of a client until its connection ends, by the times that streams have: as sockets, within five seconds.
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
