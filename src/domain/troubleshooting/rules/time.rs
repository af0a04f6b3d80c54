//! What of an account is wrong as a whole, and when time alone may change it.

use sha2::{Digest, Sha256};

use crate::domain::top_up::model::{DecisionOutcome, PaymentMethod};
use crate::domain::top_up::unknown;
use crate::domain::troubleshooting::model::{Finding, Snapshot};
use crate::primitives::clock::Timestamp;

use super::auto_top_ups::REFUSAL_MILLIS;
use super::top_ups::UNKNOWN_MILLIS;

/// How soon an account is looked at again of which mail is on its way: what becomes of mail is no event.
const MAIL_MILLIS: i64 = 2 * 60_000;
/// How soon one is looked at again whose auto top-up has bought as often as it may in a day.
const CEILING_MILLIS: i64 = 60 * 60_000;

/// The same for the same set: what is wrong, how much it matters and what mends it. Figures that change on the way are not in it.
pub(in crate::domain::troubleshooting) fn fingerprint(findings: &[Finding]) -> Vec<u8> {
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

/// The next instant at which a rule may come to something else although nothing has happened.
///
/// What is judged by the last 90 days of sessions or by the last days of mail changes by time alone too, slowly and for the better:
/// that is seen with the next event.
pub(in crate::domain::troubleshooting) fn next_change(snapshot: &Snapshot) -> Option<Timestamp> {
    let (now, purchases, sessions) = (snapshot.now, &snapshot.purchases, &snapshot.sessions);
    let unknown = purchases.unfinished.iter().filter_map(unknown);
    let unknown = unknown.map(|(_, since)| since.plus_millis(UNKNOWN_MILLIS));
    let late = sessions.processing.iter();
    // Late is what is expected before now, not at it.
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
    let mail = snapshot.reach.has_unsent.then(|| now.plus_millis(MAIL_MILLIS));
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
