//! A TCP proxy in front of a server, whose connections can be slow, stop forwarding, or end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards to one address.
pub(crate) struct Proxy {
    pub(crate) address: String,
    state: Arc<State>,
}

struct State {
    made: AtomicU64,
    /// Connections with a lower number are mute: open, without forwarding.
    mute_below: AtomicU64,
    /// How long each part of what is sent waits, in milliseconds.
    delay: AtomicU64,
    /// Connections with a lower number have ended, and how.
    ended_below: watch::Sender<(u64, Ending)>,
}

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// As when a program closes it.
    Closed,
    /// As when a machine has no memory of it (RST).
    Reset,
}

impl Proxy {
    pub(crate) async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(State {
            made: AtomicU64::new(0),
            mute_below: AtomicU64::new(0),
            delay: AtomicU64::new(0),
            ended_below: watch::Sender::new((0, Ending::Closed)),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = shared.made.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(forward(client, target.clone(), number, Arc::clone(&shared)));
            }
        });
        Self { address, state }
    }

    /// Makes all open connections mute; new ones are not.
    pub(crate) fn mute_open_ones(&self) {
        self.state.mute_below.store(self.made(), Ordering::SeqCst);
    }

    /// Makes all connections mute, also new ones, until [`Self::mute_open_ones`].
    pub(crate) fn mute_all(&self) {
        self.state.mute_below.store(u64::MAX, Ordering::SeqCst);
    }

    /// Closes all open connections.
    pub(crate) fn cut(&self) {
        self.state.ended_below.send_replace((self.made(), Ending::Closed));
    }

    /// Resets all open connections.
    pub(crate) fn reset(&self) {
        self.state.ended_below.send_replace((self.made(), Ending::Reset));
    }

    /// Delays everything from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).expect("a short time");
        self.state.delay.store(millis, Ordering::SeqCst);
    }

    pub(crate) fn made(&self) -> u64 {
        self.state.made.load(Ordering::SeqCst)
    }
}

async fn forward(client: TcpStream, target: String, number: u64, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let ((mut client_in, mut client_out), (mut server_in, mut server_out)) = (client.into_split(), server.into_split());
    let mut ended = state.ended_below.subscribe();
    let how = {
        let copying = async {
            tokio::join!(
                copy(&mut client_in, &mut server_out, number, &state),
                copy(&mut server_in, &mut client_out, number, &state)
            )
        };
        tokio::select! {
            _ = copying => Ending::Closed,
            ended = ended.wait_for(|(below, _)| number < *below) => ended.map_or(Ending::Closed, |ended| ended.1),
        }
    };
    if how == Ending::Reset {
        for (read, write) in [(client_in, client_out), (server_in, server_out)] {
            let stream = read.reunite(write).expect("the halves of one connection");
            // With this, closing sends RST.
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    }
}

/// Copies one direction, until it ends. Ends the other side of it too.
async fn copy(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, number: u64, state: &State) {
    let mut some = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut some).await else {
            // The end of a mute connection is not forwarded either.
            if number < state.mute_below.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            let _ = to.shutdown().await;
            return;
        };
        if number < state.mute_below.load(Ordering::SeqCst) {
            continue;
        }
        let delay = state.delay.load(Ordering::SeqCst);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if to.write_all(&some[..read]).await.is_err() {
            return;
        }
    }
}

/// Returns the server's address in a URL, and the URL with another address.
pub(crate) fn by_way_of(url: &str, address: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_once('/').expect("a database");
    let user = authority
        .rsplit_once('@')
        .map_or(String::new(), |(user, _)| format!("{user}@"));
    format!("{scheme}://{user}{address}/{path}")
}

pub(crate) fn address_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority).to_owned()
}
