//! Opens SQLite or Postgres; `schema` applies migrations, `distribution` spreads the tables over a Citus
//! cluster, `replica` opens a replica, `backup` copies a SQLite database into a file, and `copy` into Postgres.
//!
//! Called by `app` and by the `migrate` command. All settings of the two databases that the domain relies on are here:
//! durability, timeouts, who may write.

mod backup;
mod copy;
mod distribution;
mod replica;
mod schema;

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode, Postgres};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, Connection as _, Executor as _, Row as _};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqlxSqliteConnector, Statement,
};

use super::private_files;
use crate::domain::database::{Database, Deadlines, Suspicion};
use crate::domain::fault::Fault;

pub use backup::{BackupError, DatabaseCopy, back_up, restore};
pub use copy::{CompleteCopy, CopyError, CopyProgress, CopyStep, copy};
pub use distribution::{Citus, DistributionError, has_citus};
pub use replica::{ReplicaState, examine_replica, open_replica};
pub use schema::{SchemaError, migrate, migrations_are_pending, pending_migrations, roll_back};

/// Older versions can corrupt the database when its write-ahead log starts over.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
/// The settings of each session on Postgres.
///
/// Without `jit = off`, Postgres spends 20 ms on compiling statements that take less than one. With the last five settings, the
/// server detects a client that is gone and releases its locks.
const SESSION_SETTINGS: [(&str, &str); 7] = [
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("jit", "off"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "3"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "15000"),
];
/// A connection that has been idle for longer is tested before it is used.
const LONGEST_IDLE: Duration = Duration::from_secs(10);
/// A connection that does not respond within this time is replaced.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// The client's time limit is longer than the server's by this much.
const LATE: Duration = Duration::from_secs(2);
/// The client's time limit for statements that read everything, for commands that only read.
const LONGEST_LOOK: Duration = Duration::from_hours(1);

/// How to open a database.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// Postgres: the number of connections in the pool.
    pub max_connections: u32,
    /// SQLite: the number of read-only connections. There is always exactly one that writes.
    pub readers: u32,
    /// The time limit for waiting for a free connection.
    pub acquire_timeout: Duration,
    /// Postgres: the time limit of a statement.
    pub statement_timeout: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            max_connections: 10,
            readers: 4,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(12),
        }
    }
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is neither of SQLite nor of Postgres.
    #[error("a database URL begins with sqlite: or postgres:")]
    UnknownScheme,
    /// A SQLite database in memory: every connection would have its own.
    #[error("SQLite needs a file, as in sqlite:///var/lib/ledgerbell/ledgerbell.db?mode=rwc")]
    InMemory,
    /// The linked SQLite is too old.
    #[error("SQLite {found} can corrupt its database; {}.{}.{} or newer is needed", OLDEST_SQLITE.0, OLDEST_SQLITE.1, OLDEST_SQLITE.2)]
    OldSqlite {
        /// The version of the linked SQLite.
        found: String,
    },
    /// A pooler does not accept settings.
    #[error(
        "a pooler refuses the startup parameter `options`: connect to Postgres directly, or see docs/operating.md on PgBouncer"
    )]
    Pooler,
    /// A pooler drops settings.
    #[error(
        "sessions have no {names}: a pooler drops settings; connect to Postgres directly, or set them for the role \
         (ALTER ROLE … SET …; see docs/operating.md on PgBouncer)"
    )]
    Unbounded {
        /// The names of the missing settings.
        names: String,
    },
    /// A pooler in transaction mode does not keep prepared statements.
    #[error(
        "a pooler in transaction mode does not keep prepared statements: use PgBouncer 1.21 or newer with max_prepared_statements, \
         its session mode, or a direct connection (docs/operating.md)"
    )]
    OldPooler,
    /// The server refuses the connection or cannot be reached.
    #[error("the database cannot be opened: {0}")]
    Refused(#[from] DbErr),
}

/// Opens `sqlite:path`, `sqlite:///path?mode=rwc`, or `postgres://user@host/name?sslmode=…`.
pub async fn open(url: &str, options: OpenOptions) -> Result<Database, OpenError> {
    if url.starts_with("sqlite:") {
        open_sqlite(url, options).await
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        open_postgres(url, options, deadlines(options)).await
    } else {
        Err(OpenError::UnknownScheme)
    }
}

/// Like [`open`], but only for reading: a missing SQLite database is not created.
pub async fn open_to_read(url: &str, options: OpenOptions) -> Result<Database, OpenError> {
    let deadlines = Deadlines {
        statement: LONGEST_LOOK,
        ..deadlines(options)
    };
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        return open_postgres(url, options, deadlines).await;
    }
    if !url.starts_with("sqlite:") {
        return Err(OpenError::UnknownScheme);
    }
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(OpenError::InMemory);
    }
    let reader = sqlite_pool(url, options.readers.max(1), Access::LookOnly, options).await?;
    Ok(Database::bounded(reader, None, deadlines, Suspicion::default()))
}

