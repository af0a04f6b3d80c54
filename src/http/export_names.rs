//! The names of members and keys in an export, each read once for many chunks.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::domain::Services;
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::credit_log::ExportRow;
use crate::primitives::actor::{Actor, Cause};
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};

/// Names that are kept for the next chunk, at most, of members and of keys each.
const MOST_KEPT: usize = 5_000;

/// The names that the rows of a chunk need, and those of chunks before.
#[derive(Default)]
pub(super) struct Names {
    members: HashMap<MemberId, String>,
    api_keys: HashMap<ApiKeyId, String>,
}

impl Names {
    /// Reads the names in these rows that are not known yet.
    pub(super) async fn learn(
        &mut self,
        services: &Services,
        (actor, account_id): (&Actor, AccountId),
        rows: &[ExportRow],
    ) -> Result<(), Fault> {
        // The memory of a download must not grow with its file.
        forget(&mut self.members);
        forget(&mut self.api_keys);
        let mut members = HashSet::new();
        let mut api_keys = HashSet::new();
        for row in rows {
            members.extend(row.entry.member_id);
            match row.entry.cause {
                Cause::Member(member_id) => {
                    members.insert(member_id);
                }
                Cause::ApiKey(api_key_id, _) => {
                    api_keys.insert(api_key_id);
                }
                Cause::System | Cause::PaymentGateway => {}
            }
        }
        let members = unknown(&self.members, members);
        if !members.is_empty() {
            let found = services.credit_log.names(actor, account_id, &members, &[]).await;
            let found = found.map_err(QueryError::into_fault)?.members;
            self.members.extend(found.into_iter().map(|(id, name)| (id, name.text)));
        }
        let api_keys = unknown(&self.api_keys, api_keys);
        let found = services.api_keys.names(&api_keys).await?;
        self.api_keys
            .extend(found.into_iter().map(|(id, api_key)| (id, api_key.name)));
        Ok(())
    }

    pub(super) fn member(&self, id: MemberId) -> Option<&str> {
        self.members.get(&id).map(String::as_str)
    }

    pub(super) fn actor(&self, cause: Cause) -> Option<&str> {
        match cause {
            Cause::Member(id) => self.member(id),
            Cause::ApiKey(id, _) => self.api_keys.get(&id).map(String::as_str),
            Cause::System => Some("Ledgerbell"),
            Cause::PaymentGateway => Some("Payment gateway"),
        }
    }
}

fn forget<K>(names: &mut HashMap<K, String>) {
    if names.len() > MOST_KEPT {
        names.clear();
    }
}

fn unknown<K: Copy + Eq + Hash>(names: &HashMap<K, String>, ids: HashSet<K>) -> Vec<K> {
    ids.into_iter().filter(|id| !names.contains_key(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_names_are_kept_than_is_said() {
        let of = |count| (0..count).map(|id| (id, String::new())).collect::<HashMap<_, _>>();
        let (mut few, mut many) = (of(MOST_KEPT), of(MOST_KEPT + 1));
        forget(&mut few);
        forget(&mut many);
        assert_eq!((few.len(), many.len()), (MOST_KEPT, 0));
    }
}
