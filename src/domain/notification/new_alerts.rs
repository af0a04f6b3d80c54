//! Writes alerts with all their deliveries, in the transaction of their cause.

use std::collections::BTreeSet;

use crate::domain::database::Transaction;
use crate::domain::event::{self, EventContent};
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{
    AccountId, AlertId, DeliveryId, EntryId, IdMint, IdSeed, MemberId, RecipientId, SessionId, TopUpId,
};

use super::model::{
    Alert, AlertKind, Audience, Case, Channel, Delivery, DeliveryStatus, Facts, LastMail, SuppressionReason, Verdict,
    resolve,
};
use super::store::{self, Addressed, Recipient, Recipients};

/// An alert to be raised.
#[derive(Clone, Debug)]
pub(super) struct NewAlert {
    pub(super) kind: AlertKind,
    /// An account has at most one alert with this key.
    pub(super) dedupe_key: String,
    pub(super) subject: Option<MemberId>,
    pub(super) facts: Facts,
    pub(super) entry_id: Option<EntryId>,
    pub(super) session_id: Option<SessionId>,
    pub(super) top_up_id: Option<TopUpId>,
    pub(super) raised_at: Timestamp,
    /// Restricts the audience to these recipients.
    pub(super) only: Option<BTreeSet<RecipientId>>,
    /// Restricts the alert to this channel.
    pub(super) channel: Option<Channel>,
}

impl NewAlert {
    pub(super) fn new(kind: AlertKind, dedupe_key: String, raised_at: Timestamp) -> Self {
        Self {
            kind,
            dedupe_key,
            subject: None,
            facts: Facts::default(),
            entry_id: None,
            session_id: None,
            top_up_id: None,
            raised_at,
            only: None,
            channel: None,
        }
    }

    fn alert(&self, id: AlertId, locked: &LockedAccount) -> Alert {
        Alert {
            id,
            account_id: locked.header.account_id,
            kind: self.kind,
            subject: self.subject,
            facts: self.facts.clone(),
            entry_id: self.entry_id,
            session_id: self.session_id,
            top_up_id: self.top_up_id,
            raised_at: self.raised_at,
            resolved_at: None,
        }
    }

    fn concerns(&self, recipient: &Recipient) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&recipient.id))
    }

    /// The channels that the alert may use, if its rules and the recipient's settings allow it.
    fn channels(&self) -> impl Iterator<Item = Channel> {
        let is_meant = |channel: &Channel| self.channel.is_none_or(|only| only == *channel);
        Channel::ALL.iter().copied().filter(is_meant)
    }

    fn case(&self, recipient: &Recipient, channel: Channel, last_mail: Option<LastMail>, now: Timestamp) -> Case {
        let quiet_hours = recipient.wishes.quiet_hours();
        Case {
            kind: self.kind,
            channel,
            party: Some(recipient.party),
            is_subject: self.subject.map(RecipientId::Member) == Some(recipient.id),
            preference: recipient.wishes.preference(self.kind, channel),
            contact: recipient.contact,
            has_ended: false,
            last_mail,
            quiet_until: quiet_hours.and_then(|hours| hours.end_after(now, recipient.timezone)),
            now,
        }
    }

    /// The members of an account that the alert may be for.
    fn addressed(&self, account_id: AccountId) -> Addressed {
        Addressed {
            account_id,
            audience: self.audience(),
            subject: self.subject,
            kind: self.kind,
        }
    }

    /// The possible audience, by any channel.
    fn audience(&self) -> Audience {
        let rule = self.kind.rule();
        match (rule.in_app, rule.email) {
            (Audience::Everybody, _) | (_, Audience::Everybody) => Audience::Everybody,
            (in_app, email) if in_app == email => in_app,
            _ => Audience::SubjectAndAdmins,
        }
    }
}

