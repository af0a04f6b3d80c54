//! Endpoints: URLs of receivers, what they get, and why they may get nothing.

use std::collections::BTreeSet;

use super::event_type::WebhookEventType;
use super::signing::SECRET_OVERLAP_MILLIS;
use crate::primitives::actor::Cause;
use crate::primitives::change::Change;
use crate::primitives::ids::{AccountId, WebhookEndpointId};
use crate::primitives::timestamp::{DAY, Timestamp};

/// The maximum number of endpoints of an account, and of the platform.
pub const MOST_ENDPOINTS: usize = 20;
/// An endpoint to which every attempt failed for this time is disabled.
pub const DISABLED_AFTER_MILLIS: i64 = 5 * DAY;

crate::text_enum! {
    /// Why an endpoint gets nothing.
    DisabledReason {
        /// A caller disabled it.
        Requested = "REQUESTED",
        /// It answered 410 Gone.
        Gone = "GONE",
        /// Every attempt failed for five days.
        Failing = "FAILING",
    }
}

/// A URL that gets messages about events. `F` is a filter of entries: how entries are matched is no matter of this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEndpoint<F> {
    /// The account whose events it gets, or [`AccountId::PLATFORM`] for those of all accounts.
    pub account_id: AccountId,
    /// The id within the account or the platform.
    pub id: WebhookEndpointId,
    /// Where messages go.
    pub url: String,
    /// The owner's note.
    pub description: String,
    /// The types of events that it gets; empty for all, also future ones.
    pub event_types: BTreeSet<WebhookEventType>,
    /// It gets the entries that this filter lists; all where there is none. See [`may_filter`].
    pub entry_filter: Option<F>,
    /// Since when it gets nothing, and why.
    pub disabled: Option<(Timestamp, DisabledReason)>,
    /// It gets the events since then: since it was created, or last enabled.
    pub enabled_at: Timestamp,
    /// Since when every attempt failed. `None` after a success.
    pub failing_since: Option<Timestamp>,
    /// How often the secret was made: 1 for the first.
    pub secret_generation: i32,
    /// Until when messages are also signed with the secret before.
    pub previous_secret_until: Option<Timestamp>,
    /// The cause that created it.
    pub created_by: Cause,
    /// The time at which it was created.
    pub created_at: Timestamp,
    /// When it was deleted. From then on it gets nothing.
    pub removed_at: Option<Timestamp>,
    /// Increases with every change by a caller.
    pub version: i32,
}

/// An endpoint to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEndpoint<F> {
    /// Where messages go.
    pub url: String,
    /// The owner's note.
    pub description: String,
    /// See [`WebhookEndpoint::event_types`].
    pub event_types: BTreeSet<WebhookEventType>,
    /// See [`WebhookEndpoint::entry_filter`].
    pub entry_filter: Option<F>,
}

/// A change of an endpoint. A field that is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointPatch<F> {
    /// The version that the caller has seen.
    pub expected_version: Option<i32>,
    /// Where messages go.
    pub url: Option<String>,
    /// The owner's note.
    pub description: Option<String>,
    /// See [`WebhookEndpoint::event_types`].
    pub event_types: Option<BTreeSet<WebhookEventType>>,
    /// See [`WebhookEndpoint::entry_filter`].
    pub entry_filter: Change<F>,
    /// Whether it gets messages.
    pub enabled: Option<bool>,
}

/// Returns whether an endpoint of these types may have a filter. Only entries can be filtered. With other types it would be unclear
/// whether the filter applies to these as well.
pub fn may_filter(event_types: &BTreeSet<WebhookEventType>) -> bool {
    event_types.iter().eq([&WebhookEventType::CreditEntryPosted])
}

impl<F> WebhookEndpoint<F> {
    /// Whether messages are sent to it.
    pub const fn is_enabled(&self) -> bool {
        self.disabled.is_none() && self.removed_at.is_none()
    }

