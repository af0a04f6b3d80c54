//! How long a mail is tried for.

use crate::primitives::timestamp::Timestamp;

/// A mail is tried for so long.
const TRIED_FOR_MILLIS: i64 = 24 * 3_600_000;
/// Between tries: the first pause, and the longest.
const PAUSES_MILLIS: (i64, i64) = (60_000, 3 * 3_600_000);

/// When a mail is tried again after so many tries; `None` when it has been tried for long enough.
pub fn next_try(attempts: i32, created_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let next = now.plus_millis(pause(attempts));
    (next.millis() - created_at.millis() <= TRIED_FOR_MILLIS).then_some(next)
}

/// How long to wait after so many tries: a minute, then ever longer.
fn pause(attempts: i32) -> i64 {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default().min(16);
    (PAUSES_MILLIS.0 << doublings).min(PAUSES_MILLIS.1)
}
