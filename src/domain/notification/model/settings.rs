//! What a member wants to be told of, by which way and when.

use std::collections::BTreeMap;

use chrono::{Duration, NaiveDateTime, TimeZone, Timelike};
use chrono_tz::Tz;

use super::kind::{AlertKind, Channel};
use crate::domain::member::Change;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId};
use crate::primitives::local_time::LocalTime;

/// What is wanted, by kind and channel. What is not in it is left to the defaults that come next.
pub type Preferences = BTreeMap<(AlertKind, Channel), bool>;

crate::text_enum! {
    /// Who decides whether a kind of alert reaches a member by a channel.
    PreferenceSource {
        /// The platform's default, also where it cannot be switched off.
        Platform = "PLATFORM",
        /// The account's default.
        Account = "ACCOUNT",
        /// The member.
        Member = "MEMBER",
    }
}

/// Whether a kind of alert is wanted by a channel, and who says so.
pub type Resolved = (bool, PreferenceSource);

/// What the members of an account are told of unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationDefaults {
    /// The account.
    pub account_id: AccountId,
    /// What the account says; the platform's defaults hold for the rest.
    pub preferences: Preferences,
    /// Grows by one with every change of the above.
    pub version: i32,
}

/// A change of defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultsPatch {
    /// Preferences that change; `None` is the platform's default again.
    pub preferences: Vec<Wish>,
    /// Refused when the defaults have another version.
    pub expected_version: Option<i32>,
}

/// Whether a kind of alert is to come by a channel; `None` is the default again.
pub type Wish = (AlertKind, Channel, Option<bool>);

/// Which alerts reach a member, by which channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationSettings {
    /// The team.
    pub account_id: AccountId,
    /// Whose settings they are.
    pub member_id: MemberId,
    /// What the member has said; the defaults hold for the rest.
    pub preferences: Preferences,
    /// What the account says of all its members.
    pub defaults: Preferences,
    /// `LOW_BALANCE` is raised when what is available falls to or below this.
    pub low_balance_threshold: Option<Credits>,
    /// When mail that is not critical waits.
    pub quiet_hours: Option<QuietHours>,
    /// Grows by one with every change of the above.
    pub version: i32,
}

/// A change of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsPatch {
    /// Preferences that change; `None` is the default again.
    pub preferences: Vec<Wish>,
    /// See [`NotificationSettings::low_balance_threshold`].
    pub low_balance_threshold: Change<Credits>,
    /// See [`NotificationSettings::quiet_hours`].
    pub quiet_hours: Change<QuietHours>,
    /// Refused when the settings have another version.
    pub expected_version: Option<i32>,
}

/// From `start` to `end` on the wall, over midnight when `end` is the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// When they begin.
    pub start: LocalTime,
    /// When they are over. Never the same as `start`.
    pub end: LocalTime,
}

impl NotificationSettings {
    /// Those of a member who has said nothing yet.
    pub const fn new(account_id: AccountId, member_id: MemberId) -> Self {
        Self {
            account_id,
            member_id,
            preferences: BTreeMap::new(),
            defaults: BTreeMap::new(),
            low_balance_threshold: None,
            quiet_hours: None,
            version: 1,
        }
    }

    /// What the member has said about a kind and a channel, or else the account.
    pub fn preference(&self, kind: AlertKind, channel: Channel) -> Option<bool> {
        let own = self.preferences.get(&(kind, channel));
        own.or_else(|| self.defaults.get(&(kind, channel))).copied()
    }

    /// Whether a kind is wanted by a channel, and who says so.
    pub fn resolved(&self, kind: AlertKind, channel: Channel) -> Resolved {
        resolved(
            (kind, channel),
            &[
                (&self.preferences, PreferenceSource::Member),
                (&self.defaults, PreferenceSource::Account),
            ],
        )
    }

    /// These settings with the patch applied, under the next version if that changes anything.
    #[must_use]
    pub(in crate::domain::notification) fn patched(mut self, patch: &SettingsPatch) -> Self {
        let before = self.clone();
        fulfil(&mut self.preferences, &patch.preferences);
        apply(&mut self.low_balance_threshold, &patch.low_balance_threshold);
        apply(&mut self.quiet_hours, &patch.quiet_hours);
        if self != before {
            self.version = self.version.saturating_add(1);
        }
        self
    }
}

impl NotificationDefaults {
    /// Those of an account that has said nothing yet.
    pub const fn new(account_id: AccountId) -> Self {
        Self {
            account_id,
            preferences: BTreeMap::new(),
            version: 1,
        }
    }

