//! From events to what there is to tell: the only place that knows which event is worth an alert.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::database::Database;
use crate::domain::event::{DEDUCTED, Event, EventKind};
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
use super::raise::NewAlert;
use super::store;

/// Something that events say, in their order.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// Raises an alert.
    Raise(Box<NewAlert>),
    /// A top-up was declined: told the first time, and when it gives up.
    TopUpFailed {
        first: Box<NewAlert>,
        /// Where it is not tried again by itself.
        gave_up: Option<Box<NewAlert>>,
    },
    /// What was wrong with a top-up no longer is: alerts of these kinds about it end.
    TopUpOver {
        top_up_id: TopUpId,
        ended: &'static [AlertKind],
    },
    /// A session was resolved after all: this alert about it ends.
    SessionOver(AlertId),
    /// The account may have been frozen or made active again.
    Status {
        status: AccountStatus,
        sequence: i64,
        at: Timestamp,
    },
    /// The rule could not buy all that it wanted: by whose limit.
    Limit { limit: String, at: Timestamp },
    /// The rule, a card or when credits expire may have changed.
    Changed,
}

/// What a run of events says.
#[derive(Clone, Debug, Default)]
pub(super) struct Causes {
    /// What each event says, with the number of the event.
    pub(super) said: Vec<(i64, Cause)>,
    /// Whether events may have changed who is low on credits, or whether that is told.
    pub(super) balance: bool,
    /// Whether members, or how they or notification addresses are reached, may have changed.
    pub(super) members: bool,
}

impl Causes {
    /// The alerts to raise, where there is nothing else to do.
    pub(super) fn into_alerts(self) -> Option<Vec<NewAlert>> {
        if self.members {
            return None;
        }
        let said = self.said.into_iter().map(|(_, cause)| match cause {
            Cause::Raise(new) => Some(*new),
            _ => None,
        });
        said.collect()
    }
}

/// The rooms that are asked about what events name.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    pub(super) database: Database,
    pub(super) credit_log: CreditLog,
    pub(super) sessions: Sessions,
    pub(super) top_ups: TopUps,
    pub(super) api_keys: ApiKeys,
}

impl Sources {
    /// Reads what these events name, and says what they mean. Sessions that are resolved matter where an alert about one may be open.
    pub(super) async fn causes(
        &self,
        account_id: AccountId,
        events: &[Arc<Event>],
        is_session_open: bool,
        now: Timestamp,
    ) -> Result<Causes, Fault> {
        let entry_ids: Vec<EntryId> = events.iter().filter_map(|event| event.entry_id).collect();
        let sessions = events.iter().filter(|event| event.kind == EventKind::SessionUpdated);
        let ids = |wanted: fn(&Event) -> bool| -> Vec<SessionId> {
            let wanted = sessions.clone().filter(|event| wanted(event));
            wanted.filter_map(|event| event.session_id).collect()
        };
        let (session_ids, resolved) = (ids(is_expired), ids(is_resolved));
        let top_ups = events.iter().filter(|event| event.kind == EventKind::TopUpUpdated);
        let top_up_ids: Vec<TopUpId> = top_ups.filter_map(|event| event.top_up_id).collect();
        let api_key_ids: Vec<ApiKeyId> = events.iter().filter_map(|event| event.api_key_id).collect();
        let system = &Actor::System;
        let mut named = Named::default();
        if !api_key_ids.is_empty() {
            let api_keys = self.api_keys.find_by_ids(&api_key_ids).await?.into_iter();
            named.api_keys = api_keys.map(|(id, api_key)| (id, api_key.name)).collect();
        }
        if !entry_ids.is_empty() {
            let entries = self.credit_log.entries_by_id(system, account_id, &entry_ids).await;
            named.entries = entries.map_err(fault)?;
        }
        if !session_ids.is_empty() {
            let sessions = self.sessions.by_ids(system, account_id, &session_ids, now).await;
            let title = |(id, view): (SessionId, SessionView)| (id, (view.session.title, view.session.booked));
            // One that was resolved meanwhile has nothing to be told of any more.
            let is_open = |view: &SessionView| view.session.status == SessionStatus::Expired;
            let open = sessions.map_err(fault)?.into_iter().filter(|(_, view)| is_open(view));
            named.sessions = open.map(title).collect();
        }
        if is_session_open {
            named.unresolved = store::unresolved_sessions(&self.database, account_id, &resolved).await?;
        }
        if !top_up_ids.is_empty() {
            let top_ups = self.top_ups.by_ids(system, account_id, &top_up_ids).await;
            named.top_ups = top_ups.map_err(fault)?;
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
                    .map_err(fault)?;
            }
        }
        Ok(named.causes(events))
    }
}