    /// Returns why it was disabled, and when, unless a caller has disabled it. `None` for one that is enabled or deleted.
    pub fn broken(&self) -> Option<(Timestamp, DisabledReason)> {
        let disabled = self.disabled.filter(|_| self.removed_at.is_none());
        disabled.filter(|(_, because)| *because != DisabledReason::Requested)
    }

    /// Returns whether it gets events of this type, whenever they happened. Its filter chooses among them.
    pub fn gets_type(&self, event_type: WebhookEventType) -> bool {
        self.event_types.is_empty() || self.event_types.contains(&event_type)
    }

    /// Returns whether it gets the event of this type that happened then, if its filter lists it.
    pub fn gets(&self, event_type: WebhookEventType, occurred_at: Timestamp) -> bool {
        self.is_enabled() && occurred_at >= self.enabled_at && self.gets_type(event_type)
    }

    /// Returns this endpoint with the patch applied, under the next version if that changes anything. One that is enabled again counts
    /// as new: it gets the events from now on, and its failures so far are forgotten.
    #[must_use]
    pub fn patched(self, patch: &EndpointPatch<F>, now: Timestamp) -> Self
    where
        F: Clone + PartialEq,
    {
        let before = self.clone();
        let mut after = self;
        after.url = patch.url.clone().unwrap_or(after.url);
        after.description = patch.description.clone().unwrap_or(after.description);
        after.event_types = patch.event_types.clone().unwrap_or(after.event_types);
        after.entry_filter = patch.entry_filter.clone().apply(after.entry_filter);
        match patch.enabled {
            Some(true) if after.disabled.is_some() => {
                (after.disabled, after.failing_since) = (None, None);
                after.enabled_at = now;
            }
            Some(false) => after.disabled = after.disabled.or(Some((now, DisabledReason::Requested))),
            Some(true) | None => {}
        }
        if after != before {
            after.version = before.version.saturating_add(1);
        }
        after
    }

    /// Returns this endpoint with a new secret. The one before stays valid for a day.
    #[must_use]
    pub fn rotated(self, now: Timestamp) -> Self {
        Self {
            secret_generation: self.secret_generation.saturating_add(1),
            previous_secret_until: Some(now.plus_millis(SECRET_OVERLAP_MILLIS)),
            version: self.version.saturating_add(1),
            ..self
        }
    }

    /// Returns the generations of the secrets that sign a message now, the current one first.
    pub fn signing_generations(&self, now: Timestamp) -> Vec<i32> {
        let previous = self.previous_secret_until.filter(|until| now < *until);
        let previous = previous.map(|_| self.secret_generation - 1);
        std::iter::once(self.secret_generation).chain(previous).collect()
    }

    /// Returns why a failed attempt disables the endpoint, if it does. `is_gone` states that it answered 410.
    pub fn disabled_by_failure(&self, is_gone: bool, now: Timestamp) -> Option<DisabledReason> {
        if is_gone {
            return Some(DisabledReason::Gone);
        }
        let since = self.failing_since?;
        (now.millis() - since.millis() >= DISABLED_AFTER_MILLIS).then_some(DisabledReason::Failing)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::primitives::timestamp::HOUR;

    fn endpoint() -> WebhookEndpoint<&'static str> {
        WebhookEndpoint {
            account_id: AccountId::from_number(7),
            id: WebhookEndpointId::from_uuid(Uuid::from_u128(1)),
            url: "https://example.com/hooks".to_owned(),
            description: String::new(),
            event_types: BTreeSet::new(),
            entry_filter: None,
            disabled: None,
            enabled_at: Timestamp::from_millis(1_000),
            failing_since: None,
            secret_generation: 1,
            previous_secret_until: None,
            created_by: Cause::System,
            created_at: Timestamp::from_millis(1_000),
            removed_at: None,
            version: 1,
        }
    }