    /// Whether members get a kind by a channel unless they say otherwise, and who says so.
    pub fn resolved(&self, kind: AlertKind, channel: Channel) -> Resolved {
        resolved((kind, channel), &[(&self.preferences, PreferenceSource::Account)])
    }

    /// These defaults with the patch applied, under the next version if that changes anything.
    #[must_use]
    pub(in crate::domain::notification) fn patched(mut self, patch: &DefaultsPatch) -> Self {
        let before = self.clone();
        fulfil(&mut self.preferences, &patch.preferences);
        if self != before {
            self.version = self.version.saturating_add(1);
        }
        self
    }
}

/// What the first of those who have a say says; what is locked is on, and the platform's default comes last.
fn resolved((kind, channel): (AlertKind, Channel), said: &[(&Preferences, PreferenceSource)]) -> Resolved {
    if kind.is_locked(channel) {
        return (true, PreferenceSource::Platform);
    }
    let mut said = said.iter();
    let found = said.find_map(|(preferences, source)| preferences.get(&(kind, channel)).map(|on| (*on, *source)));
    found.unwrap_or_else(|| (kind.is_on_by_default(channel), PreferenceSource::Platform))
}

fn fulfil(preferences: &mut Preferences, wishes: &[Wish]) {
    for (kind, channel, enabled) in wishes {
        match enabled {
            Some(enabled) => preferences.insert((*kind, *channel), *enabled),
            None => preferences.remove(&(*kind, *channel)),
        };
    }
}

/// The first of these wishes that would switch off what cannot be.
pub(in crate::domain::notification) fn first_locked(wishes: &[Wish]) -> Option<(usize, AlertKind, Channel)> {
    let mut wishes = wishes.iter().enumerate();
    wishes.find_map(|(at, (kind, channel, enabled))| {
        (*enabled == Some(false) && kind.is_locked(*channel)).then_some((at, *kind, *channel))
    })
}

impl SettingsPatch {
    /// Switches off mail of those of these kinds that can be.
    pub(in crate::domain::notification) fn without_mail(kinds: impl Iterator<Item = AlertKind>) -> Self {
        let kinds = kinds.filter(|kind| kind.is_optional(Channel::Email));
        Self {
            preferences: kinds.map(|kind| (kind, Channel::Email, Some(false))).collect(),
            low_balance_threshold: Change::Keep,
            quiet_hours: Change::Keep,
            expected_version: None,
        }
    }
}

fn apply<T: Copy>(value: &mut Option<T>, change: &Change<T>) {
    match change {
        Change::Keep => {}
        Change::Clear => *value = None,
        Change::Set(new) => *value = Some(*new),
    }
}

impl QuietHours {
    /// When the quiet hours end that `now` falls into; `None` outside of them.
    pub fn end_after(self, now: Timestamp, zone: Tz) -> Option<Timestamp> {
        let local = now.to_datetime().with_timezone(&zone).naive_local();
        let minute = minute_of(local);
        let (start, end) = (self.start.minutes(), self.end.minutes());
        let (is_quiet, ends_tomorrow) = if start < end {
            ((start..end).contains(&minute), false)
        } else {
            (minute >= start || minute < end, minute >= start)
        };
        if !is_quiet {
            return None;
        }
        let day = local.date() + Duration::days(i64::from(ends_tomorrow));
        let end = day.and_hms_opt(u32::from(end) / 60, u32::from(end) % 60, 0)?;
        Some(instant_of(end, zone).max(now))
    }
}

fn minute_of(local: NaiveDateTime) -> u16 {
    u16::try_from(local.hour() * 60 + local.minute()).unwrap_or_default()
}

/// The first instant at which a clock on the wall shows a time or a later one. Where clocks jump over the time that is the jump.
fn instant_of(local: NaiveDateTime, zone: Tz) -> Timestamp {
    /// Clocks jump by less than this, and at whole minutes.
    const LONGEST_JUMP_MINUTES: i64 = 25 * 60;
    if let Some(found) = zone.from_local_datetime(&local).earliest() {
        return Timestamp::from_datetime(found.to_utc());
    }
    let shown = |minutes: i64| {
        zone.from_utc_datetime(&(local + Duration::minutes(minutes)))
            .naive_local()
    };
    // From the first offset to the last it is shown once: the search is for the minute of the jump.
    let (mut before, mut after) = (-LONGEST_JUMP_MINUTES, LONGEST_JUMP_MINUTES);
    while after - before > 1 {
        let middle = i64::midpoint(before, after);
        if shown(middle) < local {
            before = middle;
        } else {
            after = middle;
        }
    }
    Timestamp::from_datetime((local + Duration::minutes(after)).and_utc())
}
