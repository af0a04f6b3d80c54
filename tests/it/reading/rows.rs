//! Generated rows: random, but the same in every run.

use ledgerbell::domain::database::bulk::{Columns, Kind, Rows};
use ledgerbell::domain::ledger::credit_log::search::searchable;
use ledgerbell::domain::ledger::model::EntryKind;
use ledgerbell::primitives::ids::AccountId;
use uuid::Uuid;

use super::ground::Ground;
use crate::harness::Dice;

/// Returns one of a few ids of a group.
pub(crate) fn id(room: u128, number: usize) -> Uuid {
    Uuid::from_u128(room << 64 | number as u128)
}

pub(crate) const MEMBERS: u128 = 1;
pub(crate) const KEYS: u128 = 2;
pub(crate) const SESSIONS: u128 = 3;
pub(crate) const TOP_UPS: u128 = 4;

/// An entry in the form of its row.
#[derive(Clone, Debug)]
pub(crate) struct LogRow {
    pub(crate) sequence: i64,
    pub(crate) occurred_at: i64,
    pub(crate) kind: EntryKind,
    pub(crate) amount: i64,
    pub(crate) balance_after: i64,
    pub(crate) description: String,
    pub(crate) actor_kind: &'static str,
    pub(crate) actor_key: Option<Uuid>,
    pub(crate) actor_member: Option<Uuid>,
    pub(crate) member: Option<Uuid>,
    pub(crate) session: Option<Uuid>,
    pub(crate) top_up: Option<Uuid>,
}

const WORDS: &[&str] = &[
    "Yoga",
    "Ärztin",
    "Öl-Massage",
    "ÜBUNG",
    "coaching",
    "Session",
    "Refund",
    "50%",
    "under_score",
    "back\\slash",
    "co-op",
    "Straße",
];

/// Returns the next entry of a log after one with this sequence, time and balance.
pub(crate) fn log_row(dice: &mut Dice, sequence: i64, after: i64, balance: i64) -> LogRow {
    let kind = dice.pick(EntryKind::ALL);
    let (actor_kind, actor_key, actor_member) = match dice.below(5) {
        0 | 1 => ("MEMBER", None, Some(id(MEMBERS, dice.below(8)))),
        2 => ("API_KEY", Some(id(KEYS, dice.below(3))), None),
        3 => (
            "API_KEY",
            Some(id(KEYS, dice.below(3))),
            Some(id(MEMBERS, dice.below(8))),
        ),
        _ => (dice.pick(&["SYSTEM", "PAYMENT_GATEWAY"]), None, None),
    };
    let amount = match dice.number(200_000) - 100_000 {
        0 => 1,
        amount => amount,
    };
    let is_purchase = matches!(kind, EntryKind::TopUp | EntryKind::AutoTopUp);
    LogRow {
        sequence,
        // Often the same instant as the previous entry.
        occurred_at: after + if dice.chance(40) { 0 } else { dice.number(3_600_000) },
        kind,
        amount,
        balance_after: balance + amount,
        description: [dice.pick(WORDS), dice.pick(WORDS), dice.pick(WORDS)].join(" "),
        actor_kind,
        actor_key,
        actor_member,
        member: dice.chance(70).then(|| id(MEMBERS, dice.below(8))),
        session: dice.chance(50).then(|| id(SESSIONS, dice.below(400))),
        // A top-up is credited once.
        top_up: if is_purchase {
            Some(id(TOP_UPS, 1_000 + usize::try_from(sequence).expect("positive")))
        } else {
            dice.chance(20).then(|| id(TOP_UPS, dice.below(300)))
        },
    }
}

pub(crate) fn log_rows(dice: &mut Dice, count: i64, start: i64) -> Vec<LogRow> {
    let (mut at, mut balance) = (start, 0);
    (1..=count)
        .map(|sequence| {
            let row = log_row(dice, sequence, at, balance);
            (at, balance) = (row.occurred_at, row.balance_after);
            row
        })
        .collect()
}

const ENTRY: Columns = &[
    ("account_id", Kind::BigInt),
    ("sequence", Kind::BigInt),
    ("id", Kind::Uuid),
    ("occurred_at", Kind::BigInt),
    ("kind", Kind::Text),
    ("contra", Kind::Text),
    ("amount", Kind::BigInt),
    ("balance_after", Kind::BigInt),
    ("description", Kind::Text),
    ("actor_kind", Kind::Text),
    ("actor_key_id", Kind::Uuid),
    ("actor_member_id", Kind::Uuid),
    ("member_id", Kind::Uuid),
    ("session_id", Kind::Uuid),
    ("top_up_id", Kind::Uuid),
    ("taken_back", Kind::BigInt),
    ("search_text", Kind::Text),
    ("hash_version", Kind::Int),
    ("hash", Kind::Bytes),
];

pub(crate) async fn insert_log(ground: &Ground, account: AccountId, log: &[LogRow]) {
    for chunk in log.chunks(5_000) {
        let insertion = log_insertion(account, chunk).insert(ground.backend(), "credit_entry", "");
        ground.execute(insertion).await;
    }
}

