//! Cases that take days or a broken gateway to produce. Tests of the HTTP API cover the rest.

use std::collections::{BTreeMap, HashMap};

use chrono_tz::Tz;
use uuid::Uuid;

use super::*;
use crate::ledger::{AccountHeader, AccountStatus};
use crate::member::ContactStatus;
use crate::notification::{MemberRecipient, NotificationSettings, RecipientSnapshot, Severity};
use crate::primitives::actor::{Cause, MemberRole};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId, PaymentMethodId, SessionId, TopUpAttemptId, TopUpId};
use crate::primitives::money::{CreditPrice, Money};
use crate::primitives::timestamp::{HOUR, Timestamp};
use crate::top_up::{
    AccountTerms, Attempt, AttemptOutcome, AutoTopUp, Decision, DecisionOutcome, NextRequest, Purchase, TopUp,
    TopUpOrigin, TopUpSnapshot, TopUpStatus,
};
use crate::troubleshooting::{Fact, OpenSession, RemedyAction, SessionFigures};

const ACCOUNT: AccountId = AccountId::from_number(3);
const NOW: Timestamp = Timestamp::from_millis(1_772_442_000_000);

/// An account without problems.
fn well() -> Snapshot {
    let mut account = AccountHeader::new(ACCOUNT, HOUR, NOW);
    account.posted = Credits::whole(100);
    account.entry_sequence = 1;
    let member_id = MemberId::from_uuid(Uuid::from_u128(1));
    let mut settings = NotificationSettings::new(ACCOUNT, member_id);
    settings.low_balance_threshold = Some(Credits::whole(5));
    let owner = MemberRecipient {
        member_id,
        name: "Olga".to_owned(),
        role: MemberRole::Owner,
        email: Some("olga@team.example".to_owned()),
        contact: ContactStatus::Verified,
        bounce_message: None,
        contact_since: NOW,
        settings,
        settings_since: NOW,
    };
    let decision = Decision {
        outcome: DecisionOutcome::Off,
        purchase: None,
        is_capped: false,
        obstacle: None,
    };
    Snapshot {
        now: NOW,
        account,
        purchases: TopUpSnapshot {
            status: AccountStatus::Active,
            rule: AutoTopUp::new(ACCOUNT, NOW),
            terms: AccountTerms {
                credit_price: CreditPrice::from_millionths(1_000_000),
                currency: "EUR".parse().expect("a currency"),
                timezone: Tz::UTC,
            },
            cards: Vec::new(),
            failed: Vec::new(),
            unfinished: Vec::new(),
            last_success_at: None,
            recent_declines: HashMap::new(),
            open_automatic: None,
            decisions: Vec::new(),
            decision,
            spent_minor: 0,
            recent_attempts: 0,
            recent_credits: Credits::ZERO,
            obstacle: None,
        },
        sessions: SessionFigures {
            usual_processing_millis: HOUR,
            ..SessionFigures::default()
        },
        recipients: RecipientSnapshot {
            people: vec![owner],
            addresses: Vec::new(),
            failing: Vec::new(),
            has_unsent: false,
        },
    }
}

/// A purchase whose payment is unknown since then.
fn unknown(number: u128, since: Timestamp) -> Purchase {
    let id = TopUpId::from_uuid(Uuid::from_u128(number));
    let price = Money {
        minor: 1_000,
        currency: "EUR".parse().expect("a currency"),
    };
    let mut top_up = TopUp::new(
        (ACCOUNT, id),
        TopUpOrigin::Manual,
        (Credits::whole(10), price),
        Cause::System,
        since,
    );
    top_up.status = TopUpStatus::Processing;
    let attempt = Attempt {
        id: TopUpAttemptId::from_uuid(Uuid::from_u128(number)),
        account_id: ACCOUNT,
        top_up_id: id,
        number: 1,
        outcome: AttemptOutcome::Unknown,
        failure_code: None,
        payment_method_id: PaymentMethodId::from_uuid(Uuid::nil()),
        fingerprint: String::new(),
        object_id: None,
        failure_mark: None,
        is_automatic: false,
        month: None,
        price_minor: 1_000,
        next_request: NextRequest::Read,
        confirm_sent_at: Some(since),
        unknown_since: None,
        is_escalated: false,
        tries: 1,
        due_at: Some(NOW),
        actor: Cause::System,
        created_at: since,
        finished_at: None,
    };
    Purchase {
        refunds: Vec::new(),
        top_up,
        attempts: vec![attempt],
    }
}

