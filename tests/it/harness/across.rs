//! The statements that read or write rows of several accounts, by a part of their text, with the reason.

/// A part of the text of each statement across accounts, and why it is one.
pub(super) const ACROSS: &[(&str, &str)] = &[
    ("due_at <= $1 ORDER BY due_at, account_id", "a worker finds what is due"),
    ("next_attempt_at <= $1", "a worker finds what is to be charged or sent"),
    (
        "low_since <= $1 ORDER BY",
        "a worker finds accounts that reached their trigger",
    ),
    (
        "_since IS NOT NULL ORDER BY",
        "a worker finds accounts with events that it has not read",
    ),
    ("checked_at <= $1 ORDER BY", "a worker finds accounts to check in turn"),
    (
        "SELECT 1 FROM account_finding AS f WHERE f.account_id = a.account_id) ORDER BY",
        "a worker finds new accounts",
    ),
    ("AS waiting", "pending work is counted for operators"),
    ("AS found", "work that needs an operator is counted"),
    ("FROM account AS a CROSS JOIN", "operators list accounts"),
    (
        "FROM account_state AS s CROSS JOIN",
        "operators list accounts in the order of their balance",
    ),
    (
        "SELECT account_id FROM account_finding WHERE",
        "operators find accounts by their findings",
    ),
    (
        "SELECT account_id FROM account_state WHERE",
        "operators find accounts by their balance or status; verify goes through all",
    ),
    (
        "SELECT account_id FROM account_word WHERE",
        "operators find accounts by words",
    ),
    (
        "SELECT account_id FROM auto_top_up WHERE",
        "operators find accounts whose rule is paused",
    ),
    (
        "JOIN account a ON a.account_id = r.account_id",
        "accounts of one response are read together",
    ),
    (
        "FROM account_finding WHERE checked_at > 0 AND account_id = ANY",
        "the findings of the accounts of one page are read together",
    ),
    (
        "FROM troubleshooting_place WHERE account_id = ANY",
        "a worker finds which of the accounts with new events are followed",
    ),
    (
        "JOIN member m ON m.account_id = r.account_id",
        "the rights of callers who ask at the same time are read together",
    ),
    (
        "JOIN api_key_use u ON u.account_id = r.account_id",
        "the last use of the keys of one page is read together",
    ),
    ("COUNT(*) OVER () AS total FROM (", "verify compares all rows"),
    ("SELECT COUNT(*) FROM account_state", "verify counts the accounts"),
    (
        "FROM account AS k WHERE true ORDER BY k.account_id",
        "operators list accounts: where a page begins",
    ),
    ("AS counted", "attempts without an answer are counted"),
    (
        "JOIN top_up AS t ON t.account_id = a.account_id AND t.id = a.top_up_id GROUP BY",
        "open attempts are counted by the status of their top-ups",
    ),
    (
        "is_escalated AND (created_at, top_up_id) >",
        "operators list top-ups to settle",
    ),
    ("AS came_back) AS failed", "operators list money that did not go back"),
];
