//! Limits how many cards can be tried: too few to find the valid ones among stolen cards.

use uuid::Uuid;

#[cfg(feature = "sea-orm")]
use crate::primitives::record::{FromRow, Record};
use crate::primitives::timestamp::{DAY, Timestamp};

crate::text_enum! {
    /// What was tried.
    TrialKind {
        /// A card was sent to the gateway, whatever the gateway responded.
        Card = "CARD",
        /// A form for a card was started, in which the browser can try cards at the gateway.
        Form = "FORM",
    }
}

/// The maximum number of cards, or of forms, that an account may try within 24 hours.
const MOST: usize = 10;
/// The part of that limit that one member or API key may use.
const MOST_OF_ONE: usize = 6;
/// The number of forms per card. It is higher because an abandoned form costs little.
const FORMS_A_CARD: usize = 3;

/// A card that was tried, or a form that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct CardTrial {
    /// Whether a card or a form was tried.
    pub kind: TrialKind,
    /// The gateway's id of the card; any other name for a form.
    pub subject: String,
    /// The member or the API key that made the trial.
    pub actor_id: Uuid,
    /// When the trial was made.
    pub tried_at: Timestamp,
}

/// The decision on another trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialDecision {
    /// The trial is allowed, and counts.
    Counts,
    /// The same card was tried recently: another response about it reveals nothing new, so the trial does not count.
    IsKnown,
    /// The limit is reached.
    TooMany,
}

/// Returns the time from which trials count at an instant.
pub fn trials_count_from(now: Timestamp) -> Timestamp {
    now.plus_millis(-DAY)
}

/// Decides on a trial, given the trials of the account that still count.
pub fn decide_trial(counting: &[CardTrial], new: &CardTrial) -> TrialDecision {
    let mut same_kind = counting.iter().filter(|trial| trial.kind == new.kind);
    if same_kind.clone().any(|trial| trial.subject == new.subject) {
        return TrialDecision::IsKnown;
    }
    let factor = match new.kind {
        TrialKind::Card => 1,
        TrialKind::Form => FORMS_A_CARD,
    };
    let of_account = same_kind.clone().count();
    let of_actor = same_kind
        .by_ref()
        .filter(|trial| trial.actor_id == new.actor_id)
        .count();
    if of_account >= factor * MOST || of_actor >= factor * MOST_OF_ONE {
        return TrialDecision::TooMany;
    }
    TrialDecision::Counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(kind: TrialKind, subject: usize, actor: u128) -> CardTrial {
        CardTrial {
            kind,
            subject: subject.to_string(),
            actor_id: Uuid::from_u128(actor),
            tried_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn an_account_and_each_actor_in_it_may_try_so_many() {
        for (kind, factor) in [(TrialKind::Card, 1), (TrialKind::Form, FORMS_A_CARD)] {
            let mut tried: Vec<CardTrial> = (0..factor * MOST_OF_ONE).map(|at| trial(kind, at, 1)).collect();
            let other_kind = (0..100)
                .map(|at| trial(TrialKind::Card, at, 1))
                .filter(|trial| trial.kind != kind);
            tried.extend(other_kind);
            assert_eq!(decide_trial(&tried, &trial(kind, 99, 1)), TrialDecision::TooMany);
            assert_eq!(decide_trial(&tried, &trial(kind, 0, 1)), TrialDecision::IsKnown);
            for at in factor * MOST_OF_ONE..factor * MOST {
                assert_eq!(decide_trial(&tried, &trial(kind, at, 2)), TrialDecision::Counts);
                tried.push(trial(kind, at, 2));
            }
            assert_eq!(decide_trial(&tried, &trial(kind, 99, 3)), TrialDecision::TooMany);
        }
    }
}
