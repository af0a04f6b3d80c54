//! Signed messages in Stripe's manner: `t=<seconds>,v1=<HMAC-SHA256 of "t.body">`.

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::domain::top_up::gateway::{InvalidWebhook, Notice};
use crate::primitives::clock::Timestamp;

/// How old, or how far in the future, a message may be: 5 minutes.
const TOLERANCE_SECONDS: i64 = 300;

/// Signs a message as the gateway does.
pub fn sign(secret: &str, body: &[u8], at: Timestamp) -> String {
    let seconds = at.millis() / 1_000;
    let tag = mac(secret, seconds, body).finalize().into_bytes();
    format!("t={seconds},v1={}", data_encoding::HEXLOWER.encode(&tag))
}

fn mac(secret: &str, seconds: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// Believes a message that is signed with the secret and not older than five minutes, and says what it is about.
pub fn read(secret: &str, body: &[u8], signature: &str, now: Timestamp) -> Result<Notice, InvalidWebhook> {
    verify(secret, body, signature, now)?;
    let event: Value = serde_json::from_slice(body).map_err(|_| InvalidWebhook::Body)?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let charge_id = match text("/data/object/object").as_deref() {
        Some("payment_intent") => text("/data/object/id"),
        // Charges, refunds and disputes name theirs.
        _ => text("/data/object/payment_intent"),
    };
    Ok(Notice {
        event_id: text("/id").ok_or(InvalidWebhook::Body)?,
        kind: text("/type").ok_or(InvalidWebhook::Body)?,
        charge_id,
    })
}

fn verify(secret: &str, body: &[u8], signature: &str, now: Timestamp) -> Result<(), InvalidWebhook> {
    let mut seconds = None;
    let mut tags = Vec::new();
    for part in signature.split(',').take(16) {
        match part.trim().split_once('=') {
            Some(("t", value)) => seconds = value.parse::<i64>().ok(),
            Some(("v1", value)) => tags.push(value),
            _ => {}
        }
    }
    let seconds = seconds.ok_or(InvalidWebhook::Signature)?;
    let age = (now.millis() / 1_000).saturating_sub(seconds);
    if !(-TOLERANCE_SECONDS..=TOLERANCE_SECONDS).contains(&age) {
        return Err(InvalidWebhook::Signature);
    }
    // Several while a secret is changed. Compared in constant time.
    let is_ours = |tag: &&str| {
        let decoded = HEXLOWER_PERMISSIVE.decode(tag.as_bytes());
        decoded.is_ok_and(|tag| mac(secret, seconds, body).verify_slice(&tag).is_ok())
    };
    if tags.iter().any(is_ours) {
        Ok(())
    } else {
        Err(InvalidWebhook::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_test";
    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn body() -> Vec<u8> {
        br#"{"id":"evt_1","type":"charge.refunded","data":{"object":{"object":"charge","payment_intent":"pi_1"}}}"#
            .to_vec()
    }

    #[test]
    fn a_message_that_was_signed_with_our_secret_is_believed() {
        let notice = read(SECRET, &body(), &sign(SECRET, &body(), NOW), NOW).expect("believed");
        assert_eq!(notice.charge_id.as_deref(), Some("pi_1"));
        let rotating = format!("{},v1=00", sign(SECRET, &body(), NOW));
        read(SECRET, &body(), &rotating, NOW).expect("one of several");
    }

    #[test]
    fn a_message_of_another_or_of_old_is_not() {
        let signed = sign(SECRET, &body(), NOW);
        let later = NOW.plus_millis(301_000);
        let earlier = NOW.plus_millis(-301_000);
        let mut other = body();
        other[8] = b'2';
        for (secret, body, signature, now) in [
            ("whsec_other", body(), signed.clone(), NOW),
            (SECRET, other, signed.clone(), NOW),
            (SECRET, body(), signed.clone(), later),
            (SECRET, body(), signed.clone(), earlier),
            (SECRET, body(), String::new(), NOW),
            (SECRET, body(), "t=x,v1=zz".to_owned(), NOW),
        ] {
            let refused = read(secret, &body, &signature, now);
            assert_eq!(refused, Err(InvalidWebhook::Signature), "{signature}");
        }
    }

    #[test]
    fn a_signed_body_that_is_no_event_is_refused() {
        for body in [&b"{}"[..], b"[]", b"", b"{\"id\":1}"] {
            assert_eq!(
                read(SECRET, body, &sign(SECRET, body, NOW), NOW),
                Err(InvalidWebhook::Body)
            );
        }
    }
}
