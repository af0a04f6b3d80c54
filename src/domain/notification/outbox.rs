//! Mail on its way: claimed, sent, tried again, given up, bounced.
//!
//! A mail arrives at least once. It may arrive twice only where the answer of the mail system, or the note of it, is lost: the
//! process dies, or the database goes, between the mail system's taking it over and the end of the claim. The second one has the
//! same Message-ID.

use std::sync::Arc;

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::domain::ledger::Ledger;
use crate::primitives::clock::{Clock, Timestamp};

use super::bounces;
use super::links::Links;
use super::mailer::{Mail, MailError, Mailer};
use super::model::{Alert, DeliveryStatus, MailFailure, SuppressionReason, next_try};
use super::store::{self, Addressee, Claimed, Ended};
use super::wording::{Reader, Told, Wording};

/// A claim lasts longer than any try…
const CLAIM_MILLIS: i64 = 10 * 60_000;
/// …and none is begun that might outlast it: of many mails that were claimed together and whose server hangs, the later ones would be
/// sent by two processes.
const LONGEST_TRY_MILLIS: i64 = 2 * 60_000;
/// The most of what a mail system says that is kept.
const LONGEST_ERROR: usize = 500;

/// Sends the mail of all accounts. Cloning is cheap.
#[derive(Clone)]
pub struct Outbox {
    database: Database,
    ledger: Ledger,
    clock: Clock,
    mailer: Arc<dyn Mailer>,
    wording: Arc<dyn Wording>,
    links: Links,
}

/// What members are written with.
#[derive(Clone)]
pub struct Post {
    /// Sends it.
    pub mailer: Arc<dyn Mailer>,
    /// Writes it.
    pub wording: Arc<dyn Wording>,
    /// Where it leads.
    pub links: Links,
}

impl Outbox {
    /// The mail as kept in `database`.
    pub fn new((database, clock): (Database, Clock), ledger: Ledger, post: Post) -> Self {
        Self {
            database,
            ledger,
            clock,
            mailer: post.mailer,
            wording: post.wording,
            links: post.links,
        }
    }

    /// Sends up to `limit` mails that are due. Gives how many were tried.
    pub async fn send_due(&self, limit: u32) -> Result<usize, Fault> {
        let now = self.clock.now();
        if !store::is_mail_due(&self.database, now).await? {
            return Ok(0);
        }
        let until = now.plus_millis(CLAIM_MILLIS);
        let claimed = self
            .database
            .transaction(move |tx| Box::pin(async move { store::claim(tx, (now, until), i64::from(limit)).await }));
        let claimed: Vec<Claimed> = claimed.await?;
        let mut failed = None;
        for mails in claimed.chunk_by(are_one_mail) {
            if self.clock.now().plus_millis(LONGEST_TRY_MILLIS) > until {
                self.give_back(mails).await?;
                continue;
            }
            // One that fails holds up no other.
            if let Err(fault) = self.send(mails).await {
                failed = Some(fault);
            }
        }
        failed.map_or(Ok(claimed.len()), Err)
    }

    /// Sends what is one mail: several alerts that became due for one member at one time make a digest.
    async fn send(&self, mails: &[Claimed]) -> Result<(), Fault> {
        let Some(first) = mails.first() else {
            return Ok(());
        };
        let addressee = store::addressee(&self.database, first.account_id, first.member_id).await?;
        let mut sent = Vec::with_capacity(mails.len());
        for mail in mails {
            match addressee
                .as_ref()
                .map_or(Some(SuppressionReason::NoContact), |to| held_back(mail, to))
            {
                Some(reason) => self.end(vec![(mail.clone(), suppressed(reason))]).await?,
                None => sent.push(mail),
            }
        }
        let Some((addressee, email)) = addressee.and_then(|to| to.email.clone().map(|email| (to, email))) else {
            return Ok(());
        };
        // The mail has the id of the first that it tells of.
        let Some(first) = sent.first().copied() else {
            return Ok(());
        };
        let answer = match self.write(&sent, &addressee, email.clone()).await {
            Ok(mail) => self.mailer.send(&mail).await,
            Err(fault) if fault.passes() => return Err(fault),
            Err(fault) => {
                // Somebody mends the template, or the mail is given up: it must not be claimed for ever.
                Err(MailError::Unwritten(fault.to_string()))
            }
        };
        if let Err(error) = &answer {
            tracing::warn!(account = first.account_id.number(), %error, "a mail was not sent");
        }
        // One instant for all: what is put off together becomes due together, and is one mail again.
        let now = self.clock.now();
        let ended = |delivery: &&Claimed| ((*delivery).clone(), ended(delivery, (first, &answer), &email, now));
        let ended: Vec<_> = sent.iter().map(ended).collect();
        match answer {
            Err(MailError::Rejected(message)) => {
                let person = (first.account_id, first.member_id);
                let failure = MailFailure::of_words(&message, MailFailure::Refused);
                bounces::record(&self.ledger, person, ended, (email, failure)).await
            }
            Ok(()) | Err(MailError::Deferred(_) | MailError::Unwritten(_)) => self.end(ended).await,
        }
    }

