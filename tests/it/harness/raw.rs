//! A client that writes any bytes on a connection, also invalid HTTP.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any working operation takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection to the server.
pub(crate) struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

/// The response to one request.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Raw {
    /// Connects to `base`, such as `http://127.0.0.1:8080`.
    pub(crate) async fn connect(base: &str) -> Self {
        let address = base.trim_start_matches("http://");
        let stream = TcpStream::connect(address).await.expect("the server listens");
        Self { stream, read: vec![] }
    }

    /// Writes text. An error means that the server no longer reads.
    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) -> std::io::Result<()> {
        let written = timeout(PATIENCE, self.stream.write_all(text.as_ref()));
        written.await.expect("the server reads, or hangs up")
    }

    /// Closes the writing half of the connection.
    pub(crate) async fn close_half(&mut self) {
        self.stream.shutdown().await.expect("the connection lives");
    }

    /// Returns the next response; `None` if the server closes the connection instead.
    pub(crate) async fn answer(&mut self) -> Option<RawAnswer> {
        let head_ends = loop {
            if let Some(at) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_on().await?;
        };
        let head = String::from_utf8_lossy(&self.read[..head_ends]).to_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(0, |length| length.trim().parse().expect("a length"));
        while self.read.len() < head_ends + length {
            self.read_on().await?;
        }
        let body = String::from_utf8_lossy(&self.read[head_ends..head_ends + length]).into_owned();
        self.read.drain(..head_ends + length);
        let status = head.split_whitespace().nth(1).expect("a status");
        Some(RawAnswer {
            status: status.parse().expect("a number"),
            head,
            body,
        })
    }

    /// Returns the raw head of the next response.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(at) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                return String::from_utf8_lossy(&self.read[..at + 4]).into_owned();
            }
            self.read_on().await.expect("an answer");
        }
    }

    /// Waits until the server closes the connection.
    pub(crate) async fn is_hung_up_on(&mut self) {
        while self.read_on().await.is_some() {}
    }

    /// Reads more. Returns `None` if the server has closed the connection in any way.
    async fn read_on(&mut self) -> Option<()> {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        match read.expect("the server answers, or hangs up") {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(()),
        }
    }
}
