//! Opens and examines a replica on Postgres.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbErr, Statement};
use uuid::Uuid;

use super::{OpenError, OpenOptions, open_to_read, postgres_options};
use crate::domain::database::{Database, Deadlines, Replica, Suspicion};

/// The server's and the client's time limits of statements on a replica. Beyond them the primary answers, so they are short.
const REPLICA_STATEMENT: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(4));
/// The time limit for BEGIN, ROLLBACK and a free connection of a replica.
const REPLICA_TURN: Duration = Duration::from_secs(1);
/// The time limit for the test of an idle connection. After a loss without a message a read finds several dead ones, one after the
/// other, and has a second for all of them and its proof.
const REPLICA_TEST: Duration = Duration::from_millis(200);

/// Prepares connections to a replica on Postgres. None is opened before it is needed: processes start while the replica is down.
pub async fn open_replica(url: &str, max_connections: u32) -> Result<Replica, OpenError> {
    let (of_server, of_client) = REPLICA_STATEMENT;
    let options = OpenOptions {
        max_connections,
        acquire_timeout: REPLICA_TURN,
        statement_timeout: of_server,
        ..OpenOptions::default()
    };
    let deadlines = Deadlines {
        statement: of_client,
        turn: REPLICA_TURN,
    };
    let suspicion = Suspicion::default();
    let mut connect = postgres_options(url, options, suspicion.clone(), REPLICA_TEST);
    connect.connect_lazy(true);
    let pool = sea_orm::Database::connect(connect).await?;
    Ok(Replica::new(Database::bounded(pool, None, deadlines, suspicion)))
}

/// What a replica is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// Whether it belongs to the installation of the primary.
    pub is_same_installation: bool,
    /// Whether it repeats the commits of another server.
    pub is_standby: bool,
    /// How much of the primary's write-ahead log it has not repeated yet, in bytes, if both servers report their positions.
    pub bytes_behind: Option<i64>,
}

/// Compares the replica at this URL with its primary.
pub async fn examine_replica(primary: &Database, url: &str) -> Result<ReplicaState, OpenError> {
    let options = OpenOptions {
        max_connections: 2,
        ..OpenOptions::default()
    };
    let replica = open_to_read(url, options).await?;
    let state = state(primary, &replica).await;
    // The connections were only read from, so a failure to close them loses nothing.
    let _ = replica.close().await;
    Ok(state?)
}

async fn state(primary: &Database, replica: &Database) -> Result<ReplicaState, DbErr> {
    let epoch = "SELECT epoch FROM installation";
    let (own, of_replica): (Option<Uuid>, Option<Uuid>) = (value(primary, epoch).await?, value(replica, epoch).await?);
    let is_standby = value(replica, "SELECT pg_is_in_recovery() AS is_standby").await?;
    let written = value::<String>(primary, "SELECT CAST(pg_current_wal_lsn() AS text) AS position").await;
    let bytes_behind = match written {
        Ok(Some(written)) => bytes_behind(replica, written).await.ok().flatten(),
        // A service that hides its log reports no position.
        _ => None,
    };
    Ok(ReplicaState {
        is_same_installation: own.is_some() && own == of_replica,
        is_standby: is_standby.unwrap_or_default(),
        bytes_behind,
    })
}

async fn value<T: sea_orm::TryGetable>(database: &Database, sql: &str) -> Result<Option<T>, DbErr> {
    let statement = Statement::from_string(database.backend(), sql);
    let row = database.read().query_one_raw(statement).await?;
    row.map(|row| row.try_get_by_index(0)).transpose()
}

async fn bytes_behind(replica: &Database, written: String) -> Result<Option<i64>, DbErr> {
    let sql =
        "SELECT CAST(greatest(pg_wal_lsn_diff(CAST($1 AS pg_lsn), pg_last_wal_replay_lsn()), 0) AS BIGINT) AS behind";
    let statement = Statement::from_sql_and_values(replica.backend(), sql, [written.into()]);
    let row = replica.read().query_one_raw(statement).await?;
    row.map(|row| row.try_get_by_index::<Option<i64>>(0))
        .transpose()
        .map(Option::flatten)
}