    async fn write(&self, mails: &[&Claimed], to: &Addressee, email: String) -> Result<Mail, Fault> {
        let missing = || Fault::Internal("a delivery names an alert that does not exist".to_owned());
        let first = mails.first().ok_or_else(missing)?;
        let ids: Vec<_> = mails.iter().map(|mail| mail.alert_id).collect();
        let alerts = store::alerts_by_id(&self.database, first.account_id, &ids).await?;
        let told: Vec<&Alert> = ids.iter().filter_map(|id| alerts.get(id)).collect();
        let can_be_switched_off = told
            .iter()
            .all(|alert| !alert.kind.is_locked(super::model::Channel::Email));
        let reader = Reader {
            locale: to.locale.clone(),
            timezone: to.timezone.parse().unwrap_or_default(),
        };
        let told = Told {
            team: &to.team,
            name: &to.name,
            alerts: told
                .into_iter()
                .map(|alert| (alert, self.links.action(alert)))
                .collect(),
        };
        Ok(Mail {
            to: email,
            name: to.name.clone(),
            message_id: first.id.global(first.account_id).to_string(),
            letter: self.wording.told(&told, &reader)?,
            unsubscribe: self.links.settings().filter(|_| can_be_switched_off),
        })
    }

    /// Leaves mails to whoever claims them next.
    async fn give_back(&self, mails: &[Claimed]) -> Result<(), Fault> {
        let mails = Arc::new(mails.to_vec());
        self.database
            .transaction(move |tx| {
                let mails = Arc::clone(&mails);
                Box::pin(async move { store::give_back(tx, &mails).await })
            })
            .await
    }

    /// Writes down how tries ended, those of one mail together: else the part of a digest that is not yet noted as sent would be sent
    /// again.
    async fn end(&self, ended: Vec<(Claimed, Ended)>) -> Result<(), Fault> {
        let ended = Arc::new(ended);
        self.database
            .transaction(move |tx| {
                let ended = Arc::clone(&ended);
                Box::pin(async move { store::end_attempts(tx, &ended).await })
            })
            .await
    }
}

/// What is not urgent and became due for one member at one time is one mail.
fn are_one_mail(one: &Claimed, other: &Claimed) -> bool {
    let of = |mail: &Claimed| (mail.account_id, mail.member_id, mail.due);
    of(one) == of(other) && !one.kind.is_urgent() && !other.kind.is_urgent()
}

/// Why a mail that was to be sent is not, as things are now.
fn held_back(mail: &Claimed, to: &Addressee) -> Option<SuppressionReason> {
    let waited = mail.due > mail.created_at && mail.attempts == 1;
    if to.is_removed || to.email.is_none() {
        Some(SuppressionReason::NoContact)
    } else if to.is_bouncing && !mail.kind.is_urgent() {
        Some(SuppressionReason::ContactBouncing)
    } else if waited && mail.has_ended && !mail.kind.is_urgent() {
        Some(SuppressionReason::QuietHours)
    } else {
        None
    }
}

fn suppressed(reason: SuppressionReason) -> Ended {
    Ended {
        status: DeliveryStatus::Suppressed,
        because: Some(reason),
        error: None,
        next_attempt_at: None,
        sent_at: None,
        address: None,
        sent_with: None,
    }
}

/// What becomes of a delivery by the mail system's answer to the mail that `first` and others were.
fn ended(mail: &Claimed, (first, answer): (&Claimed, &Result<(), MailError>), email: &str, now: Timestamp) -> Ended {
    let (status, error, next) = match answer {
        Ok(()) => (DeliveryStatus::Sent, None, None),
        Err(MailError::Rejected(_)) => (DeliveryStatus::Bounced, failure_of(answer), None),
        Err(MailError::Deferred(_) | MailError::Unwritten(_)) => {
            let next = next_try(mail.attempts, mail.created_at, now);
            let status = next.map_or(DeliveryStatus::Failed, |_| DeliveryStatus::Queued);
            (status, failure_of(answer), next)
        }
    };
    Ended {
        status,
        because: None,
        error,
        next_attempt_at: next,
        sent_at: (status == DeliveryStatus::Sent).then_some(now),
        address: Some(email.to_owned()),
        sent_with: (mail.id != first.id).then_some(first.id),
    }
}

fn failure_of(answer: &Result<(), MailError>) -> Option<MailFailure> {
    match answer {
        Ok(()) => None,
        Err(MailError::Rejected(words)) => Some(MailFailure::of_words(words, MailFailure::Refused)),
        Err(MailError::Deferred(words)) => Some(MailFailure::of_words(words, MailFailure::NotTaken)),
        Err(MailError::Unwritten(_)) => Some(MailFailure::NotWritten),
    }
}

/// What a mail system said, fit for the log and for what is kept of a report.
pub(super) fn clean(message: &str) -> String {
    let shown = |char: char| if char.is_control() { ' ' } else { char };
    message.chars().map(shown).take(LONGEST_ERROR).collect()
}
