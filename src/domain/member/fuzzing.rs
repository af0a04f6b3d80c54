//! What must hold for any credential that a caller sends, as a property for fuzz targets and tests. It panics where it does not.

use jsonwebtoken::{Algorithm, DecodingKey};

use super::token::{Claims, Expected, KeyText, claimed};
use crate::primitives::clock::Timestamp;

/// A credential is an API key of the right shape, or a token whose head can be read, or refused; and no token is good by a key that
/// its issuer does not have.
///
/// # Panics
///
/// When that does not hold.
pub fn credential(text: &str) {
    if let Ok(key) = KeyText::parse(text) {
        assert!(KeyText::is_meant(text));
        assert!(text.contains(key.prefix()) && key.matches(&key.hash()));
    }
    if let Ok(claimed) = claimed(text) {
        assert!(claimed.key_id.is_none_or(|key_id| key_id.len() <= text.len()));
    }
    let key = DecodingKey::from_secret(b"a key that signed nothing, and is long enough");
    for now in [Timestamp::MIN, Timestamp::MAX] {
        let verified = Claims::verify(text, Algorithm::HS256, &key, &Expected::default(), now);
        assert!(verified.is_err(), "{text:?}");
    }
}
