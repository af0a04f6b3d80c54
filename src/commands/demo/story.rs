//! The history of the demo team over the last 90 days: a plan. It depends only on the current time, so that every demo is the
//! same.

use std::time::Duration;

use chrono::{Datelike, Weekday};

use crate::primitives::actor::MemberRole;
use crate::primitives::clock::{DAY, HOUR, MINUTE, Timestamp};
use crate::primitives::credits::Credits;

/// The number of days that the history covers.
const DAYS: i64 = 90;

/// The team: external id and name. The owner is first, then the admins.
pub(super) const TEAM: [(&str, &str, MemberRole); 11] = [
    ("maren", "Maren Vogel", MemberRole::Owner),
    ("tobias", "Tobias Lindqvist", MemberRole::Admin),
    ("aisha", "Aisha Rahman", MemberRole::Admin),
    ("jonas", "Jonas Keller", MemberRole::Member),
    ("priya", "Priya Nair", MemberRole::Member),
    ("luca", "Luca Moretti", MemberRole::Member),
    ("emily", "Emily Carter", MemberRole::Member),
    ("mateo", "Mateo Fernández", MemberRole::Member),
    ("hanna", "Hanna Kowalska", MemberRole::Member),
    ("kenji", "Kenji Watanabe", MemberRole::Member),
    ("zoe", "Zoé Laurent", MemberRole::Member),
];

/// The member whose sign-in the demo prints besides the owner's.
pub(super) const PLAIN_MEMBER: usize = 3;

const TITLES: [&str; 10] = [
    "English for meetings",
    "Presentation coaching",
    "German, level B2",
    "Writing clear e-mails",
    "Negotiation practice",
    "Spanish, level A2",
    "Interview training",
    "Business English",
    "Pronunciation workshop",
    "Leading a workshop",
];

/// The actor of a planned action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// One of [`TEAM`], by index.
    Person(usize),
    /// The platform's server, on behalf of no member.
    Platform,
}

/// A session of the history, by number. Its external id contains the number.
#[derive(Clone, Debug)]
pub(super) struct PlannedSession {
    pub(super) member: usize,
    pub(super) title: &'static str,
    pub(super) starts_at: Timestamp,
    pub(super) ends_at: Timestamp,
    pub(super) credits: Credits,
}

/// What an actor does.
#[derive(Clone, Debug)]
pub(super) enum Act {
    TopUp {
        credits: Credits,
    },
    Grant {
        credits: Credits,
        description: &'static str,
        lasts: Option<Duration>,
    },
    Adjust {
        amount: Credits,
        description: &'static str,
    },
    Book(PlannedSession),
    Complete {
        credits: Option<Credits>,
    },
    Cancel {
        reason: &'static str,
        fee: Option<Credits>,
        no_show: bool,
    },
    Refund {
        credits: Credits,
        reason: &'static str,
    },
    /// Processes what expires without a request.
    Sweep,
}

/// One action with its time, its actor and its session.
#[derive(Clone, Debug)]
pub(super) struct PlannedAction {
    pub(super) at: Timestamp,
    pub(super) who: Who,
    pub(super) session: usize,
    pub(super) act: Act,
}

/// How a planned session ends.
enum End {
    InFull,
    ForLess,
    ForMore,
    Canceled,
    CanceledLate,
    NoShow,
    Refunded,
    Forgotten,
}

/// Numbers that look random and are always the same.
struct Dice(u64);

impl Dice {
    /// Returns a number from 0 up to, not including, `sides`.
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap_or_default() % sides
    }

    fn pick(&mut self, from: usize) -> usize {
        let sides = i64::try_from(from).unwrap_or(1);
        usize::try_from(self.roll(sides)).unwrap_or_default()
    }
}

/// Builds the history up to `now`, in order of time.
struct Storyteller {
    now: Timestamp,
    dice: Dice,
    actions: Vec<PlannedAction>,
    sessions: usize,
    /// Whether a session was already left unresolved. One is enough.
    forgot: bool,
}

/// Returns the start of the history.
pub(super) fn begins_at(now: Timestamp) -> Timestamp {
    now.plus_millis(-DAYS * DAY)
}

