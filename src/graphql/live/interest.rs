//! Selects the events of a subscription.

use std::collections::HashSet;
use std::ops::BitOr;
use std::sync::Arc;

use crate::domain::Services;
use crate::domain::event::{Event, EventKind};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::credit_log::CreditLogFilter;
use crate::primitives::actor::Actor;
use crate::primitives::ids::{AccountId, AlertId, MemberId, SessionId, TopUpId};

/// A set of topics that events may be about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::graphql) struct Topics(u16);

impl Topics {
    /// Entries of the credit log.
    pub(in crate::graphql) const ENTRIES: Self = Self(1);
    /// Changes of the balance, whatever their cause.
    pub(in crate::graphql) const BALANCE: Self = Self(1 << 1);
    pub(in crate::graphql) const SESSIONS: Self = Self(1 << 2);
    pub(in crate::graphql) const TOP_UPS: Self = Self(1 << 3);
    /// The settings and the status of the account.
    pub(in crate::graphql) const ACCOUNT: Self = Self(1 << 4);
    pub(in crate::graphql) const MEMBERS: Self = Self(1 << 5);
    /// New alerts.
    pub(in crate::graphql) const ALERTS: Self = Self(1 << 6);
    /// Changes of alerts: marks of members, and their end.
    pub(in crate::graphql) const ALERT_CHANGES: Self = Self(1 << 7);
    pub(in crate::graphql) const TROUBLESHOOTING: Self = Self(1 << 8);
    pub(in crate::graphql) const API_KEYS: Self = Self(1 << 9);

    /// Returns the union of both sets.
    pub(in crate::graphql) const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Returns whether both sets have a topic in common.
    pub(in crate::graphql) const fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    fn of(event: &Event) -> Self {
        let of_kind = match event.content.kind() {
            EventKind::CreditEntryPosted => Self::ENTRIES,
            EventKind::SessionUpdated => Self::SESSIONS,
            EventKind::TopUpUpdated => Self::TOP_UPS,
            EventKind::AccountUpdated | EventKind::CapReached => Self::ACCOUNT,
            EventKind::MemberUpdated => Self::MEMBERS,
            EventKind::ApiKeyUpdated => Self::API_KEYS,
            EventKind::AlertRaised => Self::ALERTS,
            EventKind::AlertsUpdated => Self::ALERT_CHANGES,
            EventKind::TroubleshootingChanged => Self::TROUBLESHOOTING,
        };
        match event.balance_version {
            Some(_) => of_kind | Self::BALANCE,
            None => of_kind,
        }
    }
}

impl BitOr for Topics {
    type Output = Self;

    fn bitor(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

/// What a subscription is about, as far as the event itself can decide it.
#[derive(Clone, Debug)]
pub(in crate::graphql) struct Interest {
    /// The event is about any of these topics.
    pub topics: Topics,
    /// For entries, sessions and members: only those of this member.
    pub member_id: Option<MemberId>,
    /// For sessions: only this one.
    pub session_id: Option<SessionId>,
    /// For top-ups: only this one.
    pub top_up_id: Option<TopUpId>,
    /// For entries: only those that match this filter.
    pub filter: Option<CreditLogFilter>,
    /// For alerts: only those in this member's inbox.
    pub inbox_of: Option<MemberId>,
    /// The maximum number of events in one message.
    pub at_once: usize,
}

impl Interest {
    /// Returns an interest in these topics, with one event per message.
    pub(in crate::graphql) const fn in_topics(topics: Topics) -> Self {
        Self {
            topics,
            member_id: None,
            session_id: None,
            top_up_id: None,
            filter: None,
            inbox_of: None,
            at_once: 1,
        }
    }

    /// Returns the relevant topics of an event. The database decides whether an entry matches the filter.
    fn topics_of(&self, event: &Event) -> Topics {
        let mut seen = Topics::of(event).0 & self.topics.0;
        if self.member_id.is_some() && event.content.member_id() != self.member_id {
            seen &= !(Topics::ENTRIES | Topics::SESSIONS | Topics::MEMBERS).0;
        }
        if self.session_id.is_some() && event.content.session_id() != self.session_id {
            seen &= !Topics::SESSIONS.0;
        }
        if self.top_up_id.is_some() && event.content.top_up_id() != self.top_up_id {
            seen &= !Topics::TOP_UPS.0;
        }
        // The database decides who receives an alert that is not for one member only.
        let named = event.content.member_id();
        let is_of_another = named.is_some() && named != self.inbox_of;
        if self.inbox_of.is_some() && is_of_another {
            seen &= !(Topics::ALERTS | Topics::ALERT_CHANGES).0;
        }
        Topics(seen)
    }

    /// Returns whether an event is relevant.
    pub(super) fn concerns(&self, event: &Event) -> bool {
        self.topics_of(event) != Topics::default()
    }

    /// Returns whether an event is relevant because it is about one of `topics`.
    pub(in crate::graphql) fn concerns_as(&self, topics: Topics, event: &Event) -> bool {
        self.topics_of(event).meets(topics)
    }
}

/// Starts the evaluation of findings for a subscriber of findings.
pub(super) async fn follow_findings(
    services: &Services,
    account_id: AccountId,
    interest: &Interest,
) -> Result<(), Fault> {
    if interest.topics.meets(Topics::TROUBLESHOOTING) {
        services.troubleshooting.follow(account_id).await?;
    }
    Ok(())
}

/// The alerts of events that are in the relevant inbox.
pub(super) struct InInbox(Option<HashSet<AlertId>>);

impl InInbox {
    /// Returns whether an event is about an alert in the inbox, or about no single alert.
    pub(super) fn holds(&self, event: &Event) -> bool {
        let (Some(id), Some(inbox)) = (event.content.alert_id(), &self.0) else {
            return true;
        };
        inbox.contains(&id)
    }
}

/// Reads the relevant inbox, if there is one, once for all of these events.
pub(super) async fn in_inbox(
    services: &Services,
    actor: &Actor,
    account_id: AccountId,
    interest: &Interest,
    events: &[Arc<Event>],
) -> Result<InInbox, QueryError> {
    let Some(member_id) = interest.inbox_of else {
        return Ok(InInbox(None));
    };
    let concerned = events.iter().filter(|event| interest.concerns(event));
    let ids: Vec<AlertId> = concerned.filter_map(|event| event.content.alert_id()).collect();
    if ids.is_empty() {
        return Ok(InInbox(Some(HashSet::new())));
    }
    let found = services.alerts.by_ids(actor, account_id, Some(member_id), &ids).await?;
    Ok(InInbox(Some(found.into_keys().collect())))
}
