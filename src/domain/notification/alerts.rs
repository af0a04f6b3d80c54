//! Alerts as members read and mark them, and test alerts that show whether delivery works.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::domain::database::select::Condition;
use crate::domain::database::{Database, Transaction, records};
use crate::domain::event::{AlertMark, EventContent};
use crate::domain::fault::{Fault, InvalidInput, QueryError, Refused, UseCaseError};
use crate::domain::filter::{AnyOf, InstantRange};
use crate::domain::ledger::credit_log::CreditLog;
use crate::domain::ledger::sessions::Sessions;
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member::{
    ApiKeys, ContactStatus, MailBounds, locked_member, locked_person, require_over, require_own_or_settings,
};
use crate::domain::quota::{self, Exhausted, Quota};
use crate::domain::top_up::TopUps;
use crate::primitives::actor::{AccessError, Actor, Permission};
use crate::primitives::clock::{Clock, HOUR, Timestamp};
use crate::primitives::ids::{AccountId, AlertId, MemberId};
use crate::primitives::page::{Page, PageRequest};

use super::causes::Sources;
use super::error::{MarkRefusal, SendTestRefusal};
use super::evaluation::MOST_HELD;
use super::model::{Alert, AlertKind, Channel, InboxItem, Severity};
use super::new_alerts::{NewAlert, raise};
use super::store::{self, AlertSelection};

/// Maximum number of alerts that one call marks by id.
pub const MOST_MARKED: usize = 100;

/// Maximum tests to one member per hour and per day.
const TESTS_OF_MEMBER: (u32, u32) = (10, 30);
/// Maximum tests in one account per hour and per day.
const TESTS_OF_ACCOUNT: (u32, u32) = (60, 200);

/// An alert's position in a list: when it was raised, and its id.
pub type AlertPosition = (Timestamp, AlertId);

/// Selects alerts that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AlertFilter {
    /// Only alerts whose condition has not ended.
    pub open_only: bool,
    /// Only alerts that the member has not read.
    pub unread_only: bool,
    /// Only alerts of these kinds.
    pub kinds: AnyOf<AlertKind>,
    /// Only alerts of these severities.
    pub severities: AnyOf<Severity>,
    /// Includes alerts that the member has archived.
    pub include_archived: bool,
    /// Only alerts raised in this range.
    pub raised_at: InstantRange,
}

impl AlertFilter {
    /// The conditions that alerts and deliveries have in common.
    fn conditions(&self) -> Vec<Condition> {
        let kinds = self.kinds.texts("kind", AlertKind::as_str);
        let severities = self.severities.texts("severity", Severity::as_str);
        // A fact has nothing that could end.
        let lasting = AlertKind::ALL.iter().filter(|kind| kind.is_condition());
        let lasting = lasting.map(|kind| kind.as_str().to_owned()).collect();
        let open = [
            Condition::Plain("resolved_at IS NULL"),
            Condition::Texts("kind", lasting),
        ];
        let open = open.into_iter().filter(|_| self.open_only);
        kinds.into_iter().chain(severities).chain(open).collect()
    }
}

/// Selects the alerts of an inbox to mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    /// These alerts, at most [`MOST_MARKED`].
    These(Vec<AlertId>),
    /// All alerts up to and including this one.
    UpTo(AlertId),
}

/// A mark that alerts of an inbox get or lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxMark {
    /// Read or unread.
    Read(bool),
    /// Archived or not.
    Archived(bool),
}

impl InboxMark {
    const fn mark(self) -> AlertMark {
        match self {
            Self::Read(true) => AlertMark::Read,
            Self::Read(false) => AlertMark::Unread,
            Self::Archived(true) => AlertMark::Archived,
            Self::Archived(false) => AlertMark::Unarchived,
        }
    }
}

