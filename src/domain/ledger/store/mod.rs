//! Reads and writes the ledger's rows for the posting engine.
//!
//! Called inside the engine's transactions only, after [`header::lock`] has locked the accounts: everything is read under that
//! lock. A batch takes a fixed number of statements whatever its size, and a statement that is not needed is left out. The
//! text of each is constant, so that each connection prepares it once; that of the new rows depends on which tables have some.
//!
//! With one account in a transaction every statement names it on each table: see [`AccountScope`](crate::domain::database::scope::AccountScope).

mod entries;
mod expiring;
mod header;
mod hold_movements;
mod keys;
mod load;
mod lots;
mod search_form;
mod sessions;
mod top_up_holds;
mod write;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sea_orm::Value;
use sea_orm::sea_query::ValueType;

use crate::domain::database::bulk::Record;
use crate::domain::event::Event;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, EntryId, LotId, SessionId, TopUpId};

use super::model::{
    AccountHeader, AccountState, HoldMovement, KeyRecord, Needs, NewEntry, Origin, Request, ShiftExpiries,
};

pub(super) use entries::taken_back;
pub(super) use expiring::{expiring, next_expiry};
pub(in crate::domain) use header::{EventReader, begin_following, mark_read, unchecked_accounts};
pub(super) use header::{
    accounts_after, due_accounts, headers, insert as insert_header, lock, low_accounts, unread_accounts,
    update as update_headers,
};
pub(in crate::domain) use keys::{KeyPosition, StoredKey};
pub(super) use keys::{
    after as keys_after, expire as expire_keys, insert as insert_keys, load as load_keys, member_standing,
};
pub(super) use load::load;
pub use search_form::bring_search_up_to_date;
pub(super) use top_up_holds::refunding;
pub(super) use write::write;

/// One account's part of a batch: the requests, the working set, and the changes so far.
#[derive(Debug)]
pub(super) struct Work {
    /// The time of the batch's decisions, never before the account's last time.
    pub now: Timestamp,
    /// The requests, in order.
    pub requests: Vec<Arc<Request>>,
    /// What the decisions read.
    needs: Needs,
    /// The working set after the accepted commands.
    pub state: AccountState,
    /// Parts of holds that are stored, by session, as loaded.
    pub stored_parts: HashMap<SessionId, usize>,
    /// What was due at the start of the batch.
    pub due: Due,
    /// The changes to write.
    pub changes: Changes,
}

/// What was due at the start of a batch. Its first accepted command processes the expiries.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Due {
    /// Lots or holds.
    pub expiries: bool,
    /// Where the next sweep continues when more sessions have ended, or are to be canceled, than one command
    /// processes.
    pub goes_on_at: Option<Timestamp>,
}

/// What the accepted commands of a batch have changed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub accepted: bool,
    /// A sweep was among the commands: sessions that have ended are announced.
    pub swept: bool,
    pub entries: Vec<NewEntry>,
    pub events: Vec<Event>,
    pub keys: Vec<((Origin, String), &'static str, KeyRecord)>,
    pub lots: BTreeSet<LotId>,
    pub sessions: BTreeSet<SessionId>,
    pub past_entries: BTreeSet<EntryId>,
    pub top_up_holds: BTreeSet<TopUpId>,
    pub hold_movements: Vec<HoldMovement>,
    pub shift_expiries_by: Option<ShiftExpiries>,
}

impl Work {
    pub(super) fn new(header: AccountHeader, requests: Vec<Arc<Request>>, now: Timestamp) -> Self {
        Self {
            now: now.max(header.last_at),
            needs: requests.iter().map(|request| request.needs()).collect(),
            requests,
            state: AccountState::new(header),
            stored_parts: HashMap::new(),
            due: Due::default(),
            changes: Changes::default(),
        }
    }

    fn account_id(&self) -> AccountId {
        self.state.header.account_id
    }

    fn expiry_now(&self) -> Timestamp {
        self.state.header.expiry_now(self.now)
    }
}

/// A row that a statement looks up by its id.
#[derive(Record)]
struct Named<I: Copy + Into<Value> + ValueType> {
    account_id: AccountId,
    id: I,
}

/// The accounts of a batch, in the order of their ids.
struct Batch<'w> {
    works: &'w mut [Work],
}

impl Batch<'_> {
    fn work(&mut self, account_id: AccountId) -> Result<&mut Work, Fault> {
        match self.works.binary_search_by_key(&account_id, Work::account_id) {
            Ok(at) => Ok(&mut self.works[at]),
            Err(_) => Err(Fault::Internal(format!(
                "rows of account {}, which is not locked",
                account_id.number()
            ))),
        }
    }
}
