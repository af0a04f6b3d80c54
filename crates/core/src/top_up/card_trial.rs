//! How many cards may be tried: too few to find out which of many stolen ones are still good.

use uuid::Uuid;

use crate::primitives::timestamp::Timestamp;

use super::DAY;

crate::text_enum! {
    /// What was tried.
    TrialKind {
        /// A card was handed to the gateway, whatever the gateway said.
        Card = "CARD",
        /// A form for a card was begun, in which the browser can try cards at the gateway.
        Form = "FORM",
    }
}

/// Cards, or forms, that an account may try within 24 hours; and those of them that one member or API key may.
const MOST: usize = 10;
const MOST_OF_ONE: usize = 6;
/// Forms that are begun and left cost little, so there may be more of them.
const FORMS_A_CARD: usize = 3;

/// A card that was tried, or a form that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardTrial {
    /// Which of the two.
    pub kind: TrialKind,
    /// The gateway's name for the card; any other name for a form.
    pub subject: String,
    /// The member or the API key that tried it.
    pub actor_id: Uuid,
    /// When.
    pub tried_at: Timestamp,
}

/// What becomes of another trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialDecision {
    /// It counts, and may be made.
    Counts,
    /// The same card was tried within the time that counts: another answer about it tells nothing new.
    IsKnown,
    /// There were too many.
    TooMany,
}

/// From when on trials count at an instant.
pub fn trials_count_from(now: Timestamp) -> Timestamp {
    now.plus_millis(-DAY)
}

/// Decides on a trial, by those of the account that still count.
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
