//! Reports about sent mail: JSON that is signed with a shared secret.
//!
//! The format is our own, because every mail service has a different one. docs/mail.md describes it.

use serde::Deserialize;

use crate::adapters::signature;
use crate::domain::notification::model::{Report, ReportKind};
use crate::domain::notification::{InvalidReport, ReportSource};
use crate::primitives::clock::Timestamp;

/// The longest id of a report, in characters.
const LONGEST_ID: usize = 200;
/// The longest address (RFC 5321), and the longest Message-ID that is read, in characters.
const LONGEST_ADDRESS: usize = 320;

/// Verifies and reads signed reports.
pub struct SignedReports {
    secret: String,
}

impl SignedReports {
    /// Creates a reader of reports that are signed with this secret.
    pub fn new(secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
        }
    }
}

/// The format of a report. Other fields are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    message_id: String,
    address: String,
    reason: Option<String>,
}

impl ReportSource for SignedReports {
    fn read(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<Report, InvalidReport> {
        if !signature::is_good(&self.secret, body, signature, now) {
            return Err(InvalidReport::Signature);
        }
        let written: Written = serde_json::from_slice(body).map_err(|error| InvalidReport::Body(error.to_string()))?;
        let wrong = |what: &str| InvalidReport::Body(what.to_owned());
        let kind = ReportKind::from_text(&written.kind)
            .ok_or_else(|| wrong("type must be DELIVERED, SOFT_BOUNCE, HARD_BOUNCE or COMPLAINT"))?;
        if !is_bounded(&written.id, LONGEST_ID) {
            return Err(wrong("id must have 1 to 200 characters, without control characters"));
        }
        if !is_bounded(&written.address, LONGEST_ADDRESS) {
            return Err(wrong("address must be the one that the mail was sent to"));
        }
        let message_id = written.message_id.trim().trim_start_matches('<').trim_end_matches('>');
        let (local, _) = message_id.split_once('@').unwrap_or((message_id, ""));
        Ok(Report {
            id: written.id,
            kind,
            message_id: local.to_owned(),
            address: written.address,
            reason: written.reason,
        })
    }
}

/// Returns whether a text is not empty, not too long, and can be stored in both databases.
fn is_bounded(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.chars().take(longest + 1).count() <= longest && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "0123456789012345678901234567890123456789";
    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn read(body: &Value) -> Result<Report, InvalidReport> {
        let body = body.to_string().into_bytes();
        let signature = signature::sign(SECRET, &body, NOW);
        SignedReports::new(SECRET).read(&body, &signature, NOW)
    }

    fn report() -> Value {
        json!({ "id": "r1", "type": "HARD_BOUNCE", "messageId": "<dlv_1@bell.example>", "address": "ada@example.com",
            "reason": "550 no such user", "provider": "whatever else there is" })
    }

    #[test]
    fn a_report_is_read_with_and_without_brackets_and_domain() {
        let expected = read(&report()).expect("a report");
        assert_eq!(expected.message_id, "dlv_1");
        for message_id in ["dlv_1@bell.example", "dlv_1", " <dlv_1@bell.example> "] {
            let mut other = report();
            other["messageId"] = message_id.into();
            assert_eq!(read(&other).as_ref(), Ok(&expected), "{message_id}");
        }
    }

    #[test]
    fn what_is_signed_but_no_report_is_refused_with_what_is_wrong() {
        for (field, value, said) in [
            ("type", json!("BOUNCE"), "HARD_BOUNCE"),
            ("type", Value::Null, "null"),
            ("id", json!(""), "id must"),
            ("id", json!("x".repeat(201)), "id must"),
            ("id", json!("a\u{0}b"), "id must"),
            ("address", json!("x".repeat(321)), "address must"),
        ] {
            let mut other = report();
            other[field] = value;
            let refused = read(&other).expect_err(said).to_string();
            assert!(refused.contains(said), "{refused}");
        }
        assert!(matches!(read(&json!([])), Err(InvalidReport::Body(_))));
    }
}
