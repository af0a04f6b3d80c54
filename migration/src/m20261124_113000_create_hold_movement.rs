//! The history of holds: a row for each change of a hold, from which any past balance can be computed.
//!
//! The history before this migration is filled in from sessions and their events. The first amount of a session that was
//! rescheduled for another amount is unknown. Such a session counts with its last amount from the beginning.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, STATEMENTS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, &["hold_movement"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE hold_movement (
        account_id BIGINT NOT NULL,
        holder_id {uuid} NOT NULL,
        sequence BIGINT NOT NULL,
        holder TEXT NOT NULL,
        occurred_at BIGINT NOT NULL,
        amount BIGINT NOT NULL CHECK (amount <> 0),
        held BIGINT NOT NULL CHECK (held >= 0),
        held_after BIGINT NOT NULL CHECK (held_after >= 0),
        {whole amount, held, held_after}PRIMARY KEY (account_id, holder_id, sequence)
    ) {clustered}",
    "INSERT INTO hold_movement (account_id, holder_id, sequence, holder, occurred_at, amount, held, held_after)
     SELECT account_id, holder_id, sequence, holder, occurred_at, amount, held,
            CAST(SUM(amount) OVER (PARTITION BY account_id ORDER BY sequence) AS BIGINT)
     FROM (
        SELECT e.account_id, e.session_id AS holder_id, MIN(e.sequence) AS sequence, 'SESSION' AS holder,
               MIN(e.occurred_at) AS occurred_at, s.booked AS amount, s.booked AS held
        FROM event AS e JOIN session AS s ON s.account_id = e.account_id AND s.id = e.session_id
        WHERE e.kind = 'SESSION_UPDATED' AND s.booked > 0
        GROUP BY e.account_id, e.session_id, s.booked
        UNION ALL
        SELECT e.account_id, e.session_id, MIN(e.sequence), 'SESSION', MIN(e.occurred_at), -s.booked, 0
        FROM event AS e JOIN session AS s ON s.account_id = e.account_id AND s.id = e.session_id
        WHERE e.kind = 'SESSION_UPDATED' AND s.booked > 0 AND s.status <> 'BOOKED'
          AND e.status IN ('COMPLETED', 'CANCELED', 'NO_SHOW', 'EXPIRED')
        GROUP BY e.account_id, e.session_id, s.booked
        UNION ALL
        SELECT e.account_id, e.top_up_id, MAX(e.sequence), 'TOP_UP', MAX(e.occurred_at), h.amount, h.amount
        FROM event AS e JOIN dispute_hold AS h ON h.account_id = e.account_id AND h.top_up_id = e.top_up_id
        WHERE e.kind = 'TOP_UP_UPDATED'
        GROUP BY e.account_id, e.top_up_id, h.amount
     ) AS moved",
    "CREATE INDEX hold_movement_occurred ON hold_movement (account_id, occurred_at, sequence)",
];
