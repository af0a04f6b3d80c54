//! The rings that wait to be sent to other processes, and their text.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::event::{Bell as _, Hub};
use crate::primitives::ids::AccountId;

/// The shortest time between two messages: the rings meanwhile are sent together.
const SPACED: Duration = Duration::from_millis(20);
/// After a quiet time a message waits for this long, for the other rings of its transaction.
const GATHERED: Duration = Duration::from_millis(1);
/// The longest text of one message without its sender, in bytes; Postgres refuses 8,000 with it.
const LONGEST_TEXT: usize = 7_900;

/// The rings to send: the newest stream position of each account.
#[derive(Debug, Default)]
pub(super) struct Rings {
    heads: Mutex<HashMap<AccountId, i64>>,
    added: Notify,
    /// When there were rings to take last.
    taken_at: Mutex<Option<Instant>>,
}

impl Rings {
    pub(super) fn add(&self, account_id: AccountId, event_sequence: i64) {
        let mut heads = self.heads();
        let head = heads.entry(account_id).or_insert(event_sequence);
        *head = event_sequence.max(*head);
        drop(heads);
        self.added.notify_one();
    }

    /// Waits for rings, and for the time of the next message. Returns whether more may follow.
    pub(super) async fn gathered(&self, stop: &CancellationToken) -> bool {
        let goes_on = stop.run_until_cancelled(self.added.notified()).await.is_some();
        if goes_on {
            let soon = Instant::now() + GATHERED;
            let taken_at = *self.taken_at.lock().unwrap_or_else(PoisonError::into_inner);
            let time = taken_at.map_or(soon, |taken_at| soon.max(taken_at + SPACED));
            stop.run_until_cancelled(tokio::time::sleep_until(time)).await;
        }
        goes_on
    }

    /// Waits until there are rings, and leaves them.
    pub(super) async fn wanted(&self) {
        self.added.notified().await;
        self.added.notify_one();
    }

    pub(super) fn are_none(&self) -> bool {
        self.heads().is_empty()
    }

    /// Removes the pending rings and returns them as as few texts as possible.
    pub(super) fn take(&self) -> Vec<String> {
        let heads = std::mem::take(&mut *self.heads());
        if !heads.is_empty() {
            *self.taken_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        let mut texts: Vec<String> = Vec::new();
        for (account_id, sequence) in heads {
            let ring = format!("{}:{sequence}", account_id.number());
            match texts.last_mut() {
                Some(text) if text.len() + 1 + ring.len() <= LONGEST_TEXT => {
                    text.push(' ');
                    text.push_str(&ring);
                }
                _ => texts.push(ring),
            }
        }
        texts
    }

    fn heads(&self) -> MutexGuard<'_, HashMap<AccountId, i64>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rings the hub as a message requests, which begins with its sender. For rings of this process, which rang its hub when it sent them, only
/// notes how long they took. Returns whether this process sent it.
pub(super) fn forward(message: &str, process: &str, hub: &Hub) -> bool {
    let is_own = message.split(' ').next() == Some(process);
    for (account_id, sequence) in rings_in(message) {
        if is_own {
            hub.heard(account_id, sequence);
        } else {
            hub.ring(account_id, sequence);
        }
    }
    is_own
}

/// Parses the rings in a text. Invalid parts are ignored: every user of the database or the NATS server may be able to send one.
fn rings_in(text: &str) -> impl Iterator<Item = (AccountId, i64)> {
    text.split(' ').filter_map(|ring| {
        let (account, sequence) = ring.split_once(':')?;
        Some((AccountId::from_number(account.parse().ok()?), sequence.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_fit_into_messages_and_come_back() {
        let rings = Rings::default();
        let sent: HashMap<AccountId, i64> = (1..=2_000)
            .map(|number| (AccountId::from_number(number << 40), i64::MAX - number))
            .collect();
        rings.heads().clone_from(&sent);
        let texts = rings.take();
        let sender = uuid::Uuid::nil().to_string();
        assert!(texts.len() > 1);
        assert!(texts.iter().all(|text| format!("{sender} {text}").len() < 8_000));
        let received: HashMap<_, _> = texts.iter().flat_map(|text| rings_in(text)).collect();
        assert_eq!(received, sent);
        assert_eq!(rings.take(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn messages_under_constant_load_have_an_interval() {
        let (rings, stop) = (Rings::default(), CancellationToken::new());
        let began = Instant::now();
        for round in 0..3 {
            rings.add(AccountId::from_number(1), i64::from(round));
            assert!(rings.gathered(&stop).await);
            assert!(began.elapsed() >= SPACED * round);
            assert_eq!(rings.take(), [format!("1:{round}")]);
        }
    }

    #[test]
    fn what_is_no_ring_is_passed_over() {
        let heard: Vec<_> = rings_in("1:2 x :3 4: 5:6:7 8:9").collect();
        let expected = [(1, 2), (8, 9)].map(|(number, sequence)| (AccountId::from_number(number), sequence));
        assert_eq!(heard, expected);
    }
}
