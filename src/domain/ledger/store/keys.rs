//! SQL of idempotency keys, and of members as far as commands name them.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::fault::Fault;
use crate::domain::ledger::model::{Command, KeyRecord, MemberRef, MemberStanding, Origin, Outcome};
use crate::primitives::ids::{AccountId, EntryId, MemberId, SessionId, TopUpId};

use super::fields::Fields;
use super::{Batch, Work, execute, query};

const NAMED_KEYS: Columns = &[
    ("account_id", Kind::BigInt),
    ("origin", Kind::Text),
    ("key", Kind::Text),
];

const KEY_COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("origin", Kind::Text),
    ("key", Kind::Text),
    ("digest", Kind::Bytes),
    ("operation", Kind::Text),
    ("session_id", Kind::Uuid),
    ("entry_id", Kind::Uuid),
    ("top_up_id", Kind::Uuid),
    ("created_at", Kind::BigInt),
];

const NAMED_MEMBERS: Columns = &[("account_id", Kind::BigInt), ("id", Kind::Uuid)];
const NAMED_EXTERNAL_MEMBERS: Columns = &[("account_id", Kind::BigInt), ("external_id", Kind::Text)];

/// Loads the records of the keys in the batch's requests, where they are known.
pub(super) async fn load_requested(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut named = Rows::new(NAMED_KEYS);
    for work in &*batch.works {
        for (origin, key) in work.requests.iter().filter_map(|request| request.key.as_ref()) {
            named.push([work.number().into(), origin.as_str().into(), key.into()]);
        }
    }
    load_named(tx, batch, &named).await
}

/// Loads the records of these keys of an account, where they are known.
pub(in crate::domain::ledger) async fn load(
    tx: &Transaction,
    works: &mut [Work; 1],
    keys: &[&(Origin, String)],
) -> Result<(), Fault> {
    let mut named = Rows::new(NAMED_KEYS);
    for (origin, key) in keys {
        named.push([works[0].number().into(), origin.as_str().into(), key.into()]);
    }
    let backend = tx.get_database_backend();
    load_named(tx, &mut Batch { works, backend }, &named).await
}

async fn load_named(tx: &Transaction, batch: &mut Batch<'_>, named: &Rows) -> Result<(), Fault> {
    if named.is_empty() {
        return Ok(());
    }
    let (scope, backend) = (batch.scope(), batch.backend);
    let sql = format!(
        "SELECT t.account_id, t.origin, t.key, t.digest, t.session_id, t.entry_id, t.top_up_id FROM {} {}",
        named.relation(backend, 1),
        scope.probe(backend, "idempotency_key", "t.origin = r.origin AND t.key = r.key"),
    );
    for row in query(tx, scope.statement(backend, sql, named)).await? {
        let mut fields = Fields::of(&row);
        let work = batch.work(fields.next()?)?;
        let key = (fields.word(Origin::from_text)?, fields.next()?);
        let digest = fields.hash()?;
        let outcome = Outcome {
            session_id: fields.optional_id(SessionId::from_uuid)?,
            entry_id: fields.optional_id(EntryId::from_uuid)?,
            top_up_id: fields.optional_id(TopUpId::from_uuid)?,
        };
        work.state.keys.insert(key, KeyRecord { digest, outcome });
    }
    Ok(())
}

/// Stores the keys of accepted commands.
pub(in crate::domain::ledger) async fn insert(tx: &Transaction, works: &[Work]) -> Result<(), Fault> {
    let mut rows = Rows::new(KEY_COLUMNS);
    for work in works {
        for ((origin, key), operation, record) in &work.changes.keys {
            rows.push([
                work.number().into(),
                origin.as_str().into(),
                key.into(),
                (&record.digest).into(),
                (*operation).into(),
                record.outcome.session_id.map(SessionId::uuid).into(),
                record.outcome.entry_id.map(EntryId::uuid).into(),
                record.outcome.top_up_id.map(TopUpId::uuid).into(),
                work.now.millis().into(),
            ]);
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    execute(tx, rows.insert(tx.get_database_backend(), "idempotency_key", "")).await
}

/// The members that sessions are booked for, and those on whose behalf keys act.
pub(super) async fn load_members(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut by_id = Rows::new(NAMED_MEMBERS);
    let mut by_external_id = Rows::new(NAMED_EXTERNAL_MEMBERS);
    for work in &*batch.works {
        let mut seen = HashSet::new();
        for request in &work.requests {
            let booked_for = match &request.command {
                Command::Book { member, .. } => Some(member.clone()),
                _ => None,
            };
            for member in booked_for.into_iter().chain(request.acting().map(MemberRef::Id)) {
                if !seen.insert(member.clone()) {
                    continue;
                }
                match &member {
                    MemberRef::Id(id) => by_id.push([work.number().into(), id.uuid().into()]),
                    MemberRef::ExternalId(id) => by_external_id.push([work.number().into(), id.into()]),
                }
            }
        }
    }
    for (named, condition) in [
        (by_id, "t.id = r.id"),
        (by_external_id, "t.external_id = r.external_id"),
    ] {
        if named.is_empty() {
            continue;
        }
        let (scope, backend) = (batch.scope(), batch.backend);
        let sql = format!(
            "SELECT t.account_id, t.id, t.external_id, t.removed_at FROM {} {}",
            named.relation(backend, 1),
            scope.probe(backend, "member", condition),
        );
        for row in query(tx, scope.statement(backend, sql, &named)).await? {
            add_member(batch, &row)?;
        }
    }
    Ok(())
}

/// Returns the status of a member, as the transaction sees it.
pub(in crate::domain::ledger) async fn member_standing(
    tx: &Transaction,
    account_id: AccountId,
    id: MemberId,
) -> Result<Option<MemberStanding>, Fault> {
    let sql = "SELECT removed_at FROM member WHERE account_id = $1 AND id = $2";
    let values = [Value::from(account_id.number()), id.uuid().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    row.map(|row| {
        let is_removed = Fields::of(&row).optional_timestamp()?.is_some();
        Ok(MemberStanding { id, is_removed })
    })
    .transpose()
}

fn add_member(batch: &mut Batch<'_>, row: &QueryResult) -> Result<(), Fault> {
    let mut fields = Fields::of(row);
    let state = &mut batch.work(fields.next()?)?.state;
    let id = fields.id(MemberId::from_uuid)?;
    if let Some(external_id) = fields.next::<Option<String>>()? {
        state.members_by_external_id.insert(external_id, id);
    }
    let is_removed = fields.optional_timestamp()?.is_some();
    state.members.insert(id, MemberStanding { id, is_removed });
    Ok(())
}
