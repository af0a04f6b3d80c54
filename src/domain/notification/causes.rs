//! From events to what there is to tell: the only place that knows which event is worth an alert.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::event::{Event, EventKind};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::credit_log::{CreditLog, Entry};
use crate::domain::ledger::model::{AccountStatus, EntryKind};
use crate::domain::ledger::sessions::{Sessions, ShownStatus};
use crate::domain::top_up::{TopUp, TopUpStatus, TopUps};
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, SessionId, TopUpId};

use super::model::{AlertKind, Facts};
use super::raise::NewAlert;

/// Something that events say, in their order.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// Raises an alert.
    Raise(Box<NewAlert>),
    /// A top-up was paid: what was wrong with it no longer is.
    TopUpPaid(TopUpId),
    /// The account may have been frozen or made active again.
    Status {
        status: AccountStatus,
        sequence: i64,
        at: Timestamp,
    },
}

/// What a run of events says.
#[derive(Clone, Debug, Default)]
pub(super) struct Causes {
    pub(super) said: Vec<Cause>,
    /// The last event that may have changed who is low on credits.
    pub(super) balance: Option<i64>,
    /// Whether members or their contacts may have changed.
    pub(super) members: bool,
}

/// The rooms that are asked about what events name.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    pub(super) credit_log: CreditLog,
    pub(super) sessions: Sessions,
    pub(super) top_ups: TopUps,
}

impl Sources {
    /// Reads what these events name, and says what they mean.
    pub(super) async fn causes(
        &self,
        account_id: AccountId,
        events: &[Arc<Event>],
        now: Timestamp,
    ) -> Result<Causes, Fault> {
        let entry_ids: Vec<EntryId> = events.iter().filter_map(|event| event.entry_id).collect();
        let expired = |event: &&Arc<Event>| is_status(event, ShownStatus::Expired.as_str());
        let sessions = events.iter().filter(|event| event.kind == EventKind::SessionUpdated);
        let session_ids: Vec<SessionId> = sessions.filter(expired).filter_map(|event| event.session_id).collect();
        let top_ups = events.iter().filter(|event| event.kind == EventKind::TopUpUpdated);
        let top_up_ids: Vec<TopUpId> = top_ups.filter_map(|event| event.top_up_id).collect();
        let system = &Actor::System;
        let mut named = Named::default();
        if !entry_ids.is_empty() {
            let entries = self.credit_log.entries_by_id(system, account_id, &entry_ids).await;
            named.entries = entries.map_err(fault)?;
        }
        if !session_ids.is_empty() {
            let sessions = self.sessions.by_ids(system, account_id, &session_ids, now).await;
            let title = |(id, view): (SessionId, crate::domain::ledger::sessions::SessionView)| {
                (id, (view.session.title, view.session.booked))
            };
            named.sessions = sessions.map_err(fault)?.into_iter().map(title).collect();
        }
        if !top_up_ids.is_empty() {
            let top_ups = self.top_ups.by_ids(system, account_id, &top_up_ids).await;
            named.top_ups = top_ups.map_err(fault)?;
        }
        Ok(named.causes(events))
    }
}

/// What events name.
#[derive(Debug, Default)]
struct Named {
    entries: HashMap<EntryId, Entry>,
    sessions: HashMap<SessionId, (String, Credits)>,
    top_ups: HashMap<TopUpId, TopUp>,
}

impl Named {
    fn causes(&self, events: &[Arc<Event>]) -> Causes {
        let mut causes = Causes::default();
        for event in events {
            let said = match event.kind {
                _ if !may_say(event) => Vec::new(),
                EventKind::CreditEntryPosted => self.of_entry(event),
                EventKind::SessionUpdated => self.of_session(event),
                EventKind::TopUpUpdated => self.of_top_up(event),
                EventKind::AccountUpdated => of_account(event),
                EventKind::MemberUpdated
                | EventKind::AlertRaised
                | EventKind::AlertsUpdated
                | EventKind::TroubleshootingChanged => Vec::new(),
            };
            causes.said.extend(said);
            causes.members |= event.kind == EventKind::MemberUpdated;
            // Whose threshold it is changes with members, too.
            if event.balance_version.is_some() || event.kind == EventKind::MemberUpdated {
                causes.balance = Some(event.place.sequence);
            }
        }
        causes
    }

