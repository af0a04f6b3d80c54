//! Mail on its way: claimed, sent, retried, given up, bounced.
//!
//! A mail arrives at least once. It can arrive twice only if the response of the mail system, or the record of it, is lost. That
//! happens when the process fails after the mail system accepted the mail, or when the database fails for longer than
//! [`RECORDED_WITHIN`]. The second mail has the same Message-ID.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use crate::domain::database::{Database, record_within};
use crate::domain::fault::Fault;
use crate::domain::ledger::Ledger;
use crate::domain::member::MailBounds;
use crate::domain::quota::{self, Exhausted};
use crate::primitives::clock::{Clock, MINUTE, Timestamp};
use crate::primitives::ids::{AlertId, GlobalId};
use crate::primitives::trace;

use super::bounces;
use super::confirming::ConfirmOrder;
use super::eligibility::{Pending, decide};
use super::links::Links;
use super::mail_links::MailLinks;
use super::mailer::{Mail, MailError, Mailer, Unsubscribe};
use super::model::{
    Alert, AlertKind, DeliveryStatus, LastMail, MailFailure, Pace, Party, SuppressionReason, Verdict, next_try,
};
use super::store::{self, Addressee, Claimed, Ended};
use super::unsubscribing::{UnsubscribeOrder, optional_kinds};
use super::wording::{AlertMail, Names, Reader, Wording};

/// How long a claim lasts. It is longer than any try.
pub(super) const CLAIM_MILLIS: i64 = 10 * MINUTE;
/// No try starts with less than this left of its claim. If a server hangs, the later mails of one claim would otherwise be sent by
/// two processes.
pub(super) const LONGEST_TRY_MILLIS: i64 = 2 * MINUTE;
/// How long the response of the mail system is recorded again while the database fails. With the minute that the mail system may take, it
/// is within a try.
pub(super) const RECORDED_WITHIN: Duration = Duration::from_secs(45);
/// Maximum length that is kept of an error of the mail system.
const LONGEST_ERROR: usize = 500;

/// Sends the mail of all accounts. Cloning is cheap.
#[derive(Clone)]
pub struct Outbox {
    pub(super) database: Database,
    ledger: Ledger,
    pub(super) clock: Clock,
    pub(super) mailer: Arc<dyn Mailer>,
    pub(super) wording: Arc<dyn Wording>,
    links: Links,
    unsubscribing: MailLinks<UnsubscribeOrder>,
    bounds: MailBounds,
}

/// What the outbox needs to write and send mail.
#[derive(Clone)]
pub struct Post {
    /// Sends the mail.
    pub mailer: Arc<dyn Mailer>,
    /// Writes the text.
    pub wording: Arc<dyn Wording>,
    /// Makes the links to the application.
    pub links: Links,
    /// Makes the links that unsubscribe.
    pub unsubscribing: MailLinks<UnsubscribeOrder>,
    /// Makes the links that confirm notification addresses.
    pub confirming: MailLinks<ConfirmOrder>,
    /// Bounds on mail to unverified addresses.
    pub bounds: MailBounds,
}

/// Why the result of mails is unknown.
enum Unsent {
    /// The mail system was not asked.
    Kept(Fault),
    /// The mail system may have accepted them.
    HandedOver(Fault),
}

impl From<Fault> for Unsent {
    fn from(fault: Fault) -> Self {
        Self::Kept(fault)
    }
}

impl Outbox {
    /// The outbox of `database`.
    pub fn new((database, clock): (Database, Clock), ledger: Ledger, post: Post) -> Self {
        Self {
            database,
            ledger,
            clock,
            mailer: post.mailer,
            wording: post.wording,
            links: post.links,
            unsubscribing: post.unsubscribing,
            bounds: post.bounds,
        }
    }

