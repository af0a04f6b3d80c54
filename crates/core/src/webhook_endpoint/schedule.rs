//! The schedule of attempts to send a message.

use crate::primitives::timestamp::{DAY, HOUR, MINUTE, SECOND, Timestamp};

/// The pauses after each failed attempt: the schedule that Standard Webhooks recommends, ten attempts in about three days.
const PAUSES_MILLIS: [i64; 9] = [
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    DAY,
];
/// The longest pause that a receiver can ask for by `Retry-After`.
pub const LONGEST_RETRY_AFTER_MILLIS: i64 = DAY;

/// Returns the time of the next attempt after this number of failures; `None` after the last one.
///
/// `jitter` is random: up to a tenth of the pause is added, so that messages that failed together are not sent together. `retry_after`
/// is what the receiver asked for; it makes the pause longer, never shorter.
pub fn next_attempt(failures: i32, now: Timestamp, jitter: u8, retry_after: Option<i64>) -> Option<Timestamp> {
    let at = usize::try_from(failures.checked_sub(1)?).ok()?;
    let pause = PAUSES_MILLIS.get(at)?;
    let pause = pause + pause / 10 * i64::from(jitter) / i64::from(u8::MAX);
    let asked = retry_after.unwrap_or(0).clamp(0, LONGEST_RETRY_AFTER_MILLIS);
    Some(now.plus_millis(pause.max(asked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    #[test]
    fn attempts_go_on_for_days_and_end() {
        let pauses: Vec<i64> = (1..)
            .map_while(|failures| next_attempt(failures, NOW, 0, None))
            .map(Timestamp::millis)
            .collect();
        assert_eq!(pauses, PAUSES_MILLIS);
        let sum: i64 = pauses.iter().sum();
        assert!((3 * DAY..4 * DAY).contains(&sum), "{sum}");
        assert_eq!(next_attempt(0, NOW, 0, None), None, "nothing has failed");
        assert_eq!(next_attempt(10, NOW, 0, Some(1)), None);
    }

    #[test]
    fn jitter_adds_a_tenth_at_most() {
        assert_eq!(
            next_attempt(2, NOW, u8::MAX, None),
            Some(Timestamp::from_millis(330 * SECOND))
        );
        assert_eq!(
            next_attempt(2, NOW, 0, None),
            Some(Timestamp::from_millis(300 * SECOND))
        );
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_within_a_day() {
        let next = |asked| next_attempt(2, NOW, 0, Some(asked)).map(Timestamp::millis);
        assert_eq!(next(HOUR), Some(HOUR));
        assert_eq!(next(1), Some(5 * MINUTE), "never shorter");
        assert_eq!(next(400 * DAY), Some(DAY));
        assert_eq!(next(-1), Some(5 * MINUTE));
    }
}