    fn of_entry(&self, event: &Event) -> Vec<Cause> {
        let Some(entry) = event.entry_id.and_then(|id| self.entries.get(&id)) else {
            return Vec::new();
        };
        let kind = match entry.kind {
            EntryKind::Session => AlertKind::SessionCharged,
            EntryKind::SessionRefund => AlertKind::SessionRefunded,
            EntryKind::TopUp
            | EntryKind::AutoTopUp
            | EntryKind::Grant
            | EntryKind::Expiry
            | EntryKind::Reversal
            | EntryKind::Chargeback
            | EntryKind::Adjustment => return Vec::new(),
        };
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
        vec![Cause::Raise(Box::new(alert))]
    }

    fn of_session(&self, event: &Event) -> Vec<Cause> {
        let named = event.session_id.and_then(|id| Some((id, self.sessions.get(&id)?)));
        let Some((session_id, (title, booked))) = named.filter(|_| is_status(event, ShownStatus::Expired.as_str()))
        else {
            return Vec::new();
        };
        let alert = NewAlert {
            subject: event.member_id,
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

    fn of_top_up(&self, event: &Event) -> Vec<Cause> {
        let status = event.status.as_deref().and_then(TopUpStatus::from_text);
        let (Some(top_up), Some(status)) = (event.top_up_id.and_then(|id| self.top_ups.get(&id)), status) else {
            return Vec::new();
        };
        let kind = match status {
            TopUpStatus::Succeeded => AlertKind::TopUpSucceeded,
            TopUpStatus::Failed => AlertKind::TopUpFailed,
            TopUpStatus::RequiresAction => AlertKind::TopUpActionRequired,
            TopUpStatus::Reversed | TopUpStatus::Disputed => AlertKind::TopUpReversed,
            TopUpStatus::Pending | TopUpStatus::Processing | TopUpStatus::Canceled => return Vec::new(),
        };
        let alert = NewAlert {
            facts: Facts {
                credits: Some(top_up.credits.units()),
                ..Facts::default()
            },
            top_up_id: Some(top_up.id),
            ..raised(kind, &top_up.id.uuid().to_string(), event)
        };
        let mut causes = Vec::new();
        if status == TopUpStatus::Succeeded {
            causes.push(Cause::TopUpPaid(top_up.id));
        }
        causes.push(Cause::Raise(Box::new(alert)));
        causes
    }
}

fn of_account(event: &Event) -> Vec<Cause> {
    let status = event.status.as_deref().and_then(AccountStatus::from_text);
    let changed = status.map(|status| Cause::Status {
        status,
        sequence: event.place.sequence,
        at: event.occurred_at,
    });
    changed.into_iter().collect()
}

/// Whether an event may say something, whatever the things are that it names. What it does to the balance is another matter.
pub(super) fn may_say(event: &Event) -> bool {
    match event.kind {
        EventKind::CreditEntryPosted => event.session_id.is_some(),
        EventKind::SessionUpdated => is_status(event, ShownStatus::Expired.as_str()),
        EventKind::TopUpUpdated | EventKind::AccountUpdated | EventKind::MemberUpdated => true,
        EventKind::AlertRaised | EventKind::AlertsUpdated => false,
    }
}

/// An alert about something, raised when the event happened.
fn raised(kind: AlertKind, about: &str, event: &Event) -> NewAlert {
    NewAlert::new(kind, format!("{}:{about}", kind.as_str()), event.occurred_at)
}

fn is_status(event: &Event, status: &str) -> bool {
    event.status.as_deref() == Some(status)
}

fn fault(error: QueryError) -> Fault {
    match error {
        QueryError::Fault(fault) => fault,
        error => Fault::Internal(format!("Ledgerbell itself may not read what it wrote: {error}")),
    }
}