/// Returns entries of an account as rows of their table.
pub(crate) fn log_insertion(account: AccountId, log: &[LogRow]) -> Rows {
    let mut rows = Rows::new(ENTRY);
    for row in log {
        rows.push([
            account.number().into(),
            row.sequence.into(),
            entry_id(row.sequence).into(),
            row.occurred_at.into(),
            row.kind.as_str().into(),
            "ADJUSTMENTS".into(),
            row.amount.into(),
            row.balance_after.into(),
            (&row.description).into(),
            row.actor_kind.into(),
            row.actor_key.into(),
            row.actor_member.into(),
            row.member.into(),
            row.session.into(),
            row.top_up.into(),
            0_i64.into(),
            (&searchable(&row.description)).into(),
            1_i64.into(),
            (&[7_u8; 32]).into(),
        ]);
    }
    rows
}

pub(crate) fn entry_id(sequence: i64) -> Uuid {
    id(9, usize::try_from(sequence).expect("positive"))
}

const ACCOUNT: Columns = &[
    ("account_id", Kind::BigInt),
    ("name", Kind::Text),
    ("timezone", Kind::Text),
    ("currency", Kind::Text),
    ("credit_price", Kind::BigInt),
    ("version", Kind::Int),
    ("created_at", Kind::BigInt),
];

pub(crate) async fn insert_account(ground: &Ground, account: AccountId, timezone: &str) {
    let mut rows = Rows::new(ACCOUNT);
    rows.push([
        account.number().into(),
        "Team".into(),
        timezone.into(),
        "EUR".into(),
        1_000_000_i64.into(),
        1_i64.into(),
        0_i64.into(),
    ]);
    ground.execute(rows.insert(ground.backend(), "account", "")).await;
}

/// A session in the form of its row.
#[derive(Clone, Debug)]
pub(crate) struct SessionRow {
    pub(crate) id: Uuid,
    pub(crate) external_id: Option<String>,
    pub(crate) member: Uuid,
    pub(crate) title: String,
    pub(crate) status: &'static str,
    pub(crate) starts_at: i64,
    pub(crate) ends_at: i64,
    pub(crate) booked_at: i64,
    pub(crate) charge: Option<Uuid>,
    pub(crate) resolved_at: Option<i64>,
}

pub(crate) fn session_rows(dice: &mut Dice, count: usize) -> Vec<SessionRow> {
    (0..count)
        .map(|number| {
            let status = dice.pick(&["BOOKED", "COMPLETED", "CANCELED", "NO_SHOW", "EXPIRED"]);
            let starts_at = dice.number(200) * 1_000;
            let ends_at = starts_at + 500 + dice.number(3) * 1_000;
            let is_charged = status == "COMPLETED";
            SessionRow {
                id: id(SESSIONS, (number * 7_919) % 1_000_003),
                external_id: match status {
                    "BOOKED" => dice.chance(50).then(|| format!("booking-{number}")),
                    _ => dice.chance(50).then(|| format!("lesson-{}", dice.below(20))),
                },
                member: id(MEMBERS, dice.below(8)),
                title: [dice.pick(WORDS), dice.pick(WORDS)].join(" "),
                status,
                starts_at,
                ends_at,
                booked_at: dice.number(50) * 1_000,
                charge: is_charged.then(|| id(9, number)),
                resolved_at: (status != "BOOKED").then(|| ends_at + 60_000),
            }
        })
        .collect()
}

const SESSION: Columns = &[
    ("account_id", Kind::BigInt),
    ("id", Kind::Uuid),
    ("external_id", Kind::Text),
    ("member_id", Kind::Uuid),
    ("title", Kind::Text),
    ("status", Kind::Text),
    ("starts_at", Kind::BigInt),
    ("ends_at", Kind::BigInt),
    ("booked", Kind::BigInt),
    ("held", Kind::BigInt),
    ("charge_entry_id", Kind::Uuid),
    ("refunded", Kind::BigInt),
    ("booked_at", Kind::BigInt),
    ("resolved_at", Kind::BigInt),
    ("hold_expires_at", Kind::BigInt),
    ("search_text", Kind::Text),
    ("processing_announced", Kind::Bool),
];

pub(crate) async fn insert_sessions(ground: &Ground, account: AccountId, sessions: &[SessionRow]) {
    let mut rows = Rows::new(SESSION);
    for row in sessions {
        let search_text = searchable(&format!(
            "{} {}",
            row.title,
            row.external_id.as_deref().unwrap_or_default()
        ));
        rows.push([
            account.number().into(),
            row.id.into(),
            row.external_id.as_ref().into(),
            row.member.into(),
            (&row.title).into(),
            row.status.into(),
            row.starts_at.into(),
            row.ends_at.into(),
            10_000_i64.into(),
            (if row.status == "BOOKED" { 10_000_i64 } else { 0 }).into(),
            row.charge.into(),
            0_i64.into(),
            row.booked_at.into(),
            row.resolved_at.into(),
            (row.ends_at + 1_000_000).into(),
            (&search_text).into(),
            false.into(),
        ]);
    }
    ground.execute(rows.insert(ground.backend(), "session", "")).await;
}
