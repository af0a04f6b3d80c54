//! A fingerprint of all findings, and the next time at which they may change without an event.

use sha2::{Digest, Sha256};

use crate::primitives::timestamp::{HOUR, MINUTE, Timestamp};
use crate::top_up::{DecisionOutcome, PaymentMethod, unknown};
use crate::troubleshooting::{Finding, Snapshot};

use super::auto_top_ups::REFUSAL_MILLIS;
use super::top_ups::UNKNOWN_MILLIS;

/// Delay until the next check of an account with unsent mail. The result of a mail appends no event.
const MAIL_MILLIS: i64 = 2 * MINUTE;
/// Delay until the next check of an account whose auto top-up has reached its daily number of purchases.
const CEILING_MILLIS: i64 = HOUR;

/// Returns equal bytes for equal findings: their codes, severities and remedies. Figures that change meanwhile are not included.
pub fn fingerprint(findings: &[Finding]) -> Vec<u8> {
    let mut digest = Sha256::new();
    for finding in findings {
        digest.update(finding.id());
        digest.update(finding.severity.as_str());
        digest.update(finding.remedy.action.as_str());
        digest.update(format!("{:?};", finding.remedy.call));
        for other in &finding.alternatives {
            digest.update(format!("{:?};", other.call));
        }
    }
    digest.finalize().to_vec()
}

/// Returns the next instant at which a rule may have another result without an event.
///
/// Findings about the last 90 days of sessions or the last days of mail also change with time, slowly and toward fewer problems.
/// The next event shows those changes.
pub fn next_change(snapshot: &Snapshot) -> Option<Timestamp> {
    let (now, purchases, sessions) = (snapshot.now, &snapshot.purchases, &snapshot.sessions);
    let unknown = purchases.unfinished.iter().filter_map(unknown);
    let unknown = unknown.map(|(_, since)| since.plus_millis(UNKNOWN_MILLIS));
    let late = sessions.processing.iter();
    // A session is late after the expected instant, not at it.
    let late = late.map(|session| snapshot.expected_by(session.ends_at).plus_millis(1));
    let cards = [purchases.card_of_rule(), purchases.default_card()]
        .into_iter()
        .flatten();
    let refused = purchases.decisions.iter();
    let refused = refused.filter(|decision| decision.outcome == DecisionOutcome::AboveTrigger);
    let refused = refused.map(|decision| decision.decided_at.plus_millis(REFUSAL_MILLIS));
    let cap = match purchases.decision.outcome {
        DecisionOutcome::CapReached => Some(purchases.terms.month_ends_at(now)),
        DecisionOutcome::CeilingReached => Some(now.plus_millis(CEILING_MILLIS)),
        _ => None,
    };
    let mail = snapshot.recipients.has_unsent.then(|| now.plus_millis(MAIL_MILLIS));
    unknown
        .chain(sessions.next_end)
        .chain(late)
        .chain(cards.map(PaymentMethod::ends_at))
        .chain(refused)
        .chain(cap)
        .chain(mail)
        .filter(|at| *at > now && *at < Timestamp::MAX)
        .min()
}