/// Raises one alert of an account, as [`raise_all`] does. Returns `None` where the same alert was raised before.
pub(super) async fn raise(
    tx: &Transaction,
    locked: &mut LockedAccount,
    new: &NewAlert,
) -> Result<Option<Alert>, Fault> {
    let raised = raise_all(tx, &mut [(locked, std::slice::from_ref(new))]).await?;
    Ok(raised.into_iter().next())
}

/// Raises alerts of several accounts: writes the alerts, a delivery for each recipient and channel, and their events. The number of
/// statements does not grow with the number of alerts. Returns the alerts that were not raised before.
pub(super) async fn raise_all(
    tx: &Transaction,
    accounts: &mut [(&mut LockedAccount, &[NewAlert])],
) -> Result<Vec<Alert>, Fault> {
    let raising = insert(tx, accounts).await?;
    if raising.is_empty() {
        return Ok(Vec::new());
    }
    let asked = raising.iter().map(|one| (one.addressed(), one.new.kind, one.now));
    let recipients = store::read_recipients(tx, asked.collect()).await?;
    announce(tx, accounts, raising, &recipients).await
}

/// Raises alerts as [`raise_all`] does, to recipients that were read before the accounts were locked. The caller has checked that
/// these have not changed since. Under the lock it only writes.
pub(super) async fn raise_prepared(
    tx: &Transaction,
    accounts: &mut [(&mut LockedAccount, &[NewAlert])],
    recipients: &Recipients,
) -> Result<(), Fault> {
    let raising = insert(tx, accounts).await?;
    announce(tx, accounts, raising, recipients).await?;
    Ok(())
}

/// Reads the recipients of alerts before the accounts are locked.
pub(super) async fn prepare(
    tx: &Transaction,
    news: Vec<(AccountId, &NewAlert)>,
    now: Timestamp,
) -> Result<Recipients, Fault> {
    let asked = news
        .iter()
        .map(|(account_id, new)| (new.addressed(*account_id), new.kind, now));
    store::read_recipients(tx, asked.collect()).await
}

/// Writes alerts. Returns those that were not raised before.
async fn insert<'a>(
    tx: &Transaction,
    accounts: &[(&mut LockedAccount, &'a [NewAlert])],
) -> Result<Vec<Raising<'a>>, Fault> {
    let mut raising = Vec::new();
    for (at, (locked, news)) in accounts.iter().enumerate() {
        raising.extend(news.iter().map(|new| Raising::new(at, new, locked)));
    }
    if raising.is_empty() {
        return Ok(raising);
    }
    let written: Vec<(&Alert, &str)> = raising.iter().map(Raising::with_key).collect();
    let is_new = store::insert_alerts(tx, &written).await?;
    raising.retain(|one| is_new.contains(&one.alert.id));
    Ok(raising)
}

/// Writes the deliveries of new alerts, and an event for each. Returns the alerts.
async fn announce(
    tx: &Transaction,
    accounts: &mut [(&mut LockedAccount, &[NewAlert])],
    mut raising: Vec<Raising<'_>>,
    recipients: &Recipients,
) -> Result<Vec<Alert>, Fault> {
    deliver(tx, &mut raising, recipients).await?;
    let mut events = Vec::new();
    for one in &raising {
        // The event goes to the recipient alone if there is only one.
        let recipient = one
            .new
            .subject
            .filter(|_| one.new.kind.rule().in_app == Audience::Subject);
        let content = EventContent::AlertRaised {
            alert_id: one.alert.id,
            recipient,
        };
        let event = accounts[one.of].0.numbered(content);
        events.push((one.alert.account_id, event));
    }
    let events: Vec<_> = events.iter().map(|(account_id, event)| (*account_id, event)).collect();
    event::append(tx, &events).await?;
    Ok(raising.into_iter().map(|one| one.alert).collect())
}

/// An alert that is being raised.
struct Raising<'a> {
    /// The index of its account.
    of: usize,
    /// The time of that account's transaction.
    now: Timestamp,
    new: &'a NewAlert,
    alert: Alert,
    mint: IdMint,
}

