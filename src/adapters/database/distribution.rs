//! Distributes the tables over the servers of a Citus cluster.
//!
//! Called by `ledgerbell migrate --profile citus`, after the migrations. All rows of an account are on one server: each table
//! whose primary key begins with `account_id` is distributed by it, and they are co-located. The other tables (see
//! [`migration`]) stay on the coordinator.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, TransactionTrait as _};

use crate::domain::database::Database;
use crate::domain::fault::Fault;

use super::schema::WITHOUT_TIMEOUTS;

/// The column that decides on which server a row is.
const DISTRIBUTION_COLUMN: &str = "account_id";

/// Why the tables cannot be distributed. A message contains the problem, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DistributionError {
    /// The database is no Postgres database.
    #[error("the profile citus needs a Postgres database: set database.url to the coordinator of a Citus cluster")]
    NotPostgres,
    /// The extension is not created in the database.
    #[error(
        "the extension citus is missing in this database: run CREATE EXTENSION citus in the database of this name on the \
         coordinator and on each worker, and add the workers by citus_add_node, then run this command again"
    )]
    ExtensionMissing,
    /// Tables refer to each other in a circle, so that none of them can be first.
    #[error("the tables {0} refer to each other in a circle and cannot be distributed")]
    Circle(String),
    /// The database does not respond, or a statement failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<DbErr> for DistributionError {
    fn from(error: DbErr) -> Self {
        Fault::from(error).into()
    }
}

/// Returns whether the tables of a database may be on several servers: it has the extension.
pub async fn has_citus(database: &Database) -> Result<bool, DbErr> {
    if database.backend() != DbBackend::Postgres {
        return Ok(false);
    }
    let extension = "SELECT extname::text FROM pg_extension WHERE extname = 'citus'";
    Ok(!texts(database.schema(), extension).await?.is_empty())
}

/// A database that is the coordinator of a Citus cluster, or can become one.
#[derive(Clone, Copy, Debug)]
pub struct Citus<'a>(&'a Database);

impl<'a> Citus<'a> {
    /// Checks the database, and changes nothing.
    ///
    /// # Errors
    /// See [`DistributionError`].
    pub async fn find(database: &'a Database) -> Result<Self, DistributionError> {
        if database.backend() != DbBackend::Postgres {
            return Err(DistributionError::NotPostgres);
        }
        if has_citus(database).await? {
            Ok(Self(database))
        } else {
            Err(DistributionError::ExtensionMissing)
        }
    }

    /// Distributes the tables that are not distributed yet, and returns their names in the order of their distribution.
    ///
    /// It can be interrupted and run again. Rows that exist are moved, so no server may run meanwhile.
    ///
    /// # Errors
    /// See [`DistributionError`]. The tables before the one that failed are distributed.
    pub async fn distribute(self) -> Result<Vec<String>, DistributionError> {
        self.distribute_beside(self.distributed().await?).await
    }

    async fn distributed(self) -> Result<Option<String>, DbErr> {
        Ok(texts(self.0.schema(), DISTRIBUTED).await?.into_iter().next())
    }

    /// Distributes as [`Self::distribute`] does, where a table that is distributed is known.
    async fn distribute_beside(self, mut distributed: Option<String>) -> Result<Vec<String>, DistributionError> {
        let connection = self.0.schema();
        let tables = in_order(texts(connection, PENDING).await?, &references(connection).await?)?;
        for table in &tables {
            let with = distributed.as_deref().unwrap_or("none");
            let sql = "SELECT create_distributed_table(CAST($1 AS text)::regclass, $2, colocate_with => $3)";
            let values = [table.as_str().into(), DISTRIBUTION_COLUMN.into(), with.into()];
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
            let tx = connection.begin().await?;
            tx.execute_unprepared(WITHOUT_TIMEOUTS).await?;
            tx.query_one_raw(statement).await?;
            tx.commit().await?;
            distributed = Some(table.clone());
        }
        for table in &tables {
            // The rows that were moved are still on the coordinator, where no statement sees them.
            let sql = "SELECT truncate_local_data_after_distributing_table(CAST($1 AS text)::regclass)";
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [table.as_str().into()]);
            connection.query_one_raw(statement).await?;
        }
        Ok(tables)
    }
}