/// Use cases for the alerts of accounts.
#[derive(Clone, Debug)]
pub struct Alerts {
    pub(super) database: Database,
    pub(super) ledger: Ledger,
    pub(super) clock: Clock,
    pub(super) sources: Sources,
    /// How long a transaction continues with further events of an account.
    pub(super) most_held: Duration,
    bounds: MailBounds,
}

impl Alerts {
    /// Alerts in `database`, raised from the events of the modules below.
    pub fn new(
        (database, clock): (Database, Clock),
        ledger: Ledger,
        credit_log: CreditLog,
        sessions: Sessions,
        top_ups: TopUps,
        api_keys: ApiKeys,
        bounds: MailBounds,
    ) -> Self {
        let sources = database.clone();
        Self {
            database,
            ledger,
            clock,
            bounds,
            most_held: MOST_HELD,
            sources: Sources {
                database: sources,
                credit_log,
                sessions,
                top_ups,
                api_keys,
            },
        }
    }

    /// Sets how long a transaction continues with further events of an account.
    #[must_use]
    pub fn holding_for(self, most_held: Duration) -> Self {
        Self { most_held, ..self }
    }

    /// Raises an alert of kind TEST for one member by one channel. It takes the same path as every other alert.
    pub async fn send_test(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
        channel: Channel,
    ) -> Result<Alert, UseCaseError<SendTestRefusal>> {
        require_own_or_settings(actor, account_id, member_id)?;
        let key = format!("{}:{}", AlertKind::Test.as_str(), uuid::Uuid::new_v4().simple());
        let (bounds, by, actor) = (self.bounds.clone(), self.bounds.of_caller(actor), actor.clone());
        self.ledger
            .change(account_id, move |tx, locked| {
                let (bounds, by) = (bounds.clone(), by.clone());
                let new = NewAlert {
                    subject: Some(member_id),
                    channel: Some(channel),
                    ..NewAlert::new(AlertKind::Test, key.clone(), locked.now)
                };
                let actor = actor.clone();
                Box::pin(async move {
                    let person = locked_person(tx, account_id, member_id).await?;
                    let (member, contact) = person.ok_or(Refused(SendTestRefusal::NotFound))?;
                    require_over(&actor, &member)?;
                    if member.removed_at.is_some() {
                        return Err(Refused(SendTestRefusal::MemberRemoved));
                    }
                    let stranger = contact
                        .email
                        .filter(|_| contact.email_status != ContactStatus::Verified);
                    let mut quotas = tests_of(account_id, member_id);
                    if let Some(email) = stranger.filter(|_| channel == Channel::Email) {
                        check_room(
                            quota::exhausted(tx, &bounds.of_mail(account_id, &email), locked.now).await?,
                            locked.now,
                        )?;
                        quotas.extend(by);
                    }
                    check_room(quota::spend(tx, &quotas, locked.now).await?, locked.now)?;
                    let raised = raise(tx, locked, &new).await?;
                    // The key is random. So a known key means that a COMMIT that seemed to fail has succeeded.
                    raised.ok_or_else(|| Fault::Unavailable("the test was raised before".to_owned()).into())
                })
            })
            .await
    }

    /// Returns one page of a member's inbox.
    pub async fn inbox(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
        filter: &AlertFilter,
        request: &PageRequest<AlertPosition>,
    ) -> Result<Page<InboxItem, AlertPosition>, QueryError> {
        require_own_or_settings(actor, account_id, member_id)?;
        let mut conditions = filter.conditions();
        conditions.extend(filter.unread_only.then_some(Condition::Plain("read_at IS NULL")));
        conditions.extend((!filter.include_archived).then_some(Condition::Plain("archived_at IS NULL")));
        let mut keyset = store::inbox_keyset(member_id, conditions);
        narrow(&mut keyset, filter, request);
        let scan = keyset.scan(&self.database, account_id, request.limit).await?;
        let page = scan.into_page(request, position, records::record::<store::InboxRow>)?;
        let ids: Vec<AlertId> = page.items.iter().map(|((_, id), _)| *id).collect();
        let mut alerts = store::alerts_by_id(&self.database, account_id, &ids).await?;
        let items = page.items.into_iter().filter_map(|(position, row)| {
            let alert = alerts.remove(&position.1)?;
            Some((position, row.with(alert, member_id)))
        });
        Ok(Page {
            items: items.collect(),
            has_next: page.has_next,
            has_previous: page.has_previous,
            scanned_to: page.scanned_to,
        })
    }

