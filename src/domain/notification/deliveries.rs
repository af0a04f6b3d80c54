//! The results of deliveries, and sending a mail again.

use std::collections::HashMap;

use serde::Serialize;

use crate::domain::database::keyset::Branch;
use crate::domain::database::select::{Condition, Value};
use crate::domain::database::{Database, Transaction, records};
use crate::domain::fault::{QueryError, Refused, UseCaseError};
use crate::domain::filter::{AnyOf, InstantRange};
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member::{MailBounds, locked_member, require_over, require_own_or_settings};
use crate::domain::quota::{self, Quota};
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::clock::{MINUTE, Timestamp};
use crate::primitives::ids::{AccountId, AlertId, DeliveryId, RecipientId};
use crate::primitives::page::{Page, PageRequest};

use super::eligibility::{Pending, decide};
use super::error::ResendRefusal;
use super::model::{AlertKind, Channel, Delivery, DeliveryStatus, SuppressionReason, Verdict};
use super::store;

/// Minimum time between two requests to send the same mail again.
const RESEND_INTERVAL_MILLIS: i64 = MINUTE;

/// A delivery's position in a list: when it was created, and its id.
pub type DeliveryPosition = (Timestamp, DeliveryId);

/// Selects deliveries that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryFilter {
    /// Only deliveries in these statuses.
    pub statuses: AnyOf<DeliveryStatus>,
    /// Only deliveries by these channels.
    pub channels: AnyOf<Channel>,
    /// Only deliveries of these kinds of alerts.
    pub alert_kinds: AnyOf<AlertKind>,
    /// Only deliveries created in this range.
    pub created_at: InstantRange,
}

impl DeliveryFilter {
    fn conditions(&self) -> Vec<Condition> {
        let conditions = [
            self.statuses.texts("status", DeliveryStatus::as_str),
            self.channels.texts("channel", Channel::as_str),
            self.alert_kinds.texts("kind", AlertKind::as_str),
        ];
        conditions.into_iter().flatten().collect()
    }
}

/// Selects deliveries by recipient or by alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum DeliveriesOf {
    /// All deliveries to one recipient.
    Recipient(RecipientId),
    /// All deliveries of one alert.
    Alert(AlertId),
}

/// Use cases for the deliveries of accounts.
#[derive(Clone, Debug)]
pub struct Deliveries {
    database: Database,
    ledger: Ledger,
    bounds: MailBounds,
}

impl Deliveries {
    /// Use cases for the deliveries in `database`.
    pub fn new(database: Database, ledger: Ledger, bounds: MailBounds) -> Self {
        Self {
            database,
            ledger,
            bounds,
        }
    }

    /// Returns one page of deliveries, newest first. A member who does not manage settings sees only their own.
    pub async fn page(
        &self,
        actor: &Actor,
        account_id: AccountId,
        of: DeliveriesOf,
        filter: &DeliveryFilter,
        request: &PageRequest<DeliveryPosition>,
    ) -> Result<Page<Delivery, DeliveryPosition>, QueryError> {
        let mut conditions = filter.conditions();
        let (column, id) = match of {
            DeliveriesOf::Recipient(recipient) => {
                require_own_or_settings(actor, account_id, recipient)?;
                ("recipient_id", recipient.uuid())
            }
            DeliveriesOf::Alert(alert_id) => {
                if let Err(refused) = actor.require(account_id, Permission::ManageSettings) {
                    let own = actor.member_id().filter(|_| actor.reaches(account_id)).ok_or(refused)?;
                    conditions.push(Condition::Uuids("recipient_id", vec![own.uuid()]));
                }
                ("alert_id", alert_id.uuid())
            }
        };
        let value = Value::from(id);
        let mut keyset = store::deliveries_keyset(Branch { column, value }, conditions);
        keyset.narrow(filter.created_at.start(), filter.created_at.end());
        keyset.turn_to(true, request, |(at, id)| (at.millis(), id.uuid()));
        let scan = keyset.scan(&self.database, account_id, request.limit).await?;
        let position = |(millis, id)| (Timestamp::from_millis(millis), DeliveryId::from_uuid(id));
        Ok(scan.into_page(request, position, records::record)?)
    }

    /// Returns deliveries by id. Those that the actor may not see are left out.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[DeliveryId],
    ) -> Result<HashMap<DeliveryId, Delivery>, QueryError> {
        if !actor.reaches(account_id) {
            return Ok(HashMap::new());
        }
        let found = store::deliveries_by_id(&self.database, account_id, ids)
            .await?
            .into_iter();
        let seen = found.filter(|delivery| require_own_or_settings(actor, account_id, delivery.recipient).is_ok());
        Ok(seen.map(|delivery| (delivery.id, delivery)).collect())
    }

    /// Returns a delivery by id, or none when the actor may not see it.
    pub async fn find(
        &self,
        actor: &Actor,
        account_id: AccountId,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, QueryError> {
        if !actor.reaches(account_id) {
            return Ok(None);
        }
        let found = store::delivery_by_id(self.database.read(), account_id, id).await?;
        Ok(found.filter(|delivery| require_own_or_settings(actor, account_id, delivery.recipient).is_ok()))
    }

    /// Sends a mail again that was sent, given up, bounced or held back.
    pub async fn resend(
        &self,
        actor: &Actor,
        account_id: AccountId,
        id: DeliveryId,
    ) -> Result<Delivery, UseCaseError<ResendRefusal>> {
        if self.find(actor, account_id, id).await.map_err(unseen)?.is_none() {
            return Err(Refused(ResendRefusal::NotFound));
        }
        let (bounds, by, actor) = (self.bounds.clone(), self.bounds.of_caller(actor), actor.clone());
        self.ledger
            .change(account_id, move |tx, locked| {
                let (bounds, by, actor) = (bounds.clone(), by.clone(), actor.clone());
                Box::pin(async move { resend_locked(tx, locked, (&actor, id), (&bounds, by)).await })
            })
            .await
    }
}