/// Returns all actions from [`begins_at`] until `now`.
pub(super) fn actions(now: Timestamp) -> Vec<PlannedAction> {
    let mut teller = Storyteller {
        now,
        dice: Dice(20_260_112),
        actions: Vec::new(),
        sessions: 0,
        forgot: false,
    };
    teller.tell_money();
    for days_ago in (0..DAYS).rev() {
        let day = start_of_day(now).plus_millis(-days_ago * DAY);
        if !matches!(day.to_datetime().weekday(), Weekday::Sat | Weekday::Sun) {
            teller.tell_day(days_ago, day);
        }
        teller.action(day.plus_millis(22 * HOUR), Who::Platform, Act::Sweep);
    }
    teller.tell_present();
    let mut actions = teller.actions;
    actions.retain(|action| action.at > begins_at(now) && action.at <= now);
    // A stable sort keeps the order of actions at the same time.
    actions.sort_by_key(|action| action.at);
    actions
}

impl Storyteller {
    fn action(&mut self, at: Timestamp, who: Who, act: Act) {
        let session = self.sessions;
        self.actions.push(PlannedAction { at, who, session, act });
    }

    /// Adds credits that do not come from sessions.
    fn tell_money(&mut self) {
        let ago = |days: i64, hours: i64| self.now.plus_millis(-days * DAY + hours * HOUR);
        let grant = |credits, description, lasts| Act::Grant {
            credits: Credits::whole(credits),
            description,
            lasts,
        };
        let top_up = |credits| Act::TopUp {
            credits: Credits::whole(credits),
        };
        let on_friday = last_friday_before(ago(40, 0)).plus_millis(20 * HOUR);
        let weekend = Some(Duration::from_hours(36));
        let actions = [
            (ago(90, 1), Who::Platform, grant(50, "Welcome gift", None)),
            (ago(90, 2), Who::Person(0), top_up(300)),
            (ago(62, 3), Who::Person(1), top_up(250)),
            (on_friday, Who::Platform, grant(25, "Weekend offer", weekend)),
            (ago(33, 5), Who::Person(0), top_up(250)),
            (
                ago(20, 4),
                Who::Platform,
                grant(40, "Thank you for a year with us", Some(Duration::from_hours(60 * 24))),
            ),
            (
                ago(12, 6),
                Who::Platform,
                Act::Adjust {
                    amount: Credits::whole(-5),
                    description: "Correction: a workshop was granted twice",
                },
            ),
        ];
        for (at, who, act) in actions {
            self.action(at, who, act);
        }
    }

    fn tell_day(&mut self, days_ago: i64, day: Timestamp) {
        for _ in 0..2 + self.dice.roll(2) {
            let starts_at = day.plus_millis((7 + self.dice.roll(9)) * HOUR + self.dice.roll(4) * 15 * MINUTE);
            let minutes = [30, 45, 60, 60, 90][self.dice.pick(5)];
            let end = match self.dice.roll(100) {
                0..74 => End::InFull,
                74..82 => End::ForLess,
                82..85 => End::ForMore,
                85..89 => End::Canceled,
                89..93 => End::CanceledLate,
                93..96 => End::NoShow,
                _ => End::Refunded,
            };
            let booked_before = (1 + self.dice.roll(5)) * HOUR + self.dice.roll(60) * MINUTE;
            let planned = self.planned(starts_at, minutes);
            // Unfinished sessions are added separately, so that some exist at any hour of the day.
            if planned.ends_at.plus_millis(30 * MINUTE) < self.now {
                self.tell_session(planned, booked_before, &end);
            }
        }
        // At least one of these three days is a working day.
        if (30..=32).contains(&days_ago) && !self.forgot {
            self.forgot = true;
            let planned = self.planned(day.plus_millis(16 * HOUR), 30);
            self.tell_session(planned, 2 * HOUR, &End::Forgotten);
        }
    }

    fn planned(&mut self, starts_at: Timestamp, minutes: i64) -> PlannedSession {
        PlannedSession {
            member: PLAIN_MEMBER + self.dice.pick(TEAM.len() - PLAIN_MEMBER),
            title: TITLES[self.dice.pick(TITLES.len())],
            starts_at,
            ends_at: starts_at.plus_millis(minutes * MINUTE),
            // Ten credits per hour.
            credits: Credits::from_units(Credits::whole(10).units() * minutes / 60),
        }
    }

