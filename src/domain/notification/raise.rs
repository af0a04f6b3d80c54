//! Writing an alert down with all its deliveries, in the transaction of whatever raises it.

use std::collections::BTreeSet;

use crate::domain::database::Transaction;
use crate::domain::event::EventKind;
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AlertId, DeliveryId, EntryId, IdMint, IdSeed, MemberId, SessionId, TopUpId};

use super::model::{
    Alert, AlertKind, Audience, Case, Channel, Delivery, DeliveryStatus, Facts, SuppressionReason, Verdict, resolve,
};
use super::store::{self, Recipient};

/// An alert that is to be raised.
#[derive(Clone, Debug)]
pub(super) struct NewAlert {
    pub(super) kind: AlertKind,
    /// The same is raised once.
    pub(super) dedupe_key: String,
    pub(super) subject: Option<MemberId>,
    pub(super) facts: Facts,
    pub(super) entry_id: Option<EntryId>,
    pub(super) session_id: Option<SessionId>,
    pub(super) top_up_id: Option<TopUpId>,
    pub(super) raised_at: Timestamp,
    /// Of those whom it is for, these alone.
    pub(super) only: Option<BTreeSet<MemberId>>,
    /// By this way alone.
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
        self.only
            .as_ref()
            .is_none_or(|only| only.contains(&recipient.member_id))
    }

    /// All whom it may be for, by whichever way.
    fn audience(&self) -> Audience {
        let rule = self.kind.rule();
        match (rule.in_app, rule.email) {
            (Audience::Everybody, _) | (_, Audience::Everybody) => Audience::Everybody,
            (in_app, email) if in_app == email => in_app,
            _ => Audience::SubjectAndAdmins,
        }
    }
}

/// Raises an alert: writes it, a delivery for each member and channel that it is for, and the event that tells of it. `None` where
/// the same was raised before.
pub(super) async fn raise(
    tx: &Transaction,
    locked: &mut LockedAccount,
    new: &NewAlert,
) -> Result<Option<Alert>, Fault> {
    let mut mint = IdMint::new(IdSeed::random(), new.raised_at);
    let alert = new.alert(AlertId::from_uuid(mint.next_uuid()), locked);
    if !store::insert_alert(tx, &alert, &new.dedupe_key).await? {
        return Ok(None);
    }
    let deliveries = deliveries(tx, locked, new, &alert, &mut mint).await?;
    store::insert_deliveries(tx, &alert, &deliveries).await?;
    // Told to its one recipient alone where it has no other.
    let recipient = new.subject.filter(|_| new.kind.rule().in_app == Audience::Subject);
    locked
        .append_alert_event(tx, EventKind::AlertRaised, (Some(alert.id), recipient), None)
        .await?;
    Ok(Some(alert))
}

/// Writes down an alert that another one says all of: it is over as soon as it is raised, and nobody is told.
pub(super) async fn record_resolved(
    tx: &Transaction,
    locked: &LockedAccount,
    new: &NewAlert,
) -> Result<Option<Alert>, Fault> {
    let mut mint = IdMint::new(IdSeed::random(), new.raised_at);
    let mut alert = new.alert(AlertId::from_uuid(mint.next_uuid()), locked);
    alert.resolved_at = Some(new.raised_at);
    let is_new = store::insert_alert(tx, &alert, &new.dedupe_key).await?;
    Ok(is_new.then_some(alert))
}

/// What an alert told of has ended: marks it, and tells of it.
pub(super) async fn resolve_alert(tx: &Transaction, locked: &mut LockedAccount, id: AlertId) -> Result<(), Fault> {
    if store::resolve_alert(tx, locked.header.account_id, id, locked.now).await? {
        locked
            .append_alert_event(tx, EventKind::AlertsUpdated, (Some(id), None), Some("RESOLVED"))
            .await?;
    }
    Ok(())
}

async fn deliveries(
    tx: &Transaction,
    locked: &LockedAccount,
    new: &NewAlert,
    alert: &Alert,
    mint: &mut IdMint,
) -> Result<Vec<Delivery>, Fault> {
    let account_id = alert.account_id;
    let mut recipients = store::recipients(tx, account_id, new.audience(), new.subject).await?;
    recipients.retain(|recipient| new.concerns(recipient));
    let last_mails = store::last_mails(tx, account_id, new.kind, locked.now).await?;
    let mut deliveries = Vec::new();
    for recipient in &recipients {
        for channel in Channel::ALL
            .iter()
            .filter(|channel| new.channel.is_none_or(|only| only == **channel))
        {
            let quiet_hours = recipient.settings.quiet_hours;
            let case = Case {
                kind: new.kind,
                channel: *channel,
                role: recipient.role,
                is_subject: new.subject == Some(recipient.member_id),
                preference: recipient.settings.preference(new.kind, *channel),
                contact: recipient.contact,
                last_mail: last_mails.get(&recipient.member_id).copied(),
                quiet_until: quiet_hours.and_then(|hours| hours.end_after(locked.now, recipient.timezone)),
                now: locked.now,
            };
            let id = DeliveryId::from_uuid(mint.next_uuid());
            deliveries.extend(delivery(id, alert, recipient.member_id, &case));
        }
    }
    Ok(deliveries)
}

fn delivery(id: DeliveryId, alert: &Alert, member_id: MemberId, case: &Case) -> Option<Delivery> {
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
        member_id,
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
