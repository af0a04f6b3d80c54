//! Reads messages that are signed in the format of Stripe.

use serde_json::Value;

use crate::adapters::signature;
use crate::domain::top_up::gateway::{InvalidWebhook, Notice};
use crate::primitives::clock::Timestamp;

pub use crate::adapters::signature::sign;

/// Accepts a message that is signed with the secret and at most five minutes old. Returns the object that it is about.
pub fn read(secret: &str, body: &[u8], signature: &str, now: Timestamp) -> Result<Notice, InvalidWebhook> {
    if !signature::is_good(secret, body, signature, now) {
        return Err(InvalidWebhook::Signature);
    }
    let event: Value = serde_json::from_slice(body).map_err(|_| InvalidWebhook::Body)?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let charge_id = match text("/data/object/object").as_deref() {
        Some("payment_intent") => text("/data/object/id"),
        // Charges, refunds and disputes name their payment intent.
        _ => text("/data/object/payment_intent"),
    };
    let notice = Notice {
        event_id: text("/id").ok_or(InvalidWebhook::Body)?,
        kind: text("/type").ok_or(InvalidWebhook::Body)?,
        charge_id,
    };
    // PostgreSQL cannot store U+0000. Without this check, such a message would be redelivered without end.
    let texts = [Some(&notice.event_id), Some(&notice.kind), notice.charge_id.as_ref()];
    if texts.into_iter().flatten().any(|text| text.contains(char::is_control)) {
        return Err(InvalidWebhook::Body);
    }
    Ok(notice)
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
        let control = br#"{"id":"evt_1","type":"a","data":{"object":{"payment_intent":"pi_\u00001"}}}"#;
        for body in [
            &b"{}"[..],
            b"[]",
            b"",
            b"{\"id\":1}",
            br#"{"id":"evt_\u0000","type":"a"}"#,
            br#"{"id":"evt_1","type":"\u0000"}"#,
            control,
        ] {
            assert_eq!(
                read(SECRET, body, &sign(SECRET, body, NOW), NOW),
                Err(InvalidWebhook::Body)
            );
        }
    }
}
