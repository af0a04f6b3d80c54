//! Rows of the `event` table.

use sea_orm::ConnectionTrait;

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::fault::Fault;
use crate::primitives::ids::{AccountId, EntryId, MemberId, SessionId, TopUpId};

use super::NewEvent;

const COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("sequence", Kind::BigInt),
    ("nonce", Kind::BigInt),
    ("kind", Kind::Text),
    ("occurred_at", Kind::BigInt),
    ("entry_id", Kind::Uuid),
    ("session_id", Kind::Uuid),
    ("top_up_id", Kind::Uuid),
    ("member_id", Kind::Uuid),
    ("status", Kind::Text),
    ("balance_version", Kind::BigInt),
];

/// Writes events in the caller's transaction, by one statement whatever their number. Their sequences come from rows that the
/// transaction has locked.
pub(in crate::domain) async fn append(tx: &Transaction, events: &[(AccountId, &NewEvent)]) -> Result<(), Fault> {
    let mut rows = Rows::new(COLUMNS);
    for (account_id, event) in events {
        rows.push([
            account_id.number().into(),
            event.sequence.into(),
            event.nonce.into(),
            event.kind.as_str().into(),
            event.occurred_at.millis().into(),
            event.entry_id.map(EntryId::uuid).into(),
            event.session_id.map(SessionId::uuid).into(),
            event.top_up_id.map(TopUpId::uuid).into(),
            event.member_id.map(MemberId::uuid).into(),
            event.status.into(),
            event.balance_version.into(),
        ]);
    }
    if !rows.is_empty() {
        tx.execute_raw(rows.insert(tx.get_database_backend(), "event", ""))
            .await?;
    }
    Ok(())
}
