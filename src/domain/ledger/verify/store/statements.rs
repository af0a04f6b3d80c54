//! The checks, as statements that select violations.
//!
//! `$1` is the account. Sums over other tables are subqueries for one row at a time, which an index answers. Nothing is
//! collected in memory, however large the account is.

use crate::primitives::ids::IdKind;

use super::HeaderRow;

/// The unit of a number.
#[derive(Clone, Copy)]
pub(in crate::domain::ledger::verify) enum Unit {
    Credits,
    Count,
}

/// How a check identifies its rows.
#[derive(Clone, Copy)]
pub(in crate::domain::ledger::verify) enum RowId {
    /// By a public id of this kind.
    Public(IdKind),
    /// By a UUID that is not visible outside.
    Internal,
    Text,
    Number,
}

/// A statement that selects `id`, `expected` and `found` of rows that are wrong.
pub(in crate::domain::ledger::verify) struct Check {
    pub(in crate::domain::ledger::verify) what: &'static str,
    pub(in crate::domain::ledger::verify) row: RowId,
    pub(in crate::domain::ledger::verify) unit: Unit,
    pub(in crate::domain::ledger::verify) sql: &'static str,
}

/// A stored figure of the account, and the statement that computes it.
pub(in crate::domain::ledger::verify) struct Figure {
    pub(in crate::domain::ledger::verify) what: &'static str,
    pub(in crate::domain::ledger::verify) unit: Unit,
    pub(in crate::domain::ledger::verify) stored: fn(&HeaderRow) -> i64,
    pub(in crate::domain::ledger::verify) sql: &'static str,
}

pub(in crate::domain::ledger::verify) const FIGURES: &[Figure] = &[
    Figure {
        what: "held is what open sessions, disputes and refunds under way hold",
        unit: Unit::Credits,
        stored: |header| header.held,
        sql: "SELECT COALESCE((SELECT SUM(held) FROM session WHERE account_id = $1 AND status = 'BOOKED'), 0)
                   + COALESCE((SELECT SUM(amount) FROM top_up_hold WHERE account_id = $1), 0)",
    },
    Figure {
        what: "held is the sum of all parts of holds",
        unit: Unit::Credits,
        stored: |header| header.held,
        sql: "SELECT COALESCE((SELECT SUM(amount) FROM session_hold WHERE account_id = $1), 0)
                   + COALESCE((SELECT SUM(amount) FROM top_up_hold WHERE account_id = $1), 0)",
    },
    Figure {
        what: "held is the sum of all changes of holds",
        unit: Unit::Credits,
        stored: |header| header.held,
        sql: "SELECT SUM(amount) FROM hold_movement WHERE account_id = $1",
    },
    Figure {
        what: "incoming is what top-ups being charged will bring",
        unit: Unit::Credits,
        stored: |header| header.incoming,
        sql: "SELECT SUM(credits) FROM top_up WHERE account_id = $1 AND status IN ('PENDING', 'PROCESSING')",
    },
    Figure {
        what: "posted and debt together are what lots have left",
        unit: Unit::Credits,
        stored: |header| header.posted.saturating_add(header.debt),
        sql: "SELECT SUM(remaining) FROM credit_lot WHERE account_id = $1 AND remaining > 0",
    },
    Figure {
        what: "the debt is what entries moved into and out of no lot",
        unit: Unit::Credits,
        stored: |header| header.debt,
        sql: "SELECT -SUM(amount) FROM lot_movement WHERE account_id = $1 AND lot_id IS NULL",
    },
    Figure {
        what: "the lot count is the number of lots with a remainder",
        unit: Unit::Count,
        stored: |header| header.lot_count,
        sql: "SELECT COUNT(*) FROM credit_lot WHERE account_id = $1 AND remaining > 0",
    },
    Figure {
        what: "debt and a live lot with a remainder never coexist",
        unit: Unit::Count,
        stored: |_| 0,
        sql: "SELECT COUNT(*) FROM credit_lot AS l JOIN account_state AS s ON s.account_id = l.account_id
              WHERE l.account_id = $1 AND s.debt > 0 AND l.remaining > 0
                AND (l.expires_at IS NULL OR l.expires_at > COALESCE(s.halted_at, s.last_at))",
    },
    Figure {
        what: "events are numbered from the first that is kept to the account's event sequence: the last number",
        unit: Unit::Count,
        stored: |header| header.event_sequence,
        sql: "SELECT MAX(sequence) FROM event WHERE account_id = $1",
    },
    Figure {
        what: "events are numbered from the first that is kept to the account's event sequence: how many there are",
        unit: Unit::Count,
        stored: |header| header.event_sequence.saturating_sub(header.events_deleted),
        sql: "SELECT COUNT(*) FROM event WHERE account_id = $1",
    },
    Figure {
        what: "the account knows the last event's nonce",
        unit: Unit::Count,
        stored: |header| header.event_nonce,
        sql: "SELECT nonce FROM event WHERE account_id = $1 ORDER BY sequence DESC LIMIT 1",
    },
];