/// What a connection to SQLite may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Write,
    Read,
    /// Read an existing database without changing it.
    LookOnly,
}

async fn open_sqlite(url: &str, options: OpenOptions) -> Result<Database, OpenError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(OpenError::InMemory);
    }
    if may_make(url)
        && let [file, ..] = files(url).as_slice()
    {
        // SQLite would create it with the umask, and gives its log the modes of the database.
        private_files::make_file(file)
            .map_err(|error| DbErr::Conn(RuntimeErr::Internal(format!("{}: {error}", file.display()))))?;
    }
    // The writer comes first: it creates the file and enables write-ahead logging, which readers cannot do.
    let writer = sqlite_pool(url, 1, Access::Write, options).await?;
    let version = sqlite_version(&writer).await?;
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    if !matches!(parts[..], [major, minor, patch, ..] if (major, minor, patch) >= OLDEST_SQLITE) {
        return Err(OpenError::OldSqlite { found: version });
    }
    let reader = sqlite_pool(url, options.readers.max(1), Access::Read, options).await?;
    Ok(Database::bounded(
        writer,
        Some(&reader),
        deadlines(options),
        Suspicion::default(),
    ))
}

/// Returns whether a missing database is created.
fn may_make(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|parameter| parameter == "mode=rwc")
}

/// Returns the files of a SQLite database: the database, its write-ahead log and the index of the log. None for Postgres.
pub fn files(url: &str) -> Vec<PathBuf> {
    if !url.starts_with("sqlite:") {
        return Vec::new();
    }
    let Ok(options) = url.parse::<SqliteConnectOptions>() else {
        return Vec::new();
    };
    let with = |ending: &str| {
        let mut name = options.get_filename().as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    ["", "-wal", "-shm"].map(with).into()
}

async fn sqlite_pool(
    url: &str,
    connections: u32,
    access: Access,
    options: OpenOptions,
) -> Result<DatabaseConnection, DbErr> {
    let mut connect = common(url, options);
    connect
        .min_connections(1)
        .max_connections(connections)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = if access == Access::LookOnly {
                sqlite.create_if_missing(false)
            } else {
                sqlite.pragma("journal_mode", "WAL")
            };
            sqlite
                // NORMAL can lose committed transactions at a power failure.
                .pragma("synchronous", "FULL")
                .pragma("foreign_keys", "ON")
                .pragma("busy_timeout", "5000")
                .pragma("cache_size", "-16000")
                .pragma("temp_store", "MEMORY")
                .pragma("journal_size_limit", "67108864")
                .pragma("query_only", if access == Access::Write { "OFF" } else { "ON" })
        });
    SqlxSqliteConnector::connect(connect).await
}

fn deadlines(options: OpenOptions) -> Deadlines {
    Deadlines {
        statement: options.statement_timeout + LATE,
        ..Deadlines::default()
    }
}

async fn sqlite_version(connection: &DatabaseConnection) -> Result<String, DbErr> {
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT sqlite_version() AS version");
    let row = connection.query_one_raw(statement).await?;
    row.map_or_else(
        || Err(DbErr::Conn(RuntimeErr::Internal("no version".into()))),
        |row| row.try_get("", "version"),
    )
}

async fn open_postgres(url: &str, options: OpenOptions, deadlines: Deadlines) -> Result<Database, OpenError> {
    let suspicion = Suspicion::default();
    let pool = match postgres_pool(url, options, suspicion.clone()).await {
        Err(error) if error.to_string().contains("unsupported startup parameter") => return Err(OpenError::Pooler),
        pool => pool?,
    };
    if shares_sessions(&pool).await? && !keeps_prepared_statements(&pool).await? {
        return Err(OpenError::OldPooler);
    }
    let unbounded = unbounded_sessions(&pool).await?;
    if !unbounded.is_empty() {
        return Err(OpenError::Unbounded {
            names: unbounded.join(", "),
        });
    }
    Ok(Database::bounded(pool, None, deadlines, suspicion))
}

/// How often two connections are compared. A pooler that is busy gives them different sessions now and then.
const COMPARISONS: usize = 5;

/// Returns whether connections of a pool share sessions of the server, because the connection goes through a pooler in transaction mode. Then
/// everything that belongs to a session, such as LISTEN, does not work.
async fn shares_sessions(pool: &DatabaseConnection) -> Result<bool, DbErr> {
    let Some((mut one, mut other)) = two_of(pool).await? else {
        return Ok(false);
    };
    are_one_session(&mut one, &mut other).await.map_err(of_driver)
}

