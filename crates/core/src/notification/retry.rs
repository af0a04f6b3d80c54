//! The schedule of attempts to send a mail.

use crate::primitives::timestamp::{DAY, HOUR, MINUTE, Timestamp};

/// The period of attempts, in milliseconds.
const TRIED_FOR_MILLIS: i64 = DAY;
/// The first and the longest pause between attempts, in milliseconds.
const PAUSES_MILLIS: (i64, i64) = (MINUTE, 3 * HOUR);

/// Returns the time of the next attempt after this number of attempts; `None` if the period is over.
pub fn next_try(attempts: i32, created_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let next = now.plus_millis(pause(attempts));
    (next.millis() - created_at.millis() <= TRIED_FOR_MILLIS).then_some(next)
}

/// Returns the pause after this number of attempts: one minute at first, then longer.
fn pause(attempts: i32) -> i64 {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default().min(16);
    (PAUSES_MILLIS.0 << doublings).min(PAUSES_MILLIS.1)
}
