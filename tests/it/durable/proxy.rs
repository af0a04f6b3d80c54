//! A TCP proxy between a server and its database, whose connections can stop forwarding.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Forwards to one address.
pub(super) struct Proxy {
    pub(super) address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    made: AtomicU64,
    /// Connections with a lower number are mute: open, without forwarding.
    mute_below: AtomicU64,
}

impl Proxy {
    pub(super) async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::<State>::default();
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
    pub(super) fn mute_open_ones(&self) {
        let made = self.state.made.load(Ordering::SeqCst);
        self.state.mute_below.store(made, Ordering::SeqCst);
    }

    /// Makes all connections mute, also new ones.
    pub(super) fn mute_all(&self) {
        self.state.mute_below.store(u64::MAX, Ordering::SeqCst);
    }

    pub(super) fn made(&self) -> u64 {
        self.state.made.load(Ordering::SeqCst)
    }
}

async fn forward(client: TcpStream, target: String, number: u64, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
    tokio::join!(
        copy(client_in, server_out, number, &state),
        copy(server_in, client_out, number, &state)
    );
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    number: u64,
    state: &State,
) {
    let mut some = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut some).await else {
            // The end of a mute connection is not forwarded either.
            if number < state.mute_below.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            return;
        };
        if number < state.mute_below.load(Ordering::SeqCst) {
            continue;
        }
        if to.write_all(&some[..read]).await.is_err() {
            return;
        }
    }
}