    /// Returns one page of all alerts of an account, for any recipient. They belong to no inbox, so none is read or archived.
    pub async fn of_account(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: &AlertFilter,
        request: &PageRequest<AlertPosition>,
    ) -> Result<Page<InboxItem, AlertPosition>, QueryError> {
        require_all(actor, account_id)?;
        let mut keyset = store::alerts_keyset(filter.conditions());
        narrow(&mut keyset, filter, request);
        let scan = keyset.scan(&self.database, account_id, request.limit).await?;
        Ok(scan.into_page(request, position, |row| {
            records::record(row).map(InboxItem::outside_inbox)
        })?)
    }

    /// Returns alerts by id: as in the member's inbox, or as in the account where no member is named. Unknown ids are left out.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        inbox_of: Option<MemberId>,
        ids: &[AlertId],
    ) -> Result<HashMap<AlertId, InboxItem>, QueryError> {
        self.check_inbox(actor, account_id, inbox_of)?;
        let inbox = if let Some(member_id) = inbox_of {
            Some((
                member_id,
                store::marks(&self.database, account_id, member_id, ids).await?,
            ))
        } else {
            None
        };
        let alerts = store::alerts_by_id(&self.database, account_id, ids).await?;
        let item = |(id, alert): (AlertId, Alert)| {
            let item = match &inbox {
                Some((member_id, rows)) => rows.get(&id)?.with(alert, *member_id),
                None => InboxItem::outside_inbox(alert),
            };
            Some((id, item))
        };
        Ok(alerts.into_iter().filter_map(item).collect())
    }

    /// Refuses unless the actor may see the member's inbox, or all alerts of the account where no member is named.
    pub fn check_inbox(
        &self,
        actor: &Actor,
        account_id: AccountId,
        inbox_of: Option<MemberId>,
    ) -> Result<(), AccessError> {
        match inbox_of {
            Some(member_id) => require_own_or_settings(actor, account_id, member_id),
            None => require_all(actor, account_id),
        }
    }

    /// Counts the alerts in a member's inbox that are neither read nor archived.
    pub async fn unread(&self, actor: &Actor, account_id: AccountId, member_id: MemberId) -> Result<i64, QueryError> {
        require_own_or_settings(actor, account_id, member_id)?;
        Ok(store::unread(&self.database, account_id, member_id).await?)
    }

    /// Returns the alerts of a member's inbox whose last mark came with the event `sequence`, at most [`MOST_MARKED`].
    pub async fn marked_in(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
        sequence: i64,
    ) -> Result<Vec<AlertId>, QueryError> {
        require_own_or_settings(actor, account_id, member_id)?;
        Ok(store::marked_in(&self.database, account_id, member_id, sequence).await?)
    }

    /// Marks alerts in a member's inbox. Alerts that already have the mark are skipped. If all have it, no event is appended.
    pub async fn mark(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
        marked: Marked,
        mark: InboxMark,
    ) -> Result<(), UseCaseError<MarkRefusal>> {
        require_own_or_settings(actor, account_id, member_id)?;
        if matches!(&marked, Marked::These(ids) if ids.len() > MOST_MARKED) {
            let message = format!("at most {MOST_MARKED} alerts are allowed at once; upTo has no limit");
            return Err(InvalidInput::new("alertIds", message).into());
        }
        let work = Arc::new((actor.clone(), marked));
        self.ledger
            .change(account_id, move |tx, locked| {
                let work = Arc::clone(&work);
                Box::pin(async move {
                    let (actor, marked) = work.as_ref();
                    let is_own = actor.member_id() == Some(member_id);
                    if !is_own && let Some(member) = locked_member(tx, account_id, member_id).await? {
                        require_over(actor, &member)?;
                    }
                    mark_locked(tx, locked, member_id, marked, mark.mark()).await
                })
            })
            .await
    }
}

