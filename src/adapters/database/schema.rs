//! The schema of the database: its migrations, and what they leave to this program.

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait as _,
};

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::domain::ledger::bring_search_up_to_date;
use crate::domain::member::bring_account_words_up_to_date;

use super::distribution::{DistributionError, distribute_new};

/// The id of the advisory lock for migrations: an arbitrary number, the same in all instances.
const MIGRATION_LOCK: i64 = 0x6c65_6467_6572;

/// Ends the timeouts of a Postgres transaction that may take long.
pub(super) const WITHOUT_TIMEOUTS: &str = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; \
     SET LOCAL idle_in_transaction_session_timeout = 0";

/// The applied migrations.
pub(super) const APPLIED: &str = "SELECT version FROM seaql_migrations ORDER BY version";

/// Begins the name of a migration that does not exist. While it is among the applied ones, the database is an unfinished copy, and
/// every version refuses it, because it takes it for one that a newer version has upgraded.
pub(super) const UNFINISHED_COPY: &str = "m99999999_999999_unfinished_copy_of_";

/// Why the schema of a database cannot be used or upgraded. A message contains the problem, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A newer version has upgraded the schema.
    #[error(
        "a newer version of ledgerbell has upgraded this database (migration {0}): run that version, or a newer one"
    )]
    Newer(String),
    /// A copy into the database was interrupted.
    #[error(
        "this database is an unfinished copy: run `ledgerbell copy` from the same source again, which completes it, or use another \
         database"
    )]
    UnfinishedCopy,
    /// A version from before the first release created the schema. Its migrations no longer exist.
    #[error(
        "a version from before the first release created this database (migration {0}), and it cannot be upgraded: set \
         database.url to a new one; for a demo, set another --data-dir, or remove the old one (./data)"
    )]
    BeforeFirstRelease(String),
    /// The migrations are applied, and a table that they created could not be distributed.
    #[error("the migrations are applied, but not all tables are distributed; run migrate --profile citus: {0}")]
    NotDistributed(#[from] DistributionError),
    /// The database does not respond, or a migration failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<DbErr> for SchemaError {
    fn from(error: DbErr) -> Self {
        Fault::from(error).into()
    }
}

/// Returns whether the schema lacks a migration of this version.
///
/// # Errors
/// See [`SchemaError`].
pub async fn migrations_are_pending(database: &Database) -> Result<bool, SchemaError> {
    Ok(pending_migrations(database).await? > 0)
}

/// Returns the number of migrations that the schema lacks.
///
/// # Errors
/// See [`SchemaError`].
pub async fn pending_migrations(database: &Database) -> Result<usize, SchemaError> {
    match Migrator::get_pending_migrations_read_only(database.read()).await {
        Ok(pending) => Ok(pending.len()),
        // The migration tool reports migrations that it does not know by a text.
        Err(DbErr::Custom(text)) => Err(unknown_migration(database)
            .await?
            .unwrap_or_else(|| Fault::Internal(text).into())),
        Err(error) => Err(error.into()),
    }
}

/// Returns the error about the applied migrations that this version does not know.
async fn unknown_migration(database: &Database) -> Result<Option<SchemaError>, SchemaError> {
    let statement = Statement::from_string(database.backend(), APPLIED);
    let rows = database.read().query_all_raw(statement).await?;
    let applied = rows.iter().map(|row| row.try_get::<String>("", "version"));
    Ok(compare_migrations(&applied.collect::<Result<Vec<_>, _>>()?).err())
}

/// Compares the applied migrations, in order of their names, with those of this version. Returns the number of those that are missing.
///
/// # Errors
/// If this version does not know one of them.
pub(super) fn compare_migrations(applied: &[String]) -> Result<usize, SchemaError> {
    let migrations = Migrator::migrations();
    let is_known = |name: &&String| migrations.iter().any(|known| known.name() == name.as_str());
    let (known, unknown): (Vec<_>, Vec<_>) = applied.iter().partition(is_known);
    let newest = migrations.last().map_or("", |known| known.name());
    // The name of a migration begins with its time.
    match unknown.last() {
        None => Ok(migrations.len() - known.len()),
        Some(last) if last.starts_with(UNFINISHED_COPY) => Err(SchemaError::UnfinishedCopy),
        Some(last) if last.as_str() > newest => Err(SchemaError::Newer((*last).clone())),
        Some(last) => Err(SchemaError::BeforeFirstRelease((*last).clone())),
    }
}

/// Creates the schema in an empty Postgres database, with the mark of an unfinished copy: no process starts on it.
///
/// # Errors
/// A fault if the database does not respond or a statement fails. Then nothing has changed.
pub(super) async fn create_unfinished(database: &Database, mark: &str) -> Result<(), Fault> {
    let tx = begin_schema(database).await?;
    // Before this lock, a process may have created its own.
    let sql = "SELECT COUNT(*) AS count FROM pg_tables WHERE tablename = 'seaql_migrations' AND schemaname = current_schema()";
    let found = tx
        .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await?;
    if found
        .map(|row| row.try_get_by_index::<i64>(0))
        .transpose()?
        .unwrap_or(0)
        > 0
    {
        return Err(Fault::Internal(
            "another process has created the schema meanwhile".to_owned(),
        ));
    }
    Migrator::up(&tx, None).await?;
    let sql = "INSERT INTO seaql_migrations (version, applied_at) VALUES ($1, 0)";
    tx.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [mark.into()]))
        .await?;
    Ok(tx.commit().await?)
}

/// Applies the missing migrations, all or none of them. Instances that start together do it one after the other.
///
/// On Postgres they wait for an advisory lock, without the usual timeouts, since the first may take long; on SQLite for the
/// write lock. Both locks end with the transaction, so a process that dies leaves nothing locked.
///
/// # Errors
/// See [`SchemaError`]. Then nothing has changed.
pub async fn migrate(database: &Database) -> Result<(), SchemaError> {
    // Checked first without a lock: an instance whose database user may not change the schema can still start.
    if !migrations_are_pending(database).await? {
        return Ok(());
    }
    let tx = begin_schema(database).await?;
    Migrator::up(&tx, None).await?;
    bring_account_words_up_to_date(&tx).await?;
    bring_search_up_to_date(&tx).await?;
    tx.commit().await?;
    Ok(distribute_new(database).await?)
}

/// Reverts the last `steps` migrations, or all of them. For development only: the data of the tables is lost.
///
/// # Errors
/// A fault if the database does not respond or a statement fails. Then nothing has changed.
pub async fn roll_back(database: &Database, steps: Option<u32>) -> Result<(), Fault> {
    let tx = begin_schema(database).await?;
    Migrator::down(&tx, steps).await?;
    Ok(tx.commit().await?)
}

/// Begins a transaction of the ORM, which accepts no other transaction for migrations.
async fn begin_schema(database: &Database) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = database.schema().begin_with_options(options).await?;
    lock_schema(&tx).await?;
    Ok(tx)
}

async fn lock_schema(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(WITHOUT_TIMEOUTS).await?;
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            .await?;
    }
    Ok(())
}
