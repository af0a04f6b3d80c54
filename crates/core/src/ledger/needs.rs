//! The rows that a decision reads: the only list that the store loads by.

use std::collections::BTreeSet;

use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, TopUpId};

use super::command::{Command, MemberRef, Origin, Request, SessionRef};

/// The rows that a decision reads beyond the account's figures and what expires.
///
/// The store loads the union of the needs of a batch. A decision on these rows equals the decision on all rows of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Idempotency keys that may be stored already.
    pub keys: BTreeSet<(Origin, String)>,
    /// Members, by either id.
    pub members: BTreeSet<MemberRef>,
    /// Sessions with what they hold. An external id names the open session, otherwise the newest.
    pub sessions: BTreeSet<SessionRef>,
    /// External ids that must not belong to an open session.
    pub free_external_ids: BTreeSet<String>,
    /// Sessions whose charge is read: the entry that deducted it, its movements, and the lots that it moved.
    pub charges: BTreeSet<SessionRef>,
    /// Entries, their movements, and the lots that they moved.
    pub entries: BTreeSet<EntryId>,
    /// Top-ups that may have been credited already.
    pub credited_top_ups: BTreeSet<TopUpId>,
    /// Whether the holds of the top-ups are read that [`Self::entries`] belong to.
    pub top_up_holds: bool,
    /// Credits to draw from lots in spending order, beyond what the sessions hold. With `Some` also the expired lots are read that
    /// keep credits for holds; `None` reaches no lot.
    pub draws: Option<Credits>,
    /// Credits that it holds: a later command of the batch may draw them.
    pub holds: Credits,
    /// Whether open sessions are read that have ended and are not announced. Of a closed account, also those still to be canceled.
    pub ended_sessions: bool,
    /// Whether open sessions are read that have not ended.
    pub booked_sessions: bool,
}

impl Needs {
    fn of_session(session: &SessionRef, draws: Credits) -> Self {
        Self {
            sessions: BTreeSet::from([session.clone()]),
            draws: Some(draws.max(Credits::ZERO)),
            ..Self::default()
        }
    }

    fn of_entry(entry_id: EntryId) -> Self {
        Self {
            entries: BTreeSet::from([entry_id]),
            ..Self::default()
        }
    }

    fn lots() -> Self {
        Self {
            draws: Some(Credits::ZERO),
            ..Self::default()
        }
    }

    /// The credits that the batch may draw from lots, beyond what its sessions hold.
    pub fn demand(&self) -> Credits {
        [self.draws.unwrap_or_default(), self.holds].into_iter().sum()
    }
}

impl FromIterator<Self> for Needs {
    /// The union: what a batch needs.
    fn from_iter<I: IntoIterator<Item = Self>>(all: I) -> Self {
        all.into_iter().fold(Self::default(), |mut union, needs| {
            union.keys.extend(needs.keys);
            union.members.extend(needs.members);
            union.sessions.extend(needs.sessions);
            union.free_external_ids.extend(needs.free_external_ids);
            union.charges.extend(needs.charges);
            union.entries.extend(needs.entries);
            union.credited_top_ups.extend(needs.credited_top_ups);
            Self {
                top_up_holds: union.top_up_holds || needs.top_up_holds,
                draws: [union.draws, needs.draws].into_iter().flatten().reduce(sum),
                holds: sum(union.holds, needs.holds),
                ended_sessions: union.ended_sessions || needs.ended_sessions,
                booked_sessions: union.booked_sessions || needs.booked_sessions,
                ..union
            }
        })
    }
}

fn sum(one: Credits, other: Credits) -> Credits {
    [one, other].into_iter().sum()
}

impl Request {
    /// Returns the rows that a decision reads: its command's needs, its key, and the member on whose behalf a
    /// key acts.
    pub fn needs(&self) -> Needs {
        let mut needs = self.command.needs();
        needs.keys.extend(self.key.clone());
        needs.members.extend(self.acting().map(MemberRef::Id));
        needs
    }
}

impl Command {
    /// Returns the rows that a decision reads. Negative amounts are refused, and count as 0 here.
    pub fn needs(&self) -> Needs {
        match self {
            Self::Grant { .. } => Needs::default(),
            Self::CreditTopUp { top_up_id, .. } => Needs {
                credited_top_ups: BTreeSet::from([*top_up_id]),
                ..Needs::default()
            },
            Self::TakeBack { entry_id, target, .. } => Needs {
                draws: Some((*target).max(Credits::ZERO)),
                ..Needs::of_entry(*entry_id)
            },
            Self::HoldTopUp { entry_id, .. } | Self::HoldRefund { entry_id, .. } => Needs {
                top_up_holds: true,
                ..Needs::of_entry(*entry_id)
            },
            Self::Book {
                member,
                external_id,
                credits,
                ..
            } => Needs {
                members: BTreeSet::from([member.clone()]),
                free_external_ids: external_id.iter().cloned().collect(),
                holds: (*credits).max(Credits::ZERO),
                ..Needs::default()
            },
            Self::Reschedule { session, credits, .. } | Self::Complete { session, credits, .. } => {
                Needs::of_session(session, credits.unwrap_or_default())
            }
            Self::Cancel { session, fee, .. } => Needs::of_session(session, fee.unwrap_or_default()),
            Self::Refund { session, .. } => Needs {
                charges: BTreeSet::from([session.clone()]),
                ..Needs::of_session(session, Credits::ZERO)
            },
            Self::Adjust { amount, reverses, .. } => Needs {
                entries: reverses.iter().copied().collect(),
                top_up_holds: reverses.is_some(),
                draws: Some(amount.abs()),
                ..Needs::default()
            },
            Self::Freeze { .. } | Self::Unfreeze => Needs::lots(),
            Self::Close { .. } => Needs {
                booked_sessions: true,
                ..Needs::lots()
            },
            Self::Sweep => Needs {
                ended_sessions: true,
                ..Needs::lots()
            },
        }
    }
}
