//! The schema: several processes can create it at once. It can be reverted and created again, and is what the code expects. It
//! can be distributed over servers by account.

use std::collections::BTreeSet;

use ledgerbell::adapters::database::{OpenOptions, SchemaError, migrate, open, pending_migrations, roll_back};
use ledgerbell::domain::database::Database;
use ledgerbell::domain::fault::Fault;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Iterable, Statement, TransactionTrait as _};

use crate::harness::GLOBAL_TABLES;
use crate::scratch::{each_database, empty_sqlite};

async fn texts(database: &Database, columns: &[&str], sql: &str) -> Vec<Vec<String>> {
    let statement = Statement::from_string(database.backend(), sql);
    let rows = database.read().query_all_raw(statement).await.expect("reads");
    rows.iter()
        .map(|row| {
            columns
                .iter()
                .map(|column| row.try_get("", column).expect("a text"))
                .collect()
        })
        .collect()
}

/// Returns everything that a migration can create, as the database describes it. Views are those of extensions.
async fn catalogue(database: &Database) -> Vec<Vec<String>> {
    let sql = match database.backend() {
        DbBackend::Sqlite => {
            "SELECT type || ' ' || name AS what, coalesce(sql, '') AS is_like FROM sqlite_master ORDER BY name"
        }
        _ => {
            "SELECT 'column ' || table_name || '.' || column_name AS what,
                    concat_ws(' ', data_type, is_nullable, column_default) AS is_like
             FROM information_schema.columns WHERE table_schema = 'public'
                  AND table_name IN (SELECT tablename FROM pg_tables WHERE schemaname = 'public')
             UNION ALL SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
             UNION ALL SELECT 'constraint ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
                       WHERE connamespace = 'public'::regnamespace
             ORDER BY 1, 2"
        }
    };
    texts(database, &["what", "is_like"], sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn up_and_down_and_up_again_leaves_the_same_schema() {
    for scratch in each_database().await {
        let database = &scratch.database;
        migrate(database).await.expect("up");
        let first = catalogue(database).await;
        assert!(first.len() > 40, "{first:?}");
        roll_back(database, None).await.expect("down");
        let left = catalogue(database).await;
        let is_own = |row: &Vec<String>| !row[0].contains("seaql_migrations");
        assert!(!left.iter().any(is_own), "{left:?}");
        migrate(database).await.expect("up again");
        assert_eq!(catalogue(database).await, first);
        migrate(database).await.expect("nothing to do");
        assert_eq!(catalogue(database).await, first);
        scratch.drop_it().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_migration_can_be_reverted_and_applied_again() {
    for scratch in each_database().await {
        let database = &scratch.database;
        migrate(database).await.expect("up");
        let complete = catalogue(database).await;
        let mut schemas = vec![complete.clone()];
        for migration in Migrator::migrations().iter().rev() {
            let name = migration.name();
            roll_back(database, Some(1)).await.expect(name);
            let left = catalogue(database).await;
            assert_ne!(left, schemas[schemas.len() - 1], "{name} reverts nothing");
            schemas.push(left);
        }
        // Going up again, each number of migrations has the schema that it had on the way down.
        for (count, schema) in (0..).zip(schemas.iter().rev()) {
            assert_eq!(&catalogue(database).await, schema, "after {count} migrations");
            let tx = database.schema().begin().await.expect("begins");
            Migrator::up(&tx, Some(1)).await.expect("up");
            tx.commit().await.expect("commits");
        }
        assert_eq!(catalogue(database).await, complete);
        scratch.drop_it().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_added_is_computed_for_entries_that_were_there_before() {
    for scratch in each_database().await {
        let database = &scratch.database;
        migrate(database).await.expect("up");
        let migrations = Migrator::migrations();
        let since = migrations
            .iter()
            .rev()
            .position(|migration| migration.name().ends_with("add_running_sums"));
        let steps = u32::try_from(since.expect("it is one of them") + 1).expect("few");
        roll_back(database, Some(steps)).await.expect("down");
        for (account, amounts) in [(3, [7, -2, 5]), (8, [-1, 30, -4])] {
            for (sequence, amount) in (1..).zip(amounts) {
                insert_entry(database, account, sequence, amount).await;
            }
            let state = format!(
                "INSERT INTO account_state (account_id, status, posted, held, incoming, debt, balance_version, balance_at, \
                 entry_sequence, event_sequence, event_nonce, last_hash, last_at, lot_count, session_grace_millis, is_followed) \
                 VALUES ({account}, 'ACTIVE', 0, 0, 0, 0, 0, 0, 3, 0, 0, '\\x00', 0, 0, 0, FALSE)"
            );
            execute(database, &state).await;
        }
        migrate(database).await.expect("up");
        let sql = "SELECT CAST(added_after AS TEXT) AS added FROM credit_entry ORDER BY account_id, sequence";
        assert_eq!(
            texts(database, &["added"], sql).await.concat(),
            ["7", "7", "12", "0", "30", "30"]
        );
        let sql = "SELECT CAST(added AS TEXT) AS added FROM account_state ORDER BY account_id";
        assert_eq!(texts(database, &["added"], sql).await.concat(), ["12", "30"]);
        scratch.drop_it().await;
    }
}

async fn insert_entry(database: &Database, account: i64, sequence: i64, amount: i64) {
    let id = match database.backend() {
        DbBackend::Sqlite => format!("unhex('{account:016x}{sequence:016x}')"),
        _ => format!("CAST('{account:016x}{sequence:016x}' AS UUID)"),
    };
    let sql = format!(
        "INSERT INTO credit_entry (account_id, sequence, id, occurred_at, kind, contra, amount, balance_after, description, actor_kind, \
         taken_back, search_text, hash_version, hash) \
         VALUES ({account}, {sequence}, {id}, 0, 'ADJUSTMENT', 'ADJUSTMENTS', {amount}, 0, '', 'SYSTEM', 0, '', 1, '\\x00')"
    );
    execute(database, &sql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_start_together_take_turns() {
    for scratch in each_database().await {
        let mut starting = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let url = scratch.url.clone();
            starting.spawn(async move {
                let database = open(&url, OpenOptions::default()).await.expect("opens");
                let result = migrate(&database).await;
                database.close().await.expect("closes");
                result
            });
        }
        assert_eq!(starting.join_all().await, [Ok(()), Ok(()), Ok(()), Ok(())]);
        scratch.drop_it().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_and_unique_index_begins_with_the_account() {
    for scratch in each_database().await {
        migrate(&scratch.database).await.expect("up");
        let sql = match scratch.database.backend() {
            DbBackend::Sqlite => {
                "SELECT t.name AS table_name, l.name AS index_name, i.name AS leads
                 FROM sqlite_master AS t, pragma_index_list(t.name) AS l, pragma_index_info(l.name) AS i
                 WHERE t.type = 'table' AND l.\"unique\" = 1 AND i.seqno = 0"
            }
            _ => {
                "SELECT t.relname AS table_name, i.relname AS index_name, a.attname AS leads
                 FROM pg_index AS x JOIN pg_class AS t ON t.oid = x.indrelid JOIN pg_class AS i ON i.oid = x.indexrelid
                 JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]
                 WHERE x.indisunique AND t.relnamespace = 'public'::regnamespace"
            }
        };
        let sql = format!(
            "SELECT CAST(table_name AS TEXT) AS table_name, CAST(index_name AS TEXT) AS index_name, \
             CAST(leads AS TEXT) AS leads FROM ({sql}) AS indexes"
        );
        let keys = texts(&scratch.database, &["table_name", "index_name", "leads"], &sql).await;
        let (global, of_accounts): (Vec<_>, Vec<_>) =
            keys.iter().partition(|key| GLOBAL_TABLES.contains(&key[0].as_str()));
        let tables: BTreeSet<&str> = of_accounts.iter().map(|key| key[0].as_str()).collect();
        assert!(global.len() >= 3 && tables.len() >= 13, "{keys:?}");
        for key in of_accounts {
            assert_eq!(key[2], "account_id", "{key:?}");
        }
        scratch.drop_it().await;
    }
}

/// Returns what the code expects of a table: column, type and nullability, in the terms of Postgres.
fn expected<E: EntityTrait>() -> (String, BTreeSet<(String, String, String)>) {
    use sea_orm::{ColumnTrait, ColumnType, IdenStatic};
    let columns = E::Column::iter().map(|column| {
        let definition = column.def();
        let sql_type = match definition.get_column_type() {
            ColumnType::BigInteger => "bigint",
            ColumnType::Integer => "integer",
            ColumnType::String(_) | ColumnType::Text => "text",
            ColumnType::Uuid => "uuid",
            ColumnType::Boolean => "boolean",
            ColumnType::VarBinary(_) | ColumnType::Blob | ColumnType::Binary(_) => "bytea",
            other => panic!("{other:?} is no type of ours"),
        };
        let nullable = if definition.is_null() { "YES" } else { "NO" };
        (column.as_str().to_owned(), sql_type.to_owned(), nullable.to_owned())
    });
    (E::default().as_str().to_owned(), columns.collect())
}

macro_rules! entities {
    ($($table:ident)*) => {
        [$(expected::<entity::$table::Entity>()),*]
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_that_the_code_knows_are_those_of_the_schema() {
    let expected = entities! {
        account account_directory account_finding account_state account_word address_notice alert alert_due alert_edge alert_place api_key api_key_use auto_top_up card_trial contact
        contact_verification credit_entry credit_lot delivery event gateway_object hold_movement idempotency_key installation
        lot_movement mail_report member notification_address notification_defaults notification_settings payment_customer payment_method quota session session_hold top_up top_up_attempt
        top_up_decision top_up_hold top_up_refund troubleshooting_place webhook_attempt webhook_checkpoint webhook_endpoint webhook_inbox
        webhook_message
    };
    for scratch in each_database().await {
        let database = &scratch.database;
        migrate(database).await.expect("up");
        let is_sqlite = database.backend() == DbBackend::Sqlite;
        for (table, columns) in &expected {
            let sql = if is_sqlite {
                format!(
                    "SELECT name AS column_name, lower(type) AS data_type,
                            CASE \"notnull\" WHEN 1 THEN 'NO' ELSE 'YES' END AS is_nullable
                     FROM pragma_table_info('{table}')"
                )
            } else {
                format!(
                    "SELECT CAST(column_name AS TEXT) AS column_name, CAST(data_type AS TEXT) AS data_type,
                            CAST(is_nullable AS TEXT) AS is_nullable
                     FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"
                )
            };
            let found: BTreeSet<_> = texts(database, &["column_name", "data_type", "is_nullable"], &sql)
                .await
                .into_iter()
                .map(|row| (row[0].clone(), row[1].clone(), row[2].clone()))
                .collect();
            let columns: BTreeSet<_> = columns
                .iter()
                .cloned()
                .map(|(name, sql_type, nullable)| match (is_sqlite, sql_type.as_str()) {
                    (true, "uuid" | "bytea") => (name, "blob".to_owned(), nullable),
                    _ => (name, sql_type, nullable),
                })
                .collect();
            assert_eq!(found, columns, "{table}");
        }
        scratch.drop_it().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f51_sqlite_stores_no_amount_that_is_not_an_integer() {
    let scratch = empty_sqlite().await;
    migrate(&scratch.database).await.expect("up");
    let insert = |amount: &str| {
        format!(
            "INSERT INTO lot_movement (account_id, entry_id, ordinal, amount, returned) VALUES (1, x'01', {amount}, {amount}, 0)"
        )
    };
    let database = &scratch.database;
    let attempt = |sql: String| attempt(database, sql);
    for amount in ["0.1", "'many'", "1e300", "x'31'"] {
        attempt(insert(amount)).await.expect_err(amount);
    }
    attempt(insert("5")).await.expect("an integer");
    scratch.drop_it().await;
}

async fn attempt(database: &Database, sql: String) -> Result<(), Fault> {
    let run = database.transaction(move |tx| {
        let sql = sql.clone();
        Box::pin(async move {
            tx.execute_unprepared(&sql).await?;
            Ok(())
        })
    });
    run.await
}

async fn execute(database: &Database, sql: &str) {
    attempt(database, sql.to_owned()).await.expect(sql);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_with_unknown_migrations_is_refused_and_left_alone() {
    let before = "m20261129_090000_create_quota".to_owned();
    let newer = "m99991231_235900_create_moon".to_owned();
    for scratch in each_database().await {
        let database = &scratch.database;
        migrate(database).await.expect("up");
        roll_back(database, Some(2)).await.expect("down");
        for error in [
            SchemaError::BeforeFirstRelease(before.clone()),
            SchemaError::Newer(newer.clone()),
        ] {
            let (SchemaError::BeforeFirstRelease(name) | SchemaError::Newer(name)) = &error else {
                panic!("{error}");
            };
            let applied = format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{name}', 1)");
            execute(database, &applied).await;
            let found = catalogue(database).await;
            assert_eq!(migrate(database).await, Err(error.clone()));
            assert_eq!(pending_migrations(database).await, Err(error.clone()));
            assert_eq!(catalogue(database).await, found, "nothing is created");
            let forgotten = format!("DELETE FROM seaql_migrations WHERE version = '{name}'");
            execute(database, &forgotten).await;
            assert_eq!(pending_migrations(database).await, Ok(2));
        }
        scratch.drop_it().await;
    }
}
