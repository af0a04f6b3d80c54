//! The rules by which accounts buy credits automatically, and the results of their evaluations.

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
        ddl::drop_tables(manager, &["top_up_decision", "auto_top_up"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE auto_top_up (
        account_id BIGINT NOT NULL PRIMARY KEY,
        is_enabled BOOLEAN NOT NULL,
        trigger_credits BIGINT,
        amount BIGINT,
        monthly_cap_minor BIGINT,
        payment_method_id {uuid},
        consent_trigger BIGINT,
        consent_amount BIGINT,
        consent_cap_minor BIGINT,
        consent_price_minor BIGINT,
        consent_actor_kind TEXT,
        consent_actor_key_id {uuid},
        consent_actor_member_id {uuid},
        consented_at BIGINT,
        pause TEXT,
        paused_fingerprint TEXT,
        soft_declines INTEGER NOT NULL,
        refused_at BIGINT,
        due_at BIGINT,
        repeated INTEGER NOT NULL,
        version INTEGER NOT NULL,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        {whole trigger_credits, amount, monthly_cap_minor}CHECK (amount > 0)
    )",
    "CREATE INDEX auto_top_up_due ON auto_top_up (due_at, account_id) WHERE due_at IS NOT NULL",
    "CREATE TABLE top_up_decision (
        account_id BIGINT NOT NULL,
        id {uuid} NOT NULL,
        created_at BIGINT NOT NULL,
        decided_at BIGINT NOT NULL,
        outcome TEXT NOT NULL,
        available BIGINT NOT NULL,
        trigger_credits BIGINT,
        message TEXT NOT NULL,
        top_up_id {uuid},
        {whole available}PRIMARY KEY (account_id, id)
    )",
    "CREATE INDEX top_up_decision_created ON top_up_decision (account_id, created_at, id)",
];
