//! Rows of purchases, cards, rules and webhooks.
//!
//! Functions that take a transaction are called under the account's lock; the others read committed rows. Scheduled work is
//! found without a lock, across accounts, and claimed under the lock of its account.

mod attempts;
mod auto_top_ups;
mod card_trials;
mod figures;
mod manual;
mod objects;
mod payment_methods;
mod refunds;
mod top_ups;
mod webhooks;

use sea_orm::{ConnectionTrait, TryGetable};

use crate::domain::database::records;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

pub(super) use attempts::{
    attempts_of, by_ids as attempts_by_ids, declines_of, due as due_attempts, is_charged, purchase, recent_declines,
    save_purchase, usage_by_rule,
};
pub(super) use auto_top_ups::{
    decisions_by_ids, decisions_keyset, due as due_rules, find as find_rule, insert_decision, last_decision,
    recent_decisions, save as save_rule,
};
pub(super) use card_trials::{save as save_card_trial, since as card_trials_since};
pub(super) use figures::figures;
pub(super) use manual::{failed_refunds, unsettled};
pub(super) use objects::{claim as claim_object, owner as object_owner};
pub(super) use payment_methods::{
    all as payment_methods, by_ids as payment_methods_by_ids, customer, insert_customer, save as save_payment_method,
};
pub(super) use refunds::{due as due_refunds, find as find_refund, of_top_up as refunds_of, save as save_refund};
pub(super) use top_ups::{
    account_terms, any_charged_by_hand, by_ids, due_again, failed, find, insert, is_first_tried_by_hand, keyset,
    last_success_at, open_among, open_automatic, taken_back, unfinished, waiting_failures,
};
pub(super) use webhooks::{
    delete_processed as delete_processed_webhooks, due as due_webhooks, find as find_webhook,
    parked as parked_webhooks, receive as receive_webhook, save as save_webhook,
};

/// Returns the account and id of scheduled rows, oldest schedule first.
async fn due_ids<I: TryGetable>(
    connection: &impl ConnectionTrait,
    (table, column): (&'static str, &'static str),
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(AccountId, I)>, Fault> {
    let sql = format!("SELECT account_id, id FROM {table} WHERE {column} <= $1 ORDER BY {column}, account_id LIMIT $2");
    records::values(connection, sql, [now.into(), i64::from(limit).into()]).await
}