/// Distributes new tables if the others are distributed: a migration has created them.
///
/// # Errors
/// See [`DistributionError`].
pub(super) async fn distribute_new(database: &Database) -> Result<(), DistributionError> {
    let citus = match Citus::find(database).await {
        Ok(citus) => citus,
        Err(DistributionError::NotPostgres | DistributionError::ExtensionMissing) => return Ok(()),
        Err(error) => return Err(error),
    };
    let distributed = citus.distributed().await?;
    if distributed.is_some() {
        citus.distribute_beside(distributed).await?;
    }
    Ok(())
}

/// The first of the tables that are distributed.
const DISTRIBUTED: &str = "SELECT t.relname::text FROM pg_dist_partition AS d JOIN pg_class AS t ON t.oid = d.logicalrelid \
     WHERE d.partmethod = 'h' AND column_to_column_name(d.logicalrelid, d.partkey) = 'account_id' \
     AND t.relnamespace = current_schema()::regnamespace ORDER BY t.relname LIMIT 1";

/// The tables whose primary key begins with the account, and which are not distributed.
const PENDING: &str = "SELECT t.relname::text FROM pg_index AS x JOIN pg_class AS t ON t.oid = x.indrelid \
     JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = x.indkey[0] \
     WHERE x.indisprimary AND a.attname = 'account_id' AND t.relnamespace = current_schema()::regnamespace \
     AND NOT EXISTS (SELECT 1 FROM pg_dist_partition AS d WHERE d.logicalrelid = t.oid AND d.partmethod = 'h') \
     ORDER BY t.relname";

/// Pairs of tables: one with a foreign key, and the one that it refers to.
pub(super) const REFERENCES: &str = "SELECT from_table.relname::text || ' ' || to_table.relname FROM pg_constraint AS c \
     JOIN pg_class AS from_table ON from_table.oid = c.conrelid JOIN pg_class AS to_table ON to_table.oid = c.confrelid \
     WHERE c.contype = 'f' AND from_table.relnamespace = current_schema()::regnamespace ORDER BY 1";

async fn references(connection: &impl ConnectionTrait) -> Result<Vec<(String, String)>, DbErr> {
    Ok(pairs(&texts(connection, REFERENCES).await?))
}

/// Parses the result of [`REFERENCES`].
pub(super) fn pairs(references: &[String]) -> Vec<(String, String)> {
    let pairs = references.iter().filter_map(|pair| pair.split_once(' '));
    pairs.map(|(from, to)| (from.to_owned(), to.to_owned())).collect()
}

async fn texts(connection: &impl ConnectionTrait, sql: &str) -> Result<Vec<String>, DbErr> {
    let rows = connection
        .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// Orders tables so that each comes after those that its foreign keys refer to.
pub(super) fn in_order(tables: Vec<String>, references: &[(String, String)]) -> Result<Vec<String>, DistributionError> {
    let mut left: BTreeSet<String> = tables.into_iter().collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |table: &String| {
            references
                .iter()
                .any(|(from, to)| from == table && to != table && left.contains(to))
        };
        let (later, next): (BTreeSet<String>, BTreeSet<String>) = left.iter().cloned().partition(waits);
        if next.is_empty() {
            let names: Vec<String> = later.into_iter().collect();
            return Err(DistributionError::Circle(names.join(", ")));
        }
        ordered.extend(next);
        left = later;
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(tables: &[&str], references: &[(&str, &str)]) -> Result<Vec<String>, DistributionError> {
        let references: Vec<_> = references
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        in_order(tables.iter().map(|table| (*table).to_owned()).collect(), &references)
    }

    #[test]
    fn a_table_follows_those_that_it_refers_to() {
        let tables = ["alpha", "beta", "gamma", "delta"];
        // One refers to itself, and one to a table that is distributed already.
        let references = [
            ("alpha", "gamma"),
            ("gamma", "delta"),
            ("beta", "beta"),
            ("delta", "omega"),
        ];
        let expected = ["beta", "delta", "gamma", "alpha"].map(String::from).to_vec();
        assert_eq!(ordered(&tables, &references), Ok(expected));
    }

    #[test]
    fn tables_in_a_circle_are_named() {
        let circle = ordered(&["alpha", "beta", "gamma"], &[("beta", "gamma"), ("gamma", "beta")]);
        assert_eq!(circle, Err(DistributionError::Circle("beta, gamma".to_owned())));
    }
}
