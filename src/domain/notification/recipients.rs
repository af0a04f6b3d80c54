//! Reads how alerts reach the recipients of an account, in one transaction.

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::primitives::clock::{DAY, Timestamp};
use crate::primitives::ids::AccountId;

use super::model::{AddressRecipient, Delivery, DeliveryStatus, RecipientSnapshot};
use super::store;

/// Maximum members, and maximum mails, that are read.
const MOST: u32 = 100;
/// How long a mail that was given up stays of interest.
const INTEREST_MILLIS: i64 = 7 * DAY;

/// Reads how alerts reach the recipients of an account.
pub(in crate::domain) async fn recipient_snapshot(
    tx: &Transaction,
    account_id: AccountId,
    now: Timestamp,
) -> Result<RecipientSnapshot, Fault> {
    let since = now.plus_millis(-INTEREST_MILLIS);
    let people = store::reached(tx, account_id, MOST).await?;
    let addresses = store::addresses(tx, account_id).await?.into_iter();
    let wanting = addresses.filter(|address| !address.wishes.kinds.is_empty());
    let unsent = store::unsent(tx, account_id, since, MOST).await?;
    let has_unsent = !unsent.is_empty();
    let is_failing = |mail: &Delivery| {
        let was_tried = mail.attempts > 1 && mail.last_error.is_some();
        mail.status == DeliveryStatus::Failed || was_tried
    };
    Ok(RecipientSnapshot {
        people,
        addresses: wanting.map(AddressRecipient::of).collect(),
        failing: unsent.into_iter().filter(is_failing).collect(),
        has_unsent,
    })
}
