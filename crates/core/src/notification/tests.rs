//! Tables of cases.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use uuid::Uuid;

use super::*;
use crate::member::{Change, ContactStatus};
use crate::primitives::actor::MemberRole;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, AlertId, MemberId, RecipientId};
use crate::primitives::timestamp::{HOUR, Timestamp};
use crate::top_up::FailureCode;

const NOW: Timestamp = Timestamp::from_millis(1_772_442_000_000);

fn case(kind: AlertKind, channel: Channel) -> Case {
    Case {
        kind,
        channel,
        party: Some(Party::Member(MemberRole::Admin)),
        is_subject: true,
        preference: None,
        contact: ContactStatus::Verified,
        has_ended: false,
        last_mail: None,
        quiet_until: None,
        now: NOW,
    }
}

const ADMINS: Audience = Audience::Admins;
const OWNERS: Audience = Audience::Owners;
const EVERYBODY: Audience = Audience::Everybody;
const SUBJECT: Audience = Audience::Subject;
const BOTH: Audience = Audience::SubjectAndAdmins;

/// The table of kinds, independently written a second time: kind, severity, locked, inbox audience, mail audience, mail by
/// default.
const TABLE: &[(&str, &str, bool, Audience, Audience, bool)] = &[
    ("LOW_BALANCE", "WARNING", false, ADMINS, ADMINS, true),
    ("BALANCE_DEPLETED", "CRITICAL", true, EVERYBODY, ADMINS, true),
    ("BALANCE_RECOVERED", "INFO", false, ADMINS, ADMINS, false),
    ("TOP_UP_SUCCEEDED", "INFO", false, ADMINS, ADMINS, false),
    ("TOP_UP_FAILED", "CRITICAL", true, ADMINS, ADMINS, true),
    ("TOP_UP_ACTION_REQUIRED", "CRITICAL", true, ADMINS, ADMINS, true),
    ("TOP_UP_REVERSED", "CRITICAL", true, ADMINS, ADMINS, true),
    ("AUTO_TOP_UP_PAUSED", "CRITICAL", true, ADMINS, ADMINS, true),
    ("CAP_REACHED", "WARNING", false, ADMINS, ADMINS, true),
    ("CREDITS_EXPIRING", "WARNING", false, ADMINS, ADMINS, true),
    ("CARD_EXPIRING", "WARNING", false, ADMINS, ADMINS, true),
    ("SESSION_CHARGED", "INFO", false, SUBJECT, SUBJECT, false),
    ("SESSION_REFUNDED", "INFO", false, SUBJECT, SUBJECT, false),
    ("SESSION_UNRESOLVED", "WARNING", false, ADMINS, ADMINS, true),
    ("ACCOUNT_FROZEN", "CRITICAL", true, EVERYBODY, ADMINS, true),
    ("ACCOUNT_UNFROZEN", "INFO", false, EVERYBODY, ADMINS, false),
    ("CONTACT_BOUNCING", "CRITICAL", true, BOTH, ADMINS, false),
    ("API_KEY_CHANGED", "WARNING", false, OWNERS, OWNERS, true),
    ("WEBHOOK_ENDPOINT_DISABLED", "WARNING", false, ADMINS, ADMINS, true),
    ("TEST", "INFO", false, SUBJECT, SUBJECT, false),
];

#[test]
fn the_table_of_kinds_is_what_it_should_be() {
    let given: Vec<_> = AlertKind::ALL
        .iter()
        .map(|kind| {
            let rule = kind.rule();
            let (severity, default) = (rule.severity.as_str(), rule.email_default);
            (kind.as_str(), severity, rule.locked, rule.in_app, rule.email, default)
        })
        .collect();
    assert_eq!(given, TABLE);
}

