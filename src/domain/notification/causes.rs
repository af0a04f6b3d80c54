//! Maps events to alerts. Only this file decides which event is worth an alert.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::database::Database;
use crate::domain::event::{ApiKeyChange, Event, EventContent, PurchaseLimit};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::credit_log::{CreditLog, Entry};
use crate::domain::ledger::model::{AccountStatus, EntryKind, SessionStatus};
use crate::domain::ledger::sessions::{SessionView, Sessions, ShownStatus};
use crate::domain::member::ApiKeys;
use crate::domain::top_up::gateway::DisputeStatus;
use crate::domain::top_up::model::Attempt;
use crate::domain::top_up::{TopUp, TopUpStatus, TopUps};
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, AlertId, ApiKeyId, EntryId, SessionId, TopUpId};

use super::model::{AlertKind, Facts, Reversal};
use super::new_alerts::NewAlert;
use super::store;

/// What an event means for alerts. Causes keep the order of their events.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// Raises an alert.
    Raise(Box<NewAlert>),
    /// A top-up was declined. The first decline raises an alert, and so does giving up.
    TopUpFailed {
        first: Box<NewAlert>,
        /// Set where it is not retried automatically.
        gave_up: Option<Box<NewAlert>>,
    },
    /// The problem of a top-up has ended. Alerts of these kinds about it end.
    TopUpOver {
        top_up_id: TopUpId,
        ended: &'static [AlertKind],
    },
    /// A session was resolved after all. This alert about it ends.
    SessionOver(AlertId),
    /// The account may have been frozen or made active again.
    Status {
        status: AccountStatus,
        sequence: i64,
        at: Timestamp,
    },
    /// The rule could not buy all that it wanted, because of this limit.
    Limit { limit: PurchaseLimit, at: Timestamp },
    /// The rule, a card or an expiry may have changed.
    Changed,
}

/// What a run of events means for alerts.
#[derive(Clone, Debug, Default)]
pub(super) struct Causes {
    /// The causes, each with the number of its event.
    pub(super) list: Vec<(i64, Cause)>,
    /// Whether events may have changed who is low on credits, or who is notified of that.
    pub(super) balance: bool,
    /// Whether members may have changed, or the contacts of members or notification addresses.
    pub(super) members: bool,
    /// Whether webhook endpoints may have been disabled or enabled.
    pub(super) endpoints: bool,
}

impl Causes {
    /// Returns the alerts to raise, where there is nothing else to do.
    pub(super) fn into_alerts(self) -> Option<Vec<NewAlert>> {
        if self.members {
            return None;
        }
        let causes = self.list.into_iter().map(|(_, cause)| match cause {
            Cause::Raise(new) => Some(*new),
            _ => None,
        });
        causes.collect()
    }
}

/// The modules that are asked for what events name.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    pub(super) database: Database,
    pub(super) credit_log: CreditLog,
    pub(super) sessions: Sessions,
    pub(super) top_ups: TopUps,
    pub(super) api_keys: ApiKeys,
}

