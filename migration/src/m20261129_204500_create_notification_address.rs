//! Addresses that get alerts and belong to no member. What belonged to a member now belongs to a recipient: a contact, codes, reports
//! of mail, deliveries and open edges.
//!
//! Codes and reports now refer to the contact, which every member has. A contact has no foreign key, because a key in SQL cannot
//! refer to one of two tables.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await?;
        ddl::drop_columns(manager, "alert_edge", &["recipient_kind"]).await?;
        ddl::drop_columns(manager, "delivery", &["recipient_kind"]).await
    }
}

const UP: &[&str] = &[
    "ALTER TABLE contact_verification RENAME TO contact_verification_before",
    "ALTER TABLE mail_report RENAME TO mail_report_before",
    "ALTER TABLE contact RENAME TO contact_before",
    "CREATE TABLE contact (
        account_id BIGINT NOT NULL,
        recipient_id {uuid} NOT NULL,
        email TEXT,
        email_status TEXT NOT NULL,
        bounce_message TEXT,
        locale TEXT NOT NULL,
        timezone TEXT NOT NULL,
        version INTEGER NOT NULL,
        status_since BIGINT {integer status_since},
        voucher_kind TEXT,
        voucher_key_id {uuid},
        vouched_at BIGINT {integer vouched_at},
        PRIMARY KEY (account_id, recipient_id)
    )",
    "INSERT INTO contact (account_id, recipient_id, email, email_status, bounce_message, locale, timezone, version, status_since,
            voucher_kind, voucher_key_id, vouched_at)
        SELECT account_id, member_id, email, email_status, bounce_message, locale, timezone, version, status_since,
            voucher_kind, voucher_key_id, vouched_at FROM contact_before",
    "CREATE TABLE contact_verification (
        account_id BIGINT NOT NULL,
        recipient_id {uuid} NOT NULL,
        email TEXT NOT NULL,
        code_hash {bytes} NOT NULL,
        tries_left INTEGER NOT NULL,
        made_at BIGINT NOT NULL,
        PRIMARY KEY (account_id, recipient_id),
        FOREIGN KEY (account_id, recipient_id) REFERENCES contact (account_id, recipient_id)
    )",
    "INSERT INTO contact_verification (account_id, recipient_id, email, code_hash, tries_left, made_at)
        SELECT account_id, member_id, email, code_hash, tries_left, made_at FROM contact_verification_before",
    "CREATE TABLE mail_report (
        account_id BIGINT NOT NULL,
        id TEXT NOT NULL,
        recipient_id {uuid} NOT NULL,
        delivery_id {uuid},
        kind TEXT NOT NULL,
        address TEXT NOT NULL,
        reason TEXT,
        received_at BIGINT NOT NULL,
        {whole received_at}PRIMARY KEY (account_id, id),
        FOREIGN KEY (account_id, recipient_id) REFERENCES contact (account_id, recipient_id)
    )",
    "INSERT INTO mail_report (account_id, id, recipient_id, delivery_id, kind, address, reason, received_at)
        SELECT account_id, id, member_id, delivery_id, kind, address, reason, received_at FROM mail_report_before",
    "DROP TABLE contact_verification_before",
    "DROP TABLE mail_report_before",
    "DROP TABLE contact_before",
    "CREATE INDEX mail_report_delivery ON mail_report (account_id, delivery_id) WHERE delivery_id IS NOT NULL",
    "ALTER TABLE delivery RENAME COLUMN member_id TO recipient_id",
    "ALTER TABLE delivery ADD COLUMN recipient_kind TEXT NOT NULL DEFAULT 'MEMBER'",
    "ALTER TABLE alert_edge RENAME COLUMN member_id TO recipient_id",
    "ALTER TABLE alert_edge ADD COLUMN recipient_kind TEXT NOT NULL DEFAULT 'MEMBER'",
    "CREATE TABLE notification_address (
        account_id BIGINT NOT NULL,
        id {uuid} NOT NULL,
        label TEXT NOT NULL,
        alert_kinds TEXT NOT NULL,
        low_balance_threshold BIGINT,
        maker_kind TEXT NOT NULL,
        maker_key_id {uuid},
        maker_member_id {uuid},
        created_at BIGINT NOT NULL,
        removed_at BIGINT,
        {whole low_balance_threshold, created_at, removed_at}PRIMARY KEY (account_id, id),
        FOREIGN KEY (account_id, id) REFERENCES contact (account_id, recipient_id)
    )",
    "CREATE INDEX notification_address_active ON notification_address (account_id) WHERE removed_at IS NULL",
];

