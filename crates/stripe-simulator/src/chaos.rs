//! Faults from a seed: calls are lost; messages are lost, duplicated, delayed or reordered.

use ledgerbell_core::primitives::timestamp::Timestamp;

use super::Shared;
use super::state::Event;

/// The probability of each fault, in 1,000ths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chaos {
    /// The call never arrives.
    pub lost_before: u32,
    /// The call takes effect, and its response never arrives.
    pub lost_after: u32,
    /// The message is never delivered.
    pub dropped: u32,
    /// The message is delivered twice.
    pub doubled: u32,
    /// The message is delivered minutes later, after other messages.
    pub late: u32,
}

/// The fault that happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    LostBefore,
    LostAfter,
}

/// A pseudorandom generator. The same seed gives the same numbers, also in later versions: seeds of the simulation name their faults.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // A generator that starts at 0 stays at 0.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from((self.0 >> 16) % u64::from(end.max(1))).unwrap_or_default()
    }

    fn comes_up(&mut self, chance: u32) -> bool {
        self.below(1_000) < chance
    }
}

impl Shared {
    pub(super) fn trouble(&mut self) -> Option<Trouble> {
        let (chaos, dice) = self.chaos.as_mut()?;
        let thrown = dice.below(1_000);
        if thrown < chaos.lost_before {
            Some(Trouble::LostBefore)
        } else if thrown < chaos.lost_before + chaos.lost_after {
            Some(Trouble::LostAfter)
        } else {
            None
        }
    }

    /// Returns the messages to send now.
    pub(super) fn deal_out(&mut self, events: Vec<Event>, now: Timestamp) -> Vec<Event> {
        let mut due = Vec::new();
        for event in events {
            let Some((chaos, dice)) = self.chaos.as_mut() else {
                due.push(event);
                continue;
            };
            if dice.comes_up(chaos.dropped) {
                continue;
            }
            if dice.comes_up(chaos.doubled) {
                due.push(event.clone());
            }
            if dice.comes_up(chaos.late) {
                let minutes = i64::from(dice.below(90));
                self.late.push((now.plus_millis(minutes * 60_000), event));
            } else {
                due.push(event);
            }
        }
        let (ready, late): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.late = late;
        due.extend(ready.into_iter().map(|(_, event)| event));
        if let Some((_, dice)) = self.chaos.as_mut() {
            for at in (1..due.len()).rev() {
                let end = u32::try_from(at + 1).unwrap_or(1);
                due.swap(at, dice.below(end) as usize);
            }
        }
        due
    }
}