/// The quotas that a test uses on any channel. Each test is an alert, and an event that goes to every subscriber of the account.
fn tests_of(account_id: AccountId, member_id: MemberId) -> Vec<Quota> {
    let quota = |scope: &'static str, subject: &[u8], most: u32, hours: i64| Quota {
        scope,
        subject: subject.to_vec(),
        most,
        millis: hours * HOUR,
    };
    let (account, member) = (account_id.number().to_be_bytes(), member_id.uuid());
    vec![
        quota("TEST_ACCOUNT_DAY", &account, TESTS_OF_ACCOUNT.1, 24),
        quota("TEST_ACCOUNT_HOUR", &account, TESTS_OF_ACCOUNT.0, 1),
        quota("TEST_MEMBER_DAY", member.as_bytes(), TESTS_OF_MEMBER.1, 24),
        quota("TEST_MEMBER_HOUR", member.as_bytes(), TESTS_OF_MEMBER.0, 1),
    ]
}

fn check_room(exhausted: Option<Exhausted>, now: Timestamp) -> Result<(), UseCaseError<SendTestRefusal>> {
    exhausted.map_or(Ok(()), |exhausted| {
        let retry_after_seconds = exhausted.retry_after_seconds(now);
        Err(Refused(SendTestRefusal::TooMany { retry_after_seconds }))
    })
}

/// Requires the right to see all alerts: to manage the account's settings, or a key that reads its whole log.
fn require_all(actor: &Actor, account_id: AccountId) -> Result<(), AccessError> {
    actor
        .require(account_id, Permission::ManageSettings)
        .or_else(|_| actor.require(account_id, Permission::ReadCreditLog))
}

fn position((millis, id): (i64, uuid::Uuid)) -> AlertPosition {
    (Timestamp::from_millis(millis), AlertId::from_uuid(id))
}

/// Newest first, between the cursors and within the filter's range.
fn narrow(
    keyset: &mut crate::domain::database::keyset::Keyset<(i64, uuid::Uuid)>,
    filter: &AlertFilter,
    request: &PageRequest<AlertPosition>,
) {
    keyset.narrow(filter.raised_at.start(), filter.raised_at.end());
    keyset.turn_to(true, request, |(at, id)| (at.millis(), id.uuid()));
}

async fn mark_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    member_id: MemberId,
    marked: &Marked,
    mark: AlertMark,
) -> Result<(), UseCaseError<MarkRefusal>> {
    let account_id = locked.header.account_id;
    let (selection, up_to) = match marked {
        Marked::These(ids) => {
            let found = store::in_inbox(tx, account_id, member_id, ids).await?;
            if let Some(at) = ids.iter().position(|id| !found.contains(id)) {
                return Err(Refused(MarkRefusal::NotFound { at: Some(at) }));
            }
            (AlertSelection::These(ids.clone()), None)
        }
        Marked::UpTo(id) => {
            let raised_at = store::raised_at(tx, account_id, member_id, *id).await?;
            let raised_at = raised_at.ok_or(Refused(MarkRefusal::NotFound { at: None }))?;
            (AlertSelection::UpTo(raised_at, *id), Some(*id))
        }
    };
    let sequence = locked.header.event_sequence + 1;
    let inbox = (account_id, member_id);
    if store::mark(tx, inbox, &selection, (mark, locked.now), sequence).await? > 0 {
        let content = EventContent::AlertsMarked { member_id, up_to, mark };
        locked.append(tx, content).await?;
    }
    Ok(())
}