// Addresses are deleted, with all their deliveries.
const DOWN: &[&str] = &[
    "DELETE FROM delivery WHERE recipient_kind = 'ADDRESS'",
    "DELETE FROM alert_edge WHERE recipient_kind = 'ADDRESS'",
    "DROP TABLE notification_address",
    "ALTER TABLE alert_edge RENAME COLUMN recipient_id TO member_id",
    "ALTER TABLE delivery RENAME COLUMN recipient_id TO member_id",
    "ALTER TABLE contact_verification RENAME TO contact_verification_after",
    "ALTER TABLE mail_report RENAME TO mail_report_after",
    "ALTER TABLE contact RENAME TO contact_after",
    "CREATE TABLE contact (
        account_id BIGINT NOT NULL,
        member_id {uuid} NOT NULL,
        email TEXT,
        email_status TEXT NOT NULL,
        bounce_message TEXT,
        locale TEXT NOT NULL,
        timezone TEXT NOT NULL,
        version INTEGER NOT NULL,
        status_since BIGINT {integer status_since},
        voucher_kind TEXT,
        voucher_key_id {uuid},
        vouched_at BIGINT {integer vouched_at},
        PRIMARY KEY (account_id, member_id),
        FOREIGN KEY (account_id, member_id) REFERENCES member (account_id, id)
    )",
    "INSERT INTO contact (account_id, member_id, email, email_status, bounce_message, locale, timezone, version, status_since,
            voucher_kind, voucher_key_id, vouched_at)
        SELECT c.account_id, c.recipient_id, c.email, c.email_status, c.bounce_message, c.locale, c.timezone, c.version,
            c.status_since, c.voucher_kind, c.voucher_key_id, c.vouched_at
        FROM contact_after AS c JOIN member AS m ON m.account_id = c.account_id AND m.id = c.recipient_id",
    "CREATE TABLE contact_verification (
        account_id BIGINT NOT NULL,
        member_id {uuid} NOT NULL,
        email TEXT NOT NULL,
        code_hash {bytes} NOT NULL,
        tries_left INTEGER NOT NULL,
        made_at BIGINT NOT NULL,
        PRIMARY KEY (account_id, member_id),
        FOREIGN KEY (account_id, member_id) REFERENCES member (account_id, id)
    )",
    "INSERT INTO contact_verification (account_id, member_id, email, code_hash, tries_left, made_at)
        SELECT v.account_id, v.recipient_id, v.email, v.code_hash, v.tries_left, v.made_at
        FROM contact_verification_after AS v JOIN member AS m ON m.account_id = v.account_id AND m.id = v.recipient_id",
    "CREATE TABLE mail_report (
        account_id BIGINT NOT NULL,
        id TEXT NOT NULL,
        member_id {uuid} NOT NULL,
        delivery_id {uuid},
        kind TEXT NOT NULL,
        address TEXT NOT NULL,
        reason TEXT,
        received_at BIGINT NOT NULL,
        {whole received_at}PRIMARY KEY (account_id, id),
        FOREIGN KEY (account_id, member_id) REFERENCES member (account_id, id)
    )",
    "INSERT INTO mail_report (account_id, id, member_id, delivery_id, kind, address, reason, received_at)
        SELECT r.account_id, r.id, r.recipient_id, r.delivery_id, r.kind, r.address, r.reason, r.received_at
        FROM mail_report_after AS r JOIN member AS m ON m.account_id = r.account_id AND m.id = r.recipient_id",
    "DROP TABLE contact_verification_after",
    "DROP TABLE mail_report_after",
    "DROP TABLE contact_after",
    "CREATE INDEX mail_report_delivery ON mail_report (account_id, delivery_id) WHERE delivery_id IS NOT NULL",
];
