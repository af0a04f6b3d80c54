//! SQL of idempotency keys, also of those that expire, and of members as far as commands name them.

use entity::idempotency_key;
use sea_orm::QueryResult;

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, Fields, FromRow, columns_of};
use crate::domain::database::scope::AccountScope;
use crate::domain::database::select::{Condition, Select, Source, Value};
use crate::domain::database::writes::Writes;
use crate::domain::fault::Fault;
use crate::domain::ledger::model::{KeyRecord, MemberRef, MemberStanding, Origin};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, MemberId, TopUpId};

use super::{Batch, Named, Work};

#[derive(Record)]
struct NamedKey<'a> {
    account_id: AccountId,
    origin: Origin,
    #[record(text)]
    key: &'a str,
}

#[derive(Record)]
struct KeyRow<'a> {
    #[record(flatten)]
    named: NamedKey<'a>,
    #[record(text)]
    operation: &'a str,
    #[record(flatten)]
    record: KeyRecord,
}

#[derive(Record)]
struct NamedMember<'a> {
    account_id: AccountId,
    #[record(text)]
    external_id: &'a str,
}

/// A member as commands see it.
#[derive(Record, FromRow)]
struct KnownMember {
    account_id: AccountId,
    id: MemberId,
    external_id: Option<String>,
    removed_at: Option<Timestamp>,
}

/// Loads the records of the keys in the batch's requests, where they are known.
pub(super) async fn load_requested(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let named = batch.works.iter().flat_map(|work| {
        let keys = work.needs.keys.iter();
        keys.map(move |(origin, key)| NamedKey {
            account_id: work.account_id(),
            origin: *origin,
            key,
        })
    });
    let named = Rows::of(named);
    load_named(tx, batch, &named).await
}

/// Loads the records of these keys of an account, where they are known.
pub(in crate::domain::ledger) async fn load(
    tx: &Transaction,
    works: &mut [Work; 1],
    keys: &[&(Origin, String)],
) -> Result<(), Fault> {
    let account_id = works[0].account_id();
    let named = Rows::of(keys.iter().map(|(origin, key)| NamedKey {
        account_id,
        origin: *origin,
        key,
    }));
    load_named(tx, &mut Batch { works }, &named).await
}

async fn load_named(tx: &Transaction, batch: &mut Batch<'_>, named: &Rows) -> Result<(), Fault> {
    let sql = |scope: AccountScope, relation| {
        format!(
            "SELECT t.account_id, t.origin, t.key, {} FROM {relation} {}",
            columns_of::<KeyRecord>("t"),
            scope.probe("idempotency_key", "t.origin = r.origin AND t.key = r.key"),
        )
    };
    for row in AccountScope::select(tx, named, sql).await? {
        let mut fields = Fields::of(&row);
        let work = batch.work(fields.next()?)?;
        let key = (fields.next()?, fields.next()?);
        work.state.keys.insert(key, KeyRecord::read(&mut fields)?);
    }
    Ok(())
}

/// A stored key, and what decides whether it expires.
#[derive(FromRow)]
pub(in crate::domain) struct StoredKey {
    origin: Origin,
    key: String,
    /// The top-up that its command made or changed.
    pub(in crate::domain) top_up_id: Option<TopUpId>,
    /// A client used it before the given instant, and it has not expired yet.
    pub(in crate::domain) is_old: bool,
}

impl StoredKey {
    /// Returns the position of the key in the account's order.
    pub(in crate::domain) fn position(&self) -> KeyPosition {
        (self.origin, self.key.clone())
    }
}

/// A position in the order of an account's keys.
pub(in crate::domain) type KeyPosition = (Origin, String);

/// The account's keys after a position, or from the first one on.
const AFTER: &str = "account_id = $1 AND (origin, key) > ($2, $3)";

/// What may expire: keys that clients used before `$4`. Those of Ledgerbell itself never do.
const OLD: &str = "origin <> 'SYSTEM' AND created_at < $4 AND length(digest) > 0";

fn after_values(after: Option<&KeyPosition>, used_before: Timestamp) -> [Value; 3] {
    // No key is before empty texts.
    let (origin, key) = after.map_or(("", ""), |(origin, key)| (origin.as_str(), key.as_str()));
    [origin.into(), key.into(), used_before.into()]
}