/// Whether two open connections share sessions of the server. Each of two that do not has one process of the server, always the same.
pub(super) async fn are_one_session(one: &mut PgConnection, other: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let own = (process(one).await?, process(other).await?);
    if own.0 == own.1 {
        return Ok(true);
    }
    for _ in 1..COMPARISONS {
        if (process(one).await?, process(other).await?) != own {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Not prepared: it is not known yet whether prepared statements work.
async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = connection.fetch_one(sqlx::raw_sql("SELECT pg_backend_pid()")).await?;
    row.try_get(0)
}

/// Returns whether two connections that share sessions may prepare statements with the same name.
async fn keeps_prepared_statements(pool: &DatabaseConnection) -> Result<bool, DbErr> {
    let Some((mut one, mut other)) = two_of(pool).await? else {
        return Ok(true);
    };
    for connection in [&mut one, &mut other] {
        for statement in ["SELECT 1", "SELECT 2", "SELECT 1"] {
            match sqlx::query(statement).execute(&mut **connection).await {
                Err(sqlx::Error::Database(error)) if error.message().contains("prepared statement") => {
                    return Ok(false);
                }
                executed => executed.map_err(of_driver)?,
            };
        }
    }
    Ok(true)
}

/// Returns two connections at the same time; `None` if the pool has only one.
async fn two_of(
    pool: &DatabaseConnection,
) -> Result<Option<(PoolConnection<Postgres>, PoolConnection<Postgres>)>, DbErr> {
    let pool = pool.get_postgres_connection_pool();
    if pool.options().get_max_connections() < 2 {
        return Ok(None);
    }
    let one = pool.acquire().await.map_err(of_driver)?;
    let other = pool.acquire().await.map_err(of_driver)?;
    Ok(Some((one, other)))
}

fn of_driver(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

/// Returns whether LISTEN cannot work on the connections of this database. See [`OpenError::OldPooler`] for prepared
/// statements, which poolers may also lack.
pub async fn is_behind_pooler(database: &Database) -> Result<bool, Fault> {
    if database.backend() == DbBackend::Sqlite {
        return Ok(false);
    }
    Ok(shares_sessions(database.schema()).await?)
}

/// Returns the requested limits that sessions do not have, because a pooler drops the startup parameters of a connection.
async fn unbounded_sessions(pool: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT name FROM pg_settings WHERE setting = '0' \
               AND name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') ORDER BY name";
    let rows = pool
        .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

async fn postgres_pool(url: &str, options: OpenOptions, suspicion: Suspicion) -> Result<DatabaseConnection, DbErr> {
    sea_orm::Database::connect(postgres_options(url, options, suspicion, ANSWERS_WITHIN)).await
}

/// Returns the options of a pool whose idle connections are replaced unless they answer within this time.
fn postgres_options(url: &str, options: OpenOptions, suspicion: Suspicion, answers_within: Duration) -> ConnectOptions {
    let mut connect = common(url, options);
    connect
        .max_connections(options.max_connections.max(1))
        .test_before_acquire(false)
        .map_sqlx_postgres_before_acquire(move |connection, meta| {
            // A test before every use would cost one round trip per transaction.
            let is_asked = meta.idle_for >= LONGEST_IDLE || suspicion.concerns(meta.idle_for);
            let suspicion = suspicion.clone();
            Box::pin(async move {
                if !is_asked {
                    return Ok(true);
                }
                let Ok(answer) = tokio::time::timeout(answers_within, connection.ping()).await else {
                    suspicion.arise();
                    let text = "an idle connection does not answer";
                    return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, text).into());
                };
                answer.map(|()| true)
            })
        })
        .set_application_name("ledgerbell")
        .statement_timeout(options.statement_timeout)
        .map_sqlx_postgres_opts(|postgres| plain_on_this_machine(postgres).options(SESSION_SETTINGS));
    connect
}

/// Returns the options for a connection outside the pool to the Postgres at this URL, with the same encryption as the pool.
pub(super) fn connect_options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    PgConnectOptions::from_str(url).map(plain_on_this_machine)
}

/// Disables encryption between two processes of one machine, unless the URL requires it.
///
/// sqlx 0.9.0 does not disable Nagle's algorithm (launchbadge/sqlx#4335). It sends encrypted data in records of 16 KiB. The
/// last record of a large batch then waits 40 ms for the server's acknowledgement, which makes a busy account ten times slower.
fn plain_on_this_machine(postgres: PgConnectOptions) -> PgConnectOptions {
    if is_on_this_machine(&postgres) && matches!(postgres.get_ssl_mode(), PgSslMode::Prefer) {
        return postgres.ssl_mode(PgSslMode::Disable);
    }
    postgres
}

fn is_on_this_machine(postgres: &PgConnectOptions) -> bool {
    let host = postgres.get_host();
    let is_loopback = || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    // A path is the path of a socket.
    host == "localhost" || host.starts_with('/') || is_loopback()
}

/// Returns whether rows and the password may be sent over the network without encryption: Postgres is on another machine, and
/// the URL does not require TLS.
pub fn may_be_plain_over_network(url: &str) -> bool {
    let is_postgres = url.starts_with("postgres:") || url.starts_with("postgresql:");
    let options = url.parse::<PgConnectOptions>().ok().filter(|_| is_postgres);
    options.is_some_and(|options| {
        let insists = matches!(
            options.get_ssl_mode(),
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
        );
        !insists && !is_on_this_machine(&options)
    })
}

fn common(url: &str, options: OpenOptions) -> ConnectOptions {
    let mut connect = ConnectOptions::new(url);
    connect
        .acquire_timeout(options.acquire_timeout)
        .connect_timeout(options.acquire_timeout)
        .record_stmt_in_spans(false)
        .sqlx_logging(false);
    connect
}

/// Tests the connection, and returns the name of the database system.
pub async fn ping(database: &Database) -> Result<&'static str, Fault> {
    let statement = Statement::from_string(database.backend(), "SELECT 1");
    database.read().query_one_raw(statement).await?;
    Ok(match database.backend() {
        DbBackend::Sqlite => "SQLite",
        _ => "Postgres",
    })
}

