//! The engine against real databases: SQLite in a file, and the Postgres of this machine if there is one.

mod concurrency;
mod injected;
mod neighbours;
mod rows;
mod witnessed;

use std::sync::Arc;

use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use super::batch::{Decide, Poster};
use super::{Engine, EngineSettings};
use crate::adapters::database::{OpenOptions, migrate, open};
use crate::domain::database::Database;
use crate::domain::database::server_for_tests::postgres_server;
use crate::domain::event::{Bell, SilentBell};
use crate::domain::fault::Fault;
use crate::domain::ledger::balance::Posted;
use crate::domain::ledger::error::LedgerError;
use crate::domain::ledger::model::{
    self, AccountHeader, Command, LotKind, MemberRef, Origin, Policy, Request, SessionRef,
};
use crate::domain::ledger::store;
use crate::primitives::actor::Cause;
use crate::primitives::clock::{Clock, HOUR, Timestamp};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, IdSeed, MemberId};

const START: Timestamp = Timestamp::from_millis(1_760_000_000_000);
const GRACE: i64 = 72 * HOUR;

/// A database of its own, which is deleted with the test.
struct Scratch {
    database: Database,
    url: String,
    _directory: Option<tempfile::TempDir>,
}

async fn sqlite() -> Scratch {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("engine.db").display());
    prepared(url, Some(directory)).await
}

/// `None` where no Postgres runs.
async fn postgres() -> Option<Scratch> {
    let server = postgres_server().await?;
    let admin = open(server, OpenOptions::default()).await.expect("opens");
    let name = format!("ledgerbell_engine_{}", Uuid::new_v4().simple());
    run(&admin, &format!("CREATE DATABASE {name}")).await;
    admin.close().await.expect("closes");
    let (start, _) = server.rsplit_once('/').expect("a URL with a database");
    Some(prepared(format!("{start}/{name}"), None).await)
}

async fn prepared(url: String, directory: Option<tempfile::TempDir>) -> Scratch {
    let database = open(&url, OpenOptions::default()).await.expect("opens");
    migrate(&database).await.expect("migrates");
    Scratch {
        database,
        url,
        _directory: directory,
    }
}

async fn each_database() -> Vec<Scratch> {
    [Some(sqlite().await), postgres().await].into_iter().flatten().collect()
}

async fn run(database: &Database, sql: &str) {
    database.read().execute_unprepared(sql).await.expect("runs");
}

impl Scratch {
    fn settings(&self) -> EngineSettings {
        if self.url.starts_with("sqlite") {
            EngineSettings::ONE_WRITER
        } else {
            EngineSettings::MANY_WRITERS
        }
    }

    /// Changes the schema by a separate connection, because the readers of SQLite may not write.
    async fn change(&self, statements: &[&'static str]) {
        let statements = statements.to_vec();
        let changed: Result<(), Fault> = self
            .database
            .transaction(move |tx| {
                let statements = statements.clone();
                Box::pin(async move {
                    for sql in statements {
                        tx.execute_unprepared(sql).await?;
                    }
                    Ok(())
                })
            })
            .await;
        changed.expect("changes the schema");
    }

    async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.database.backend(), sql);
        let row = self.database.read().query_one_raw(statement).await.expect("reads");
        row.expect("a row").try_get_by_index(0).expect("a number")
    }

    async fn drop_it(self) {
        self.database.close().await.expect("closes");
        if let Some((server, name)) = self.url.rsplit_once('/').filter(|_| self.url.starts_with("postgres")) {
            let admin = open(&format!("{server}/postgres"), OpenOptions::default())
                .await
                .expect("opens");
            run(&admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            admin.close().await.expect("closes");
        }
    }

    /// Verifies that the rows of an account do not contradict each other.
    async fn verify(&self, account: AccountId) {
        let id = account.number();
        let holds = |claim: &'static str, sql: String| async move {
            assert_eq!(self.number(&sql).await, 0, "account {id}, {}: {claim}", self.url);
        };
        let state = format!("FROM account_state AS s WHERE s.account_id = {id}");
        for (claim, figure, sum) in [
            (
                "posted is the sum of entries",
                "s.posted",
                "SELECT SUM(amount) FROM credit_entry",
            ),
            (
                "held is the sum of holds",
                "s.held",
                "SELECT SUM(amount) FROM session_hold",
            ),
            (
                "held is the sum over sessions",
                "s.held",
                "SELECT SUM(held) FROM session",
            ),
            (
                "lots − debt = posted",
                "s.posted + s.debt",
                "SELECT SUM(remaining) FROM credit_lot",
            ),
            ("movements = posted", "s.posted", "SELECT SUM(amount) FROM lot_movement"),
            (
                "no entry is missing",
                "s.entry_sequence",
                "SELECT COUNT(*) FROM credit_entry",
            ),
            ("no event is missing", "s.event_sequence", "SELECT COUNT(*) FROM event"),
            (
                "lots are counted",
                "s.lot_count",
                "SELECT SUM(CASE WHEN remaining > 0 THEN 1 ELSE 0 END) FROM credit_lot",
            ),
        ] {
            let difference =
                format!("SELECT CAST({figure} - COALESCE(({sum} WHERE account_id = {id}), 0) AS BIGINT) {state}");
            holds(claim, difference).await;
        }
        let chain = format!(
            "SELECT COUNT(*) FROM credit_entry AS e LEFT JOIN credit_entry AS p
               ON p.account_id = e.account_id AND p.sequence = e.sequence - 1
             WHERE e.account_id = {id} AND e.balance_after <> COALESCE(p.balance_after, 0) + e.amount"
        );
        holds("balance_after chains", chain).await;
        let lots = format!(
            "SELECT COUNT(*) FROM credit_lot AS l WHERE l.account_id = {id} AND l.remaining <>
               (SELECT COALESCE(SUM(m.amount), 0) FROM lot_movement AS m WHERE m.account_id = l.account_id AND m.lot_id = l.id)"
        );
        holds("a lot's movements make its remainder", lots).await;
        let entries = format!(
            "SELECT COUNT(*) FROM credit_entry AS e WHERE e.account_id = {id} AND e.amount <>
               (SELECT COALESCE(SUM(m.amount), 0) FROM lot_movement AS m WHERE m.account_id = e.account_id AND m.entry_id = e.id)"
        );
        holds("an entry's movements make its amount", entries).await;
    }
}