/// Checks that the row exists which a column of other rows names.
macro_rules! exists {
    ($what:literal, $row:expr, $table:literal.$id:literal: $column:literal of $named:literal) => {
        Check {
            what: $what,
            row: $row,
            unit: Unit::Count,
            sql: concat!(
                "SELECT t.",
                $id,
                " AS id, 1 AS expected, 0 AS found FROM ",
                $table,
                " AS t WHERE t.account_id = $1 AND t.",
                $column,
                " IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ",
                $named,
                " AS n WHERE n.account_id = $1 AND n.id = t.",
                $column,
                ")"
            ),
        }
    };
}

/// Checks that two expressions are equal in each row of a table.
macro_rules! compare {
    ($what:literal, ($row:expr, $unit:expr), $table:literal as $alias:literal, expected: $expected:literal, found: $found:literal) => {
        Check {
            what: $what,
            row: $row,
            unit: $unit,
            sql: concat!(
                "SELECT id, expected, found FROM (SELECT ",
                $alias,
                ".id, ",
                $expected,
                " AS expected, ",
                $found,
                " AS found FROM ",
                $table,
                " AS ",
                $alias,
                " WHERE ",
                $alias,
                ".account_id = $1) AS compared WHERE expected <> found"
            ),
        }
    };
}

const ENTRY: RowId = RowId::Public(IdKind::Entry);
const SESSION: RowId = RowId::Public(IdKind::Session);
const LOT: RowId = RowId::Public(IdKind::Lot);
const TOP_UP: RowId = RowId::Public(IdKind::TopUp);

