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

/// Which alerts reach a member, by which channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationSettings {
    /// The team.
    pub account_id: AccountId,
    /// Whose settings they are.
    pub member_id: MemberId,
    /// What the member has said; the default holds for the rest.
    pub preferences: BTreeMap<(AlertKind, Channel), bool>,
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
    pub preferences: Vec<(AlertKind, Channel, Option<bool>)>,
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
            low_balance_threshold: None,
            quiet_hours: None,
            version: 1,
        }
    }

    /// What the member has said about a kind and a channel.
    pub fn preference(&self, kind: AlertKind, channel: Channel) -> Option<bool> {
        self.preferences.get(&(kind, channel)).copied()
    }

    /// These settings with the patch applied, under the next version if that changes anything.
    #[must_use]
    pub(in crate::domain::notification) fn patched(mut self, patch: &SettingsPatch) -> Self {
        let before = self.clone();
        for (kind, channel, enabled) in &patch.preferences {
            match enabled {
                Some(enabled) => self.preferences.insert((*kind, *channel), *enabled),
                None => self.preferences.remove(&(*kind, *channel)),
            };
        }
        apply(&mut self.low_balance_threshold, &patch.low_balance_threshold);
        apply(&mut self.quiet_hours, &patch.quiet_hours);
        if self != before {
            self.version = self.version.saturating_add(1);
        }
        self
    }
}

impl SettingsPatch {
    /// Switches off all mail that can be.
    pub(in crate::domain::notification) fn no_mail() -> Self {
        Self::without_mail(AlertKind::ALL.iter().copied())
    }

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

    /// The first preference that this would switch off and that cannot be.
    pub(in crate::domain::notification) fn locked(&self) -> Option<(usize, AlertKind, Channel)> {
        let mut preferences = self.preferences.iter().enumerate();
        preferences.find_map(|(at, (kind, channel, enabled))| {
            (*enabled == Some(false) && kind.is_locked(*channel)).then_some((at, *kind, *channel))
        })
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