async fn resend_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    (actor, id): (&Actor, DeliveryId),
    by: (&MailBounds, Option<Quota>),
) -> Result<Delivery, UseCaseError<ResendRefusal>> {
    let account_id = locked.header.account_id;
    let found = store::delivery_by_id(tx, account_id, id).await?;
    let mut delivery = found.ok_or(Refused(ResendRefusal::NotFound))?;
    if let Some(member_id) = delivery.recipient.member()
        && let Some(member) = locked_member(tx, account_id, member_id).await?
    {
        require_over(actor, &member)?;
    }
    if delivery.channel != Channel::Email {
        return Err(Refused(ResendRefusal::NotResendable(
            "only e-mail can be sent again: the app shows the message already",
        )));
    }
    if matches!(delivery.status, DeliveryStatus::Queued | DeliveryStatus::Sending) {
        return Err(Refused(ResendRefusal::NotResendable("it is being sent")));
    }
    let is_recent = |at: Timestamp| locked.now.millis() - at.millis() < RESEND_INTERVAL_MILLIS;
    if delivery.sent_at.is_some_and(is_recent) {
        return Err(Refused(ResendRefusal::NotResendable(
            "it was sent less than a minute ago",
        )));
    }
    let due = may_resend(tx, &delivery, locked.now, by).await?;
    store::requeue(tx, account_id, id, (locked.now, due)).await?;
    delivery.status = DeliveryStatus::Queued;
    delivery.suppressed_because = None;
    delivery.attempts = 0;
    delivery.next_attempt_at = Some(due);
    Ok(delivery)
}

/// Returns when a mail may be sent again, by the rules for every mail. The rules apply once more when it is sent.
async fn may_resend(
    tx: &Transaction,
    delivery: &Delivery,
    now: Timestamp,
    (bounds, caller): (&MailBounds, Option<Quota>),
) -> Result<Timestamp, UseCaseError<ResendRefusal>> {
    let (account_id, recipient) = (delivery.account_id, delivery.recipient);
    let to = store::addressee(tx, account_id, recipient).await?;
    let about = store::about(tx, account_id, delivery.id).await?;
    let pending = Pending {
        kind: about.kind,
        recipient,
        subject: about.subject,
        has_ended: about.has_ended,
        last_mail: None,
    };
    let due = match decide(&pending, to.as_ref(), now) {
        Verdict::Send(due) => due,
        Verdict::NotAddressed => {
            return Err(Refused(ResendRefusal::NotResendable(not_resendable(
                SuppressionReason::NotRecipient,
            ))));
        }
        Verdict::Suppress(reason) => return Err(Refused(ResendRefusal::NotResendable(not_resendable(reason)))),
    };
    let stranger = to.filter(|to| !to.is_verified()).and_then(|to| to.email);
    if let Some(email) = stranger {
        let mut exhausted = quota::exhausted(tx, &bounds.of_mail(account_id, &email), now).await?;
        if exhausted.is_none() {
            exhausted = quota::spend(tx, caller.as_slice(), now).await?;
        }
        if let Some(exhausted) = exhausted {
            let retry_after_seconds = exhausted.retry_after_seconds(now);
            return Err(Refused(ResendRefusal::TooMany { retry_after_seconds }));
        }
    }
    Ok(due)
}

fn not_resendable(reason: SuppressionReason) -> &'static str {
    match reason {
        SuppressionReason::PreferenceOff => "the recipient has switched off mail of this kind",
        SuppressionReason::Ended | SuppressionReason::QuietHours => "the condition of the alert has ended",
        SuppressionReason::NotRecipient => {
            "the member left the team or has another role by now, or the address was removed"
        }
        SuppressionReason::NoContact => "the recipient has no e-mail address",
        SuppressionReason::ContactUnverified => "the recipient's e-mail address is not verified",
        SuppressionReason::ContactBouncing => "mail to the recipient bounces",
        SuppressionReason::Cooldown | SuppressionReason::UnverifiedLimit => "the limit of mail is reached",
    }
}

fn unseen(error: QueryError) -> UseCaseError<ResendRefusal> {
    match error {
        QueryError::Access(_) => Refused(ResendRefusal::NotFound),
        error => error.widen(),
    }
}
