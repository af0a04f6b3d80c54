//! The statements that read or write rows of several accounts, by the beginning of their text, with the reason.

/// The beginning of the text of each statement across accounts, and why it is one.
pub(super) const ACROSS: &[(&str, &str)] = &[
    (
        "SELECT account_id FROM account_state WHERE due_at <= $1",
        "the sweeper finds what is due",
    ),
    (
        "SELECT account_id FROM account_state WHERE low_since <= $1",
        "a worker finds accounts that reached their trigger",
    ),
    (
        "SELECT account_id FROM account_state WHERE unread_since IS NOT NULL",
        "a worker finds events without an alert",
    ),
    (
        "SELECT account_id FROM account_state WHERE unchecked_since IS NOT NULL",
        "a worker finds events to check",
    ),
    (
        "SELECT f.account_id, f.checked_at, COALESCE(f.checked_sequence = s.event_sequence AND f.due_at > $2, FALSE) FROM account_finding",
        "a worker finds accounts to check in turn",
    ),
    (
        "SELECT account_id FROM troubleshooting_place WHERE due_at <= $1",
        "a worker finds findings that time may change",
    ),
    (
        "SELECT account_id FROM troubleshooting_place WHERE account_id = ANY",
        "a worker finds which accounts are followed",
    ),
    (
        "SELECT account_id FROM alert_due WHERE due_at <= $1",
        "a worker finds reminders",
    ),
    (
        "SELECT account_id FROM auto_top_up WHERE due_at <= $1",
        "a worker finds rules",
    ),
    (
        "SELECT account_id, id FROM top_up WHERE next_attempt_at <= $1",
        "a worker finds retries",
    ),
    (
        "SELECT account_id, id FROM top_up_refund WHERE due_at <= $1",
        "a worker finds refunds",
    ),
    (
        "SELECT account_id, top_up_id, trace_context FROM top_up_attempt WHERE due_at <= $1",
        "a worker finds charges",
    ),
    (
        "SELECT account_id, id, alert_id, recipient_kind",
        "a worker finds mails",
    ),
    (
        "SELECT account_id, id, email, locale, created_at, attempts, next_attempt_at FROM address_notice",
        "a worker finds mails",
    ),
    ("SELECT 1 AS due FROM", "a worker asks whether mail is due"),
    (
        "SELECT a.account_id FROM account AS a WHERE a.created_at >= $1 AND NOT EXISTS",
        "a worker finds new accounts",
    ),
    (
        "SELECT account_id, event_sequence, event_nonce FROM account_state WHERE account_id = ANY",
        "the ends of the streams that are followed",
    ),
    ("SELECT COUNT(*), MIN(due) FROM (SELECT", "pending work is counted"),
    (
        "SELECT COUNT(*) FROM (SELECT 1 AS one FROM",
        "work that needs an operator is counted",
    ),
    (
        "SELECT account_id, top_up_id, created_at FROM top_up_refund WHERE status = 'FAILED'",
        "failed refunds are counted",
    ),
    (
        "SELECT account_id, id, came_back_at FROM top_up",
        "failed refunds are counted",
    ),
    (
        "SELECT account_id, top_up_id, MAX(created_at) FROM top_up_refund",
        "failed refunds are counted",
    ),
    (
        "SELECT COUNT(*) AS many, MIN(since) AS since FROM (",
        "attempts without an answer are counted",
    ),
    (
        "SELECT t.status AS status, COUNT(*) AS many FROM (",
        "open attempts are counted by status",
    ),
    (
        "SELECT a.account_id, a.external_id, a.name, ",
        "operators list accounts; those of one response are read together",
    ),
    (
        "SELECT CAST(0 AS BIGINT), k.account_id FROM account AS k",
        "operators list accounts: where a page begins",
    ),
    (
        "SELECT k.posted - k.held, k.account_id FROM account_state AS k",
        "operators list accounts: where a page begins",
    ),
    (
        "SELECT account_id FROM account_finding WHERE findings > 0",
        "operators find accounts by their findings",
    ),
    (
        "SELECT account_id FROM account_state WHERE posted - held <",
        "operators find accounts by their balance",
    ),
    (
        "SELECT account_id FROM account_state WHERE status <> 'ACTIVE'",
        "operators find accounts by their status",
    ),
    (
        "SELECT account_id FROM account_word WHERE word >=",
        "operators find accounts by words",
    ),
    (
        "SELECT account_id FROM auto_top_up WHERE is_enabled AND pause IS NOT NULL",
        "operators find paused rules",
    ),
    (
        "SELECT account_id, findings, severity, checked_at FROM account_finding",
        "the findings of a page of accounts",
    ),
    (
        "SELECT account_id, top_up_id, COALESCE(unknown_since, created_at) AS unknown_since",
        "operators list top-ups to settle",
    ),
    (
        "SELECT failed.account_id, failed.top_up_id,",
        "operators list money that did not go back",
    ),
    (
        "SELECT m.account_id, m.id FROM json_to_recordset",
        "the rights of callers who ask at the same time",
    ),
    (
        "SELECT u.account_id, u.api_key_id, u.last_used_at FROM json_to_recordset",
        "the last use of a page of keys",
    ),
    (
        "SELECT account_id FROM account_state WHERE account_id > $1 ORDER BY account_id",
        "verify goes through all accounts",
    ),
    ("SELECT COUNT(*) FROM account_state", "verify counts the accounts"),
    (
        "SELECT account_id, enabled_at FROM webhook_endpoint WHERE disabled_at IS NULL",
        "a worker finds since when accounts, and the platform, have endpoints",
    ),
    (
        "SELECT account_id, id, url, description, event_types, entry_filter, disabled_at, disabled_because, enabled_at, failing_since, \
         secret_generation, previous_secret_until, maker_kind, maker_key_id, maker_member_id, created_at, removed_at, version \
         FROM webhook_endpoint WHERE disabled_at IS NULL AND removed_at IS NULL AND account_id = ANY",
        "a worker finds the webhook endpoints of accounts with new events, and of the platform",
    ),
    (
        "SELECT s.account_id, s.event_sequence, c.sequence FROM account_state AS s LEFT JOIN webhook_checkpoint AS c",
        "a worker finds events of which no webhook messages were written",
    ),
    (
        "SELECT DISTINCT account_id FROM webhook_endpoint WHERE disabled_at IS NULL",
        "a worker goes through the accounts with webhook endpoints",
    ),
    (
        "SELECT account_id, id, endpoint_account_id, endpoint_id, event_type, payload, status, attempts, failures, \
         next_attempt_at, created_at, delivered_at FROM webhook_message WHERE status IN",
        "a worker finds webhook messages to send",
    ),
    (
        "SELECT account_id, id FROM webhook_message WHERE status IN",
        "a worker finds old webhook messages",
    ),
    (
        "SELECT id, CAST(expected AS BIGINT) AS expected, CAST(found AS BIGINT) AS found, COUNT(*) OVER () AS total FROM (SELECT a.account_id AS id",
        "verify compares accounts with their state and directory",
    ),
    (
        "SELECT id, CAST(expected AS BIGINT) AS expected, CAST(found AS BIGINT) AS found, COUNT(*) OVER () AS total FROM (SELECT s.account_id AS id",
        "verify compares states with their accounts",
    ),
];