/// Returns the next keys of an account in the order of the primary key, at most `limit`. Old are those that were used before an
/// instant.
pub(in crate::domain::ledger) async fn after(
    source: &impl Source,
    account_id: AccountId,
    after: Option<&KeyPosition>,
    used_before: Timestamp,
    limit: u32,
) -> Result<Vec<StoredKey>, Fault> {
    let text = format!(
        "SELECT origin, key, top_up_id, {OLD} AS is_old FROM idempotency_key WHERE {AFTER} ORDER BY origin, key LIMIT $5"
    );
    let select = Select::of(source, account_id, &text);
    let values = after_values(after, used_before).into_iter();
    select
        .with(values.chain([i64::from(limit).into()]))
        .records(source)
        .await
}

/// Empties the old keys of an account after one position and up to another, except those of some top-ups: a key stays used, and what it
/// was bound to is gone. Returns their number.
pub(in crate::domain::ledger) async fn expire(
    tx: &Transaction,
    account_id: AccountId,
    (after, until): (Option<&KeyPosition>, &KeyPosition),
    used_before: Timestamp,
    except: &[TopUpId],
) -> Result<u64, Fault> {
    let text = format!(
        "UPDATE idempotency_key SET digest = $7, operation = '', session_id = NULL, entry_id = NULL, top_up_id = NULL \
         WHERE {AFTER} AND (origin, key) <= ($5, $6) AND {OLD}"
    );
    let until = [
        until.0.as_str().into(),
        until.1.as_str().into(),
        Vec::<u8>::new().into(),
    ];
    let values = after_values(after, used_before).into_iter().chain(until);
    let mut update = Select::of(tx, account_id, &text).with(values);
    if !except.is_empty() {
        let except = except.iter().map(|id| id.uuid()).collect();
        update.push(" AND (top_up_id IS NULL OR NOT ");
        update.condition(&Condition::Uuids("top_up_id", except));
        update.push(")");
    }
    update.execute(tx).await
}

/// Adds the keys of accepted commands.
pub(in crate::domain::ledger) fn insert(writes: &mut Writes<'_>, works: &[Work]) {
    let rows = Rows::of(works.iter().flat_map(|work| {
        let keys = work.changes.keys.iter();
        keys.map(move |((origin, key), operation, record)| KeyRow {
            named: NamedKey {
                account_id: work.account_id(),
                origin: *origin,
                key,
            },
            operation,
            record: record.clone(),
        })
    }));
    writes.insert_all::<idempotency_key::Entity>(&rows);
}

/// The members that sessions are booked for, and those on whose behalf keys act.
pub(super) async fn load_members(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let (mut by_id, mut by_external_id) = (Vec::new(), Vec::new());
    for work in &*batch.works {
        let account_id = work.account_id();
        for member in &work.needs.members {
            match member {
                MemberRef::Id(id) => by_id.push(Named { account_id, id: *id }),
                MemberRef::ExternalId(external_id) => by_external_id.push(NamedMember {
                    account_id,
                    external_id,
                }),
            }
        }
    }
    for (named, condition) in [
        (Rows::of(by_id), "t.id = r.id"),
        (Rows::of(by_external_id), "t.external_id = r.external_id"),
    ] {
        let sql = |scope: AccountScope, relation| {
            let (columns, members) = (columns_of::<KnownMember>("t"), scope.probe("member", condition));
            format!("SELECT {columns} FROM {relation} {members}")
        };
        for row in AccountScope::select(tx, &named, sql).await? {
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
    let removed_at: Option<Option<Timestamp>> = records::value(tx, sql, [account_id.into(), id.into()]).await?;
    Ok(removed_at.map(|removed_at| MemberStanding {
        id,
        is_removed: removed_at.is_some(),
    }))
}

fn add_member(batch: &mut Batch<'_>, row: &QueryResult) -> Result<(), Fault> {
    let KnownMember {
        account_id,
        id,
        external_id,
        removed_at,
    } = KnownMember::from_row(row)?;
    let state = &mut batch.work(account_id)?.state;
    if let Some(external_id) = external_id {
        state.members_by_external_id.insert(external_id, id);
    }
    let is_removed = removed_at.is_some();
    state.members.insert(id, MemberStanding { id, is_removed });
    Ok(())
}
