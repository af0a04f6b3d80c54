//! Bodies: read no further than a bound, and no longer than a deadline.

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is larger than it may be.
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// It broke off.
    Broken,
}

/// A body of at most so many bytes, whatever its length was said to be, which must have come `within` this time.
pub(super) async fn read(body: Body, largest: usize, within: Duration) -> Result<Vec<u8>, Unread> {
    // Giving up a body half-way harms nothing: nothing has begun.
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