/// What events name.
#[derive(Debug, Default)]
struct Named {
    entries: HashMap<EntryId, Entry>,
    sessions: HashMap<SessionId, (String, Credits)>,
    /// Of sessions that were resolved: what was told of each that nobody had in time.
    unresolved: HashMap<SessionId, AlertId>,
    top_ups: HashMap<TopUpId, TopUp>,
    /// What they are called.
    api_keys: HashMap<ApiKeyId, String>,
    /// Of those that have failed.
    attempts: HashMap<TopUpId, Vec<Attempt>>,
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
                EventKind::CapReached => of_limit(event),
                EventKind::ApiKeyUpdated => self.of_api_key(event),
                EventKind::MemberUpdated
                | EventKind::AlertRaised
                | EventKind::AlertsUpdated
                | EventKind::TroubleshootingChanged => Vec::new(),
            };
            let sequence = event.place.sequence;
            causes.said.extend(said.into_iter().map(|cause| (sequence, cause)));
            causes.members |= matches!(event.kind, EventKind::MemberUpdated | EventKind::AccountUpdated);
            // Whose threshold it is changes with members and with the rule, and a top-up that fails brings no credits.
            let changes_levels = matches!(
                event.kind,
                EventKind::MemberUpdated | EventKind::AccountUpdated | EventKind::TopUpUpdated
            );
            causes.balance |= event.balance_version.is_some() || changes_levels;
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
            // Credits that expire may have come in.
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
        // What is nobody's use is nobody's to be told of.
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

    fn of_session(&self, event: &Event) -> Vec<Cause> {
        if is_resolved(event) {
            let told = event.session_id.and_then(|id| self.unresolved.get(&id));
            return told.map(|alert_id| Cause::SessionOver(*alert_id)).into_iter().collect();
        }
        let named = event.session_id.and_then(|id| Some((id, self.sessions.get(&id)?)));
        let Some((session_id, (title, booked))) = named.filter(|_| is_expired(event)) else {
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

    fn of_api_key(&self, event: &Event) -> Vec<Cause> {
        let Some((id, name)) = event.api_key_id.and_then(|id| Some((id, self.api_keys.get(&id)?))) else {
            return Vec::new();
        };
        let status = event.status.clone().unwrap_or_default();
        let alert = NewAlert {
            facts: Facts {
                title: Some(name.clone()),
                code: Some(status.clone()),
                ..Facts::default()
            },
            ..raised(AlertKind::ApiKeyChanged, &format!("{}:{status}", id.uuid()), event)
        };
        vec![Cause::Raise(Box::new(alert))]
    }

    fn of_top_up(&self, event: &Event) -> Vec<Cause> {
        let status = event.status.as_deref().and_then(TopUpStatus::from_text);
        let (Some(top_up), Some(status)) = (event.top_up_id.and_then(|id| self.top_ups.get(&id)), status) else {
            return Vec::new();
        };
        let raise = |kind: AlertKind| Cause::Raise(Box::new(of_purchase(kind, "", top_up, event)));
        let over = |ended: &'static [AlertKind]| Cause::TopUpOver {
            top_up_id: top_up.id,
            ended,
        };
        match status {
            // Part of the money may have gone back: what is left of it is still paid.
            TopUpStatus::Succeeded => {
                let mut said = vec![over(WRONG), raise(AlertKind::TopUpSucceeded)];
                said.extend(reversals(top_up, event));
                said
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

/// What can be wrong with a top-up that is not paid.
const WRONG: &[AlertKind] = &[AlertKind::TopUpFailed, AlertKind::TopUpActionRequired];
/// What is over when nobody can confirm it any more.
const UNCONFIRMED: &[AlertKind] = &[AlertKind::TopUpActionRequired];
/// An alert about a top-up. `stage` tells it from others of its kind about the same one.
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

/// What has happened to the money of a paid top-up: one alert for each fact. What went back and what came back only grow, so each sum
/// names a fact, and a dispute is opened, lost and won once.
fn reversals(top_up: &TopUp, event: &Event) -> Vec<Cause> {
    let raise = |reversal: Reversal, name: String, credits: Credits| {
        let mut new = of_purchase(AlertKind::TopUpReversed, &name, top_up, event);
        new.facts.code = Some(reversal.as_str().to_owned());
        new.facts.credits = Some(credits.units());
        Cause::Raise(Box::new(new))
    };
    let mut said = Vec::new();
    if top_up.returned_minor > 0 {
        let name = format!(":returned:{}", top_up.returned_minor);
        said.push(raise(Reversal::Refunded, name, top_up.credits_reversed));
    }
    if top_up.came_back_minor > 0 {
        let name = format!(":came back:{}", top_up.came_back_minor);
        said.push(raise(Reversal::RefundFailed, name, top_up.credits_reversed));
    }
    if let Some(dispute) = top_up.dispute {
        let (reversal, credits) = match dispute {
            DisputeStatus::Open => (Reversal::DisputeOpened, top_up.credits),
            DisputeStatus::Lost => (Reversal::DisputeLost, top_up.credits_reversed),
            DisputeStatus::Won => (Reversal::DisputeWon, top_up.credits),
        };
        said.push(raise(reversal, format!(":dispute:{}", dispute.as_str()), credits));
    }
    said
}

/// An event about the account comes with its status, whatever has changed.
fn of_account(event: &Event) -> Vec<Cause> {
    let status = event.status.as_deref().and_then(AccountStatus::from_text);
    let status = status.map(|status| Cause::Status {
        status,
        sequence: event.place.sequence,
        at: event.occurred_at,
    });
    status.into_iter().chain([Cause::Changed]).collect()
}

fn of_limit(event: &Event) -> Vec<Cause> {
    let limit = event.status.clone().map(|limit| Cause::Limit {
        limit,
        at: event.occurred_at,
    });
    limit.into_iter().collect()
}

/// Whether an event may say something, whatever the things are that it names. What it does to the balance is another matter.
pub(super) fn may_say(event: &Event) -> bool {
    match event.kind {
        // Credits that come in may expire one day.
        EventKind::CreditEntryPosted => event.session_id.is_some() || !is_status(event, DEDUCTED),
        EventKind::SessionUpdated => is_expired(event) || is_resolved(event),
        EventKind::TopUpUpdated
        | EventKind::AccountUpdated
        | EventKind::MemberUpdated
        | EventKind::CapReached
        | EventKind::ApiKeyUpdated => true,
        EventKind::AlertRaised | EventKind::AlertsUpdated | EventKind::TroubleshootingChanged => false,
    }
}

/// Whether what an event says may take statements of its own. Credits that come in are looked at once, however many entries they are.
pub(super) fn is_costly(event: &Event) -> bool {
    let is_grant = event.kind == EventKind::CreditEntryPosted && event.session_id.is_none();
    may_say(event) && !is_grant
}

/// An alert about something, raised when the event happened.
fn raised(kind: AlertKind, about: &str, event: &Event) -> NewAlert {
    NewAlert::new(kind, format!("{}:{about}", kind.as_str()), event.occurred_at)
}

fn is_expired(event: &Event) -> bool {
    is_status(event, ShownStatus::Expired.as_str())
}

fn is_resolved(event: &Event) -> bool {
    let resolved = [ShownStatus::Completed, ShownStatus::Canceled, ShownStatus::NoShow];
    resolved.iter().any(|status| is_status(event, status.as_str()))
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
