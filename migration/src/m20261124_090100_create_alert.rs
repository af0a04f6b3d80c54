//! Alerts, their deliveries, the open ones, and the last event of each account that was read for alerts.

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
        ddl::run(manager, &["ALTER TABLE event DROP COLUMN alert_id"]).await?;
        ddl::drop_tables(manager, &["alert_place", "alert_edge", "delivery", "alert"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE alert (
        account_id BIGINT NOT NULL,
        id {uuid} NOT NULL,
        kind TEXT NOT NULL,
        severity TEXT NOT NULL,
        dedupe_key TEXT NOT NULL,
        subject_id {uuid},
        facts TEXT NOT NULL,
        entry_id {uuid},
        session_id {uuid},
        top_up_id {uuid},
        raised_at BIGINT NOT NULL,
        resolved_at BIGINT,
        PRIMARY KEY (account_id, id)
    )",
    "CREATE UNIQUE INDEX alert_dedupe ON alert (account_id, dedupe_key)",
    "CREATE INDEX alert_raised ON alert (account_id, raised_at, id)",
    "CREATE INDEX alert_open_top_up ON alert (account_id, top_up_id) WHERE top_up_id IS NOT NULL AND resolved_at IS NULL",
    "CREATE TABLE delivery (
        account_id BIGINT NOT NULL,
        id {uuid} NOT NULL,
        alert_id {uuid} NOT NULL,
        member_id {uuid} NOT NULL,
        channel TEXT NOT NULL,
        kind TEXT NOT NULL,
        severity TEXT NOT NULL,
        status TEXT NOT NULL,
        suppressed_because TEXT,
        address TEXT,
        attempts INTEGER NOT NULL,
        last_error TEXT,
        next_attempt_at BIGINT,
        sent_at BIGINT,
        created_at BIGINT NOT NULL,
        resolved_at BIGINT,
        read_at BIGINT,
        archived_at BIGINT,
        marked_in BIGINT,
        PRIMARY KEY (account_id, id),
        FOREIGN KEY (account_id, alert_id) REFERENCES alert (account_id, id)
    )",
    "CREATE UNIQUE INDEX delivery_once ON delivery (account_id, alert_id, member_id, channel)",
    "CREATE INDEX delivery_member ON delivery (account_id, member_id, created_at, id)",
    "CREATE INDEX delivery_inbox ON delivery (account_id, member_id, created_at, alert_id)",
    "CREATE INDEX delivery_unread ON delivery (account_id, member_id)
        WHERE channel = 'IN_APP' AND status = 'SENT' AND read_at IS NULL AND archived_at IS NULL",
    "CREATE INDEX delivery_marked ON delivery (account_id, member_id, marked_in) WHERE marked_in IS NOT NULL",
    "CREATE INDEX delivery_mail ON delivery (account_id, kind, created_at) WHERE channel = 'EMAIL'",
    "CREATE INDEX delivery_due ON delivery (next_attempt_at) WHERE status IN ('QUEUED', 'SENDING')",
    "CREATE TABLE alert_edge (
        account_id BIGINT NOT NULL,
        kind TEXT NOT NULL,
        member_id {uuid} NOT NULL,
        alert_id {uuid} NOT NULL,
        PRIMARY KEY (account_id, kind, member_id)
    )",
    "CREATE TABLE alert_place (
        account_id BIGINT NOT NULL,
        sequence BIGINT NOT NULL,
        PRIMARY KEY (account_id)
    )",
    // Events from before alerts existed raise none.
    "INSERT INTO alert_place (account_id, sequence) SELECT account_id, event_sequence FROM account_state",
    "ALTER TABLE event ADD COLUMN alert_id {uuid}",
];
