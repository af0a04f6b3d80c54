//! The current rights of a caller who signed in some time ago.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::primitives::actor::Actor;
use crate::primitives::clock::Clock;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};

use super::store;

/// How old the cached rights of a watched key may be.
const HOLDS: Duration = Duration::from_secs(1);
/// Callers who are looked up together, at most.
const AT_ONCE: usize = 1_000;

/// Looks up callers again whose connections stay open.
///
/// Every change of a member is an event of the account, which notifies followers. Changes of keys are no events, and one key may
/// have thousands of subscriptions. They share one look-up a second, by [`CurrentRights::watch`].
#[derive(Clone, Debug)]
pub struct CurrentRights {
    clock: Clock,
    database: Database,
    keys: Arc<Mutex<HashMap<KeyId, Arc<WatchedKey>>>>,
}

type KeyId = (AccountId, ApiKeyId);

#[derive(Debug)]
struct WatchedKey {
    known: watch::Sender<Known>,
    /// Held by the caller that queries, for all others.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Known {
    actor: Option<Actor>,
    /// When it was looked up here; `None` for rights that the watching caller brought.
    at: Option<Instant>,
}

/// Notifies of changes of a key's rights. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    current_rights: CurrentRights,
    key: KeyId,
    known: watch::Receiver<Known>,
}

impl CurrentRights {
    /// Looks up the callers of this database.
    pub fn new(clock: Clock, database: Database) -> Self {
        Self {
            clock,
            database,
            keys: Arc::default(),
        }
    }

    /// Returns the caller with current rights, at most a second old for a watched key; `None` when the caller would no
    /// longer be signed in.
    pub async fn of(&self, actor: &Actor) -> Result<Option<Actor>, Fault> {
        match actor {
            Actor::Member {
                account_id, member_id, ..
            } => {
                let member = store::member(self.database.read(), *account_id, *member_id).await?;
                let present = member.filter(|member| member.removed_at.is_none());
                Ok(present.map(|member| member.actor()))
            }
            Actor::ApiKey {
                account_id, api_key_id, ..
            } => self.of_key((*account_id, *api_key_id)).await,
            Actor::System => Ok(Some(Actor::System)),
        }
    }

    /// From now on checks a caller's rights every second, if it is a key.
    pub fn watch(&self, actor: &Actor) -> Option<Watch> {
        let Actor::ApiKey {
            account_id, api_key_id, ..
        } = actor
        else {
            return None;
        };
        let key = (*account_id, *api_key_id);
        let mut keys = self.keys();
        let watched = keys.entry(key).or_insert_with(|| {
            let (actor, at) = (Some(actor.clone()), None);
            Arc::new(WatchedKey {
                known: watch::Sender::new(Known { actor, at }),
                reading: tokio::sync::Mutex::default(),
            })
        });
        Some(Watch {
            known: watched.known.subscribe(),
            current_rights: self.clone(),
            key,
        })
    }

    /// Looks up all watched keys, by one statement.
    pub async fn poll(&self) -> Result<(), Fault> {
        let watched: Vec<_> = self
            .keys()
            .iter()
            .map(|(key, watched)| (*key, Arc::clone(watched)))
            .collect();
        if watched.is_empty() {
            return Ok(());
        }
        let ids: Vec<ApiKeyId> = watched.iter().map(|((_, id), _)| *id).collect();
        let now = self.clock.now();
        let found = store::api_keys_by_id(self.database.read(), &ids).await?;
        let active = found.into_iter().filter(|api_key| api_key.is_active(now));
        let mut actors: HashMap<KeyId, Actor> = active
            .map(|api_key| ((api_key.account_id, api_key.id), api_key.actor()))
            .collect();
        for (key, watched) in watched {
            watched.learn(actors.remove(&key));
        }
        Ok(())
    }

    /// Returns those of these callers who would no longer be signed in; two statements for a thousand of
    /// them.
    pub async fn signed_out(&self, actors: Vec<Actor>) -> Result<Vec<Actor>, Fault> {
        let mut signed_out = Vec::new();
        for some in actors.chunks(AT_ONCE) {
            let connection = self.database.read();
            let (members, api_keys) = (members(some), api_keys(some));
            let members = store::present_members(connection, &members).await?;
            let api_keys = store::active_api_keys(connection, &api_keys, self.clock.now()).await?;
            signed_out.extend(
                some.iter()
                    .filter(|actor| match actor {
                        Actor::Member {
                            account_id, member_id, ..
                        } => !members.contains(&(*account_id, *member_id)),
                        Actor::ApiKey {
                            account_id, api_key_id, ..
                        } => !api_keys.contains(&(*account_id, *api_key_id)),
                        Actor::System => false,
                    })
                    .cloned(),
            );
        }
        Ok(signed_out)
    }

    async fn of_key(&self, key: KeyId) -> Result<Option<Actor>, Fault> {
        let watched = self.keys().get(&key).cloned();
        let Some(watched) = watched else {
            return self.read_key(key).await;
        };
        if let Some(known) = watched.recently() {
            return Ok(known.actor);
        }
        let _turn = watched.reading.lock().await;
        if let Some(known) = watched.recently() {
            return Ok(known.actor);
        }
        let actor = self.read_key(key).await?;
        watched.learn(actor.clone());
        Ok(actor)
    }

    async fn read_key(&self, (account_id, api_key_id): KeyId) -> Result<Option<Actor>, Fault> {
        let api_key = store::api_key(self.database.read(), account_id, api_key_id).await?;
        let active = api_key.filter(|api_key| api_key.is_active(self.clock.now()));
        Ok(active.map(|api_key| api_key.actor()))
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<KeyId, Arc<WatchedKey>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WatchedKey {
    fn recently(&self) -> Option<Known> {
        let known = self.known.borrow();
        Some(known.clone()).filter(|known| known.at.is_some_and(|at| at.elapsed() < HOLDS))
    }

    fn learn(&self, actor: Option<Actor>) {
        self.known.send_if_modified(|known| {
            let has_changed = known.actor != actor;
            (known.actor, known.at) = (actor, Some(Instant::now()));
            has_changed
        });
    }
}

impl Watch {
    /// Waits until the key's rights have changed.
    pub async fn changed(&mut self) {
        // Fails only when the sender is dropped, which the watch owns.
        let _ = self.known.changed().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut keys = self.current_rights.keys();
        // Under the lock no watch begins or ends.
        if keys
            .get(&self.key)
            .is_some_and(|watched| watched.known.receiver_count() <= 1)
        {
            keys.remove(&self.key);
        }
    }
}

fn members(actors: &[Actor]) -> Vec<(AccountId, MemberId)> {
    let members = actors.iter().filter_map(|actor| match actor {
        Actor::Member {
            account_id, member_id, ..
        } => Some((*account_id, *member_id)),
        Actor::ApiKey { .. } | Actor::System => None,
    });
    members.collect()
}

fn api_keys(actors: &[Actor]) -> Vec<(AccountId, ApiKeyId)> {
    let api_keys = actors.iter().filter_map(|actor| match actor {
        Actor::ApiKey {
            account_id, api_key_id, ..
        } => Some((*account_id, *api_key_id)),
        Actor::Member { .. } | Actor::System => None,
    });
    api_keys.collect()
}