    fn tell_session(&mut self, planned: PlannedSession, booked_before: i64, end: &End) {
        let admin = Who::Person(self.dice.pick(PLAIN_MEMBER));
        let booker = if self.dice.roll(3) == 0 {
            admin
        } else {
            Who::Person(planned.member)
        };
        let (starts_at, ends_at, credits) = (planned.starts_at, planned.ends_at, planned.credits);
        let half = Credits::from_units(credits.units() / 2);
        self.sessions += 1;
        self.action(starts_at.plus_millis(-booked_before), booker, Act::Book(planned));
        let done_at = ends_at.plus_millis((2 + self.dice.roll(14)) * MINUTE);
        let complete = |credits| Act::Complete { credits };
        let cancel = |reason, fee, no_show| Act::Cancel { reason, fee, no_show };
        match end {
            End::InFull => self.action(done_at, Who::Platform, complete(None)),
            End::ForLess => self.action(done_at, Who::Platform, complete(Some(half))),
            End::ForMore => {
                let more = Credits::from_units(credits.units() + half.units());
                self.action(done_at, Who::Platform, complete(Some(more)));
            }
            End::Canceled => {
                self.action(
                    starts_at.plus_millis(-50 * MINUTE),
                    booker,
                    cancel("Something came up", None, false),
                );
            }
            End::CanceledLate => {
                self.action(
                    starts_at.plus_millis(-10 * MINUTE),
                    booker,
                    cancel("Fell ill", Some(half), false),
                );
            }
            End::NoShow => self.action(done_at, Who::Platform, cancel("Did not come", Some(credits), true)),
            End::Refunded => {
                self.action(done_at, Who::Platform, complete(None));
                let reason = "The trainer was late";
                self.action(
                    done_at.plus_millis(3 * HOUR),
                    admin,
                    Act::Refund { credits: half, reason },
                );
            }
            End::Forgotten => {}
        }
    }

    /// Adds one session that waits for its deduction, and two future ones.
    fn tell_present(&mut self) {
        let quarter = self.now.millis() - self.now.millis() % (15 * MINUTE);
        let quarter = Timestamp::from_millis(quarter);
        for (starts_in, minutes, booked_before) in [
            (-90 * MINUTE, 60, DAY),
            (20 * HOUR, 60, 26 * HOUR),
            (45 * HOUR, 90, 50 * HOUR),
        ] {
            let planned = self.planned(quarter.plus_millis(starts_in), minutes);
            self.sessions += 1;
            let at = planned.starts_at.plus_millis(-booked_before);
            self.action(at, Who::Person(planned.member), Act::Book(planned));
        }
    }
}

fn start_of_day(instant: Timestamp) -> Timestamp {
    instant.plus_millis(-(instant.millis() % DAY))
}

/// Returns the start of the last Friday that ended before this instant.
fn last_friday_before(instant: Timestamp) -> Timestamp {
    let day = start_of_day(instant);
    let since = day.to_datetime().weekday().days_since(Weekday::Fri);
    day.plus_millis(-i64::from(since) * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_has_a_bit_of_everything_at_any_hour_of_any_day() {
        for hours in 0..24 * 8 {
            let now = Timestamp::from_millis(1_795_996_800_000 + hours * HOUR + 123);
            let actions = actions(now);
            let count = |wanted: fn(&Act) -> bool| actions.iter().filter(|action| wanted(&action.act)).count();
            let booked = count(|act| matches!(act, Act::Book(_)));
            let ended = count(|act| matches!(act, Act::Complete { .. } | Act::Cancel { .. }));
            assert!((120..250).contains(&booked), "{booked}");
            assert_eq!(booked - ended, 4, "one forgotten, one that is processing, two to come");
            assert!(count(|act| matches!(act, Act::Refund { .. })) >= 2);
            assert!(count(|act| matches!(act, Act::Cancel { no_show: true, .. })) >= 2);
            assert!(
                count(|act| matches!(
                    act,
                    Act::Cancel {
                        no_show: false,
                        fee: Some(_),
                        ..
                    }
                )) >= 2
            );
            assert_eq!(count(|act| matches!(act, Act::Grant { .. })), 3);
            assert_eq!(count(|act| matches!(act, Act::TopUp { .. })), 3);
            assert!(actions.is_sorted_by_key(|action| action.at));
            assert!(
                actions
                    .iter()
                    .all(|action| action.at <= now && action.at > begins_at(now))
            );
        }
    }
}
