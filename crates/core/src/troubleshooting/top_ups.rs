//! Findings about top-ups.

use crate::notification::Severity;
use crate::primitives::ids::{GlobalId, PaymentMethodId};
use crate::primitives::timestamp::{MINUTE, Timestamp};
use crate::top_up::{FailureCode, FailureRemedy, PaymentMethod, Purchase, TopUpStatus, unknown};
use crate::troubleshooting::{Call, Fact, Finding, FindingCode, Remedy, RemedyAction, Snapshot};

use super::account::is_active;

/// An outcome that is unknown for longer than this is reported.
pub(super) const UNKNOWN_MILLIS: i64 = 5 * MINUTE;

/// A card as its holder recognizes it.
pub(super) fn shown(card: &PaymentMethod) -> Fact {
    Fact::Text(format!("{} …{}", card.brand, card.last4))
}

fn card(snapshot: &Snapshot, id: PaymentMethodId) -> Option<&PaymentMethod> {
    snapshot.purchases.cards.iter().find(|card| card.id == id)
}

fn last_card<'a>(snapshot: &'a Snapshot, purchase: &Purchase) -> Option<&'a PaymentMethod> {
    card(snapshot, purchase.attempts.last()?.payment_method_id)
}

fn evidence(snapshot: &Snapshot, purchase: &Purchase) -> Vec<GlobalId> {
    let account_id = snapshot.account.account_id;
    let attempt = purchase.attempts.last().map(|attempt| attempt.id.global(account_id));
    let card = last_card(snapshot, purchase).map(|card| card.id.global(account_id));
    let top_up = purchase.top_up.id.global(account_id);
    [Some(top_up), attempt, card].into_iter().flatten().collect()
}

/// Identifies a finding about a purchase. Each new attempt at it makes a new finding.
fn about(snapshot: &Snapshot, purchase: &Purchase) -> String {
    let id = purchase.top_up.id.global(snapshot.account.account_id);
    format!("{id}:{}", purchase.attempts.len())
}

/// A top-up was not paid, and no later one was paid.
pub(super) fn failed(snapshot: &Snapshot) -> Vec<Finding> {
    if !is_active(snapshot) {
        return Vec::new();
    }
    let last_success_at = snapshot.purchases.last_success_at;
    let is_last_word = |purchase: &&Purchase| last_success_at.is_none_or(|at| purchase.top_up.updated_at >= at);
    let failed = snapshot.purchases.failed.iter().filter(is_last_word);
    failed.map(|purchase| failure(snapshot, purchase)).collect()
}

fn failure(snapshot: &Snapshot, purchase: &Purchase) -> Finding {
    let top_up = &purchase.top_up;
    let code = top_up.failure_code.unwrap_or(FailureCode::UnknownOutcome);
    let remedy = match (code, snapshot.purchases.failure_remedy(purchase, snapshot.now)) {
        // The same amount would be refused again.
        (FailureCode::AmountInvalid, _) => Remedy::by_hand(RemedyAction::CreateTopUp),
        (_, FailureRemedy::Retry(card)) => Remedy::ready(RemedyAction::RetryTopUp, Call::RetryTopUp(top_up.id, card)),
        (_, FailureRemedy::Wait) => Remedy::by_hand(RemedyAction::Wait),
        (_, FailureRemedy::AddCard) => Remedy::by_hand(RemedyAction::AddPaymentMethod),
    };
    let other_card = match &remedy.call {
        Some(Call::RetryTopUp(_, Some(id))) => card(snapshot, *id).map(shown),
        _ => None,
    };
    let finding = Finding::new(
        snapshot.account.account_id,
        (FindingCode::TopUpFailed, Severity::Critical),
        about(snapshot, purchase),
        top_up.updated_at,
        remedy,
    );
    finding
        .fact("credits", Fact::Credits(top_up.credits))
        .fact("money", Fact::Money(top_up.price))
        .fact("at", Fact::At(top_up.updated_at))
        .fact("count", Fact::Count(purchase.attempts.len()))
        .fact("failure", Fact::Word("failure", code.as_str()))
        .fact("advice", Fact::Word("advice", code.as_str()))
        .maybe("card", last_card(snapshot, purchase).map(shown))
        .maybe("other_card", other_card)
        .maybe("until", top_up.next_attempt_at.map(Fact::At))
        .evidence(evidence(snapshot, purchase))
}

/// The bank waits for the cardholder to confirm a payment.
pub(super) fn needs_authentication(snapshot: &Snapshot) -> Vec<Finding> {
    let waits = |purchase: &&Purchase| {
        purchase.top_up.status == TopUpStatus::RequiresAction && purchase.top_up.cancel_requested_at.is_none()
    };
    let waiting = snapshot.purchases.unfinished.iter().filter(waits);
    let finding = |purchase: &Purchase| {
        let top_up = &purchase.top_up;
        let remedy = Remedy {
            url: top_up.action_url.clone(),
            ..Remedy::by_hand(RemedyAction::Authenticate)
        };
        let finding = Finding::new(
            snapshot.account.account_id,
            (FindingCode::TopUpNeedsAuthentication, Severity::Critical),
            about(snapshot, purchase),
            top_up.updated_at,
            remedy,
        );
        finding
            .fact("credits", Fact::Credits(top_up.credits))
            .fact("money", Fact::Money(top_up.price))
            .fact("at", Fact::At(top_up.updated_at))
            .maybe("card", last_card(snapshot, purchase).map(shown))
            .maybe("until", top_up.action_expires_at.map(Fact::At))
            .evidence(evidence(snapshot, purchase))
    };
    waiting.map(finding).collect()
}

/// The gateway has not reported for a while whether a card was charged.
pub(super) fn outcome_unknown(snapshot: &Snapshot) -> Vec<Finding> {
    let is_old = |since: &Timestamp| since.plus_millis(UNKNOWN_MILLIS) <= snapshot.now;
    let unknown = snapshot.purchases.unfinished.iter().filter_map(|purchase| {
        let (attempt, since) = unknown(purchase)?;
        is_old(&since).then_some((purchase, attempt, since))
    });
    let findings = unknown.map(|(purchase, attempt, since)| {
        let action = if attempt.is_escalated {
            RemedyAction::ContactSupport
        } else {
            RemedyAction::Wait
        };
        let finding = Finding::new(
            snapshot.account.account_id,
            (FindingCode::TopUpOutcomeUnknown, Severity::Warning),
            about(snapshot, purchase),
            since,
            Remedy::by_hand(action),
        );
        finding
            .fact("credits", Fact::Credits(purchase.top_up.credits))
            .fact("money", Fact::Money(purchase.top_up.price))
            .fact("at", Fact::At(since))
            .maybe("card", card(snapshot, attempt.payment_method_id).map(shown))
            .evidence(evidence(snapshot, purchase))
    });
    findings.collect()
}
