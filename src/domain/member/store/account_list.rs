//! SQL of the platform's list of accounts. The statements cover all accounts, so they name none.
//!
//! Each condition is tested on the row of one account. A condition on another table is a subquery of that account, which no database turns
//! into a join with all of its rows.

use sea_orm::DbBackend;

use crate::domain::database::Database;
use crate::domain::database::records::{Fields, FromRow, columns_of};
use crate::domain::database::select::{Condition, Select};
use crate::domain::fault::Fault;
use crate::domain::filter::AnyOf;
use crate::domain::ledger::model::AccountStatus;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

use super::super::KnownAccount;
use super::super::model::{Account, AccountOrder, AccountPosition};
use super::accounts::{AccountRow, Found, State};

/// An index that finds the accounts of a condition.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Finder {
    /// A word of the name or the external id begins with this.
    Word(String),
    /// The status is not ACTIVE.
    Halted,
    AvailableBelow(Credits),
    Paused,
    Findings,
}

/// Returns accounts by the index of a condition. An account may occur several times.
pub(in super::super) async fn find_accounts(
    database: &Database,
    finder: &Finder,
    limit: usize,
) -> Result<Vec<AccountId>, Fault> {
    let mut sql = Select::across(database, "");
    // The order is that of the index. Without it, a database that overestimates the matches would read the table instead.
    match finder {
        Finder::Word(word) => {
            let (from, before) = (
                sql.placeholder(word.as_str()),
                sql.placeholder(format!("{word}{}", char::MAX)),
            );
            sql.push(&format!(
                "SELECT account_id FROM account_word WHERE word >= {from} AND word < {before} ORDER BY word, account_id"
            ));
        }
        Finder::Halted => {
            sql.push("SELECT account_id FROM account_state WHERE status <> 'ACTIVE' ORDER BY account_id");
        }
        Finder::AvailableBelow(credits) => {
            let credits = sql.placeholder(credits.units());
            sql.push(&format!(
                "SELECT account_id FROM account_state WHERE posted - held < {credits} ORDER BY posted - held, account_id"
            ));
        }
        Finder::Paused => {
            sql.push("SELECT account_id FROM auto_top_up WHERE is_enabled AND pause IS NOT NULL ORDER BY account_id");
        }
        Finder::Findings => {
            sql.push("SELECT account_id FROM account_finding WHERE findings > 0 ORDER BY account_id");
        }
    }
    let limit = sql.placeholder(i64::try_from(limit).unwrap_or(i64::MAX));
    sql.push(&format!(" LIMIT {limit}"));
    sql.values(database).await
}

/// A list of accounts, from a position on.
#[derive(Clone, Copy)]
pub(in super::super) struct AccountList<'a> {
    pub(in super::super) database: &'a Database,
    pub(in super::super) conditions: &'a [Condition],
    pub(in super::super) order: AccountOrder,
    pub(in super::super) after: Option<AccountPosition>,
}

