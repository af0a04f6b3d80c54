//! What page cursors are bound to: the account, the filter and the order of a list.
//!
//! The texts are pinned. A change of one of them ends every cursor that clients hold, so it belongs into the changelog.

use chrono::NaiveDate;
use ledgerbell::domain::filter::{Given, key};
use ledgerbell::domain::ledger::credit_log::{
    ActorKind, ActorRef, AmountRange, CreditLogFilter, DateRange, Direction, UsageGrouping,
};
use ledgerbell::domain::ledger::model::{AccountStatus, EntryKind};
use ledgerbell::domain::ledger::sessions::{SessionFilter, SessionOrder, ShownStatus};
use ledgerbell::domain::member::{AccountFilter, AccountOrder, AccountSearch, MemberFilter};
use ledgerbell::domain::notification::model::{AlertKind, Channel, DeliveryStatus, Severity};
use ledgerbell::domain::notification::{AlertFilter, DeliveriesOf, DeliveryFilter};
use ledgerbell::domain::top_up::{TopUpFilter, TopUpOrigin, TopUpStatus};
use ledgerbell::primitives::actor::MemberRole;
use ledgerbell::primitives::clock::Timestamp;
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::cursor::CursorScope;
use ledgerbell::primitives::ids::{AlertId, ApiKeyId, MemberId, SessionId, TopUpId};
use uuid::Uuid;

use super::log::{any_of, instants, words};

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn entries() -> CreditLogFilter {
    let days = (NaiveDate::from_ymd_opt(2026, 3, 1), None);
    let dates = DateRange::new("filter.dates", days, Some(chrono_tz::Europe::Berlin));
    let amount = AmountRange::new("filter.amount", None, Some(Credits::whole(2)));
    CreditLogFilter {
        actor_kinds: [ActorKind::System].into(),
        actors: [
            ActorRef::ApiKey(ApiKeyId::from_uuid(id(2))),
            ActorRef::Member(MemberId::from_uuid(id(1))),
        ]
        .into(),
        dates: dates.expect("valid"),
        kinds: [EntryKind::Expiry, EntryKind::Grant, EntryKind::Expiry].into(),
        direction: Some(Direction::Added),
        member_ids: [MemberId::from_uuid(id(3))].into(),
        session_ids: [SessionId::from_uuid(id(4))].into(),
        top_up_ids: [TopUpId::from_uuid(id(5))].into(),
        occurred_at: instants(Some(at(1_000)), Some(at(2_000))),
        amount: amount.expect("valid"),
        search: words("Yoga co-op"),
    }
}

const KEYS: &str = r#"{"actor_kinds":["SYSTEM"],"actors":[{"Member":"00000000000000000000000000000001"},{"ApiKey":"00000000000000000000000000000002"}],"dates":{"from":"2026-03-01","to":null,"timezone":"Europe/Berlin"},"kinds":["GRANT","EXPIRY"],"direction":"ADDED","member_ids":["00000000000000000000000000000003"],"session_ids":["00000000000000000000000000000004"],"top_up_ids":["00000000000000000000000000000005"],"occurred_at":{"from":1000,"before":2000},"amount":{"min":null,"max":"2"},"search":[" co op"," yoga"]}
{"actor_kinds":null,"actors":null,"dates":{"from":null,"to":null,"timezone":null},"kinds":null,"direction":null,"member_ids":null,"session_ids":null,"top_up_ids":null,"occurred_at":{"from":null,"before":null},"amount":{"min":null,"max":null},"search":[]}
{"statuses":["PROCESSING"],"member_ids":[],"starts_at":{"from":1000,"before":null},"external_id":"a \"b\"","search":[" yoga"]}
["STARTS_AT","NEWEST_FIRST"]
{"statuses":["FAILED"],"origins":["AUTO"],"created_at":{"from":null,"before":2000}}
{"open_only":true,"unread_only":false,"kinds":["TEST"],"severities":["CRITICAL"],"include_archived":false,"raised_at":{"from":null,"before":null}}
{"statuses":["SENT"],"channels":["EMAIL"],"alert_kinds":["TEST"],"created_at":{"from":null,"before":null}}
{"Alert":"00000000000000000000000000000006"}
{"search":"Team","statuses":["FROZEN"],"external_ids":null,"available_below":"1","auto_top_up_paused":null,"has_findings":true}
"LowestAvailableFirst"
{"search":null,"external_ids":null,"roles":["ADMIN"],"include_removed":false}
[["DAY"],"UTC"]"#;