    /// Sends about `limit` pending deliveries of each sort. Deliveries that form one mail are never divided. Returns the number of tries.
    pub async fn send_due(&self, limit: u32) -> Result<usize, Fault> {
        let to_old_addresses = self.send_address_notices(limit).await;
        let alerts = self.send_alerts(limit).await;
        Ok(to_old_addresses? + alerts?)
    }

    async fn send_alerts(&self, limit: u32) -> Result<usize, Fault> {
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
                self.give_back(mails, None).await?;
                continue;
            }
            // A failure delays no other mail.
            match self.send(mails).instrument(trace::job("mail", None)).await {
                Ok(()) => {}
                Err(Unsent::Kept(fault)) => {
                    // Nothing was sent, so it need not wait until the claim runs out.
                    if fault.passes()
                        && let Err(fault) = self.give_back(mails, None).await
                    {
                        tracing::warn!(%fault, "a mail that was not sent stays claimed until its claim expires");
                    }
                    failed = Some(fault);
                }
                Err(Unsent::HandedOver(fault)) => failed = Some(fault),
            }
        }
        failed.map_or(Ok(claimed.len()), Err)
    }

    /// Sends one mail. Several alerts that are scheduled for one recipient at one time make a digest. Whether each of them may still go
    /// is decided here, immediately before the mail is sent.
    async fn send(&self, mails: &[Claimed]) -> Result<(), Unsent> {
        let Some(first) = mails.first() else {
            return Ok(());
        };
        let account_id = first.account_id;
        let to = store::addressee(self.database.read(), account_id, first.recipient).await?;
        let ids: Vec<_> = mails.iter().map(|mail| mail.alert_id).collect();
        let alerts = store::alerts_by_id(&self.database, account_id, &ids).await?;
        let sent = self.eligible(mails, to.as_ref(), &alerts).await?;
        let Some((to, email)) = to.and_then(|to| to.email.clone().map(|email| (to, email))) else {
            return Ok(());
        };
        // The mail has the id of the first delivery in it.
        let Some(first) = sent.first().copied() else {
            return Ok(());
        };
        if !to.is_verified() && !self.may_reach_stranger(first, &email).await? {
            let reason = SuppressionReason::UnverifiedLimit;
            let ended = sent.into_iter().map(|mail| (mail.clone(), suppressed(reason)));
            return Ok(self.end(ended.collect()).await?);
        }
        let mailed: Vec<&Alert> = sent.iter().filter_map(|mail| alerts.get(&mail.alert_id)).collect();
        let answer = match self.write((first, &mailed), &to, email.clone()) {
            Ok(mail) => self.mailer.send(&mail).await,
            // An operator fixes the template, or the mail is given up. It must not be claimed forever.
            Err(fault) => Err(MailError::Unwritten(fault.to_string())),
        };
        if let Err(error) = &answer {
            tracing::warn!(account = account_id.number(), %error, "a mail was not sent");
        }
        let conclude = || self.conclude(&sent, (first, answer.clone()), email.clone());
        let concluded = record_within(RECORDED_WITHIN, "the response of the mail system", conclude).await;
        concluded.map_err(Unsent::HandedOver)
    }

    /// Returns the deliveries that may still go. The others are postponed or suppressed, and the reason is stored.
    async fn eligible<'m>(
        &self,
        mails: &'m [Claimed],
        to: Option<&Addressee>,
        alerts: &HashMap<AlertId, Alert>,
    ) -> Result<Vec<&'m Claimed>, Fault> {
        let Some(first) = mails.first() else {
            return Ok(Vec::new());
        };
        let ids = mails.iter().map(|mail| mail.id);
        let over = store::ended_deliveries(&self.database, first.account_id, ids).await?;
        let now = self.clock.now();
        let last_mails = self.last_mails(mails, now).await?;
        let (mut sent, mut ended) = (Vec::new(), Vec::new());
        let mut put_off: BTreeMap<Timestamp, Vec<Claimed>> = BTreeMap::new();
        for mail in mails {
            let pending = Pending {
                kind: mail.kind,
                recipient: mail.recipient,
                subject: alerts.get(&mail.alert_id).and_then(|alert| alert.subject),
                has_ended: over.contains(&mail.id),
                last_mail: last_mails.get(&mail.kind).copied().filter(|_| !mail.is_requested),
            };
            match decide(&pending, to, now) {
                Verdict::Send(due) if due > now => put_off.entry(due).or_default().push(mail.clone()),
                Verdict::Send(_) => sent.push(mail),
                Verdict::Suppress(reason) => ended.push((mail.clone(), suppressed(reason))),
                Verdict::NotAddressed => ended.push((mail.clone(), suppressed(SuppressionReason::NotRecipient))),
            }
        }
        if !ended.is_empty() {
            self.end(ended).await?;
        }
        for (due, mails) in put_off {
            self.give_back(&mails, Some(due)).await?;
        }
        Ok(sent)
    }

    /// Returns the last mails to the recipient of those kinds among these that have a maximum rate.
    async fn last_mails(&self, mails: &[Claimed], now: Timestamp) -> Result<HashMap<AlertKind, LastMail>, Fault> {
        let paced = |mail: &&Claimed| mail.kind.pace() != Pace::Each;
        match mails.iter().find(paced) {
            Some(mail) => store::last_sent(&self.database, mail.account_id, mail.recipient, now).await,
            None => Ok(HashMap::new()),
        }
    }

    /// Counts a mail to an unverified address, once for each address that it goes to. Returns whether it may go.
    async fn may_reach_stranger(&self, mail: &Claimed, email: &str) -> Result<bool, Fault> {
        if mail.attempts > 1 && mail.address.as_deref() == Some(email) {
            return Ok(true);
        }
        let quotas = self.bounds.of_mail(mail.account_id, email);
        let now = self.clock.now();
        let exhausted = self.database.transaction(move |tx| {
            let quotas = quotas.clone();
            Box::pin(async move { quota::spend(tx, &quotas, now).await })
        });
        let exhausted: Option<Exhausted> = exhausted.await?;
        Ok(exhausted.is_none())
    }

    /// Records the response of the mail system to the mail that `first` and others formed.
    async fn conclude(
        &self,
        sent: &[&Claimed],
        (first, answer): (&Claimed, Result<(), MailError>),
        email: String,
    ) -> Result<(), Fault> {
        // One instant for all: deliveries that are postponed together are scheduled together and form one mail again.
        let now = self.clock.now();
        let ended = |delivery: &&Claimed| ((*delivery).clone(), ended(delivery, (first, &answer), &email, now));
        let ended: Vec<_> = sent.iter().map(ended).collect();
        match answer {
            Err(MailError::Rejected(message)) => {
                let recipient = (first.account_id, first.recipient);
                let failure = MailFailure::of_words(&message, MailFailure::Refused);
                bounces::record(&self.ledger, recipient, ended, (email, failure)).await
            }
            Ok(()) | Err(MailError::Deferred(_) | MailError::Unwritten(_)) => self.end(ended).await,
        }
    }

    /// Writes a mail about alerts. To an unverified address or a notification address, its only text by customers is the name of the team.
    fn write(&self, (first, mailed): (&Claimed, &[&Alert]), to: &Addressee, email: String) -> Result<Mail, Fault> {
        if mailed.is_empty() {
            return Err(Fault::Internal(
                "a delivery names an alert that does not exist".to_owned(),
            ));
        }
        let is_known = to.is_verified();
        let is_outside = to.party == Some(Party::Address);
        let kinds: BTreeSet<AlertKind> = mailed.iter().map(|alert| alert.kind).collect();
        let unsubscribe = self.unsubscribe((first, mailed), to, &email);
        let reader = Reader {
            locale: to.locale.clone(),
            timezone: to.timezone,
        };
        let shown: Vec<Alert> = mailed
            .iter()
            .map(|alert| {
                if is_known && !is_outside {
                    (*alert).clone()
                } else {
                    alert.without_texts()
                }
            })
            .collect();
        let names = Names {
            team: &to.team,
            member: to.name.as_deref(),
        };
        let contents = AlertMail {
            names: is_known.then_some(names),
            alerts: shown.iter().map(|alert| (alert, self.links.action(alert))).collect(),
            unsubscribe: unsubscribe.as_ref().map(|way| way.url().to_owned()),
        };
        Ok(Mail {
            to: email,
            name: to.name.clone().filter(|_| is_known),
            message_id: first.id.global(first.account_id).to_string(),
            letter: self.wording.alert_mail(&contents, &reader)?,
            thread: Some(thread(first, kinds)),
            unsubscribe,
        })
    }

    /// Returns how to unsubscribe from these alerts, where all of them can be switched off. A notification address can always unsubscribe.
    fn unsubscribe(&self, (first, mailed): (&Claimed, &[&Alert]), to: &Addressee, email: &str) -> Option<Unsubscribe> {
        let kinds = mailed.iter().map(|alert| alert.kind);
        let recipient = (first.account_id, first.recipient);
        if to.party == Some(Party::Address) {
            let one_click = self.unsubscribing.make(recipient, &kinds.collect(), email);
            return one_click.map(Unsubscribe::OneClick);
        }
        let kinds = optional_kinds(kinds)?;
        let one_click = self.unsubscribing.make(recipient, &kinds, email);
        let one_click = one_click.map(Unsubscribe::OneClick);
        one_click.or_else(|| self.links.settings().map(Unsubscribe::Page))
    }

    /// Releases mails for the next claim, at their scheduled time or at `due`.
    async fn give_back(&self, mails: &[Claimed], due: Option<Timestamp>) -> Result<(), Fault> {
        let mails = Arc::new(mails.to_vec());
        self.database
            .transaction(move |tx| {
                let mails = Arc::clone(&mails);
                Box::pin(async move { store::give_back(tx, &mails, due).await })
            })
            .await
    }

    /// Records how tries ended, those of one mail together. Otherwise the part of a digest that is not yet recorded would be sent again.
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