impl Sources {
    /// Reads what these events name and returns what they mean. A resolved session matters where an alert about it may be open.
    pub(super) async fn causes(
        &self,
        account_id: AccountId,
        events: &[Arc<Event>],
        is_session_open: bool,
        now: Timestamp,
    ) -> Result<Causes, Fault> {
        let contents = || events.iter().map(|event| &event.content);
        let entry_ids: Vec<EntryId> = contents().filter_map(EventContent::entry_id).collect();
        let sessions = |wanted: fn(ShownStatus) -> bool| -> Vec<SessionId> {
            let id = |content: &EventContent| match content {
                EventContent::SessionUpdated { session_id, status, .. } => {
                    Some(*session_id).filter(|_| wanted(*status))
                }
                _ => None,
            };
            contents().filter_map(id).collect()
        };
        let (session_ids, resolved) = (sessions(|status| status == ShownStatus::Expired), sessions(is_resolved));
        let top_up_id = |content: &EventContent| match content {
            EventContent::TopUpUpdated { top_up_id, .. } => Some(*top_up_id),
            _ => None,
        };
        let top_up_ids: Vec<TopUpId> = contents().filter_map(top_up_id).collect();
        let api_key_ids: Vec<ApiKeyId> = contents().filter_map(EventContent::api_key_id).collect();
        let system = &Actor::System;
        let mut named = Named::default();
        if !api_key_ids.is_empty() {
            let api_keys = self.api_keys.find_by_ids(&api_key_ids).await?.into_iter();
            named.api_keys = api_keys.map(|(id, api_key)| (id, api_key.name)).collect();
        }
        if !entry_ids.is_empty() {
            let entries = self.credit_log.entries_by_id(system, account_id, &entry_ids).await;
            named.entries = entries.map_err(QueryError::into_fault)?;
        }
        if !session_ids.is_empty() {
            let sessions = self.sessions.by_ids(system, account_id, &session_ids, now).await;
            let title = |(id, view): (SessionId, SessionView)| (id, (view.session.title, view.session.booked));
            // A session that was resolved meanwhile needs no alert.
            let is_open = |view: &SessionView| view.session.status == SessionStatus::Expired;
            let open = sessions
                .map_err(QueryError::into_fault)?
                .into_iter()
                .filter(|(_, view)| is_open(view));
            named.sessions = open.map(title).collect();
        }
        if is_session_open {
            named.unresolved = store::unresolved_sessions(&self.database, account_id, &resolved).await?;
        }
        if !top_up_ids.is_empty() {
            let top_ups = self.top_ups.by_ids(system, account_id, &top_up_ids).await;
            named.top_ups = top_ups.map_err(QueryError::into_fault)?;
            let has_failed = |top_up: &&TopUp| top_up.status == TopUpStatus::Failed;
            let failed: Vec<TopUpId> = named
                .top_ups
                .values()
                .filter(has_failed)
                .map(|top_up| top_up.id)
                .collect();
            if !failed.is_empty() {
                named.attempts = self
                    .top_ups
                    .attempts(system, account_id, &failed)
                    .await
                    .map_err(QueryError::into_fault)?;
            }
        }
        Ok(named.causes(events))
    }
}

/// The things that events name.
#[derive(Debug, Default)]
struct Named {
    entries: HashMap<EntryId, Entry>,
    sessions: HashMap<SessionId, (String, Credits)>,
    /// For resolved sessions: the open alert that no member had resolved the session in time.
    unresolved: HashMap<SessionId, AlertId>,
    top_ups: HashMap<TopUpId, TopUp>,
    /// The names of API keys.
    api_keys: HashMap<ApiKeyId, String>,
    /// Only for top-ups that have failed.
    attempts: HashMap<TopUpId, Vec<Attempt>>,
}

impl Named {
    fn causes(&self, events: &[Arc<Event>]) -> Causes {
        let mut causes = Causes::default();
        for event in events {
            let found = match event.content {
                _ if !may_raise(event) => Vec::new(),
                EventContent::EntryPosted { entry_id, .. } => self.of_entry(entry_id, event),
                EventContent::SessionUpdated { session_id, status, .. } => self.of_session((session_id, status), event),
                EventContent::TopUpUpdated { top_up_id, status } => self.of_top_up((top_up_id, status), event),
                EventContent::AccountUpdated { status } => of_account(status, event),
                EventContent::CapReached { limit } => vec![Cause::Limit {
                    limit,
                    at: event.occurred_at,
                }],
                EventContent::ApiKeyUpdated { api_key_id, change } => self.of_api_key((api_key_id, change), event),
                EventContent::MemberUpdated { .. }
                | EventContent::AlertRaised { .. }
                | EventContent::AlertResolved { .. }
                | EventContent::AlertsMarked { .. }
                | EventContent::TroubleshootingChanged => Vec::new(),
            };
            let sequence = event.position.sequence;
            causes.list.extend(found.into_iter().map(|cause| (sequence, cause)));
            let changes_account = matches!(event.content, EventContent::AccountUpdated { .. });
            let changes_members = changes_account || matches!(event.content, EventContent::MemberUpdated { .. });
            causes.endpoints |= changes_account;
            causes.members |= changes_members;
            // Thresholds depend on members and on the rule. A top-up that fails brings no credits.
            let changes_levels = changes_members || matches!(event.content, EventContent::TopUpUpdated { .. });
            causes.balance |= event.balance_version.is_some() || changes_levels;
        }
        causes
    }

