//! Reads bodies up to a size limit and a time limit.

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It exceeds the size limit.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection ended before the body was complete.
    Broken,
}

/// Reads a body of at most `largest` bytes, regardless of its declared length. All of it must arrive `within`
/// this time.
pub(super) async fn read(body: Body, largest: usize, within: Duration) -> Result<Vec<u8>, Unread> {
    // Cancelling this read is safe: the request has not started anything yet.
    let read = tokio::time::timeout(within, bounded(body, largest)).await;
    read.map_err(|_| Unread::TooSlow)?
}

async fn bounded(body: Body, largest: usize) -> Result<Vec<u8>, Unread> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Unread::Broken)?;
        if bytes.len() + chunk.len() > largest {
            return Err(Unread::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
