//! Findings about the auto top-up rule and the card that it charges.

use crate::notification::Severity;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{GlobalId, IdKind};
use crate::primitives::timestamp::{DAY, Timestamp};
use crate::top_up::{
    DecisionOutcome, MAX_DECLINES, Obstacle, PauseReason, PaymentMethod, PaymentMethodStatus, StoredDecision,
};
use crate::troubleshooting::{Call, Fact, Finding, FindingCode, Remedy, RemedyAction, Snapshot};

use super::account::is_active;
use super::top_ups::shown;

/// For how long a refused booking above the trigger shows that the rule starts too late.
pub(super) const REFUSAL_MILLIS: i64 = DAY;

fn rule_id(snapshot: &Snapshot) -> GlobalId {
    GlobalId::new(IdKind::AutoTopUp, snapshot.account.account_id, uuid::Uuid::nil())
}

fn decision_id(snapshot: &Snapshot, decision: &StoredDecision) -> GlobalId {
    decision.id.global(snapshot.account.account_id)
}

fn works(snapshot: &Snapshot) -> bool {
    is_active(snapshot) && snapshot.purchases.rule.is_enabled
}

/// Makes a finding about the rule. Each change of the rule makes it a new one.
fn of_rule(
    snapshot: &Snapshot,
    (code, severity): (FindingCode, Severity),
    since: Timestamp,
    remedy: Remedy,
) -> Finding {
    let rule = &snapshot.purchases.rule;
    let finding = Finding::new(
        snapshot.account.account_id,
        (code, severity),
        rule.version.to_string(),
        since,
        remedy,
    );
    finding
        .fact("available", Fact::Credits(snapshot.account.available()))
        .maybe("trigger", rule.trigger.map(Fact::Credits))
        .maybe("amount", rule.amount.map(Fact::Credits))
        .maybe("typical", snapshot.sessions.typical.map(Fact::Credits))
        .maybe("card", snapshot.purchases.card_of_rule().map(shown))
        .evidence([rule_id(snapshot)])
}

/// Credits are low, no purchase is in progress, and the rule will not start one.
pub(super) fn off_and_low(snapshot: &Snapshot) -> Vec<Finding> {
    let (account, rule) = (&snapshot.account, &snapshot.purchases.rule);
    // An account that has never had credits has not run out of them.
    let has_had_any = account.entry_sequence > 0;
    if !is_active(snapshot) || rule.is_enabled || !has_had_any || account.incoming.is_positive() {
        return Vec::new();
    }
    let available = account.available();
    let levels = snapshot.admins().filter_map(|admin| admin.low_level(None));
    let level = levels
        .chain(rule.trigger)
        .max()
        .unwrap_or(Credits::ZERO)
        .max(Credits::ZERO);
    let is_short = snapshot.sessions.typical.is_some_and(|typical| available < typical);
    if available > level && !is_short {
        return Vec::new();
    }
    let severity = if available.is_positive() {
        Severity::Warning
    } else {
        Severity::Critical
    };
    // The rule was never set, or was last changed earlier. Then the balance alone determines the start.
    let since = account.balance_at.max(if rule.version == 0 {
        account.balance_at
    } else {
        rule.updated_at
    });
    let remedy = Remedy::by_hand(RemedyAction::UpdateAutoTopUp);
    let finding = of_rule(snapshot, (FindingCode::AutoTopUpOffAndLow, severity), since, remedy);
    let balance = GlobalId::new(IdKind::Balance, account.account_id, uuid::Uuid::nil());
    let level = Some(Fact::Credits(level)).filter(|_| available <= level);
    vec![finding.maybe("level", level).evidence([balance])]
}

/// The rule is paused until a person acts.
pub(super) fn paused(snapshot: &Snapshot) -> Vec<Finding> {
    let rule = &snapshot.purchases.rule;
    let Some(pause) = rule.pause.filter(|_| works(snapshot)) else {
        return Vec::new();
    };
    let remedy = match pause {
        // A person must choose and agree to what is bought, and at which price.
        PauseReason::AmountInvalid | PauseReason::ConsentNeeded => Remedy::by_hand(RemedyAction::UpdateAutoTopUp),
        PauseReason::RepeatedDeclines
        | PauseReason::CardRefused
        | PauseReason::AuthenticationRequired
        | PauseReason::TopUpReversed => match card_remedy(snapshot) {
            None => Remedy::ready(RemedyAction::ResumeAutoTopUp, Call::ResumeAutoTopUp),
            Some(remedy) => remedy,
        },
    };
    let other_card = other_card(snapshot).map(shown);
    let code = (FindingCode::AutoTopUpPaused, Severity::Critical);
    let finding = of_rule(snapshot, code, rule.updated_at, remedy);
    let finding = finding
        .fact("at", Fact::At(rule.updated_at))
        .fact("pause", Fact::Word("pause", pause.as_str()))
        .fact(
            "count",
            Fact::Count(usize::try_from(rule.soft_declines).unwrap_or_default()),
        )
        .maybe("other_card", other_card);
    let card = snapshot.purchases.card_of_rule();
    vec![finding.evidence(card.map(|card| card.id.global(snapshot.account.account_id)))]
}