    fn of_entry(&self, entry_id: EntryId, event: &Event) -> Vec<Cause> {
        let Some(entry) = self.entries.get(&entry_id) else {
            return Vec::new();
        };
        let kind = match entry.kind {
            EntryKind::Session => AlertKind::SessionCharged,
            EntryKind::SessionRefund => AlertKind::SessionRefunded,
            // The credits may have an expiry.
            EntryKind::Grant => return vec![Cause::Changed],
            EntryKind::Adjustment if entry.reverses.is_some() => return vec![Cause::Changed],
            EntryKind::TopUp
            | EntryKind::AutoTopUp
            | EntryKind::Expiry
            | EntryKind::Reversal
            | EntryKind::Chargeback
            | EntryKind::Adjustment => return Vec::new(),
        };
        let mut causes = Vec::new();
        if entry.kind == EntryKind::SessionRefund {
            causes.push(Cause::Changed);
        }
        // A use without a member has no member to notify.
        if entry.member_id.is_some() {
            let alert = NewAlert {
                subject: entry.member_id,
                facts: Facts {
                    credits: Some(entry.amount.abs().units()),
                    title: Some(entry.description.clone()),
                    ..Facts::default()
                },
                entry_id: Some(entry.id),
                session_id: entry.session_id,
                ..raised(kind, &entry.id.uuid().to_string(), event)
            };
            causes.push(Cause::Raise(Box::new(alert)));
        }
        causes
    }

    fn of_session(&self, (session_id, status): (SessionId, ShownStatus), event: &Event) -> Vec<Cause> {
        if is_resolved(status) {
            let open = self.unresolved.get(&session_id);
            return open.map(|alert_id| Cause::SessionOver(*alert_id)).into_iter().collect();
        }
        let named = self.sessions.get(&session_id);
        let Some((title, booked)) = named.filter(|_| status == ShownStatus::Expired) else {
            return Vec::new();
        };
        let alert = NewAlert {
            subject: event.content.member_id(),
            facts: Facts {
                credits: Some(booked.units()),
                title: Some(title.clone()),
                ..Facts::default()
            },
            session_id: Some(session_id),
            ..raised(AlertKind::SessionUnresolved, &session_id.uuid().to_string(), event)
        };
        vec![Cause::Raise(Box::new(alert))]
    }

    fn of_api_key(&self, (id, change): (ApiKeyId, ApiKeyChange), event: &Event) -> Vec<Cause> {
        let Some(name) = self.api_keys.get(&id) else {
            return Vec::new();
        };
        let change = change.as_str();
        let alert = NewAlert {
            facts: Facts {
                title: Some(name.clone()),
                code: Some(change.to_owned()),
                ..Facts::default()
            },
            ..raised(AlertKind::ApiKeyChanged, &format!("{}:{change}", id.uuid()), event)
        };
        vec![Cause::Raise(Box::new(alert))]
    }

    fn of_top_up(&self, (id, status): (TopUpId, Option<TopUpStatus>), event: &Event) -> Vec<Cause> {
        let (Some(top_up), Some(status)) = (self.top_ups.get(&id), status) else {
            return Vec::new();
        };
        let raise = |kind: AlertKind| Cause::Raise(Box::new(of_purchase(kind, "", top_up, event)));
        let over = |ended: &'static [AlertKind]| Cause::TopUpOver {
            top_up_id: top_up.id,
            ended,
        };
        match status {
            // Part of the money may have been refunded. The rest is still paid.
            TopUpStatus::Succeeded => {
                let mut causes = vec![over(WRONG), raise(AlertKind::TopUpSucceeded)];
                causes.extend(reversals(top_up, event));
                causes
            }
            TopUpStatus::Failed => vec![over(UNCONFIRMED), self.failed(top_up, event)],
            TopUpStatus::RequiresAction => vec![raise(AlertKind::TopUpActionRequired)],
            TopUpStatus::Reversed | TopUpStatus::Disputed => reversals(top_up, event),
            TopUpStatus::Canceled => vec![over(WRONG)],
            TopUpStatus::Pending | TopUpStatus::Processing => Vec::new(),
        }
    }

    fn failed(&self, top_up: &TopUp, event: &Event) -> Cause {
        let attempts = self.attempts.get(&top_up.id).map_or(0, Vec::len);
        let has_given_up = attempts > 1 && top_up.next_attempt_at.is_none();
        let gave_up = || Box::new(of_purchase(AlertKind::TopUpFailed, ":gave up", top_up, event));
        Cause::TopUpFailed {
            first: Box::new(of_purchase(AlertKind::TopUpFailed, "", top_up, event)),
            gave_up: has_given_up.then(gave_up),
        }
    }
}

