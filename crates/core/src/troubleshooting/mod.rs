//! What is wrong in an account: one rule per code, each a pure function of one snapshot.
//!
//! A rule that depends on a decision of another module calls the function that decides it. So a finding always agrees with
//! the decision: `AutoTopUp::evaluate`, `Purchase::may_retry`, the resolver of deliveries.

mod account;
mod auto_top_ups;
mod finding;
mod notifications;
mod sessions;
mod snapshot;
#[cfg(test)]
mod tests;
mod time;
mod top_ups;

use std::cmp::Reverse;

pub use finding::{Call, Fact, Facts, Finding, FindingCode, Remedy, RemedyAction, Symptom};
pub use snapshot::{OpenSession, SessionFigures, Snapshot, typical};
pub use time::{fingerprint, next_change};

/// Maximum findings of one code. If there are more, the first are kept.
const MOST_OF_A_CODE: usize = 20;
/// Maximum rows that prove a finding.
const MOST_EVIDENCE: usize = 10;

type Rule = fn(&Snapshot) -> Vec<Finding>;

/// Returns all findings, the most severe first. Empty when nothing is wrong.
pub fn find(snapshot: &Snapshot) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for code in FindingCode::ALL {
        let mut found = rule_of(*code)(snapshot);
        found.truncate(MOST_OF_A_CODE);
        for finding in &mut found {
            finding.evidence.truncate(MOST_EVIDENCE);
        }
        findings.extend(found);
    }
    findings.sort_by_key(|finding| Reverse(finding.severity));
    findings
}

const fn rule_of(code: FindingCode) -> Rule {
    match code {
        FindingCode::TopUpFailed => top_ups::failed,
        FindingCode::TopUpNeedsAuthentication => top_ups::needs_authentication,
        FindingCode::TopUpOutcomeUnknown => top_ups::outcome_unknown,
        FindingCode::AutoTopUpOffAndLow => auto_top_ups::off_and_low,
        FindingCode::AutoTopUpPaused => auto_top_ups::paused,
        FindingCode::CapReached => auto_top_ups::cap_reached,
        FindingCode::PaymentMethodMissing => auto_top_ups::card_missing,
        FindingCode::PaymentMethodExpired => auto_top_ups::card_expired,
        FindingCode::TriggerBelowTypicalSession => auto_top_ups::trigger_too_low,
        FindingCode::AmountBelowTypicalSession => auto_top_ups::amount_too_low,
        FindingCode::SessionsProcessing => sessions::processing,
        FindingCode::SessionsOverdue => sessions::overdue,
        FindingCode::AccountFrozen => account::frozen,
        FindingCode::LowBalanceMuted => notifications::low_balance_muted,
        FindingCode::ContactMissing => notifications::contact_missing,
        FindingCode::ContactUnverified => notifications::contact_unverified,
        FindingCode::ContactBouncing => notifications::contact_bouncing,
        FindingCode::EmailDeliveryFailing => notifications::mail_failing,
    }
}