/// The remedy for a card of the rule that cannot be charged: charge another existing card, or add one.
fn card_remedy(snapshot: &Snapshot) -> Option<Remedy> {
    if snapshot
        .purchases
        .card_of_rule()
        .is_some_and(|card| snapshot.purchases.is_good(card, snapshot.now))
    {
        return None;
    }
    Some(match other_card(snapshot) {
        Some(card) => Remedy::ready(RemedyAction::UpdateAutoTopUp, Call::UseCard(card.id)),
        None => Remedy::by_hand(RemedyAction::AddPaymentMethod),
    })
}

/// The default card, if it differs from the rule's card and can be charged.
fn other_card(snapshot: &Snapshot) -> Option<&PaymentMethod> {
    let purchases = &snapshot.purchases;
    let is_other = |card: &&PaymentMethod| Some(card.id) != purchases.rule.payment_method_id;
    purchases
        .default_card()
        .filter(is_other)
        .filter(|card| purchases.is_good(card, snapshot.now))
}

/// The rule would buy now, but its spending limit is reached.
pub(super) fn cap_reached(snapshot: &Snapshot) -> Vec<Finding> {
    let purchases = &snapshot.purchases;
    let outcome = purchases.decision.outcome;
    let is_stopped = matches!(outcome, DecisionOutcome::CapReached | DecisionOutcome::CeilingReached);
    if !works(snapshot) || !is_stopped {
        return Vec::new();
    }
    let said = purchases
        .decisions
        .first()
        .filter(|decision| decision.outcome == outcome);
    let since = said.map_or(purchases.rule.updated_at, |decision| decision.created_at);
    let is_ceiling = outcome == DecisionOutcome::CeilingReached;
    let action = if is_ceiling {
        RemedyAction::CreateTopUp
    } else {
        RemedyAction::UpdateAutoTopUp
    };
    let code = (FindingCode::CapReached, Severity::Warning);
    let finding = of_rule(snapshot, code, since, Remedy::by_hand(action));
    let price = purchases
        .rule
        .amount
        .and_then(|amount| purchases.terms.price_of(amount));
    let cap = purchases.rule.monthly_cap_minor.map(|cap| purchases.terms.money(cap));
    let count = usize::try_from(purchases.recent_attempts).unwrap_or_default();
    let finding = finding
        .fact("outcome", Fact::Key(outcome.as_str()))
        .fact("spent", Fact::Money(purchases.terms.money(purchases.spent_minor)))
        .fact("until", Fact::At(purchases.terms.month_ends_at(snapshot.now)))
        .fact("count", Fact::Count(count))
        .fact("credits", Fact::Credits(purchases.recent_credits))
        .maybe("cap", cap.map(Fact::Money))
        .maybe("money", price.map(Fact::Money));
    vec![finding.evidence(said.map(|decision| decision_id(snapshot, decision)))]
}

/// The rule is on and has no card that it may charge.
pub(super) fn card_missing(snapshot: &Snapshot) -> Vec<Finding> {
    let rule = &snapshot.purchases.rule;
    if !works(snapshot) {
        return Vec::new();
    }
    let card = snapshot.purchases.card_of_rule();
    // For a refused card, the finding about the pause contains more.
    let is_worn_out = snapshot.purchases.obstacle == Some(Obstacle::TooManyDeclines);
    let is_refused = is_worn_out || (card.is_some_and(|card| !card.may_be_charged_again()) && rule.pause.is_none());
    if card.is_some() && !is_refused {
        return Vec::new();
    }
    let mut cards = snapshot.purchases.cards.iter();
    // The rule no longer knows a removed card: it was the last one.
    let named = match rule.payment_method_id {
        Some(id) => cards.find(|card| card.id == id),
        None => cards
            .filter(|card| card.removed_at.is_some())
            .max_by_key(|card| card.removed_at),
    };
    let gone_at = named.and_then(|card| card.removed_at.or(card.last_declined_at.filter(|_| is_refused)));
    let Some(remedy) = card_remedy(snapshot) else {
        return Vec::new();
    };
    let code = (FindingCode::PaymentMethodMissing, Severity::Critical);
    let finding = of_rule(snapshot, code, gone_at.unwrap_or(rule.updated_at), remedy);
    let finding = finding
        .maybe("at", gone_at.map(Fact::At))
        .maybe("reason", is_worn_out.then_some(Fact::Key("TOO_MANY_DECLINES")))
        .fact("count", Fact::Count(usize::try_from(MAX_DECLINES).unwrap_or_default()))
        .maybe("gone_card", named.map(shown))
        .maybe("other_card", other_card(snapshot).map(shown));
    vec![finding.evidence(named.map(|card| card.id.global(snapshot.account.account_id)))]
}

