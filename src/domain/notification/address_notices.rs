//! Mail to the previous address of a contact, which reports that the address was changed.
//!
//! The member module queues it in the transaction that changes the address, where the old one was verified. The text contains no
//! words of customers. It is retried as long as other mail. Its result changes no contact, because the address now belongs to none.

use std::sync::Arc;

use tracing::Instrument as _;

use crate::domain::database::record_within;
use crate::domain::fault::Fault;
use crate::primitives::trace;

use super::mailer::{Mail, MailError};
use super::model::next_try;
use super::outbox::{CLAIM_MILLIS, LONGEST_TRY_MILLIS, Outbox, RECORDED_WITHIN};
use super::store::{self, AddressNotice};
use super::wording::Reader;

impl Outbox {
    /// Sends up to `limit` pending mails to old addresses. Returns the number of tries.
    pub(super) async fn send_address_notices(&self, limit: u32) -> Result<usize, Fault> {
        let now = self.clock.now();
        if !store::is_address_notice_due(&self.database, now).await? {
            return Ok(0);
        }
        let until = now.plus_millis(CLAIM_MILLIS);
        let claimed = self.database.transaction(move |tx| {
            Box::pin(async move { store::claim_address_notices(tx, (now, until), i64::from(limit)).await })
        });
        let claimed: Vec<AddressNotice> = claimed.await?;
        let tried = claimed.len();
        for notice in claimed {
            // A worker claims the others again once this claim has run out.
            if self.clock.now().plus_millis(LONGEST_TRY_MILLIS) > until {
                break;
            }
            let span = trace::job("mail", None);
            self.send_address_notice(notice).instrument(span).await?;
        }
        Ok(tried)
    }

    async fn send_address_notice(&self, notice: AddressNotice) -> Result<(), Fault> {
        let reader = Reader {
            locale: notice.locale.clone(),
            ..Reader::default()
        };
        let answer = match self.wording.address_changed(&reader) {
            Ok(letter) => {
                let mail = Mail {
                    to: notice.email.clone(),
                    name: None,
                    // Not an id of a delivery: a report of this mail is about no contact.
                    message_id: format!("address.{}", notice.id.simple()),
                    letter,
                    thread: None,
                    unsubscribe: None,
                };
                self.mailer.send(&mail).await
            }
            Err(fault) => {
                tracing::error!(account = notice.account_id.number(), %fault, "a mail cannot be written");
                Err(MailError::Unwritten(fault.to_string()))
            }
        };
        if let Err(error) = &answer {
            tracing::warn!(account = notice.account_id.number(), %error, "a mail to an old address was not sent");
        }
        let next = match answer {
            Ok(()) | Err(MailError::Rejected(_)) => None,
            Err(MailError::Deferred(_) | MailError::Unwritten(_)) => {
                next_try(notice.attempts, notice.created_at, self.clock.now())
            }
        };
        let notice = Arc::new(notice);
        let end = || {
            let notice = Arc::clone(&notice);
            self.database.transaction(move |tx| {
                let notice = Arc::clone(&notice);
                Box::pin(async move { store::end_address_notice(tx, &notice, next).await })
            })
        };
        record_within(RECORDED_WITHIN, "the response of the mail system", end).await
    }
}
