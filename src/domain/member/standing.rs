//! What a caller who signed in a while ago may do by now.

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::primitives::actor::Actor;
use crate::primitives::clock::Clock;

use super::store;

/// Looks callers up again, for those who stay.
#[derive(Clone, Debug)]
pub struct Standing {
    clock: Clock,
    database: Database,
}

impl Standing {
    /// The callers of this database.
    pub fn new(clock: Clock, database: Database) -> Self {
        Self { clock, database }
    }

    /// The caller as of now; `None` when it would no longer be signed in.
    pub async fn of(&self, actor: &Actor) -> Result<Option<Actor>, Fault> {
        let connection = self.database.read();
        Ok(match actor {
            Actor::Member {
                account_id, member_id, ..
            } => store::member(connection, *account_id, *member_id)
                .await?
                .filter(|member| member.removed_at.is_none())
                .map(|member| Actor::Member {
                    account_id: member.account_id,
                    member_id: member.id,
                    role: member.role,
                }),
            Actor::ApiKey {
                account_id, api_key_id, ..
            } => store::api_key(connection, *account_id, *api_key_id)
                .await?
                .filter(|api_key| api_key.is_active(self.clock.now()))
                .map(|api_key| api_key.actor()),
            Actor::System => Some(Actor::System),
        })
    }
}
