//! The schema: several processes can create it at once. It can be reverted and created again, and is what the code expects. It
//! can be distributed over servers by account.

use std::collections::BTreeSet;

use ledgerbell::adapters::database::{OpenOptions, migrate, open, roll_back};
use ledgerbell::domain::database::Database;
use ledgerbell::primitives::actor::{Permission, Permissions};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Iterable, QueryOrder, Statement};

use crate::scratch::{each_database, empty_sqlite};

/// Tables of which a sharded database keeps one copy for all accounts.
const GLOBAL_TABLES: [&str; 7] = [
    "installation",
    "account_directory",
    "api_key",
    "gateway_object",
    "webhook_inbox",
    "quota",
    "seaql_migrations",
];

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

/// Returns everything that a migration can create, as the database describes it.
async fn catalogue(database: &Database) -> Vec<Vec<String>> {
    let sql = match database.backend() {
        DbBackend::Sqlite => {
            "SELECT type || ' ' || name AS what, coalesce(sql, '') AS is_like FROM sqlite_master ORDER BY name"
        }
        _ => {
            "SELECT 'column ' || table_name || '.' || column_name AS what,
                    concat_ws(' ', data_type, is_nullable, column_default) AS is_like
             FROM information_schema.columns WHERE table_schema = 'public'
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
        top_up_decision top_up_hold top_up_refund troubleshooting_place webhook_inbox
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
    let attempt = |sql: String| {
        database.transaction::<(), ledgerbell::domain::fault::Fault, _>(move |tx| {
            let sql = sql.clone();
            Box::pin(async move {
                tx.execute_unprepared(&sql).await?;
                Ok(())
            })
        })
    };
    for amount in ["0.1", "'many'", "1e300", "x'31'"] {
        attempt(insert(amount)).await.expect_err(amount);
    }
    attempt(insert("5")).await.expect("an integer");
    scratch.drop_it().await;
}

/// Reverts the migration of this name and all later ones.
async fn roll_back_to_before(database: &Database, name: &str) {
    let migrations = Migrator::migrations();
    let at = migrations.iter().position(|migration| migration.name() == name);
    let steps = migrations.len() - at.expect("a migration of this name");
    let steps = u32::try_from(steps).expect("few migrations");
    roll_back(database, Some(steps)).await.expect("down");
}

async fn execute(database: &Database, sql: String) {
    let done = database.transaction::<(), ledgerbell::domain::fault::Fault, _>(move |tx| {
        let sql = sql.clone();
        Box::pin(async move {
            tx.execute_unprepared(&sql).await?;
            Ok(())
        })
    });
    done.await.expect("runs");
}

const OLD_PERMISSIONS: &str = "READ_OWN_USAGE 1, READ_CREDIT_LOG 2, MANAGE_SESSIONS 4, MANAGE_TOP_UPS 8, MANAGE_SETTINGS 16, \
    MANAGE_MEMBERS 32, MANAGE_CREDITS 64, MANAGE_ACCOUNTS 128, MANAGE_API_KEYS 256";

/// Returns the bits of permissions from before the two sides existed.
fn old_bits(names: &str) -> i64 {
    let bit = |name: &str| {
        let known = OLD_PERMISSIONS.split(", ").filter_map(|known| known.split_once(' '));
        let found = known.into_iter().find(|(known, _)| *known == name);
        found.expect("a permission").1.parse::<i64>().expect("a bit")
    };
    names.split_whitespace().map(bit).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_api_keys_get_a_side_and_lose_what_it_cannot_have() {
    let keys = [
        (
            0,
            "MANAGE_SESSIONS READ_CREDIT_LOG",
            "PLATFORM",
            "READ_CREDIT_LOG BOOK_SESSIONS SETTLE_SESSIONS",
            "MANAGE_SESSIONS READ_CREDIT_LOG",
        ),
        (
            0,
            "MANAGE_TOP_UPS",
            "PLATFORM",
            "BUY_CREDITS REFUND_TOP_UPS",
            "MANAGE_TOP_UPS",
        ),
        (
            0,
            "MANAGE_ACCOUNTS MANAGE_API_KEYS",
            "PLATFORM",
            "MANAGE_API_KEYS MANAGE_ACCOUNTS",
            "MANAGE_ACCOUNTS MANAGE_API_KEYS",
        ),
        (
            7,
            "MANAGE_SESSIONS MANAGE_TOP_UPS MANAGE_MEMBERS",
            "TEAM",
            "BUY_CREDITS MANAGE_MEMBERS",
            "MANAGE_TOP_UPS MANAGE_MEMBERS",
        ),
        (7, "MANAGE_SESSIONS MANAGE_CREDITS MANAGE_ACCOUNTS", "TEAM", "", ""),
    ];
    for scratch in each_database().await {
        let database = &scratch.database;
        migrate(database).await.expect("up");
        roll_back_to_before(database, "m20261129_090000_add_side_to_api_key").await;
        for (at, (account_id, permissions, ..)) in keys.iter().enumerate() {
            let (id, hash) = (uuid_of(database, at + 1), bytes_of(database));
            let bits = old_bits(permissions);
            let sql = format!(
                "INSERT INTO api_key (id, account_id, prefix, secret_hash, name, permissions, created_at) \
                 VALUES ({id}, {account_id}, 'prefix{at}', {hash}, 'Key', {bits}, {at})"
            );
            execute(database, sql).await;
        }
        migrate(database).await.expect("up");
        let rows = entity::api_key::Entity::find()
            .order_by_asc(entity::api_key::Column::CreatedAt)
            .all(database.read())
            .await
            .expect("reads");
        let now: Vec<(String, String)> = rows
            .iter()
            .map(|row| {
                let permissions = Permissions::from_bits(row.permissions);
                assert_eq!(permissions.bits(), row.permissions, "no unknown bit stays");
                let names: Vec<&str> = permissions.iter().map(Permission::name).collect();
                (row.side.clone(), names.join(" "))
            })
            .collect();
        let expected = keys.map(|(_, _, side, permissions, _)| (side.to_owned(), permissions.to_owned()));
        assert_eq!(now, expected);
        roll_back_to_before(database, "m20261129_090000_add_side_to_api_key").await;
        let sql = "SELECT CAST(permissions AS TEXT) AS permissions FROM api_key ORDER BY created_at";
        let back = texts(database, &["permissions"], sql).await.concat();
        let expected = keys.map(|(.., back)| old_bits(back).to_string());
        assert_eq!(back, expected, "never more than before");
        scratch.drop_it().await;
    }
}

/// What is of members stays theirs when it becomes a recipient's, and when that is taken back, though there are addresses by then.
#[tokio::test(flavor = "multi_thread")]
async fn contacts_codes_reports_and_deliveries_stay_their_members() {
    const NAME: &str = "m20261129_204500_create_notification_address";
    for scratch in each_database().await {
        let database = &scratch.database;
        migrate(database).await.expect("up");
        roll_back_to_before(database, NAME).await;
        let id = |number| uuid_of(database, number);
        let (member, alert, delivery, address, hash) = (id(1), id(2), id(3), id(4), bytes_of(database));
        for sql in [
            format!(
                "INSERT INTO member (account_id, id, name, role, version, created_at) VALUES (7, {member}, 'Mia', 'MEMBER', 1, 0)"
            ),
            format!(
                "INSERT INTO contact (account_id, member_id, email, email_status, locale, timezone, version, status_since) \
                 VALUES (7, {member}, 'mia@team.example', 'UNVERIFIED', 'de', 'UTC', 3, 5)"
            ),
            format!(
                "INSERT INTO contact_verification (account_id, member_id, email, code_hash, tries_left, made_at) \
                 VALUES (7, {member}, 'mia@team.example', {hash}, 5, 6)"
            ),
            format!(
                "INSERT INTO mail_report (account_id, id, member_id, kind, address, received_at) \
                 VALUES (7, 'r', {member}, 'DELIVERED', 'mia@team.example', 7)"
            ),
            format!(
                "INSERT INTO alert (account_id, id, kind, severity, dedupe_key, facts, raised_at) \
                 VALUES (7, {alert}, 'TEST', 'INFO', 'k', '{{}}', 8)"
            ),
            format!(
                "INSERT INTO delivery (account_id, id, alert_id, member_id, channel, kind, severity, status, attempts, created_at) \
                 VALUES (7, {delivery}, {alert}, {member}, 'EMAIL', 'TEST', 'INFO', 'SENT', 1, 8)"
            ),
        ] {
            execute(database, sql).await;
        }
        let count = async |table: &str, column: &str| {
            let sql = format!(
                "SELECT CAST(COUNT(*) AS TEXT) AS count FROM {table} WHERE account_id = 7 AND {column} = {member}"
            );
            texts(database, &["count"], &sql).await.concat().concat()
        };
        let tables = ["contact", "contact_verification", "mail_report", "delivery"];
        migrate(database).await.expect("up");
        for table in tables {
            assert_eq!(count(table, "recipient_id").await, "1", "{table}");
        }
        for sql in [
            format!(
                "INSERT INTO contact (account_id, recipient_id, email, email_status, locale, timezone, version) \
                 VALUES (7, {address}, 'books@bureau.example', 'VERIFIED', 'en', 'UTC', 1)"
            ),
            format!(
                "INSERT INTO notification_address (account_id, id, label, alert_kinds, maker_kind, created_at) \
                 VALUES (7, {address}, 'Accounting', '[]', 'SYSTEM', 9)"
            ),
            format!(
                "INSERT INTO delivery (account_id, id, alert_id, recipient_kind, recipient_id, channel, kind, severity, status, attempts, \
                 created_at) VALUES (7, {}, {alert}, 'ADDRESS', {address}, 'EMAIL', 'TEST', 'INFO', 'SENT', 1, 8)",
                id(5)
            ),
        ] {
            execute(database, sql).await;
        }
        roll_back_to_before(database, NAME).await;
        for table in tables {
            assert_eq!(count(table, "member_id").await, "1", "{table}");
            let sql = format!("SELECT CAST(COUNT(*) AS TEXT) AS count FROM {table}");
            let all = texts(database, &["count"], &sql).await;
            assert_eq!(all.concat().concat(), "1", "{table} holds nothing of addresses");
        }
        migrate(database).await.expect("up");
        scratch.drop_it().await;
    }
}

/// A UUID as the database's SQL has it.
fn uuid_of(database: &Database, number: usize) -> String {
    let uuid = uuid::Uuid::from_u128(number as u128);
    match database.backend() {
        DbBackend::Sqlite => format!("x'{}'", uuid.simple()),
        _ => format!("'{uuid}'"),
    }
}

/// Returns some bytes in the SQL of the database.
fn bytes_of(database: &Database) -> &'static str {
    match database.backend() {
        DbBackend::Sqlite => "x'00ff'",
        _ => "'\\x00ff'",
    }
}

/// Inserts old rows of an account, which determine the owner of an idempotency key.
async fn old_rows(database: &Database) {
    let (id, bytes) = (|number| uuid_of(database, number), bytes_of(database));
    for (at, (entry, actor)) in [(21, "MEMBER"), (22, "API_KEY")].into_iter().enumerate() {
        let sql = format!(
            "INSERT INTO credit_entry (account_id, sequence, id, occurred_at, kind, contra, amount, balance_after, description, \
             actor_kind, taken_back, search_text, hash_version, hash) VALUES \
             (7, {}, {}, 1, 'SESSION', 'SESSION_REVENUE', -1, 0, 'Yoga', '{actor}', 0, '', 1, {bytes})",
            at + 1,
            id(entry)
        );
        execute(database, sql).await;
    }
    for (number, account_id) in [(31, 0), (32, 7)] {
        let sql = format!(
            "INSERT INTO api_key (id, account_id, side, prefix, secret_hash, name, permissions, created_at) \
             VALUES ({}, {account_id}, 'PLATFORM', 'p{number}', {bytes}, 'Key', 8, 1)",
            id(number)
        );
        execute(database, sql).await;
    }
    for (number, top_up, maker) in [(41, 51, id(31)), (42, 52, id(32)), (43, 53, "NULL".to_owned())] {
        let sql = format!(
            "INSERT INTO top_up_attempt (account_id, id, top_up_id, number, outcome, payment_method_id, fingerprint, is_automatic, \
             price_minor, step, is_escalated, tries, actor_kind, actor_key_id, created_at) VALUES \
             (7, {}, {}, 1, 'SUCCEEDED', {}, 'f', FALSE, 1, 'DONE', FALSE, 0, 'API_KEY', {maker}, {number})",
            id(number),
            id(top_up),
            id(61)
        );
        execute(database, sql).await;
    }
    for (number, top_up, actor) in [(71, 51, "MEMBER"), (72, 52, "API_KEY")] {
        let sql = format!(
            "INSERT INTO top_up_refund (account_id, id, top_up_id, credits, amount_minor, reason, status, tries, actor_kind, created_at) \
             VALUES (7, {}, {}, 1, 1, 'Sorry', 'DONE', 0, '{actor}', {number})",
            id(number),
            id(top_up)
        );
        execute(database, sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_idempotency_keys_go_to_the_side_that_may_send_them_again() {
    // Key, operation, entry, top-up, time of sending, and the resulting owner.
    let keys = [
        ("by a member", "completeSession", Some(21), None, 1, "TEAM"),
        ("by a key", "completeSession", Some(22), None, 1, "PLATFORM"),
        ("booked", "bookSession", None, None, 1, "PLATFORM"),
        ("refund by a member", "refundTopUp", None, Some(51), 71, "TEAM"),
        ("refund by a key", "refundTopUp", None, Some(52), 72, "PLATFORM"),
        ("bought by the platform", "createTopUp", None, Some(51), 41, "PLATFORM"),
        (
            "bought by a key of the account",
            "createTopUp",
            None,
            Some(52),
            42,
            "TEAM",
        ),
        ("bought by a member", "retryTopUp", None, Some(53), 43, "TEAM"),
    ];
    for scratch in each_database().await {
        let database = &scratch.database;
        migrate(database).await.expect("up");
        let migration = "m20261129_091000_split_idempotency_keys_by_side";
        roll_back_to_before(database, migration).await;
        old_rows(database).await;
        let id = |number: Option<usize>| number.map_or("NULL".to_owned(), |number| uuid_of(database, number));
        let own = ("credit:x", "creditTopUp", None, None, 1, "SYSTEM");
        for (key, operation, entry, top_up, created_at, expected) in keys.into_iter().chain([own]) {
            let origin = if expected == "SYSTEM" { "SYSTEM" } else { "CLIENT" };
            let sql = format!(
                "INSERT INTO idempotency_key (account_id, origin, key, digest, operation, entry_id, top_up_id, created_at) \
                 VALUES (7, '{origin}', '{key}', {}, '{operation}', {}, {}, {created_at})",
                bytes_of(database),
                id(entry),
                id(top_up)
            );
            execute(database, sql).await;
        }
        migrate(database).await.expect("up");
        let sql = "SELECT key, origin FROM idempotency_key ORDER BY key";
        let mut expected: Vec<Vec<String>> = keys
            .into_iter()
            .chain([own])
            .map(|(key, .., side)| vec![key.to_owned(), side.to_owned()])
            .collect();
        expected.sort();
        let mut found = texts(database, &["key", "origin"], sql).await;
        found.sort();
        assert_eq!(found, expected);
        // If both have used a key, the platform's row stays when the migration is reverted.
        let both = format!(
            "INSERT INTO idempotency_key (account_id, origin, key, digest, operation, created_at) VALUES \
             (7, 'TEAM', 'booked', {}, 'createTopUp', 99)",
            bytes_of(database)
        );
        execute(database, both).await;
        roll_back_to_before(database, migration).await;
        let sql = "SELECT key, operation, origin FROM idempotency_key WHERE key IN ('booked', 'credit:x') ORDER BY key";
        let found = texts(database, &["key", "operation", "origin"], sql).await;
        assert_eq!(
            found,
            [
                ["booked", "bookSession", "CLIENT"],
                ["credit:x", "creditTopUp", "SYSTEM"]
            ]
        );
        scratch.drop_it().await;
    }
}
