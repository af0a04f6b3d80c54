//! Signed messages in the format of Stripe: `t=<seconds>,v1=<HMAC-SHA256 of "t.body", in hexadecimal digits>`.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::timestamp::Timestamp;

/// The largest accepted difference between the time of a message and now: 5 minutes.
const TOLERANCE_SECONDS: i64 = 300;
/// The number of parts of a signature that are read.
const PARTS: usize = 16;

/// Signs a message.
pub fn sign(secret: &str, body: &[u8], at: Timestamp) -> String {
    let seconds = at.millis() / 1_000;
    let tag = mac(secret, seconds, body).finalize().into_bytes();
    format!("t={seconds},v1={}", HEXLOWER.encode(&tag))
}

/// Returns whether a message was signed with the secret, at most five minutes ago.
pub fn is_good(secret: &str, body: &[u8], signature: &str, now: Timestamp) -> bool {
    let mut seconds = None;
    let mut tags = Vec::new();
    for part in signature.split(',').take(PARTS) {
        match part.trim().split_once('=') {
            Some(("t", value)) => seconds = value.parse::<i64>().ok(),
            Some(("v1", value)) => tags.push(value),
            _ => {}
        }
    }
    let Some(seconds) = seconds else {
        return false;
    };
    let age = (now.millis() / 1_000).saturating_sub(seconds);
    if !(-TOLERANCE_SECONDS..=TOLERANCE_SECONDS).contains(&age) {
        return false;
    }
    // There are several while a secret is being replaced. The comparison takes constant time.
    tags.iter().any(|tag| {
        let decoded = HEXLOWER_PERMISSIVE.decode(tag.as_bytes());
        decoded.is_ok_and(|tag| mac(secret, seconds, body).verify_slice(&tag).is_ok())
    })
}

fn mac(secret: &str, seconds: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}
