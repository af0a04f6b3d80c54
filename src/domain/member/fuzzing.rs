//! A property of every credential that a caller may send, for fuzz targets and tests. It panics where the property is violated.

use jsonwebtoken::{Algorithm, DecodingKey};

use super::token::{Claims, Expected, KeyText, claimed};
use crate::primitives::clock::Timestamp;

/// A credential is an API key of the right form, or a token whose header can be read, or it is refused. No token is valid by a key
/// that its issuer does not have.
///
/// # Panics
///
/// When the property is violated.
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