pub(in crate::domain::ledger::verify) const CHECKS: &[Check] = &[
    Check {
        what: "the event before this number exists",
        row: RowId::Number,
        unit: Unit::Count,
        sql: "SELECT sequence AS id, sequence - 1 AS expected, previous AS found
              FROM (SELECT sequence, COALESCE(LAG(sequence) OVER (ORDER BY sequence),
                      (SELECT events_deleted FROM account_state WHERE account_id = $1), 0) AS previous
                    FROM event WHERE account_id = $1) AS numbered
              WHERE previous <> sequence - 1",
    },
    compare!(
        "an entry's movements sum up to its amount",
        (ENTRY, Unit::Credits),
        "credit_entry" as "e",
        expected: "e.amount",
        found: "(SELECT COALESCE(SUM(m.amount), 0) FROM lot_movement AS m WHERE m.account_id = $1 AND m.entry_id = e.id)"
    ),
    compare!(
        "what was taken back of an entry is what its reversals took",
        (ENTRY, Unit::Credits),
        "credit_entry" as "e",
        expected: "(SELECT COALESCE(SUM(CASE WHEN e.amount > 0 THEN -r.amount ELSE r.amount END), 0) FROM credit_entry AS r \
             WHERE r.account_id = $1 AND r.reverses_entry_id = e.id)",
        found: "e.taken_back"
    ),
    Check {
        what: "no more is taken back of an entry than its amount",
        row: ENTRY,
        unit: Unit::Credits,
        sql: "SELECT id, ABS(amount) AS expected, taken_back AS found FROM credit_entry
              WHERE account_id = $1 AND (taken_back < 0 OR taken_back > ABS(amount))",
    },
    compare!(
        "what was returned of a deduction's draws is what was taken back of it",
        (ENTRY, Unit::Credits),
        "credit_entry" as "e",
        expected: "CASE WHEN e.amount < 0 THEN e.taken_back ELSE 0 END",
        found: "(SELECT COALESCE(SUM(m.returned), 0) FROM lot_movement AS m WHERE m.account_id = $1 AND m.entry_id = \
             e.id)"
    ),
    Check {
        what: "no more is returned of a draw than was drawn",
        row: ENTRY,
        unit: Unit::Credits,
        sql: "SELECT entry_id AS id, CASE WHEN amount < 0 THEN -amount ELSE 0 END AS expected, returned AS found
              FROM lot_movement
              WHERE account_id = $1 AND (returned < 0 OR returned > CASE WHEN amount < 0 THEN -amount ELSE 0 END)",
    },
    exists!("the entry that an entry reverses exists", ENTRY, "credit_entry"."id": "reverses_entry_id" of "credit_entry"),
    exists!("the session of an entry exists", ENTRY, "credit_entry"."id": "session_id" of "session"),
    exists!("the entry of a movement exists", RowId::Internal, "lot_movement"."entry_id": "entry_id" of "credit_entry"),
    exists!("the lot of a movement exists", ENTRY, "lot_movement"."entry_id": "lot_id" of "credit_lot"),
    compare!(
        "a lot has left what was moved into it less what was moved out",
        (LOT, Unit::Credits),
        "credit_lot" as "l",
        expected: "(SELECT COALESCE(SUM(m.amount), 0) FROM lot_movement AS m WHERE m.account_id = $1 AND m.lot_id = l.id)",
        found: "l.remaining"
    ),
    Check {
        what: "a lot has left something between nothing and what it was made with",
        row: LOT,
        unit: Unit::Credits,
        sql: "SELECT id, granted AS expected, remaining AS found FROM credit_lot
              WHERE account_id = $1 AND (remaining < 0 OR remaining > granted)",
    },
    exists!("the entry that made a lot exists", LOT, "credit_lot"."id": "entry_id" of "credit_entry"),
    compare!(
        "a session holds the sum of its parts",
        (SESSION, Unit::Credits),
        "session" as "s",
        expected: "(SELECT COALESCE(SUM(h.amount), 0) FROM session_hold AS h WHERE h.account_id = $1 AND h.session_id = \
             s.id)",
        found: "s.held"
    ),
    Check {
        what: "a session holds what it booked while it is open, then nothing",
        row: SESSION,
        unit: Unit::Credits,
        sql: "SELECT id, CASE WHEN status = 'BOOKED' THEN booked ELSE 0 END AS expected, held AS found FROM session
              WHERE account_id = $1 AND held <> CASE WHEN status = 'BOOKED' THEN booked ELSE 0 END",
    },
    Check {
        what: "the session of a part of a hold is open",
        row: SESSION,
        unit: Unit::Count,
        sql: "SELECT h.session_id AS id, 1 AS expected, 0 AS found FROM session_hold AS h
              WHERE h.account_id = $1 AND NOT EXISTS (
                SELECT 1 FROM session AS s WHERE s.account_id = $1 AND s.id = h.session_id AND s.status = 'BOOKED')",
    },
    Check {
        what: "what is held after a change of a hold follows from what was held before it",
        row: RowId::Number,
        unit: Unit::Credits,
        sql: "SELECT sequence AS id, previous + amount AS expected, held_after AS found
              FROM (SELECT sequence, amount, held_after,
                           COALESCE(LAG(held_after) OVER (ORDER BY occurred_at, sequence), 0) AS previous
                    FROM hold_movement WHERE account_id = $1) AS chained
              WHERE held_after <> previous + amount",
    },
    Check {
        what: "what one holds after a change follows from what it held before",
        row: RowId::Number,
        unit: Unit::Credits,
        sql: "SELECT sequence AS id, previous + amount AS expected, held AS found
              FROM (SELECT sequence, amount, held,
                           COALESCE(LAG(held) OVER (PARTITION BY holder_id ORDER BY sequence), 0) AS previous
                    FROM hold_movement WHERE account_id = $1) AS chained
              WHERE held <> previous + amount",
    },
    compare!(
        "a session holds what the last change of its hold says",
        (SESSION, Unit::Credits),
        "session" as "s",
        expected: "COALESCE((SELECT m.held FROM hold_movement AS m WHERE m.account_id = $1 AND m.holder_id = s.id ORDER BY \
             m.sequence DESC LIMIT 1), 0)",
        found: "s.held"
    ),
    compare!(
        "a top-up holds what the last change of its hold says",
        (TOP_UP, Unit::Credits),
        "top_up" as "t",
        expected: "COALESCE((SELECT m.held FROM hold_movement AS m WHERE m.account_id = $1 AND m.holder_id = t.id ORDER BY \
             m.sequence DESC LIMIT 1), 0)",
        found: "COALESCE((SELECT h.amount FROM top_up_hold AS h WHERE h.account_id = $1 AND h.top_up_id = t.id), 0)"
    ),
    Check {
        what: "a session is resolved when and only when it is not open",
        row: SESSION,
        unit: Unit::Count,
        sql: "SELECT id, CASE WHEN status = 'BOOKED' THEN 0 ELSE 1 END AS expected,
                     CASE WHEN resolved_at IS NULL THEN 0 ELSE 1 END AS found
              FROM session WHERE account_id = $1
                AND CASE WHEN status = 'BOOKED' THEN 0 ELSE 1 END <> CASE WHEN resolved_at IS NULL THEN 0 ELSE 1 END",
    },
    compare!(
        "a session was charged what its entries deducted",
        (SESSION, Unit::Credits),
        "session" as "s",
        expected: "(SELECT COALESCE(-SUM(e.amount), 0) FROM credit_entry AS e WHERE e.account_id = $1 AND e.session_id = \
             s.id AND e.kind = 'SESSION')",
        found: "COALESCE(s.charged, 0)"
    ),
    compare!(
        "a session was refunded what its entries gave back",
        (SESSION, Unit::Credits),
        "session" as "s",
        expected: "(SELECT COALESCE(SUM(e.amount), 0) FROM credit_entry AS e WHERE e.account_id = $1 AND e.session_id = \
             s.id AND e.kind = 'SESSION_REFUND')",
        found: "s.refunded"
    ),
    Check {
        what: "a session that was charged names the entry that did",
        row: SESSION,
        unit: Unit::Count,
        sql: "SELECT s.id, 1 AS expected, 0 AS found FROM session AS s
              WHERE s.account_id = $1 AND (s.charge_entry_id IS NOT NULL OR COALESCE(s.charged, 0) > 0) AND NOT EXISTS (
                SELECT 1 FROM credit_entry AS e WHERE e.account_id = $1 AND e.id = s.charge_entry_id
                  AND e.kind = 'SESSION' AND e.session_id = s.id)",
    },
    exists!("the member of a session exists", SESSION, "session"."id": "member_id" of "member"),
    Check {
        what: "a top-up that was credited names the entry that did, of the same credits",
        row: TOP_UP,
        unit: Unit::Credits,
        sql: "SELECT t.id, t.credits AS expected,
                     COALESCE((SELECT e.amount FROM credit_entry AS e
                               WHERE e.account_id = $1 AND e.id = t.entry_id), 0) AS found
              FROM top_up AS t
              WHERE t.account_id = $1 AND (t.entry_id IS NOT NULL OR t.status IN ('SUCCEEDED', 'REVERSED', 'DISPUTED'))
                AND NOT EXISTS (
                  SELECT 1 FROM credit_entry AS e WHERE e.account_id = $1 AND e.id = t.entry_id AND e.top_up_id = t.id
                    AND e.amount = t.credits AND e.kind IN ('TOP_UP', 'AUTO_TOP_UP'))",
    },
    Check {
        what: "an entry that credited a top-up is named by it",
        row: ENTRY,
        unit: Unit::Count,
        sql: "SELECT e.id, 1 AS expected, 0 AS found FROM credit_entry AS e
              WHERE e.account_id = $1 AND e.kind IN ('TOP_UP', 'AUTO_TOP_UP') AND NOT EXISTS (
                SELECT 1 FROM top_up AS t WHERE t.account_id = $1 AND t.id = e.top_up_id AND t.entry_id = e.id)",
    },
    compare!(
        "what money's return took back of a top-up is what its entries took",
        (TOP_UP, Unit::Credits),
        "top_up" as "t",
        expected: "(SELECT COALESCE(-SUM(e.amount), 0) FROM credit_entry AS e WHERE e.account_id = $1 AND e.top_up_id = \
             t.id AND e.kind IN ('REVERSAL', 'CHARGEBACK'))",
        found: "t.credits_reversed"
    ),
    compare!(
        "a top-up whose outcome is open has an attempt that is, and no other has",
        (TOP_UP, Unit::Count),
        "top_up" as "t",
        expected: "CASE WHEN t.status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION') THEN 1 ELSE 0 END",
        found: "(SELECT COUNT(*) FROM top_up_attempt AS a WHERE a.account_id = $1 AND a.top_up_id = t.id AND \
             a.finished_at IS NULL)"
    ),
    Check {
        what: "an attempt that succeeded belongs to a top-up that was credited",
        row: RowId::Public(IdKind::TopUpAttempt),
        unit: Unit::Count,
        sql: "SELECT a.id, 1 AS expected, 0 AS found FROM top_up_attempt AS a
              WHERE a.account_id = $1 AND a.outcome = 'SUCCEEDED' AND NOT EXISTS (
                SELECT 1 FROM top_up AS t WHERE t.account_id = $1 AND t.id = a.top_up_id AND t.entry_id IS NOT NULL)",
    },
    exists!("the top-up of an attempt exists", RowId::Public(IdKind::TopUpAttempt), "top_up_attempt"."id": "top_up_id" of "top_up"),
    Check {
        what: "a top-up holds credits when and only when it is disputed or being refunded",
        row: TOP_UP,
        unit: Unit::Credits,
        sql: "SELECT id, expected, found FROM (
                SELECT id, found, CASE WHEN status = 'DISPUTED' OR refunding > unreturned THEN unreturned
                                       ELSE refunding END AS expected
                FROM (
                  SELECT t.id, t.status,
                         t.credits - COALESCE((SELECT e.taken_back FROM credit_entry AS e
                           WHERE e.account_id = $1 AND e.id = t.entry_id), 0) AS unreturned,
                         COALESCE((SELECT SUM(r.credits) FROM top_up_refund AS r WHERE r.account_id = $1
                           AND r.top_up_id = t.id AND r.status = 'PENDING' AND r.is_exact), 0) AS refunding,
                         COALESCE((SELECT h.amount FROM top_up_hold AS h
                           WHERE h.account_id = $1 AND h.top_up_id = t.id), 0) AS found
                  FROM top_up AS t WHERE t.account_id = $1) AS figures) AS sums
              WHERE expected <> found",
    },
    exists!("the top-up of a hold exists", TOP_UP, "top_up_hold"."top_up_id": "top_up_id" of "top_up"),
    Check {
        what: "what an idempotency key made exists",
        row: RowId::Text,
        unit: Unit::Count,
        sql: "SELECT k.key AS id, 1 AS expected, 0 AS found FROM idempotency_key AS k
              WHERE k.account_id = $1
                AND (k.session_id IS NOT NULL AND NOT EXISTS (
                       SELECT 1 FROM session AS s WHERE s.account_id = $1 AND s.id = k.session_id)
                  OR k.entry_id IS NOT NULL AND NOT EXISTS (
                       SELECT 1 FROM credit_entry AS e WHERE e.account_id = $1 AND e.id = k.entry_id)
                  OR k.top_up_id IS NOT NULL AND NOT EXISTS (
                       SELECT 1 FROM top_up AS t WHERE t.account_id = $1 AND t.id = k.top_up_id))",
    },
    Check {
        what: "an idempotency key has the digest of its input, or has expired and is a client's",
        row: RowId::Text,
        unit: Unit::Count,
        sql: "SELECT k.key AS id, 1 AS expected, 0 AS found FROM idempotency_key AS k
              WHERE k.account_id = $1 AND length(k.digest) <> 32
                AND (length(k.digest) > 0 OR k.origin = 'SYSTEM' OR k.session_id IS NOT NULL OR k.entry_id IS NOT NULL
                  OR k.top_up_id IS NOT NULL)",
    },
];

/// As [`CHECKS`], over all accounts: `id` is the account's number.
pub(in crate::domain::ledger::verify) const GLOBAL_CHECKS: &[Check] = &[
    Check {
        what: "an account has figures",
        row: RowId::Number,
        unit: Unit::Count,
        sql: "SELECT a.account_id AS id, 1 AS expected, 0 AS found FROM account AS a
              WHERE NOT EXISTS (SELECT 1 FROM account_state AS s WHERE s.account_id = a.account_id)",
    },
    Check {
        what: "figures belong to an account",
        row: RowId::Number,
        unit: Unit::Count,
        sql: "SELECT s.account_id AS id, 1 AS expected, 0 AS found FROM account_state AS s
              WHERE NOT EXISTS (SELECT 1 FROM account AS a WHERE a.account_id = s.account_id)",
    },
    Check {
        what: "an account is found by its external id",
        row: RowId::Number,
        unit: Unit::Count,
        sql: "SELECT a.account_id AS id, a.account_id AS expected, COALESCE(d.account_id, 0) AS found
              FROM account AS a LEFT JOIN account_directory AS d ON d.external_id = a.external_id
              WHERE a.external_id IS NOT NULL AND COALESCE(d.account_id, 0) <> a.account_id",
    },
];