/// The card for the next charge is expired.
pub(super) fn card_expired(snapshot: &Snapshot) -> Vec<Finding> {
    if !is_active(snapshot) {
        return Vec::new();
    }
    let is_enabled = snapshot.purchases.rule.is_enabled;
    let card = if is_enabled {
        snapshot.purchases.card_of_rule()
    } else {
        snapshot.purchases.default_card()
    };
    let Some(card) = card.filter(|card| card.status(snapshot.now) == PaymentMethodStatus::Expired) else {
        return Vec::new();
    };
    let (severity, remedy) = match card_remedy(snapshot).filter(|_| is_enabled) {
        Some(remedy) => (Severity::Critical, remedy),
        None => (Severity::Warning, Remedy::by_hand(RemedyAction::AddPaymentMethod)),
    };
    let finding = Finding::new(
        snapshot.account.account_id,
        (FindingCode::PaymentMethodExpired, severity),
        card.id.global(snapshot.account.account_id).to_string(),
        card.ends_at(),
        remedy,
    );
    let finding = finding
        .fact("card", shown(card))
        .maybe("at", card.last_day().map(Fact::Day))
        .maybe("other_card", other_card(snapshot).map(shown).filter(|_| is_enabled));
    vec![finding.evidence([card.id.global(snapshot.account.account_id)])]
}

/// The rule starts only when too few credits are left for a usual session, or did so recently.
pub(super) fn trigger_too_low(snapshot: &Snapshot) -> Vec<Finding> {
    let rule = &snapshot.purchases.rule;
    let Some(trigger) = rule.trigger.filter(|_| works(snapshot)) else {
        return Vec::new();
    };
    let refused_after = snapshot.now.plus_millis(-REFUSAL_MILLIS).max(rule.updated_at);
    let refused = snapshot.purchases.decisions.iter().find(|decision| {
        decision.outcome == DecisionOutcome::AboveTrigger
            && decision.decided_at > refused_after
            && decision.trigger == rule.trigger
    });
    let is_low = snapshot.sessions.typical.is_some_and(|typical| trigger < typical);
    if !is_low && refused.is_none() {
        return Vec::new();
    }
    let since = refused
        .filter(|_| !is_low)
        .map_or(rule.updated_at, |decision| decision.decided_at);
    let code = (FindingCode::TriggerBelowTypicalSession, Severity::Warning);
    let remedy = Remedy::by_hand(RemedyAction::UpdateAutoTopUp);
    let finding = of_rule(snapshot, code, since, remedy)
        .fact("reason", Fact::Key(if is_low { "TYPICAL" } else { "REFUSED" }))
        .maybe("at", refused.map(|decision| Fact::At(decision.decided_at)))
        .maybe("left", refused.map(|decision| Fact::Credits(decision.available)));
    vec![finding.evidence(refused.map(|decision| decision_id(snapshot, decision)))]
}

/// The rule buys fewer credits at a time than a usual session takes.
pub(super) fn amount_too_low(snapshot: &Snapshot) -> Vec<Finding> {
    let rule = &snapshot.purchases.rule;
    let is_low = match (rule.amount, snapshot.sessions.typical) {
        (Some(amount), Some(typical)) => amount < typical,
        _ => false,
    };
    if !works(snapshot) || !is_low {
        return Vec::new();
    }
    let code = (FindingCode::AmountBelowTypicalSession, Severity::Warning);
    let remedy = Remedy::by_hand(RemedyAction::UpdateAutoTopUp);
    vec![of_rule(snapshot, code, rule.updated_at, remedy)]
}
