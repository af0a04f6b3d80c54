//! Later reports of the mail system about a mail: it arrived, bounced, or was marked as spam.
//!
//! One transaction applies a report and stores it; the response follows. A repeated report is known by its id, and one that fails
//! halfway is sent again. It names a mail by its Message-ID, which contains the account and the delivery, so no search is needed.
//! `model::fate` decides its effect on the mail, for any order of reports.

use std::sync::Arc;

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member::ContactStatus;
use crate::primitives::clock::Clock;
use crate::primitives::ids::{AccountId, DeliveryId, GlobalId, IdKind, RecipientId};

use super::bounces;
use super::mailer::{InvalidReport, ReportSource};
use super::model::{Channel, MailFailure, Report, ReportKind, Reported, fate};
use super::outbox::clean;
use super::settings::switch_mail_off;
use super::store::{self, Kept, Mailed};

/// Reasons why a report is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveReportError {
    /// The operator has not configured a source of reports.
    #[error("no secret is set for verifying reports")]
    NotSetUp,
    /// The signature or the body is invalid.
    #[error(transparent)]
    Invalid(#[from] InvalidReport),
    /// The report could not be stored. The sender has to send it again.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The result of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportResult {
    /// The report is stored and applied.
    Applied,
    /// The report was stored before.
    Repeated,
    /// The report is about no mail of this database, or about an address that the mail did not go to.
    NotOurs,
}

/// Accepts reports of mail. Cloning is cheap.
#[derive(Clone)]
pub struct MailReports {
    database: Database,
    clock: Clock,
    ledger: Ledger,
    source: Option<Arc<dyn ReportSource>>,
}

/// The mail that a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct About {
    account_id: AccountId,
    recipient: RecipientId,
    /// None for a code.
    delivery: Option<DeliveryId>,
}

impl MailReports {
    /// Reports of the mail in `database`. Without a source none are accepted.
    pub fn new((database, clock): (Database, Clock), ledger: Ledger, source: Option<Arc<dyn ReportSource>>) -> Self {
        Self {
            database,
            clock,
            ledger,
            source,
        }
    }

    /// Accepts a report with a valid signature. When this returns, the report is stored and applied.
    pub async fn receive(&self, body: &[u8], signature: &str) -> Result<ReportResult, ReceiveReportError> {
        let source = self.source.as_ref().ok_or(ReceiveReportError::NotSetUp)?;
        let mut report = source.read(body, signature, self.clock.now())?;
        report.reason = report
            .reason
            .map(|reason| clean(&reason))
            .filter(|reason| !reason.trim().is_empty());
        let Some(about) = self.find(&report).await? else {
            return Ok(ReportResult::NotOurs);
        };
        let report = Arc::new(report);
        let taken_in = self.ledger.change(about.account_id, move |tx, locked| {
            let report = Arc::clone(&report);
            Box::pin(async move { Ok::<_, QueryError>(take_in(tx, locked, about, &report).await?) })
        });
        match taken_in.await {
            Ok(taken_in) => Ok(taken_in),
            Err(QueryError::Access(_)) => Ok(ReportResult::NotOurs),
            Err(error) => Err(error.into_fault().into()),
        }
    }

    /// Finds the mail that a report is about. The address of a mail never changes, so this is read before the lock.
    async fn find(&self, report: &Report) -> Result<Option<About>, Fault> {
        let id = report.message_id.split('.').next().unwrap_or_default();
        let Ok(id) = id.parse::<GlobalId>() else {
            return Ok(None);
        };
        let account_id = id.account_id;
        match id.kind {
            IdKind::Delivery => {
                let delivery_id = DeliveryId::from_uuid(id.uuid);
                let delivery = store::delivery_by_id(self.database.read(), account_id, delivery_id).await?;
                let mailed = delivery.filter(|delivery| delivery.channel == Channel::Email);
                Ok(mailed.map(|delivery| About {
                    account_id,
                    recipient: delivery.recipient,
                    delivery: Some(delivery_id),
                }))
            }
            _ => Ok(RecipientId::of_global(id).map(|recipient| About {
                account_id,
                recipient,
                delivery: None,
            })),
        }
    }
}

async fn take_in(
    tx: &Transaction,
    locked: &mut LockedAccount,
    about: About,
    report: &Report,
) -> Result<ReportResult, Fault> {
    let account_id = about.account_id;
    let mails = match about.delivery {
        Some(id) => store::mailed(tx, account_id, id).await?,
        None => Vec::new(),
    };
    let went_elsewhere = |mail: &Mailed| {
        let address = mail.address.as_ref();
        address.is_some_and(|address| !address.eq_ignore_ascii_case(&report.address))
    };
    if mails.iter().any(went_elsewhere) {
        return Ok(ReportResult::NotOurs);
    }
    let has_arrived = match about.delivery {
        Some(id) => store::has_arrived(tx, account_id, id).await?,
        None => false,
    };
    let kept = Kept {
        account_id,
        recipient: about.recipient,
        delivery_id: about.delivery,
        received_at: locked.now,
    };
    match store::keep_report(tx, &kept, report).await? {
        store::StoreResult::New => {}
        store::StoreResult::Known => return Ok(ReportResult::Repeated),
        store::StoreResult::NoRecipient => return Ok(ReportResult::NotOurs),
    }
    let words = report.reason.as_deref().unwrap_or_default();
    let failure = match report.kind {
        ReportKind::Delivered => None,
        ReportKind::Complaint => Some(MailFailure::MarkedAsSpam),
        ReportKind::SoftBounce => Some(MailFailure::of_words(words, MailFailure::NotTaken)),
        ReportKind::HardBounce => Some(MailFailure::of_words(words, MailFailure::Refused)),
    };
    tracing::info!(
        account = account_id.number(),
        kind = report.kind.as_str(),
        words,
        "a report of a mail was recorded"
    );
    for mail in &mails {
        let reported = Reported {
            status: mail.status,
            attempts: mail.attempts,
            has_arrived,
            created_at: mail.created_at,
        };
        let fate = fate(report.kind, &reported, locked.now);
        store::apply_effect(tx, (account_id, mail), fate, (failure, locked.now)).await?;
    }
    if let Some(failure) = failure.filter(|_| report.kind.is_against_address()) {
        let (recipient, address) = (about.recipient, report.address.as_str());
        let is_theirs = bounces::holder_of(tx, (account_id, recipient), address)
            .await?
            .is_some();
        if is_theirs && !was_verified_since(tx, about, &mails).await? {
            bounces::mark(tx, locked, recipient, (address, failure)).await?;
        }
        // A recipient who marks this mail as spam gets no more, also when the address is verified again.
        if is_theirs && report.kind == ReportKind::Complaint {
            switch_mail_off(tx, locked, recipient).await?;
        }
    }
    Ok(ReportResult::Applied)
}

/// Whether the address was verified after this mail was sent. A code goes only to an unverified address.
async fn was_verified_since(tx: &Transaction, about: About, mails: &[Mailed]) -> Result<bool, Fault> {
    let standing = store::standing_of(tx, about.account_id, about.recipient).await?;
    let Some((ContactStatus::Verified, Some(verified_at))) = standing else {
        return Ok(false);
    };
    let sent_at = mails.iter().filter_map(|mail| mail.sent_at).max();
    Ok(about.delivery.is_none() || sent_at.is_some_and(|sent_at| sent_at < verified_at))
}