    #[test]
    fn an_endpoint_gets_its_types_while_it_is_enabled() {
        let at = Timestamp::from_millis(1_000);
        let all = endpoint();
        assert!(all.gets(WebhookEventType::AlertRaised, at));
        assert!(
            !all.gets(WebhookEventType::AlertRaised, at.plus_millis(-1)),
            "before it"
        );
        let some = EndpointPatch {
            event_types: Some([WebhookEventType::AlertRaised].into()),
            ..EndpointPatch::default()
        };
        let some = all.clone().patched(&some, at);
        assert!(some.gets(WebhookEventType::AlertRaised, at));
        assert!(!some.gets(WebhookEventType::AlertResolved, at));
        let turned = |enabled| EndpointPatch {
            enabled: Some(enabled),
            ..EndpointPatch::default()
        };
        let off = all.clone().patched(&turned(false), at);
        assert_eq!((off.disabled, off.version), (Some((at, DisabledReason::Requested)), 2));
        assert!(!off.gets(WebhookEventType::AlertRaised, at));
        let later = at.plus_millis(5);
        let on = off.patched(&turned(true), later);
        assert_eq!((on.is_enabled(), on.enabled_at, on.version), (true, later, 3));
        assert_eq!(on.clone().patched(&turned(true), later.plus_millis(1)), on, "no change");
    }

    #[test]
    fn only_entries_are_filtered() {
        use WebhookEventType::{AlertRaised, CreditEntryPosted};
        assert!(may_filter(&[CreditEntryPosted].into()));
        assert!(!may_filter(&[CreditEntryPosted, AlertRaised].into()));
        assert!(!may_filter(&[AlertRaised].into()));
        assert!(!may_filter(&BTreeSet::new()), "all types, also future ones");
    }

    #[test]
    fn a_filter_is_set_kept_and_removed() {
        let now = Timestamp::from_millis(1_000);
        let patch = |entry_filter| EndpointPatch {
            entry_filter,
            ..EndpointPatch::default()
        };
        let filtered = endpoint().patched(&patch(Change::Set("large")), now);
        assert_eq!((filtered.entry_filter, filtered.version), (Some("large"), 2));
        assert_eq!(filtered.clone().patched(&patch(Change::Keep), now), filtered);
        assert_eq!(filtered.patched(&patch(Change::Clear), now).entry_filter, None);
    }

    #[test]
    fn an_endpoint_is_broken_until_it_is_enabled_or_deleted() {
        let now = Timestamp::from_millis(1_000);
        let disabled = |because| WebhookEndpoint {
            disabled: Some((now, because)),
            ..endpoint()
        };
        assert_eq!(endpoint().broken(), None);
        assert_eq!(disabled(DisabledReason::Requested).broken(), None);
        let gone = disabled(DisabledReason::Gone);
        assert_eq!(gone.broken(), Some((now, DisabledReason::Gone)));
        let deleted = WebhookEndpoint {
            removed_at: Some(now),
            ..gone
        };
        assert_eq!(deleted.broken(), None);
    }

    #[test]
    fn the_secret_before_signs_for_a_day() {
        let now = Timestamp::from_millis(DAY);
        let rotated = endpoint().rotated(now);
        assert_eq!(endpoint().signing_generations(now), [1]);
        assert_eq!(rotated.signing_generations(now.plus_millis(DAY - 1)), [2, 1]);
        assert_eq!(rotated.signing_generations(now.plus_millis(DAY)), [2]);
        assert_eq!(rotated.rotated(now).signing_generations(now), [3, 2]);
    }

    #[test]
    fn five_days_of_failures_disable_and_410_does_at_once() {
        let mut endpoint = endpoint();
        let now = Timestamp::from_millis(10 * DAY);
        assert_eq!(endpoint.disabled_by_failure(false, now), None);
        assert_eq!(endpoint.disabled_by_failure(true, now), Some(DisabledReason::Gone));
        endpoint.failing_since = Some(now.plus_millis(HOUR - 5 * DAY));
        assert_eq!(endpoint.disabled_by_failure(false, now), None);
        endpoint.failing_since = Some(now.plus_millis(-5 * DAY));
        assert_eq!(endpoint.disabled_by_failure(false, now), Some(DisabledReason::Failing));
    }
}
