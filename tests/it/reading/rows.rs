//! Generated rows: random, but the same in every run.

use ledgerbell::domain::database::bulk::{Record, Rows};
use ledgerbell::domain::ledger::credit_log::search::searchable;
use ledgerbell::domain::ledger::model::{ContraAccount, EntryKind};
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
    pub(crate) added_after: i64,
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
pub(crate) fn log_row(dice: &mut Dice, sequence: i64, after: i64, (balance, added): (i64, i64)) -> LogRow {
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
        added_after: added + amount.max(0),
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
    let (mut at, mut balance, mut added) = (start, 0, 0);
    (1..=count)
        .map(|sequence| {
            let row = log_row(dice, sequence, at, (balance, added));
            (at, balance, added) = (row.occurred_at, row.balance_after, row.added_after);
            row
        })
        .collect()
}

#[derive(Record)]
struct EntryColumns {
    account_id: AccountId,
    sequence: i64,
    id: Uuid,
    occurred_at: i64,
    kind: EntryKind,
    contra: ContraAccount,
    amount: i64,
    balance_after: i64,
    added_after: i64,
    description: String,
    #[record(text)]
    actor_kind: &'static str,
    actor_key_id: Option<Uuid>,
    actor_member_id: Option<Uuid>,
    member_id: Option<Uuid>,
    session_id: Option<Uuid>,
    top_up_id: Option<Uuid>,
    taken_back: i64,
    search_text: String,
    hash_version: i32,
    #[record(bytes)]
    hash: [u8; 32],
}

pub(crate) async fn insert_log(ground: &Ground, account: AccountId, log: &[LogRow]) {
    for chunk in log.chunks(5_000) {
        let insertion = log_insertion(account, chunk).insert(ground.backend(), "credit_entry", "");
        ground.execute(insertion).await;
    }
}

/// Returns entries of an account as rows of their table.
pub(crate) fn log_insertion(account: AccountId, log: &[LogRow]) -> Rows {
    Rows::of(log.iter().map(|row| EntryColumns {
        account_id: account,
        sequence: row.sequence,
        id: entry_id(row.sequence),
        occurred_at: row.occurred_at,
        kind: row.kind,
        contra: ContraAccount::Adjustments,
        amount: row.amount,
        balance_after: row.balance_after,
        added_after: row.added_after,
        description: row.description.clone(),
        actor_kind: row.actor_kind,
        actor_key_id: row.actor_key,
        actor_member_id: row.actor_member,
        member_id: row.member,
        session_id: row.session,
        top_up_id: row.top_up,
        taken_back: 0,
        search_text: searchable(&row.description),
        hash_version: 1,
        hash: [7; 32],
    }))
}

pub(crate) fn entry_id(sequence: i64) -> Uuid {
    id(9, usize::try_from(sequence).expect("positive"))
}

#[derive(Record)]
struct AccountColumns<'a> {
    account_id: AccountId,
    #[record(text)]
    name: &'a str,
    #[record(text)]
    timezone: &'a str,
    #[record(text)]
    currency: &'a str,
    credit_price: i64,
    version: i32,
    created_at: i64,
}

pub(crate) async fn insert_account(ground: &Ground, account: AccountId, timezone: &str) {
    let rows = Rows::of([AccountColumns {
        account_id: account,
        name: "Team",
        timezone,
        currency: "EUR",
        credit_price: 1_000_000,
        version: 1,
        created_at: 0,
    }]);
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

#[derive(Record)]
struct SessionColumns {
    account_id: AccountId,
    id: Uuid,
    external_id: Option<String>,
    member_id: Uuid,
    title: String,
    #[record(text)]
    status: &'static str,
    starts_at: i64,
    ends_at: i64,
    booked: i64,
    held: i64,
    charge_entry_id: Option<Uuid>,
    refunded: i64,
    booked_at: i64,
    resolved_at: Option<i64>,
    hold_expires_at: i64,
    search_text: String,
    processing_announced: bool,
}

pub(crate) async fn insert_sessions(ground: &Ground, account: AccountId, sessions: &[SessionRow]) {
    let rows = Rows::of(sessions.iter().map(|row| {
        let external_id = row.external_id.as_deref().unwrap_or_default();
        SessionColumns {
            account_id: account,
            id: row.id,
            external_id: row.external_id.clone(),
            member_id: row.member,
            title: row.title.clone(),
            status: row.status,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            booked: 10_000,
            held: if row.status == "BOOKED" { 10_000 } else { 0 },
            charge_entry_id: row.charge,
            refunded: 0,
            booked_at: row.booked_at,
            resolved_at: row.resolved_at,
            hold_expires_at: row.ends_at + 1_000_000,
            search_text: searchable(&format!("{} {external_id}", row.title)),
            processing_announced: false,
        }
    }));
    ground.execute(rows.insert(ground.backend(), "session", "")).await;
}