#[test]
fn the_key_of_a_filter_is_pinned() {
    let sessions = SessionFilter {
        statuses: [ShownStatus::Processing].into(),
        member_ids: [].into(),
        starts_at: instants(Some(at(1_000)), None),
        external_id: Some("a \"b\"".to_owned()),
        search: words("Yoga"),
    };
    let top_ups = TopUpFilter {
        statuses: [TopUpStatus::Failed].into(),
        origins: [TopUpOrigin::Auto].into(),
        created_at: instants(None, Some(at(2_000))),
    };
    let alerts = AlertFilter {
        open_only: true,
        kinds: [AlertKind::Test].into(),
        severities: [Severity::Critical].into(),
        ..AlertFilter::default()
    };
    let deliveries = DeliveryFilter {
        statuses: [DeliveryStatus::Sent].into(),
        channels: [Channel::Email].into(),
        alert_kinds: [AlertKind::Test].into(),
        ..DeliveryFilter::default()
    };
    let accounts = AccountFilter {
        search: Given::parse("search", Some("Team".to_owned()), AccountSearch::parse).expect("valid"),
        statuses: [AccountStatus::Frozen].into(),
        available_below: Some(Credits::whole(1)),
        has_findings: Some(true),
        ..AccountFilter::default()
    };
    let members = MemberFilter {
        roles: [MemberRole::Admin].into(),
        ..MemberFilter::default()
    };
    let keys = [
        key(&entries()),
        key(&CreditLogFilter::default()),
        key(&sessions),
        key(&(SessionOrder::StartsAt, "NEWEST_FIRST")),
        key(&top_ups),
        key(&alerts),
        key(&deliveries),
        key(&DeliveriesOf::Alert(AlertId::from_uuid(id(6)))),
        key(&accounts),
        key(&AccountOrder::LowestAvailableFirst),
        key(&members),
        key(&([UsageGrouping::Day], Some("UTC"))),
    ];
    let keys: Vec<String> = keys.into_iter().map(|key| key.expect("a key")).collect();
    assert_eq!(keys.join("\n"), KEYS);
}

#[test]
fn a_cursor_is_pinned_and_belongs_to_one_filter() {
    let scope = |filter: &CreditLogFilter| {
        let key = key(filter).expect("a key");
        CursorScope::of(&["credit_log", "7", &key, "NEWEST_FIRST"])
    };
    let cursor = scope(&entries()).encode(&5_i64.to_be_bytes());
    assert_eq!(cursor, "xZZDbcAJUI0AAAAAAAAABQ");
    assert_eq!(scope(&entries()).decode(&cursor), Ok(5_i64.to_be_bytes().to_vec()));
    let base = entries;
    for other in [
        CreditLogFilter {
            actor_kinds: [].into(),
            ..base()
        },
        CreditLogFilter {
            actors: any_of([]),
            ..base()
        },
        CreditLogFilter {
            dates: DateRange::default(),
            ..base()
        },
        CreditLogFilter {
            kinds: [EntryKind::Grant].into(),
            ..base()
        },
        CreditLogFilter {
            direction: None,
            ..base()
        },
        CreditLogFilter {
            member_ids: any_of([]),
            ..base()
        },
        CreditLogFilter {
            session_ids: any_of([]),
            ..base()
        },
        CreditLogFilter {
            top_up_ids: any_of([]),
            ..base()
        },
        CreditLogFilter {
            occurred_at: instants(None, Some(at(2_000))),
            ..base()
        },
        CreditLogFilter {
            amount: AmountRange::default(),
            ..base()
        },
        CreditLogFilter {
            search: words("yoga"),
            ..base()
        },
        CreditLogFilter::default(),
    ] {
        assert!(scope(&other).decode(&cursor).is_err(), "{other:?}");
    }
}