/// The alerts that are possible for a top-up that is not paid.
const WRONG: &[AlertKind] = &[AlertKind::TopUpFailed, AlertKind::TopUpActionRequired];
/// The alerts that end when no member can confirm the payment anymore.
const UNCONFIRMED: &[AlertKind] = &[AlertKind::TopUpActionRequired];
/// An alert about a top-up. `stage` distinguishes it from others of its kind about the same top-up.
fn of_purchase(kind: AlertKind, stage: &str, top_up: &TopUp, event: &Event) -> NewAlert {
    let failure = top_up.failure_code.filter(|_| kind == AlertKind::TopUpFailed);
    NewAlert {
        facts: Facts {
            credits: Some(top_up.credits.units()),
            code: failure.map(|code| code.as_str().to_owned()),
            ..Facts::default()
        },
        top_up_id: Some(top_up.id),
        ..raised(kind, &format!("{}{stage}", top_up.id.uuid()), event)
    }
}

/// The changes to the money of a paid top-up, one alert per fact. The refunded and recovered sums only grow, so each sum identifies a
/// fact. A dispute is opened, lost and won once.
fn reversals(top_up: &TopUp, event: &Event) -> Vec<Cause> {
    let raise = |reversal: Reversal, name: String, credits: Credits| {
        let mut new = of_purchase(AlertKind::TopUpReversed, &name, top_up, event);
        new.facts.code = Some(reversal.as_str().to_owned());
        new.facts.credits = Some(credits.units());
        Cause::Raise(Box::new(new))
    };
    let mut causes = Vec::new();
    if top_up.returned_minor > 0 {
        let name = format!(":returned:{}", top_up.returned_minor);
        causes.push(raise(Reversal::Refunded, name, top_up.credits_reversed));
    }
    if top_up.came_back_minor > 0 {
        let name = format!(":came back:{}", top_up.came_back_minor);
        causes.push(raise(Reversal::RefundFailed, name, top_up.credits_reversed));
    }
    if let Some(dispute) = top_up.dispute {
        let (reversal, credits) = match dispute {
            DisputeStatus::Open => (Reversal::DisputeOpened, top_up.credits),
            DisputeStatus::Lost => (Reversal::DisputeLost, top_up.credits_reversed),
            DisputeStatus::Won => (Reversal::DisputeWon, top_up.credits),
        };
        causes.push(raise(reversal, format!(":dispute:{}", dispute.as_str()), credits));
    }
    causes
}

/// An event about the account carries its status, for any change.
fn of_account(status: AccountStatus, event: &Event) -> Vec<Cause> {
    let status = Cause::Status {
        status,
        sequence: event.position.sequence,
        at: event.occurred_at,
    };
    vec![status, Cause::Changed]
}

/// Whether an event may have a cause, independent of what it names. Its effect on the balance is separate.
pub(super) fn may_raise(event: &Event) -> bool {
    match event.content {
        // Incoming credits may have an expiry.
        EventContent::EntryPosted {
            session_id,
            is_deduction,
            ..
        } => session_id.is_some() || !is_deduction,
        EventContent::SessionUpdated { status, .. } => status == ShownStatus::Expired || is_resolved(status),
        EventContent::TopUpUpdated { .. }
        | EventContent::AccountUpdated { .. }
        | EventContent::MemberUpdated { .. }
        | EventContent::CapReached { .. }
        | EventContent::ApiKeyUpdated { .. } => true,
        EventContent::AlertRaised { .. }
        | EventContent::AlertResolved { .. }
        | EventContent::AlertsMarked { .. }
        | EventContent::TroubleshootingChanged => false,
    }
}

/// Whether the causes of an event may need their own statements. Incoming credits are evaluated once, for any number of entries.
pub(super) fn is_costly(event: &Event) -> bool {
    let is_grant = matches!(event.content, EventContent::EntryPosted { session_id: None, .. });
    may_raise(event) && !is_grant
}

/// An alert about a subject, raised at the time of the event.
fn raised(kind: AlertKind, about: &str, event: &Event) -> NewAlert {
    NewAlert::new(kind, format!("{}:{about}", kind.as_str()), event.occurred_at)
}

const fn is_resolved(status: ShownStatus) -> bool {
    matches!(
        status,
        ShownStatus::Completed | ShownStatus::Canceled | ShownStatus::NoShow
    )
}