impl<'a> Raising<'a> {
    fn new(of: usize, new: &'a NewAlert, locked: &LockedAccount) -> Self {
        let mut mint = IdMint::new(IdSeed::random(), new.raised_at);
        Self {
            of,
            now: locked.now,
            new,
            alert: new.alert(AlertId::from_uuid(mint.next_uuid()), locked),
            mint,
        }
    }

    fn with_key(&self) -> (&Alert, &str) {
        (&self.alert, &self.new.dedupe_key)
    }

    fn addressed(&self) -> Addressed {
        self.new.addressed(self.alert.account_id)
    }
}

/// Records an alert whose content another alert already contains. It is resolved at once and notifies no member.
pub(super) async fn record_resolved(
    tx: &Transaction,
    locked: &LockedAccount,
    new: &NewAlert,
) -> Result<Option<Alert>, Fault> {
    let mut mint = IdMint::new(IdSeed::random(), new.raised_at);
    let mut alert = new.alert(AlertId::from_uuid(mint.next_uuid()), locked);
    alert.resolved_at = Some(new.raised_at);
    let is_new = store::insert_alerts(tx, &[(&alert, &new.dedupe_key)]).await?;
    Ok(is_new.contains(&alert.id).then_some(alert))
}

/// Marks an alert as ended and appends the event.
pub(super) async fn resolve_alert(tx: &Transaction, locked: &mut LockedAccount, id: AlertId) -> Result<(), Fault> {
    if store::resolve_alert(tx, locked.header.account_id, id, locked.now).await? {
        locked.append(tx, EventContent::AlertResolved { alert_id: id }).await?;
    }
    Ok(())
}

/// Decides for each recipient and channel, and stores the results.
async fn deliver(tx: &Transaction, raising: &mut [Raising<'_>], recipients: &Recipients) -> Result<(), Fault> {
    let mut last_mails = recipients.last_mails.clone();
    let mut deliveries = Vec::new();
    for one in raising {
        let recipients = recipients.of(&one.addressed())?;
        let Raising {
            now, new, alert, mint, ..
        } = one;
        for recipient in recipients.iter().filter(|recipient| new.concerns(recipient)) {
            let mails_to = (new.kind, recipient.id);
            for channel in new.channels() {
                let case = new.case(recipient, channel, last_mails.get(&mails_to).copied(), *now);
                let id = DeliveryId::from_uuid(mint.next_uuid());
                let Some(delivery) = delivery(id, alert, recipient.id, &case) else {
                    continue;
                };
                if delivery.status == DeliveryStatus::Queued {
                    // The next of these alerts has to see this one as the last mail.
                    let at = delivery.next_attempt_at.unwrap_or(delivery.created_at);
                    last_mails.insert(mails_to, LastMail { at, has_ended: false });
                }
                deliveries.push((&*alert, delivery));
            }
        }
    }
    store::insert_deliveries(tx, &deliveries).await
}

fn delivery(id: DeliveryId, alert: &Alert, recipient: RecipientId, case: &Case) -> Option<Delivery> {
    let (status, because, due) = match (resolve(case), case.channel) {
        (Verdict::NotAddressed, _) => return None,
        (Verdict::Suppress(reason), _) => (DeliveryStatus::Suppressed, Some(reason), None),
        (Verdict::Send(_), Channel::InApp) => (DeliveryStatus::Sent, None::<SuppressionReason>, None),
        (Verdict::Send(at), Channel::Email) => (DeliveryStatus::Queued, None, Some(at)),
    };
    Some(Delivery {
        id,
        account_id: alert.account_id,
        alert_id: alert.id,
        recipient,
        channel: case.channel,
        status,
        suppressed_because: because,
        address: None,
        attempts: 0,
        last_error: None,
        next_attempt_at: due,
        sent_at: (status == DeliveryStatus::Sent).then_some(case.now),
        created_at: alert.raised_at,
    })
}
