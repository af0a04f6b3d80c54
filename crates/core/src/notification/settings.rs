//! Which alerts a member wants, by which channel and when.

use std::collections::BTreeMap;

use chrono::{Duration, NaiveDateTime, TimeZone, Timelike};
use chrono_tz::Tz;

use super::kind::{AlertKind, Channel};
use crate::member::Change;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId};
use crate::primitives::local_time::LocalTime;
use crate::primitives::timestamp::Timestamp;

/// Explicit preferences by kind and channel. The next defaults decide what is absent.
pub type Preferences = BTreeMap<(AlertKind, Channel), bool>;

crate::text_enum! {
    /// The source of a preference.
    PreferenceSource {
        /// The platform's default, also if it cannot be switched off.
        Platform = "PLATFORM",
        /// The account's default.
        Account = "ACCOUNT",
        /// The member's own setting.
        Member = "MEMBER",
    }
}

/// Whether a kind of alert is wanted by a channel, and the source of that.
pub type Resolved = (bool, PreferenceSource);

/// The account's defaults for its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationDefaults {
    /// The account that they belong to.
    pub account_id: AccountId,
    /// The account's preferences. The platform's defaults decide the rest.
    pub preferences: Preferences,
    /// Increases by one with every change of the above.
    pub version: i32,
}

/// A change of defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultsPatch {
    /// Changed preferences; `None` restores the platform's default.
    pub preferences: Vec<Wish>,
    /// The change is refused if the defaults have another version.
    pub expected_version: Option<i32>,
}

/// Whether a kind of alert is wanted by a channel; `None` restores the default.
pub type Wish = (AlertKind, Channel, Option<bool>);

/// Which alerts reach a member, by which channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationSettings {
    /// The account of the member.
    pub account_id: AccountId,
    /// The member that they belong to.
    pub member_id: MemberId,
    /// The member's preferences. The defaults decide the rest.
    pub preferences: Preferences,
    /// The account's preferences for all its members.
    pub defaults: Preferences,
    /// `LOW_BALANCE` is raised when available credits are at or below this.
    pub low_balance_threshold: Option<Credits>,
    /// The hours in which mail that is not critical waits.
    pub quiet_hours: Option<QuietHours>,
    /// Increases by one with every change of the above.
    pub version: i32,
}

/// A change of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsPatch {
    /// Changed preferences; `None` restores the default.
    pub preferences: Vec<Wish>,
    /// See [`NotificationSettings::low_balance_threshold`].
    pub low_balance_threshold: Change<Credits>,
    /// See [`NotificationSettings::quiet_hours`].
    pub quiet_hours: Change<QuietHours>,
    /// The change is refused if the settings have another version.
    pub expected_version: Option<i32>,
}

/// Local times from `start` to `end`. They include midnight if `end` is earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// When they begin, in local time.
    pub start: LocalTime,
    /// When they end, in local time. Never equal to `start`.
    pub end: LocalTime,
}

impl NotificationSettings {
    /// Returns the settings of a member without any preference.
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

    /// Returns the explicit preference for a kind and a channel: the member's, otherwise the account's.
    pub fn preference(&self, kind: AlertKind, channel: Channel) -> Option<bool> {
        let own = self.preferences.get(&(kind, channel));
        own.or_else(|| self.defaults.get(&(kind, channel))).copied()
    }

    /// Returns whether a kind is wanted by a channel, and the source of that.
    pub fn resolved(&self, kind: AlertKind, channel: Channel) -> Resolved {
        resolved(
            (kind, channel),
            &[
                (&self.preferences, PreferenceSource::Member),
                (&self.defaults, PreferenceSource::Account),
            ],
        )
    }

    /// Returns these settings with the patch applied, under the next version if that changes anything.
    #[must_use]
    pub fn patched(mut self, patch: &SettingsPatch) -> Self {
        let before = self.clone();
        fulfil(&mut self.preferences, &patch.preferences);
        self.low_balance_threshold = patch.low_balance_threshold.clone().apply(self.low_balance_threshold);
        self.quiet_hours = patch.quiet_hours.clone().apply(self.quiet_hours);
        if self != before {
            self.version = self.version.saturating_add(1);
        }
        self
    }
}

impl NotificationDefaults {
    /// Returns the defaults of an account without any preference.
    pub const fn new(account_id: AccountId) -> Self {
        Self {
            account_id,
            preferences: BTreeMap::new(),
            version: 1,
        }
    }

    /// Returns whether members get a kind by a channel by default, and the source of that.
    pub fn resolved(&self, kind: AlertKind, channel: Channel) -> Resolved {
        resolved((kind, channel), &[(&self.preferences, PreferenceSource::Account)])
    }

    /// Returns these defaults with the patch applied, under the next version if that changes anything.
    #[must_use]
    pub fn patched(mut self, patch: &DefaultsPatch) -> Self {
        let before = self.clone();
        fulfil(&mut self.preferences, &patch.preferences);
        if self != before {
            self.version = self.version.saturating_add(1);
        }
        self
    }
}

/// Returns the first explicit preference in the order of `said`. Locked kinds are always on, and the
/// platform's default is the last choice.
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

/// Returns the first of these wishes that would switch off a locked kind.
pub fn first_locked(wishes: &[Wish]) -> Option<(usize, AlertKind, Channel)> {
    let mut wishes = wishes.iter().enumerate();
    wishes.find_map(|(at, (kind, channel, enabled))| {
        (*enabled == Some(false) && kind.is_locked(*channel)).then_some((at, *kind, *channel))
    })
}

impl SettingsPatch {
    /// Returns a patch that switches off mail of all given kinds that are not locked.
    pub fn without_mail(kinds: impl Iterator<Item = AlertKind>) -> Self {
        let kinds = kinds.filter(|kind| kind.is_optional(Channel::Email));
        Self {
            preferences: kinds.map(|kind| (kind, Channel::Email, Some(false))).collect(),
            low_balance_threshold: Change::Keep,
            quiet_hours: Change::Keep,
            expected_version: None,
        }
    }
}

impl QuietHours {
    /// Returns the end of the quiet hours that contain `now`; `None` outside of them.
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

/// Returns the first instant at which local clocks show this time or a later one. If clocks skip the time, that is the instant
/// of the skip.
fn instant_of(local: NaiveDateTime, zone: Tz) -> Timestamp {
    /// Clocks skip less than this, and at whole minutes.
    const LONGEST_JUMP_MINUTES: i64 = 25 * 60;
    if let Some(found) = zone.from_local_datetime(&local).earliest() {
        return Timestamp::from_datetime(found.to_utc());
    }
    let shown = |minutes: i64| {
        zone.from_utc_datetime(&(local + Duration::minutes(minutes)))
            .naive_local()
    };
    // Local clocks show the time once between the two offsets: the search finds the minute of the skip.
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
