//! The servers of a Citus cluster, on which each test database exists.
//!
//! Without `LEDGERBELL_TEST_CITUS_URL` there is one server, and nothing of Citus.

use ledgerbell::adapters::database::Citus;
use ledgerbell::domain::database::Database;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};
use tokio::sync::OnceCell;

use super::database::{citus_coordinator, connect, execute, in_database};

/// Returns the addresses of the servers, the coordinator first. The workers are those that the database of the address knows.
pub(super) async fn servers(server: &str) -> Vec<String> {
    static WORKERS: OnceCell<Vec<(String, i32)>> = OnceCell::const_new();
    let mut servers = vec![server.to_owned()];
    if citus_coordinator().is_some() {
        let workers = WORKERS.get_or_init(|| async {
            let coordinator = connect(server).await;
            let workers = workers(&coordinator).await;
            let _ = coordinator.close().await;
            workers
        });
        servers.extend(workers.await.iter().map(|(host, port)| at(server, host, *port)));
    }
    servers
}

/// Creates an empty database on each server, and makes it one of the cluster.
pub(crate) async fn create(server: &str, name: &str) {
    for server in &servers(server).await {
        let admin = connect(server).await;
        execute(&admin, &format!("CREATE DATABASE {name}")).await;
        let _ = admin.close().await;
        if citus_coordinator().is_some() {
            let database = connect(&in_database(server, name)).await;
            execute(&database, "CREATE EXTENSION citus").await;
            let _ = database.close().await;
        }
    }
    let coordinator = connect(server).await;
    let database = connect(&in_database(server, name)).await;
    if citus_coordinator().is_some() {
        for (host, port) in workers(&coordinator).await {
            execute(&database, &format!("SELECT citus_add_node('{host}', {port})")).await;
        }
    }
    let _ = database.close().await;
    let _ = coordinator.close().await;
}

/// Distributes the tables of a migrated database, if it is one of a cluster.
pub(crate) async fn distribute(database: &Database) {
    if citus_coordinator().is_some() && database.backend() == DbBackend::Postgres {
        let citus = Citus::find(database).await.expect("a coordinator");
        citus.distribute().await.expect("the tables are distributed");
    }
}

/// Removes a database from each server.
pub(crate) async fn remove(server: &str, name: &str) {
    for server in &servers(server).await {
        let admin = connect(server).await;
        execute(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        let _ = admin.close().await;
    }
}

/// Renames a database on each server, to use it as a template from then on. Citus keeps a connection to each database that was
/// used; it is closed, and may not be opened again.
pub(super) async fn rename(server: &str, name: &str, new_name: &str) {
    for server in &servers(server).await {
        let admin = connect(server).await;
        if citus_coordinator().is_some() {
            execute(&admin, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
            let ended =
                format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'");
            execute(&admin, &ended).await;
        }
        execute(&admin, &format!("ALTER DATABASE {name} RENAME TO {new_name}")).await;
        let _ = admin.close().await;
    }
}

async fn workers(coordinator: &DatabaseConnection) -> Vec<(String, i32)> {
    let sql = "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid > 0 ORDER BY nodeid";
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    let rows = coordinator
        .query_all_raw(statement)
        .await
        .expect("the workers of the cluster");
    let worker = |row: &sea_orm::QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    let workers: Result<_, sea_orm::DbErr> = rows.iter().map(worker).collect();
    workers.expect("addresses")
}

/// Returns the URL of a server with another address, and the same user.
fn at(server: &str, host: &str, port: i32) -> String {
    let mut url = reqwest::Url::parse(server).expect("a URL");
    url.set_host(Some(host)).expect("a host");
    let port = u16::try_from(port).expect("a port");
    url.set_port(Some(port)).expect("a port");
    url.to_string()
}