/// An engine over a database, with accounts that have a member each.
struct Room {
    scratch: Scratch,
    poster: Arc<Poster>,
    engine: Arc<Engine>,
    clock: Clock,
}

impl Room {
    fn new(scratch: Scratch) -> Self {
        let settings = scratch.settings();
        Self::with(scratch, settings, model::decide, Arc::new(SilentBell))
    }

    #[expect(clippy::needless_pass_by_value, reason = "a room is given its bell")]
    fn with(scratch: Scratch, settings: EngineSettings, decide: Decide, bell: Arc<dyn Bell>) -> Self {
        let clock = Clock::manual(START);
        let poster = Arc::new(Poster {
            database: scratch.database.clone(),
            clock: clock.clone(),
            epoch: Uuid::nil(),
            policy: Policy {
                overage_limit: Credits::whole(10_000),
            },
            decide,
        });
        let engine = Arc::new(Engine::start(&poster, &bell, settings));
        Self {
            scratch,
            poster,
            engine,
            clock,
        }
    }

    async fn each() -> Vec<Self> {
        let mut rooms = Vec::new();
        for scratch in each_database().await {
            rooms.push(Self::new(scratch));
        }
        rooms
    }

    async fn account(&self, number: i64) -> AccountId {
        let account_id = AccountId::from_number(number);
        let made: Result<(), Fault> = self
            .scratch
            .database
            .transaction(move |tx| {
                Box::pin(async move {
                    let header = AccountHeader::new(account_id, GRACE, START);
                    store::insert_header(tx, &header).await?;
                    let sql = "INSERT INTO member (account_id, id, external_id, name, role, version, created_at) \
                               VALUES ($1, $2, 'ann', 'Ann', 'MEMBER', 1, 0)";
                    let values = [number.into(), member(account_id).uuid().into()];
                    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
                    tx.execute_raw(statement).await?;
                    Ok(())
                })
            })
            .await;
        made.expect("makes an account");
        account_id
    }

    async fn post(&self, account_id: AccountId, key: &str, command: Command) -> Result<Posted, LedgerError> {
        self.engine.post(account_id, keyed(key, command)).await
    }

    async fn grant(&self, account_id: AccountId, credits: i64) -> Posted {
        let key = Uuid::new_v4().to_string();
        self.post(account_id, &key, grant(credits)).await.expect("grants")
    }

    async fn end(self, accounts: &[AccountId]) {
        self.engine.shutdown().await;
        for account_id in accounts {
            self.scratch.verify(*account_id).await;
        }
        drop((self.engine, self.poster));
        self.scratch.drop_it().await;
    }
}

fn member(account_id: AccountId) -> MemberId {
    MemberId::from_uuid(Uuid::from_u128(u128::from(account_id.number().unsigned_abs()) + 1))
}

fn keyed(key: &str, command: Command) -> Request {
    Request {
        command,
        key: Some((Origin::Platform, key.to_owned())),
        cause: Cause::System,
        seed: IdSeed::random(),
    }
}

fn grant(credits: i64) -> Command {
    described_grant(credits, "Welcome")
}

fn described_grant(credits: i64, description: &str) -> Command {
    Command::Grant {
        credits: Credits::whole(credits),
        description: description.to_owned(),
        kind: LotKind::Promotional,
        expires_at: None,
        priority: 0,
    }
}

fn book(external_id: Option<&str>, credits: i64, starts_in: i64) -> Command {
    Command::Book {
        member: MemberRef::ExternalId("ann".to_owned()),
        external_id: external_id.map(str::to_owned),
        title: "Yoga".to_owned(),
        starts_at: START.plus_millis(starts_in),
        ends_at: START.plus_millis(starts_in + HOUR),
        credits: Credits::whole(credits),
        metadata: None,
    }
}

fn complete(external_id: &str, credits: Option<i64>) -> Command {
    Command::Complete {
        session: SessionRef::ExternalId(external_id.to_owned()),
        credits: credits.map(Credits::whole),
        allow_overage: false,
    }
}