/// Computes the verdict for each kind, channel, preference, role, subject and contact status. This is a second, flat
/// implementation of the resolver's steps.
fn expected(case: &Case) -> Verdict {
    let (_, severity, locked, in_app, email, email_default) = TABLE
        .iter()
        .find(|row| row.0 == case.kind.as_str())
        .copied()
        .expect("a row for each kind");
    let is_email = case.channel == Channel::Email;
    let audience = if is_email { email } else { in_app };
    let is_admin = case.party != Some(Party::Member(MemberRole::Member));
    let addressed = match audience {
        Audience::Everybody => true,
        Audience::Owners => case.party == Some(Party::Member(MemberRole::Owner)),
        Audience::Admins => is_admin,
        Audience::Subject => case.is_subject,
        Audience::SubjectAndAdmins => is_admin || case.is_subject,
    };
    let is_test = case.kind == AlertKind::Test;
    let cannot_be_off = is_test || (locked && (!is_email || email_default));
    let on = cannot_be_off || case.preference.unwrap_or(!is_email || email_default);
    let urgent = is_test || severity == "CRITICAL";
    match (addressed, on, is_email, case.contact, urgent) {
        (false, ..) => Verdict::NotAddressed,
        (true, false, ..) => Verdict::Suppress(SuppressionReason::PreferenceOff),
        (true, true, true, ContactStatus::None, _) => Verdict::Suppress(SuppressionReason::NoContact),
        (true, true, true, ContactStatus::Unverified, false) => Verdict::Suppress(SuppressionReason::ContactUnverified),
        (true, true, true, ContactStatus::Bouncing, false) => Verdict::Suppress(SuppressionReason::ContactBouncing),
        (true, true, ..) => Verdict::Send(NOW),
    }
}