fn sessions(count: usize, ended: Timestamp) -> Vec<OpenSession> {
    let session = |n: usize| OpenSession {
        id: SessionId::from_uuid(Uuid::from_u128(n as u128)),
        ends_at: ended,
        held: Credits::whole(2),
    };
    (0..count).map(session).collect()
}

#[test]
fn all_is_well() {
    assert_eq!(find(&well()), Vec::new());
}

#[test]
fn an_outcome_that_nobody_can_find_out_for_a_day_is_for_support() {
    let mut snapshot = well();
    snapshot.purchases.unfinished = vec![unknown(1, NOW.plus_millis(-5 * 60_000 + 1))];
    assert_eq!(find(&snapshot), Vec::new());
    snapshot.purchases.unfinished = vec![unknown(1, NOW.plus_millis(-5 * 60_000))];
    assert_eq!(find(&snapshot)[0].remedy.action, RemedyAction::Wait);
    snapshot.purchases.unfinished[0].attempts[0].is_escalated = true;
    assert_eq!(find(&snapshot)[0].remedy.action, RemedyAction::ContactSupport);
}

#[test]
fn a_ceiling_is_told_from_a_cap() {
    let mut snapshot = well();
    snapshot.purchases.rule.is_enabled = true;
    snapshot.purchases.rule.trigger = Some(Credits::whole(500));
    snapshot.purchases.decision.outcome = DecisionOutcome::CeilingReached;
    let found = find(&snapshot);
    let capped = found.iter().find(|finding| finding.code == FindingCode::CapReached);
    let capped = capped.expect("it is said");
    assert_eq!(
        capped.remedy.action,
        RemedyAction::CreateTopUp,
        "raising the cap would not help"
    );
    assert!(capped.facts.contains(&("outcome", Fact::Key("CEILING_REACHED"))));
}

#[test]
fn the_worst_comes_first_each_has_an_id_of_its_own_and_all_is_bounded() {
    let mut snapshot = well();
    snapshot.sessions.processing = [
        sessions(700, NOW.plus_millis(-3 * HOUR)),
        sessions(300, NOW.plus_millis(-1)),
    ]
    .concat();
    snapshot.purchases.unfinished = (1..=40).map(|n| unknown(n, NOW.plus_millis(-HOUR))).collect();
    let owner = snapshot.recipients.people[0].clone();
    let bouncing = (2..=60).map(|n| MemberRecipient {
        member_id: MemberId::from_uuid(Uuid::from_u128(n)),
        contact: ContactStatus::Bouncing,
        ..owner.clone()
    });
    snapshot.recipients.people.extend(bouncing);
    let found = find(&snapshot);
    assert!(found.is_sorted_by_key(|finding| Reverse(finding.severity)));
    assert_eq!(found[0].severity, Severity::Critical);
    let mut of_code: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &found {
        *of_code.entry(finding.code.as_str()).or_default() += 1;
        assert!(finding.evidence.len() <= MOST_EVIDENCE);
    }
    assert_eq!(
        of_code.into_iter().collect::<Vec<_>>(),
        [
            ("CONTACT_BOUNCING", MOST_OF_A_CODE),
            ("SESSIONS_OVERDUE", 1),
            ("SESSIONS_PROCESSING", 1),
            ("TOP_UP_OUTCOME_UNKNOWN", MOST_OF_A_CODE)
        ]
    );
    let mut ids: Vec<String> = found.iter().map(Finding::id).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all);
    let again: Vec<String> = find(&snapshot).iter().map(Finding::id).collect();
    assert_eq!(again, found.iter().map(Finding::id).collect::<Vec<_>>());
}

#[test]
fn what_follows_from_a_freeze_is_not_said_beside_it() {
    let mut snapshot = well();
    snapshot.account.posted = Credits::ZERO;
    assert_eq!(find(&snapshot)[0].code, FindingCode::AutoTopUpOffAndLow);
    snapshot.account.status = AccountStatus::Frozen;
    snapshot.purchases.status = AccountStatus::Frozen;
    snapshot.account.halted_at = Some(NOW);
    let codes: Vec<FindingCode> = find(&snapshot).iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [FindingCode::AccountFrozen]);
    snapshot.account.status = AccountStatus::Closed;
    assert_eq!(find(&snapshot), Vec::new());
}
