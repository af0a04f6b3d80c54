//! The rules by which statements are judged: see `harness/statements.rs`.

use crate::harness::judge;

#[test]
fn a_statement_names_its_account_on_each_table() {
    for sql in [
        "SELECT id FROM session WHERE account_id = $1 AND id = $2",
        "SELECT s.id FROM session AS s JOIN member AS m ON m.account_id = s.account_id WHERE s.account_id = $1",
        "SELECT t.id FROM json_to_recordset(CAST($1 AS json)) AS r(id uuid) CROSS JOIN LATERAL \
         (SELECT * FROM session AS t WHERE t.account_id = $2 AND t.id = r.id OFFSET 0) AS t",
        "SELECT s.id FROM session AS s LEFT JOIN member AS m ON m.account_id = s.account_id AND m.id = s.member_id WHERE s.account_id = $1",
        "UPDATE credit_lot SET remaining = 0 FROM json_to_recordset(CAST($1 AS json)) AS r(account_id bigint, id uuid) \
         WHERE credit_lot.account_id = r.account_id AND credit_lot.account_id = $2 AND credit_lot.id = r.id",
        "WITH late AS (SELECT id FROM delivery WHERE account_id = $1) DELETE FROM delivery WHERE account_id = $1 AND id IN (SELECT id FROM late)",
        "INSERT INTO event (account_id, sequence) SELECT account_id, sequence FROM json_to_recordset(CAST($1 AS json)) \
         AS r(account_id bigint, sequence bigint) WHERE true",
        "SELECT id FROM api_key WHERE hash = $1",
    ] {
        assert_eq!(judge(sql), Ok(()), "{sql}");
    }
}

#[test]
fn a_table_without_its_account_is_named() {
    for (sql, table) in [
        ("SELECT id FROM session WHERE id = $1", "session"),
        ("SELECT id FROM session WHERE account_id = $1 OR id = $2", "session"),
        ("SELECT id FROM session WHERE account_id > $1", "session"),
        (
            "SELECT s.id, (SELECT m.name FROM member AS m WHERE m.account_id = s.account_id) FROM session AS s WHERE s.account_id = $1",
            "member",
        ),
        (
            "SELECT s.id FROM session AS s JOIN member AS m ON m.id = s.member_id WHERE s.account_id = $1",
            "member",
        ),
        (
            "SELECT s.id FROM session AS s LEFT JOIN LATERAL (SELECT * FROM session_hold AS p WHERE p.account_id = s.account_id) AS p \
             ON true WHERE s.account_id = $1",
            "session_hold",
        ),
        ("UPDATE credit_lot SET remaining = 0 WHERE id = $1", "credit_lot"),
        (
            "SELECT s.id FROM session AS s LEFT JOIN member AS m ON m.account_id = s.account_id AND m.account_id = $1",
            "session",
        ),
        (
            "DELETE FROM delivery USING member AS m WHERE delivery.account_id = $1 AND m.id = delivery.recipient_id",
            "member",
        ),
        (
            "DELETE FROM delivery WHERE (account_id, id) IN (SELECT account_id, id FROM delivery WHERE account_id = $1)",
            "delivery",
        ),
        (
            "SELECT 1 UNION ALL SELECT sequence FROM event WHERE sequence = $1",
            "event",
        ),
    ] {
        assert_eq!(
            judge(sql),
            Err(format!("it does not name the account on {table}")),
            "{sql}"
        );
    }
}