#[test]
fn every_kind_channel_preference_role_and_contact_gets_its_verdict() {
    let mut seen = 0;
    for kind in AlertKind::ALL {
        for channel in Channel::ALL {
            for preference in [None, Some(true), Some(false)] {
                for role in MemberRole::ALL {
                    for is_subject in [false, true] {
                        for contact in ContactStatus::ALL {
                            let case = Case {
                                preference,
                                party: Some(Party::Member(*role)),
                                is_subject,
                                contact: *contact,
                                ..case(*kind, *channel)
                            };
                            assert_eq!(resolve(&case), expected(&case), "{case:?}");
                            seen += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen, 20 * 2 * 3 * 3 * 2 * 4);
}

#[test]
fn f59_what_is_switched_off_is_not_sent_and_what_is_locked_cannot_be() {
    let off = |kind, channel| {
        resolve(&Case {
            preference: Some(false),
            ..case(kind, channel)
        })
    };
    let refused = Verdict::Suppress(SuppressionReason::PreferenceOff);
    assert_eq!(off(AlertKind::LowBalance, Channel::Email), refused);
    assert_eq!(off(AlertKind::LowBalance, Channel::InApp), refused);
    assert_eq!(off(AlertKind::BalanceDepleted, Channel::Email), Verdict::Send(NOW));
    assert_eq!(off(AlertKind::ContactBouncing, Channel::InApp), Verdict::Send(NOW));
    assert_eq!(off(AlertKind::ContactBouncing, Channel::Email), refused);
}

#[test]
fn f54_a_second_mail_about_a_balance_waits_and_goes_when_the_pause_is_over() {
    let verdict = |kind, hours: i64, has_ended| {
        let at = Timestamp::from_millis(NOW.millis() - hours * HOUR);
        resolve(&Case {
            last_mail: Some(LastMail { at, has_ended }),
            preference: Some(true),
            ..case(kind, Channel::Email)
        })
    };
    let held = Verdict::Suppress(SuppressionReason::Cooldown);
    let later = |hours: i64| Verdict::Send(NOW.plus_millis(hours * HOUR));
    for kind in [AlertKind::LowBalance, AlertKind::BalanceDepleted] {
        assert_eq!(verdict(kind, 23, false), later(1), "a day after the last one");
        assert_eq!(verdict(kind, 24, false), later(0));
        assert_eq!(verdict(kind, 1, true), later(0));
        assert_eq!(verdict(kind, 0, true), later(1), "a storm");
    }
    assert_eq!(
        verdict(AlertKind::CreditsExpiring, 0, false),
        later(1),
        "gathered by the hour"
    );
    for kind in [
        AlertKind::CreditsExpiring,
        AlertKind::WebhookEndpointDisabled,
        AlertKind::LowBalance,
    ] {
        assert_eq!(
            verdict(kind, -3, false),
            later(3),
            "{kind:?} joins a mail that is still to come"
        );
    }
    assert_eq!(
        verdict(AlertKind::BalanceRecovered, 0, true),
        held,
        "what does not last"
    );
    for fact in [
        AlertKind::SessionCharged,
        AlertKind::TopUpFailed,
        AlertKind::TopUpReversed,
    ] {
        assert_eq!(verdict(fact, 0, false), later(0), "{fact:?} is a fact of its own");
    }
    assert_eq!(verdict(AlertKind::Test, 1, false), later(0));
    assert_eq!(
        verdict(AlertKind::Test, 0, false),
        held,
        "no address is flooded with tests"
    );
    let inbox = Case {
        last_mail: Some(LastMail {
            at: NOW,
            has_ended: false,
        }),
        ..case(AlertKind::LowBalance, Channel::InApp)
    };
    assert_eq!(resolve(&inbox), Verdict::Send(NOW), "the inbox has no pause");
}

/// Tests addresses that belong to no member, for each kind, channel, preference and contact status.
#[test]
fn an_address_gets_what_was_chosen_once_it_is_verified_and_nothing_of_members() {
    for kind in AlertKind::ALL {
        for channel in Channel::ALL {
            for preference in [None, Some(false), Some(true)] {
                for contact in ContactStatus::ALL {
                    let case = Case {
                        party: Some(Party::Address),
                        is_subject: false,
                        preference,
                        contact: *contact,
                        ..case(*kind, *channel)
                    };
                    let of_members = matches!(kind.group(), None | Some(Group::Sessions))
                        || matches!(
                            kind,
                            AlertKind::ContactBouncing | AlertKind::ApiKeyChanged | AlertKind::WebhookEndpointDisabled
                        );
                    let expected = if of_members || *channel == Channel::InApp {
                        Verdict::NotAddressed
                    } else if preference != Some(true) {
                        Verdict::Suppress(SuppressionReason::PreferenceOff)
                    } else {
                        match contact {
                            ContactStatus::None => Verdict::Suppress(SuppressionReason::NoContact),
                            ContactStatus::Unverified => Verdict::Suppress(SuppressionReason::ContactUnverified),
                            ContactStatus::Bouncing => Verdict::Suppress(SuppressionReason::ContactBouncing),
                            ContactStatus::Verified => Verdict::Send(NOW),
                        }
                    };
                    assert_eq!(resolve(&case), expected, "{case:?}");
                }
            }
        }
    }
}

#[test]
fn what_has_ended_is_not_mailed_and_who_has_left_gets_nothing() {
    let verdict = |case: Case| resolve(&case);
    let ended = Case {
        has_ended: true,
        ..case(AlertKind::BalanceDepleted, Channel::Email)
    };
    assert_eq!(verdict(ended), Verdict::Suppress(SuppressionReason::Ended));
    let left = Case {
        party: None,
        ..case(AlertKind::Test, Channel::Email)
    };
    assert_eq!(verdict(left), Verdict::NotAddressed);
}

#[test]
fn only_mail_that_is_not_critical_waits_for_the_end_of_quiet_hours() {
    let end = NOW.plus_millis(HOUR);
    let verdict = |kind, channel| {
        resolve(&Case {
            quiet_until: Some(end),
            ..case(kind, channel)
        })
    };
    assert_eq!(verdict(AlertKind::LowBalance, Channel::Email), Verdict::Send(end));
    assert_eq!(verdict(AlertKind::LowBalance, Channel::InApp), Verdict::Send(NOW));
    assert_eq!(verdict(AlertKind::TopUpFailed, Channel::Email), Verdict::Send(NOW));
    assert_eq!(verdict(AlertKind::Test, Channel::Email), Verdict::Send(NOW));
}

#[test]
fn what_to_do_about_a_failed_top_up_depends_on_its_failure_and_nothing_else_does() {
    let step = |kind, code: Option<&str>| {
        let facts = Facts {
            code: code.map(str::to_owned),
            ..Facts::default()
        };
        let alert = Alert {
            id: AlertId::from_uuid(Uuid::nil()),
            account_id: AccountId::from_number(1),
            kind,
            subject: None,
            facts,
            entry_id: None,
            session_id: None,
            top_up_id: None,
            raised_at: NOW,
            resolved_at: None,
        };
        alert.next_step().as_str()
    };
    let table = [
        ("INSUFFICIENT_FUNDS", "RETRY_TOP_UP"),
        ("CARD_DECLINED", "RETRY_TOP_UP"),
        ("CARD_EXPIRED", "UPDATE_PAYMENT_METHOD"),
        ("CARD_BLOCKED", "UPDATE_PAYMENT_METHOD"),
        ("AUTHENTICATION_REQUIRED", "RETRY_TOP_UP"),
        ("PAYMENT_METHOD_MISSING", "UPDATE_PAYMENT_METHOD"),
        ("GATEWAY_UNAVAILABLE", "RETRY_TOP_UP"),
        ("AMOUNT_INVALID", "TOP_UP"),
        ("CAP_REACHED", "RAISE_CAP"),
        ("UNKNOWN_OUTCOME", "RETRY_TOP_UP"),
    ];
    assert_eq!(table.len(), FailureCode::ALL.len());
    for (code, wanted) in table {
        assert_eq!(step(AlertKind::TopUpFailed, Some(code)), wanted, "{code}");
    }
    assert_eq!(step(AlertKind::TopUpFailed, None), "RETRY_TOP_UP");
    assert_eq!(
        step(AlertKind::AutoTopUpPaused, Some("CARD_REFUSED")),
        "UPDATE_PAYMENT_METHOD"
    );
    assert_eq!(step(AlertKind::CapReached, Some("CAP_REACHED")), "RAISE_CAP");
}

#[test]
fn what_is_held_back_ends_what_is_over_and_tells_nothing_worse() {
    let open = OpenEdges {
        low: open_low(&[1]),
        depleted: false,
    };
    let crossing = cross(Credits::ZERO, &watching(&[(2, 10)]), &open);
    assert!(crossing.is_worse());
    let held = crossing.held_back();
    assert_eq!((held.is_worse(), held.low_ended), (false, low(&[1])));
}

// ---- Edges

fn member(number: u128) -> RecipientId {
    RecipientId::Member(MemberId::from_uuid(Uuid::from_u128(number)))
}

fn watching(thresholds: &[(u128, i64)]) -> BTreeMap<RecipientId, Credits> {
    let watcher = |(number, credits): &(u128, i64)| (member(*number), Credits::whole(*credits));
    thresholds.iter().map(watcher).collect()
}

/// Alerts that were raised at an unknown level.
fn open_low(numbers: &[u128]) -> BTreeMap<RecipientId, Option<Credits>> {
    low(numbers).into_iter().map(|member| (member, None)).collect()
}

fn low(members: &[u128]) -> BTreeSet<RecipientId> {
    members.iter().map(|number| member(*number)).collect()
}

#[test]
fn f55_f56_the_edge_is_exact_at_any_threshold_and_one_jump_may_cross_three() {
    let unit = Credits::from_units(1).units();
    let at = |credits: i64, units: i64| Credits::from_units(Credits::whole(credits).units() + units);
    // Threshold, available credits, whether they are low, whether they are empty.
    let table = [
        (10, at(10, unit), false, false),
        (10, at(10, 0), true, false),
        (10, at(10, -unit), true, false),
        (10, at(0, unit), true, false),
        (10, at(0, 0), true, true),
        (10, at(-5, 0), true, true),
        (0, at(0, unit), false, false),
        (0, at(0, 0), true, true),
        (0, at(0, -unit), true, true),
    ];
    for (threshold, available, is_low, is_depleted) in table {
        let crossing = cross(available, &watching(&[(1, threshold)]), &OpenEdges::default());
        assert_eq!(
            crossing.low,
            low(if is_low { &[1] } else { &[] }),
            "{threshold} {available}"
        );
        assert_eq!(crossing.depleted, is_depleted, "{threshold} {available}");
    }
    let three = watching(&[(1, 100), (2, 50), (3, 10)]);
    let jump = cross(Credits::whole(5), &three, &OpenEdges::default());
    assert_eq!((jump.low, jump.depleted), (low(&[1, 2, 3]), false));
    let to_nothing = cross(Credits::ZERO, &three, &OpenEdges::default());
    assert_eq!((to_nothing.low, to_nothing.depleted), (low(&[1, 2, 3]), true));
}

#[test]
fn a_calm_balance_has_nothing_to_say() {
    let three = watching(&[(1, 100), (2, 50), (3, -10)]);
    let open = OpenEdges::default();
    for units in (-20_000..1_100_000).step_by(100) {
        let available = Credits::from_units(units);
        let is_calm = is_calm(available, Some(Credits::whole(100)));
        assert_eq!(is_calm, cross(available, &three, &open).is_none(), "{units}");
    }
    for (units, expected) in [(-1, false), (0, false), (1, true)] {
        let available = Credits::from_units(units);
        for highest in [None, Some(Credits::whole(-5))] {
            assert_eq!(is_calm(available, highest), expected, "{units}");
        }
        assert_eq!(cross(available, &watching(&[]), &open).is_none(), expected, "{units}");
    }
}

#[test]
fn f53_what_is_open_is_not_raised_again() {
    let open = OpenEdges {
        low: open_low(&[1]),
        depleted: true,
    };
    for available in [0, -1, -100] {
        let crossing = cross(Credits::whole(available), &watching(&[(1, 100)]), &open);
        assert!(crossing.is_none(), "{crossing:?}");
    }
}

#[test]
fn f57_an_alert_ends_only_beyond_a_margin_and_only_what_was_open_recovers() {
    let thresholds = watching(&[(1, 100)]);
    let open = OpenEdges {
        low: open_low(&[1]),
        depleted: false,
    };
    for (available, ends) in [(100, false), (101, false), (110, false), (111, true)] {
        let crossing = cross(Credits::whole(available), &thresholds, &open);
        assert_eq!(
            (crossing.low_ended.len() == 1, crossing.recovered),
            (ends, ends),
            "{available}"
        );
    }
    // The margin is at least one credit.
    let small = watching(&[(1, 2)]);
    assert!(cross(Credits::whole(3), &small, &open).is_none());
    assert!(cross(Credits::from_units(30_001), &small, &open).recovered);
    let empty = OpenEdges {
        low: open_low(&[]),
        depleted: true,
    };
    assert!(cross(Credits::whole(1), &watching(&[]), &empty).is_none());
    assert!(cross(Credits::from_units(10_001), &watching(&[]), &empty).recovered);
    assert!(cross(Credits::whole(500), &thresholds, &OpenEdges::default()).is_none());
}

#[test]
fn it_is_not_well_again_while_anything_is_open() {
    let thresholds = watching(&[(1, 100)]);
    let open = OpenEdges {
        low: open_low(&[1]),
        depleted: true,
    };
    let half = cross(Credits::whole(50), &thresholds, &open);
    assert_eq!((half.depleted_ended, half.recovered), (true, false));
    assert!(cross(Credits::whole(500), &thresholds, &open).recovered);
}

#[test]
fn f56_one_who_no_longer_watches_is_disarmed_without_a_recovery() {
    let open = OpenEdges {
        low: open_low(&[1]),
        depleted: false,
    };
    let crossing = cross(Credits::whole(5), &watching(&[]), &open);
    assert_eq!((crossing.low_ended, crossing.recovered), (low(&[1]), false));
    // A threshold that is lowered below the available credits ends the alert. It is no recovery, because no
    // more is available than before.
    let crossed = OpenEdges {
        low: [(member(1), Some(Credits::whole(100)))].into(),
        depleted: false,
    };
    let moved = cross(Credits::whole(50), &watching(&[(1, 10)]), &crossed);
    assert_eq!((moved.low_ended, moved.recovered), (low(&[1]), false));
    let enough = cross(Credits::whole(111), &watching(&[(1, 10)]), &crossed);
    assert_eq!((enough.low_ended, enough.recovered), (low(&[1]), true));
}

proptest::proptest! {
    /// For every history of a balance, alerts are raised and ended in turn. A swing within the margin raises nothing.
    #[test]
    fn raised_and_ended_alternate(balances in proptest::collection::vec(-50_i64..250, 1..60), threshold in 0_i64..100) {
        let thresholds = watching(&[(1, threshold)]);
        let mut open = OpenEdges::default();
        for available in balances {
            let crossing = cross(Credits::whole(available), &thresholds, &open);
            proptest::prop_assert!(crossing.low.iter().all(|member| !open.low.contains_key(member)));
            proptest::prop_assert!(crossing.low_ended.iter().all(|member| open.low.contains_key(member)));
            proptest::prop_assert!(!(crossing.depleted && crossing.depleted_ended));
            if crossing.recovered {
                proptest::prop_assert!(!crossing.low_ended.is_empty() || crossing.depleted_ended);
            }
            open.low.extend(crossing.low.iter().map(|member| (*member, thresholds.get(member).copied())));
            open.low.retain(|member, _| !crossing.low_ended.contains(member));
            open.depleted = (open.depleted || crossing.depleted) && !crossing.depleted_ended;
            proptest::prop_assert!(open.depleted || available > 0);
            proptest::prop_assert!(!open.low.is_empty() || available > threshold);
        }
    }
}

// ---- Quiet hours and settings

fn quiet(start: &str, end: &str) -> QuietHours {
    QuietHours {
        start: start.parse().expect("a time"),
        end: end.parse().expect("a time"),
    }
}

fn instant(text: &str) -> Timestamp {
    Timestamp::from_datetime(text.parse().expect("an instant"))
}

#[test]
fn quiet_hours_are_those_of_the_wall_where_the_member_is() {
    let night = quiet("22:00", "07:00");
    let noon = quiet("12:00", "13:30");
    // Berlin is an hour ahead in winter, two in summer; its clocks jump from 02:00 to 03:00 on 29 March 2026.
    let table = [
        (night, "2026-03-02T20:59:59Z", None),
        (night, "2026-03-02T21:00:00Z", Some("2026-03-03T06:00:00Z")),
        (night, "2026-03-03T05:59:59Z", Some("2026-03-03T06:00:00Z")),
        (night, "2026-03-03T06:00:00Z", None),
        (night, "2026-07-01T20:00:00Z", Some("2026-07-02T05:00:00Z")),
        (night, "2026-03-28T23:00:00Z", Some("2026-03-29T05:00:00Z")),
        (
            quiet("22:00", "02:30"),
            "2026-03-28T23:00:00Z",
            Some("2026-03-29T01:00:00Z"),
        ),
        (noon, "2026-03-02T11:00:00Z", Some("2026-03-02T12:30:00Z")),
        (noon, "2026-03-02T12:30:00Z", None),
    ];
    for (hours, now, end) in table {
        assert_eq!(
            hours.end_after(instant(now), Tz::Europe__Berlin),
            end.map(instant),
            "{now}"
        );
    }
}

#[test]
fn a_patch_changes_what_it_names_and_grows_the_version_only_if_it_does() {
    let before = NotificationSettings::new(AccountId::from_number(1), MemberId::from_uuid(Uuid::from_u128(1)));
    let patch = |preferences, threshold, hours| SettingsPatch {
        preferences,
        low_balance_threshold: threshold,
        quiet_hours: hours,
        expected_version: None,
    };
    let key = (AlertKind::LowBalance, Channel::Email);
    let off = vec![(key.0, key.1, Some(false))];
    let ten = Change::Set(Credits::whole(10));
    let after = before.clone().patched(&patch(off, ten, Change::Keep));
    assert_eq!(after.preference(key.0, key.1), Some(false));
    assert_eq!(
        (after.low_balance_threshold, after.version),
        (Some(Credits::whole(10)), 2)
    );
    let same = after.clone().patched(&patch(Vec::new(), Change::Keep, Change::Keep));
    assert_eq!(same, after);
    let cleared = after.patched(&patch(vec![(key.0, key.1, None)], Change::Clear, Change::Clear));
    assert_eq!(cleared, NotificationSettings { version: 3, ..before });
}

#[test]
fn what_is_locked_can_be_switched_on_and_reset_but_not_off() {
    for kind in AlertKind::ALL {
        for channel in Channel::ALL {
            let locked = |enabled| first_locked(&[(*kind, *channel, enabled)]);
            assert_eq!(locked(Some(false)).is_some(), kind.is_locked(*channel));
            assert_eq!(locked(Some(true)), None);
            assert_eq!(locked(None), None);
        }
    }
}

#[test]
fn what_a_member_has_not_said_the_account_says_then_the_platform_and_what_is_locked_is_on() {
    let mut settings = NotificationSettings::new(AccountId::from_number(1), MemberId::from_uuid(Uuid::from_u128(1)));
    let key = (AlertKind::LowBalance, Channel::Email);
    let resolved = |settings: &NotificationSettings| settings.resolved(key.0, key.1);
    assert_eq!(resolved(&settings), (true, PreferenceSource::Platform));
    settings.defaults.insert(key, false);
    assert_eq!(resolved(&settings), (false, PreferenceSource::Account));
    assert_eq!(settings.preference(key.0, key.1), Some(false));
    settings.preferences.insert(key, true);
    assert_eq!(resolved(&settings), (true, PreferenceSource::Member));
    let locked = (AlertKind::TopUpFailed, Channel::Email);
    settings.defaults.insert(locked, false);
    settings.preferences.insert(locked, false);
    assert_eq!(
        settings.resolved(locked.0, locked.1),
        (true, PreferenceSource::Platform)
    );
}
