//! A deadline for clients that do not read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// Whether what a connection is sent is a stream of events: until it ends the client has to show sooner that it is still there.
#[derive(Clone, Debug, Default)]
pub(super) struct StaysOpen(Arc<AtomicBool>);

impl StaysOpen {
    /// Says so until what is returned is dropped. A connection carries one stream at a time.
    pub(super) fn begin(&self) -> StreamOpen {
        self.0.store(true, Ordering::Relaxed);
        StreamOpen(self.clone())
    }
}

/// See [`StaysOpen::begin`].
#[derive(Debug)]
pub(super) struct StreamOpen(StaysOpen);

impl Drop for StreamOpen {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}

/// How long what was sent may stay unacknowledged before the system gives the connection up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    /// While an answer is sent.
    pub(super) of_answers: Duration,
    /// While a stream of events is.
    pub(super) of_streams: Duration,
}

/// Sets how long what was sent may stay unacknowledged. What cannot be had of this is done without: then it lasts longer.
fn bound_silence(stream: &TcpStream, silence: Duration) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(silence));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (stream, silence);
}

/// A connection that breaks when its client takes nothing of what is written for so long: else an answer that nobody reads would
/// hold its memory, and its connection, for ever.
pub(super) struct StallGuard {
    stream: TcpStream,
    patience: Duration,
    silence: Silence,
    stays_open: StaysOpen,
    /// What `silence` is bounded for now.
    is_stream: bool,
    /// Runs while a write waits. Made for each wait, so that the many idle connections have none.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl StallGuard {
    pub(super) fn new(stream: TcpStream, patience: Duration, silence: Silence, stays_open: StaysOpen) -> Self {
        bound_silence(&stream, silence.of_answers);
        Self {
            stream,
            patience,
            silence,
            stays_open,
            is_stream: false,
            deadline: None,
        }
    }

    /// Before each write, because the first write after a stream has begun is its head.
    fn follow(&mut self) {
        let is_stream = self.stays_open.0.load(Ordering::Relaxed);
        if is_stream != self.is_stream {
            self.is_stream = is_stream;
            let Silence { of_answers, of_streams } = self.silence;
            bound_silence(&self.stream, if is_stream { of_streams } else { of_answers });
        }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let patience = self.patience;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        deadline
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl AsyncRead for StallGuard {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, into)
    }
}

impl AsyncWrite for StallGuard {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.follow();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.follow();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// A client that has lost its network does not even say that it is gone: no test on one machine can be such a client, so what the
    /// system was asked for is read back.
    #[tokio::test]
    async fn a_stream_is_given_up_sooner_than_an_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let silence = Silence {
            of_answers: Duration::from_secs(31),
            of_streams: Duration::from_secs(13),
        };
        let stays_open = StaysOpen::default();
        let (stream, _) = accepted.expect("accepted");
        let mut guard = StallGuard::new(stream, Duration::from_secs(1), silence, stays_open.clone());
        let asked_for = |guard: &StallGuard| SockRef::from(&guard.stream).tcp_user_timeout().expect("readable");
        guard.write_all(b"an answer").await.expect("written");
        assert_eq!(asked_for(&guard), Some(silence.of_answers));
        let open = stays_open.begin();
        guard.write_all(b"an event").await.expect("written");
        assert_eq!(asked_for(&guard), Some(silence.of_streams));
        drop(open);
        guard.write_all(b"an answer").await.expect("written");
        assert_eq!(asked_for(&guard), Some(silence.of_answers));
        drop(client.expect("connected"));
    }
}
