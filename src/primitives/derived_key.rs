//! Keys for single purposes, derived from the secret of the installation.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Returns HMAC-SHA256 under a key derived from `secret` for this purpose alone. A signature or hash for one purpose is never valid for
/// another. Clients keep values made with it, such as links, so a purpose is never renamed.
#[must_use]
pub fn derive(secret: &[u8], purpose: &str) -> Hmac<Sha256> {
    let derived = keyed(secret).chain_update(purpose).finalize().into_bytes();
    keyed(&derived)
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}