/// The thread of mails of one account about one kind. Digests of several kinds are a thread of their own.
fn thread(mail: &Claimed, kinds: BTreeSet<AlertKind>) -> String {
    let mut kinds = kinds.into_iter();
    let kind = match (kinds.next(), kinds.next()) {
        (Some(kind), None) => kind.as_str().to_lowercase(),
        _ => "digest".to_owned(),
    };
    format!("thread.{}.{kind}", GlobalId::account(mail.account_id))
}

/// Alerts that are not urgent and are scheduled for one recipient at one time form one mail.
fn are_one_mail(one: &Claimed, other: &Claimed) -> bool {
    let of = |mail: &Claimed| (mail.account_id, mail.recipient, mail.due);
    of(one) == of(other) && !one.kind.is_urgent() && !other.kind.is_urgent()
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

/// The new state of a delivery after the mail system's response to the mail that `first` and others formed.
fn ended(mail: &Claimed, (first, answer): (&Claimed, &Result<(), MailError>), email: &str, now: Timestamp) -> Ended {
    let (status, error, next) = match answer {
        Ok(()) => (DeliveryStatus::Sent, None, None),
        Err(MailError::Rejected(_)) => (DeliveryStatus::Bounced, failure_of(answer), None),
        Err(MailError::Deferred(_) | MailError::Unwritten(_)) => {
            let next = next_try(mail.attempts, mail.queued_at, now);
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

/// Makes an error of a mail system safe for the log and for a stored report.
pub(super) fn clean(message: &str) -> String {
    let shown = |char: char| if char.is_control() { ' ' } else { char };
    message.chars().map(shown).take(LONGEST_ERROR).collect()
}
