//! What a mail system tells of mail later on: that it arrived, came back, or was called spam.
//!
//! A report is applied in the transaction that keeps it, and answered after that: what comes twice is known by its id, and one that is
//! lost half-way comes again. It names a mail by its Message-ID, which has the account and the delivery in it, so nothing is searched
//! for. What it makes of the mail is decided by `model::fate`, for any order of reports.

use std::sync::Arc;

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member::ContactStatus;
use crate::primitives::clock::Clock;
use crate::primitives::ids::{AccountId, DeliveryId, GlobalId, IdKind, RecipientId};

use super::bounces;
use super::error::BounceError;
use super::mailer::{InvalidReport, ReportSource};
use super::model::{Channel, MailFailure, Report, ReportKind, Reported, fate};
use super::outbox::clean;
use super::settings::switch_mail_off;
use super::store::{self, Kept, Mailed};

/// Why a report is not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveReportError {
    /// Nobody has said who may report.
    #[error("no secret is set that reports would be signed with")]
    NotSetUp,
    /// It is not believed, or makes no sense.
    #[error(transparent)]
    Invalid(#[from] InvalidReport),
    /// It could not be kept: it has to be sent again.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenIn {
    /// It is kept, and what follows from it is done.
    Applied,
    /// It had come before.
    Repeated,
    /// It is about no mail of ours, or about an address that the mail did not go to.
    NotOurs,
}

/// Takes in reports of mail. Cloning is cheap.
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
    /// Reports of the mail as kept in `database`; none are taken in without a source.
    pub fn new((database, clock): (Database, Clock), ledger: Ledger, source: Option<Arc<dyn ReportSource>>) -> Self {
        Self {
            database,
            clock,
            ledger,
            source,
        }
    }

    /// Takes a report in, if it is signed as it should be. It is kept, with all that follows from it, when this returns.
    pub async fn receive(&self, body: &[u8], signature: &str) -> Result<TakenIn, ReceiveReportError> {
        let source = self.source.as_ref().ok_or(ReceiveReportError::NotSetUp)?;
        let mut report = source.read(body, signature, self.clock.now())?;
        report.reason = report
            .reason
            .map(|reason| clean(&reason))
            .filter(|reason| !reason.trim().is_empty());
        let Some(about) = self.find(&report).await? else {
            return Ok(TakenIn::NotOurs);
        };
        let report = Arc::new(report);
        let taken_in = self.ledger.change(about.account_id, move |tx, locked| {
            let report = Arc::clone(&report);
            Box::pin(async move { Ok::<_, BounceError>(take_in(tx, locked, about, &report).await?) })
        });
        match taken_in.await {
            Ok(taken_in) => Ok(taken_in),
            Err(BounceError::Access(_)) => Ok(TakenIn::NotOurs),
            Err(BounceError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Which mail of ours this is about. A mail's address stays what it was, so this may be read before the lock.
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
) -> Result<TakenIn, Fault> {
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
        return Ok(TakenIn::NotOurs);
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
        store::Keeping::New => {}
        store::Keeping::Known => return Ok(TakenIn::Repeated),
        store::Keeping::OfNobody => return Ok(TakenIn::NotOurs),
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
        "a mail was reported on"
    );
    for mail in &mails {
        let reported = Reported {
            status: mail.status,
            attempts: mail.attempts,
            has_arrived,
            created_at: mail.created_at,
        };
        let fate = fate(report.kind, &reported, locked.now);
        store::apply_fate(tx, (account_id, mail), fate, (failure, locked.now)).await?;
    }
    if let Some(failure) = failure.filter(|_| report.kind.is_against_address()) {
        let (recipient, address) = (about.recipient, report.address.as_str());
        let is_theirs = bounces::holder_of(tx, (account_id, recipient), address)
            .await?
            .is_some();
        if is_theirs && !was_verified_since(tx, about, &mails).await? {
            bounces::mark(tx, locked, recipient, (address, failure)).await?;
        }
        // Who calls our mail spam wants none, also when the address is verified again.
        if is_theirs && report.kind == ReportKind::Complaint {
            switch_mail_off(tx, locked, recipient).await?;
        }
    }
    Ok(TakenIn::Applied)
}

/// Whether the address was shown to be good after this mail went there. A code is only ever sent to one that is not verified.
async fn was_verified_since(tx: &Transaction, about: About, mails: &[Mailed]) -> Result<bool, Fault> {
    let standing = store::standing_of(tx, about.account_id, about.recipient).await?;
    let Some((ContactStatus::Verified, Some(verified_at))) = standing else {
        return Ok(false);
    };
    let sent_at = mails.iter().filter_map(|mail| mail.sent_at).max();
    Ok(about.delivery.is_none() || sent_at.is_some_and(|sent_at| sent_at < verified_at))
}
