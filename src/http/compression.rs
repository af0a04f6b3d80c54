//! Responses are compressed for clients that accept gzip, above a size.
//!
//! Below it, compression costs more processor time than the network would save. Event streams stay plain: their messages must not
//! wait in a buffer. No response contains a secret beside text that a stranger may choose, so its length tells nothing.

use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, NotForContentType, Predicate, SizeAbove};

/// The smallest response that is compressed, in bytes: what arrives in one round trip on a new connection.
const FLOOR: u16 = 14_000;

/// Returns the layer that compresses. A stream of unknown length is compressed.
pub(super) fn layer() -> CompressionLayer<And<And<SizeAbove, NotForContentType>, NotForContentType>> {
    let worth_it = SizeAbove::new(FLOOR.into())
        .and(NotForContentType::SSE)
        .and(NotForContentType::IMAGES);
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(worth_it)
}