/// Returns why the database may lose committed transactions or refuse writes; empty if there is no reason.
pub async fn weaknesses(database: &Database) -> Result<Vec<String>, Fault> {
    if database.backend() == DbBackend::Sqlite {
        // Every connection of SQLite is set to sync.
        return Ok(Vec::new());
    }
    let sql = "SELECT name, setting FROM pg_settings WHERE setting = 'off' AND name IN ('fsync', 'full_page_writes', \
               'synchronous_commit') \
               UNION ALL SELECT 'this server is a standby and takes no writes: recovery', 'on' WHERE pg_is_in_recovery() \
               UNION ALL SELECT 'transactions are read-only by default: default_transaction_read_only', 'on' \
               WHERE current_setting('default_transaction_read_only') = 'on'";
    let statement = Statement::from_string(database.backend(), sql);
    let rows = database.read().query_all_raw(statement).await?;
    let texts = rows.iter().map(|row| -> Result<String, DbErr> {
        let (name, setting): (String, String) = (row.try_get("", "name")?, row.try_get("", "setting")?);
        Ok(format!("{name} is {setting}"))
    });
    Ok(texts.collect::<Result<_, _>>()?)
}

/// Returns the time of the database server in milliseconds since 1970; `None` if it uses the clock of this machine.
pub async fn time(database: &Database) -> Result<Option<i64>, Fault> {
    if database.backend() == DbBackend::Sqlite {
        return Ok(None);
    }
    let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS millis";
    let statement = Statement::from_string(database.backend(), sql);
    let row = database.read().query_one_raw(statement).await?;
    Ok(row.map(|row| row.try_get("", "millis")).transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::database::server_for_tests::postgres_server;

    #[tokio::test]
    async fn sessions_without_limits_are_noticed() {
        let Some(server) = postgres_server().await else {
            return;
        };
        // A pooler that drops the startup parameters of a connection has the same effect.
        let plain = sea_orm::Database::connect(server).await.expect("connects");
        let names = unbounded_sessions(&plain).await.expect("reads");
        assert_eq!(
            names,
            [
                "idle_in_transaction_session_timeout",
                "lock_timeout",
                "statement_timeout"
            ]
        );
        let opened = open(server, OpenOptions::default()).await.expect("opens");
        assert_eq!(unbounded_sessions(opened.schema()).await, Ok(Vec::new()));
        for (name, value) in SESSION_SETTINGS {
            let sql = format!("SELECT CAST(current_setting('{name}') AS text) AS value");
            let statement = Statement::from_string(DbBackend::Postgres, sql);
            let row = opened
                .read()
                .query_one_raw(statement)
                .await
                .expect("reads")
                .expect("a row");
            let found: String = row.try_get("", "value").expect("a text");
            // Times are shown in the largest unit that divides them. A socket of the file system has no TCP.
            let is_set = found == value || found == "15s" || (name.starts_with("tcp") && found == "0");
            assert!(is_set, "{name} is {found}");
        }
        opened.close().await.expect("closes");
    }
}
