//! What entries have added so far, in each entry: sums over a range of the log are differences between its ends.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "ALTER TABLE credit_entry ADD COLUMN added_after BIGINT NOT NULL DEFAULT 0 {integer added_after}",
        "UPDATE credit_entry SET added_after = s.added_after
            FROM (SELECT account_id, sequence, CAST(SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END)
                    OVER (PARTITION BY account_id ORDER BY sequence) AS BIGINT) AS added_after FROM credit_entry) AS s
            WHERE credit_entry.account_id = s.account_id AND credit_entry.sequence = s.sequence",
        "ALTER TABLE account_state ADD COLUMN added BIGINT NOT NULL DEFAULT 0 {integer added}",
        "UPDATE account_state SET added = e.added_after FROM credit_entry AS e
            WHERE account_state.account_id = e.account_id AND account_state.entry_sequence = e.sequence",
    ],
    down: &[
        "ALTER TABLE account_state DROP COLUMN added",
        "ALTER TABLE credit_entry DROP COLUMN added_after",
    ],
};
