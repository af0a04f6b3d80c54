//! The input of the rules.

use crate::ledger::AccountHeader;
use crate::notification::{MemberRecipient, RecipientSnapshot};
use crate::primitives::credits::Credits;
use crate::primitives::ids::SessionId;
#[cfg(feature = "sea-orm")]
use crate::primitives::record::FromRow;
use crate::primitives::timestamp::Timestamp;
use crate::top_up::TopUpSnapshot;

/// Everything about an account that the rules need, at one instant.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The instant.
    pub now: Timestamp,
    /// The account's figures.
    pub account: AccountHeader,
    /// Its purchases, cards and rule.
    pub purchases: TopUpSnapshot,
    /// Its sessions.
    pub sessions: SessionFigures,
    /// How alerts reach its recipients.
    pub recipients: RecipientSnapshot,
}

/// Figures of an account's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFigures {
    /// The maximum that nine of ten of the last sessions take; `None` where there were none.
    pub typical: Option<Credits>,
    /// How long a deduction usually takes, from the end of the session.
    pub usual_processing_millis: i64,
    /// Sessions that are over and not resolved, those that ended first come first.
    pub processing: Vec<OpenSession>,
    /// Whether there are more of these.
    pub has_more: bool,
    /// End of the next session that is not over yet.
    pub next_end: Option<Timestamp>,
}

/// A session that is over and not resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(FromRow))]
pub struct OpenSession {
    /// The session.
    pub id: SessionId,
    /// End of the session.
    pub ends_at: Timestamp,
    /// Credits that it holds.
    pub held: Credits,
}

impl Snapshot {
    /// Owners and admins.
    pub fn admins(&self) -> impl Iterator<Item = &MemberRecipient> {
        self.recipients.people.iter().filter(|person| person.is_admin())
    }

    /// The level that the rule watches while it is on.
    pub fn trigger(&self) -> Option<Credits> {
        self.purchases.rule.watched_level()
    }

    /// Returns when the deduction is expected for a session that ended at `ends_at`.
    pub fn expected_by(&self, ends_at: Timestamp) -> Timestamp {
        ends_at.plus_millis(self.sessions.usual_processing_millis)
    }
}

/// Returns the maximum of nine of ten of these: of the sorted amounts, the one at nine tenths.
pub fn typical(mut amounts: Vec<i64>) -> Option<Credits> {
    amounts.sort_unstable();
    let at = (amounts.len() * 9).div_ceil(10).checked_sub(1)?;
    amounts.get(at).copied().map(Credits::from_units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_take_no_more_than_the_typical_one() {
        let typical = |amounts: &[i64]| typical(amounts.to_vec()).map(Credits::units);
        assert_eq!(typical(&[]), None);
        assert_eq!(typical(&[7]), Some(7));
        assert_eq!(typical(&[5, 1]), Some(5));
        assert_eq!(typical(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]), Some(9));
        assert_eq!(typical(&(1..=100).rev().collect::<Vec<_>>()), Some(90));
        assert_eq!(typical(&(1..=11).collect::<Vec<_>>()), Some(10));
    }
}