impl AccountList<'_> {
    /// Returns the position at which a walk over `most` accounts ends. `None` if the list ends before.
    pub(in super::super) async fn horizon(&self, most: u32) -> Result<Option<AccountPosition>, Fault> {
        let mut sql = Select::across(self.database, "");
        // Only the table of the key: the other one would be read for each account that is skipped.
        let (columns, table) = match self.order {
            AccountOrder::OldestFirst | AccountOrder::NewestFirst => ("CAST(0 AS BIGINT), k.account_id", "account"),
            AccountOrder::LowestAvailableFirst => ("k.posted - k.held, k.account_id", "account_state"),
        };
        sql.push(&format!("SELECT {columns} FROM {table} AS k WHERE true"));
        self.push_range(&mut sql, "k", None);
        let order = self.order_by("k");
        let skipped = sql.placeholder(i64::from(most.saturating_sub(1)));
        sql.push(&format!(" ORDER BY {order} LIMIT 1 OFFSET {skipped}"));
        let found: Option<(i64, AccountId)> = sql.value(self.database).await?;
        Ok(found.map(|(available, id)| self.position(Credits::from_units(available), id)))
    }

    fn position(&self, available: Credits, id: AccountId) -> AccountPosition {
        let available = match self.order {
            AccountOrder::LowestAvailableFirst => available,
            AccountOrder::OldestFirst | AccountOrder::NewestFirst => Credits::ZERO,
        };
        AccountPosition { available, id }
    }

    /// Returns matching accounts in order, up to and including the horizon.
    pub(in super::super) async fn up_to(
        &self,
        horizon: Option<AccountPosition>,
        limit: u64,
    ) -> Result<Vec<(AccountPosition, Account)>, Fault> {
        let from = match self.order {
            AccountOrder::OldestFirst | AccountOrder::NewestFirst => {
                format!("account AS a {}", self.each("a", "account_state AS s"))
            }
            AccountOrder::LowestAvailableFirst => format!("account_state AS s {}", self.each("s", "account AS a")),
        };
        self.rows((&from, &[]), horizon, limit).await
    }

    /// Returns those of these accounts that match, in order.
    pub(in super::super) async fn among(
        &self,
        candidates: &[AccountId],
        limit: u64,
    ) -> Result<Vec<(AccountPosition, Account)>, Fault> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let from = format!("account AS a {}", self.each("a", "account_state AS s"));
        let named = Condition::Accounts("a.account_id", candidates.to_vec());
        self.rows((&from, &[named]), None, limit).await
    }

    /// Joins the row of another table to each account of `key`, one by one. Without it, Postgres may read all rows of that table because
    /// it expects few matches. SQLite joins tables in the order in which they are written here.
    fn each(&self, key: &str, table: &str) -> String {
        if self.database.backend() == DbBackend::Sqlite {
            return format!("CROSS JOIN {table}");
        }
        let alias = table.rsplit(' ').next().unwrap_or(table);
        format!(
            "CROSS JOIN LATERAL (SELECT {alias}.* FROM {table} WHERE {alias}.account_id = {key}.account_id OFFSET 0) AS {alias}"
        )
    }

    /// Reads accounts from these tables.
    async fn rows(
        &self,
        (from, named): (&str, &[Condition]),
        horizon: Option<AccountPosition>,
        limit: u64,
    ) -> Result<Vec<(AccountPosition, Account)>, Fault> {
        let mut sql = Select::across(self.database, "");
        sql.push(&format!(
            "SELECT {}, {}, s.posted - s.held FROM {from} WHERE s.account_id = a.account_id",
            columns_of::<AccountRow>("a"),
            columns_of::<State>("s"),
        ));
        let key = match self.order {
            AccountOrder::OldestFirst | AccountOrder::NewestFirst => "a",
            AccountOrder::LowestAvailableFirst => "s",
        };
        self.push_range(&mut sql, key, horizon);
        sql.and_all(named.iter().chain(self.conditions));
        let order = self.order_by(key);
        let limit = sql.placeholder(i64::try_from(limit).unwrap_or(i64::MAX));
        sql.push(&format!(" ORDER BY {order} LIMIT {limit}"));
        let rows = sql.all(self.database).await?;
        let listed = rows.iter().map(|row| {
            let mut fields = Fields::of(row);
            let (KnownAccount { account, .. }, _) = Found::read(&mut fields)?.account();
            Ok((self.position(fields.next()?, account.id), account))
        });
        listed.collect()
    }

    fn order_by(&self, table: &str) -> String {
        match self.order {
            AccountOrder::OldestFirst => format!("{table}.account_id"),
            AccountOrder::NewestFirst => format!("{table}.account_id DESC"),
            AccountOrder::LowestAvailableFirst => format!("{table}.posted - {table}.held, {table}.account_id"),
        }
    }

    /// Restricts the list to what comes after the cursor, up to and including the horizon.
    fn push_range(&self, sql: &mut Select, table: &str, horizon: Option<AccountPosition>) {
        let (after, until) = match self.order {
            AccountOrder::NewestFirst => ("<", ">="),
            AccountOrder::OldestFirst | AccountOrder::LowestAvailableFirst => (">", "<="),
        };
        for (position, comparison, bound) in [(self.after, after, ">="), (horizon, until, "<=")] {
            let Some(position) = position else { continue };
            let number = position.id.number();
            if self.order == AccountOrder::LowestAvailableFirst {
                let (available, number) = (sql.placeholder(position.available.units()), sql.placeholder(number));
                // SQLite does not see that the pair bounds the index of its first part.
                sql.push(&format!(
                    " AND ({table}.posted - {table}.held, {table}.account_id) {comparison} ({available}, {number}) \
                     AND {table}.posted - {table}.held {bound} {available}"
                ));
            } else {
                let number = sql.placeholder(number);
                sql.push(&format!(" AND {table}.account_id {comparison} {number}"));
            }
        }
    }
}

/// The searchable text of an account contains this word, which begins with a space.
pub(in super::super) fn has_word(word: &str) -> Condition {
    Condition::Like("a.search_text", format!("%{word}%"))
}

pub(in super::super) fn has_status(statuses: &AnyOf<AccountStatus>) -> Option<Condition> {
    statuses.texts("s.status", AccountStatus::as_str)
}

pub(in super::super) fn available_below(credits: Credits) -> Condition {
    Condition::AtMost("s.posted - s.held", credits.units().saturating_sub(1))
}

pub(in super::super) fn is_paused(is_paused: bool) -> Condition {
    Condition::Plain(if is_paused {
        "(SELECT t.pause FROM auto_top_up AS t WHERE t.account_id = a.account_id AND t.is_enabled) IS NOT NULL"
    } else {
        "(SELECT t.pause FROM auto_top_up AS t WHERE t.account_id = a.account_id AND t.is_enabled) IS NULL"
    })
}

pub(in super::super) fn has_findings(has_findings: bool) -> Condition {
    Condition::Plain(if has_findings {
        "COALESCE((SELECT f.findings FROM account_finding AS f WHERE f.account_id = a.account_id), 0) > 0"
    } else {
        "COALESCE((SELECT f.findings FROM account_finding AS f WHERE f.account_id = a.account_id), 0) = 0"
    })
}
