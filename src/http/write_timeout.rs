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

/// Whether the connection carries a stream of events. Until the stream ends, the client has less time to acknowledge what was
/// sent.
#[derive(Clone, Debug, Default)]
pub(super) struct StaysOpen(Arc<AtomicBool>);

impl StaysOpen {
    /// Marks the start of a stream, until the returned guard is dropped. A connection carries one stream at a
    /// time.
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

/// How long sent data may stay unacknowledged before the operating system ends the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    /// While a response is sent.
    pub(super) of_answers: Duration,
    /// While a stream of events is sent.
    pub(super) of_streams: Duration,
}

/// Sets how long sent data may stay unacknowledged. Options that the system does not support are skipped; then the
/// connection lasts longer.
fn bound_silence(stream: &TcpStream, silence: Duration) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(silence));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (stream, silence);
}

/// A connection that fails when its client accepts no data for the time limit. Otherwise an unread response would hold its
/// memory and its connection without end.
pub(super) struct WriteTimeout {
    stream: TcpStream,
    timeout: Duration,
    silence: Silence,
    stays_open: StaysOpen,
    /// Whether the current limit is that of streams.
    is_stream: bool,
    /// Runs while a write waits. It is created for each wait, so that the many idle connections have none.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl WriteTimeout {
    pub(super) fn new(stream: TcpStream, timeout: Duration, silence: Silence, stays_open: StaysOpen) -> Self {
        bound_silence(&stream, silence.of_answers);
        Self {
            stream,
            timeout,
            silence,
            stays_open,
            is_stream: false,
            deadline: None,
        }
    }

    /// Called before each write, because the first write of a stream contains its head.
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
        let timeout = self.timeout;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        deadline
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl AsyncRead for WriteTimeout {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, into)
    }
}

impl AsyncWrite for WriteTimeout {
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

    /// A client that has lost its network sends nothing at all. No test on one machine can be such a client. So the test reads back
    /// the options of the socket.
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
        let mut guard = WriteTimeout::new(stream, Duration::from_secs(1), silence, stays_open.clone());
        let asked_for = |guard: &WriteTimeout| SockRef::from(&guard.stream).tcp_user_timeout().expect("readable");
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
