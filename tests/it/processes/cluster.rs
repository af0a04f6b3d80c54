//! Two processes that serve and one that works, each with its own proxies to Postgres and to the bus.

use std::time::{Duration, Instant};

use ledgerbell::adapters::gateway::simulated::{PUBLISHABLE_KEY, SimulatedGateway, WEBHOOK_SECRET, router};
use ledgerbell::primitives::clock::Clock;
use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseConnection, Statement};
use tokio::net::TcpListener;

use crate::harness::{NatsServer, Place, Proxy, Serving, TestDatabase, address_of, by_way_of};

/// Longer than a process needs to start on a busy machine.
pub(super) const STARTS_WITHIN: Duration = Duration::from_mins(1);
const MAKE_KEY: [&str; 6] = [
    "api-key",
    "create",
    "--name",
    "Processes",
    "--permissions",
    "READ_CREDIT_LOG,MANAGE_ACCOUNTS,MANAGE_CREDITS,MANAGE_MEMBERS,MANAGE_SETTINGS,BOOK_SESSIONS,SETTLE_SESSIONS,BUY_CREDITS",
];

/// How the processes notify each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bus {
    Postgres,
    Nats,
}

/// One process of the cluster, which keeps its ports when it is started again.
pub(super) struct Role {
    pub(super) name: &'static str,
    place: Place,
    arguments: &'static [&'static str],
    /// Between it and Postgres.
    pub(super) database: Proxy,
    /// Between it and NATS, if that is the bus.
    bus: Option<Proxy>,
    pub(super) running: Option<Serving>,
}

impl Role {
    pub(super) fn base(&self) -> String {
        self.place.base()
    }

    pub(super) fn process(&self) -> &Serving {
        self.running.as_ref().expect("it runs")
    }

    /// All connections of this process to other servers.
    pub(super) fn links(&self) -> impl Iterator<Item = &Proxy> {
        std::iter::once(&self.database).chain(&self.bus)
    }
}

/// The processes, and what they share.
pub(super) struct Cluster {
    pub(super) bus: Bus,
    pub(super) key: String,
    pub(super) roles: [Role; 3],
    pub(super) nats: Option<NatsServer>,
    pub(super) gateway: SimulatedGateway,
    /// A connection of the test, past the proxies.
    pub(super) direct: DatabaseConnection,
    pub(super) database: TestDatabase,
}

impl Cluster {
    /// Starts all. Returns `None` with a message where the bus is not installed.
    pub(super) async fn start(bus: Bus) -> Option<Self> {
        let nats = match bus {
            Bus::Postgres => None,
            Bus::Nats => Some(NatsServer::start().await?),
        };
        let database = TestDatabase::make().await;
        let gateway = SimulatedGateway::new(Clock::system());
        let gateway_url = serve(&gateway).await;
        let mut roles = Vec::new();
        let arguments: [(&str, &[&str]); 3] = [
            ("server A", &["serve", "--no-workers"]),
            ("server B", &["serve", "--no-workers"]),
            ("worker", &["worker"]),
        ];
        for (name, arguments) in arguments {
            let to_database = Proxy::start(address_of(&database.url)).await;
            let mut place = Place::new(&by_way_of(&database.url, &to_database.address));
            place.settings = shared_settings(&gateway_url);
            let mut to_bus = None;
            if let Some(nats) = &nats {
                let proxy = Proxy::start(nats.address.clone()).await;
                let servers = format!("nats://{}", proxy.address);
                place.settings.push(("LEDGERBELL_BUS_KIND", "nats".to_owned()));
                place.settings.push(("LEDGERBELL_BUS_NATS_SERVERS", servers));
                to_bus = Some(proxy);
            }
            roles.push(Role {
                name,
                place,
                arguments,
                database: to_database,
                bus: to_bus,
                running: None,
            });
        }
        let key = roles[0].place.print(&database, &MAKE_KEY);
        let mut options = ConnectOptions::new(&database.url);
        options.max_connections(2).sqlx_logging(false);
        let mut cluster = Self {
            bus,
            key,
            roles: roles.try_into().ok().expect("three roles"),
            nats,
            gateway,
            direct: sea_orm::Database::connect(options).await.expect("connects"),
            database,
        };
        for at in 0..cluster.roles.len() {
            cluster.start_role(at).await;
        }
        Some(cluster)
    }

    /// Starts a process, and waits until it is ready.
    pub(super) async fn start_role(&mut self, at: usize) {
        let role = &mut self.roles[at];
        let started = role.place.start(&self.database, &self.key, role.arguments);
        started.until_ready(STARTS_WITHIN).await;
        role.running = Some(started);
    }

    /// Returns a number that the database has; `None` while it does not answer.
    pub(super) async fn try_count(&self, sql: &str) -> Option<i64> {
        let statement = Statement::from_string(self.direct.get_database_backend(), sql);
        let asked = tokio::time::timeout(Duration::from_secs(5), self.direct.query_one_raw(statement));
        asked.await.ok()?.ok()??.try_get("", "count").ok()
    }

    /// Waits until a number that the database has reaches this.
    pub(super) async fn until_count(&self, sql: &str, at_least: i64, patience: Duration) {
        let begun = Instant::now();
        while self.try_count(sql).await.is_none_or(|count| count < at_least) {
            assert!(begun.elapsed() < patience, "{sql} comes to {at_least}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until each process has heard the bell since now.
    pub(super) async fn until_bells_are_heard(&self) {
        let begun = Instant::now();
        for role in &self.roles {
            loop {
                let figure = "worker_last_success_seconds{worker=\"bell\"}";
                let metrics = role.process().metrics().await;
                let value = metrics
                    .lines()
                    .find_map(|line| line.strip_prefix(&format!("ledgerbell_{figure} ")));
                let since: Option<u64> = value.and_then(|value| value.parse().ok());
                if since.is_some_and(|since| since < begun.elapsed().as_secs()) {
                    break;
                }
                assert!(
                    begun.elapsed() < STARTS_WITHIN,
                    "{} hears the bell: {value:?}",
                    role.name
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Returns why a command is refused.
    pub(super) fn refuse(&self, arguments: &[&str]) -> String {
        let place = Place::new(&self.database.url);
        let output = place.command(&self.database, arguments).output().expect("it runs");
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).expect("text")
    }

    /// Runs a command beside the processes, and returns its output.
    pub(super) fn print(&self, arguments: &[&str]) -> String {
        self.roles[0].place.print(&self.database, arguments)
    }
}

/// Serves the gateway as Stripe. Returns its URL.
async fn serve(gateway: &SimulatedGateway) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    gateway.send_customers_to(&url);
    let router = router(gateway.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
    url
}

fn shared_settings(gateway_url: &str) -> Vec<(&'static str, String)> {
    [
        ("LEDGERBELL_GATEWAY_KIND", "stripe"),
        ("LEDGERBELL_GATEWAY_STRIPE_URL", gateway_url),
        ("LEDGERBELL_GATEWAY_STRIPE_SECRET_KEY", "sk_test_processes"),
        ("LEDGERBELL_GATEWAY_STRIPE_PUBLISHABLE_KEY", PUBLISHABLE_KEY),
        ("LEDGERBELL_GATEWAY_STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("LEDGERBELL_GATEWAY_RETURN_URL", "https://app.example/back"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}
