//! Every fault of a process, of Postgres, of the bus and of the network between them, while clients post, buy and follow.
//!
//! Each test prints how long postings and alerts took to work again after each fault.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, Statement};

use super::cluster::{Bus, Cluster, STARTS_WITHIN};
use super::load::{Clients, Load, Seen};
use crate::harness::{Proxy, postgres_server};

/// The time limit for recovery from each fault.
const RECOVERS_WITHIN: Duration = Duration::from_mins(1);
const CHARGED: &str = "SELECT COUNT(*) AS count FROM alert WHERE kind = 'SESSION_CHARGED'";

/// A running test.
struct Trial {
    cluster: Cluster,
    load: Arc<Load>,
    clients: Clients,
    probes: usize,
}

fn rounds() -> usize {
    let rounds = std::env::var("LEDGERBELL_TEST_ROUNDS").ok();
    rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

impl Trial {
    async fn start(bus: Bus) -> Option<Self> {
        let cluster = Cluster::start(bus).await?;
        let load = Load::prepare(&cluster).await;
        let clients = load.start();
        let mut trial = Self {
            cluster,
            load,
            clients,
            probes: 0,
        };
        trial.cluster.until_bells_are_heard().await;
        trial.recovered("nothing", Instant::now()).await;
        Some(trial)
    }

    /// Waits until each server posts, and until a session that is completed now has its alert. Prints how long that took.
    async fn recovered(&mut self, fault: &str, begun: Instant) {
        self.probes += 1;
        let (load, number) = (&self.load, self.probes);
        let keys = [0, 1].map(|server| format!("probe {number} {server}"));
        tokio::join!(load.until_posted_at(0, &keys[0]), load.until_posted_at(1, &keys[1]));
        let posted = begun.elapsed();
        let name = format!("probe {number}");
        load.charge(&name).await;
        let completed = Instant::now();
        let alert = format!(
            "SELECT COUNT(*) AS count FROM alert AS a JOIN session AS s ON s.account_id = a.account_id AND s.id = a.session_id \
             WHERE a.kind = 'SESSION_CHARGED' AND s.external_id = '{name}'"
        );
        self.cluster.until_count(&alert, 1, RECOVERS_WITHIN).await;
        eprintln!(
            "| {fault} | {:?} | postings at both servers after {} ms | an alert after {} ms, {} ms after its session |",
            self.cluster.bus,
            posted.as_millis(),
            begun.elapsed().as_millis(),
            completed.elapsed().as_millis(),
        );
        assert!(posted < RECOVERS_WITHIN, "{fault}: {posted:?}");
        self.clients.check();
    }

    /// Stops and starts each process, one after the other, as a new version is rolled out.
    async fn restart_each(&mut self) {
        let begun = Instant::now();
        for at in 0..3 {
            let process = self.cluster.roles[at].running.take().expect("it runs");
            // On a machine without time for it, a process ends before its connections do, with another status.
            process.terminate().await;
            self.cluster.start_role(at).await;
        }
        self.recovered("each process stopped and started", begun).await;
    }

    async fn kill_each(&mut self) {
        for at in 0..3 {
            let begun = Instant::now();
            let process = self.cluster.roles[at].running.take().expect("it runs");
            process.kill_now();
            drop(process);
            self.cluster.start_role(at).await;
            let fault = format!("{} killed and started", self.cluster.roles[at].name);
            self.recovered(&fault, begun).await;
        }
    }

    /// Without its bus everything works, later.
    async fn lose_bus(&mut self) {
        let begun = Instant::now();
        match &mut self.cluster.nats {
            Some(nats) => nats.kill(),
            None => self.cut_listening().await,
        }
        self.recovered("the bus is down", begun).await;
        if let Some(nats) = &mut self.cluster.nats {
            nats.start_again().await;
        }
        let begun = Instant::now();
        self.cluster.until_bells_are_heard().await;
        self.recovered("the bus is up again", begun).await;
    }

    async fn cut_listening(&self) {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
            AND (query ILIKE 'LISTEN%' OR query ILIKE '%pg_notify%') AND pid <> pg_backend_pid()";
        let statement = Statement::from_string(self.cluster.direct.get_database_backend(), cut);
        let cut = self.cluster.direct.query_all_raw(statement).await.expect("cut");
        assert!(!cut.is_empty(), "there is something to cut");
    }

    /// As after a crash of Postgres, if the environment names a program for it.
    async fn restart_postgres(&mut self) {
        let Some(program) = std::env::var_os("LEDGERBELL_TEST_POSTGRES_RESTART").filter(|name| !name.is_empty()) else {
            let text = "\n!!! NOT RUN: Postgres restarted (LEDGERBELL_TEST_POSTGRES_RESTART names no program)\n";
            let _ = std::io::stderr().write_all(text.as_bytes());
            return;
        };
        let begun = Instant::now();
        let mut restart = tokio::process::Command::new(program);
        // The server inherits these: with pipes, this would wait for its end.
        restart.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(restart.status().await.expect("it runs").success(), "Postgres starts");
        self.recovered("Postgres crashed and started", begun).await;
        self.until_ready().await;
    }

    /// The network of one server or of the worker fails in every way.
    async fn disturb_network(&mut self, at: usize) {
        let name = self.cluster.roles[at].name;
        let begun = Instant::now();
        self.cluster.roles[at].links().for_each(Proxy::cut);
        self.recovered(&format!("connections of {name} closed"), begun).await;
        let begun = Instant::now();
        self.cluster.roles[at].links().for_each(Proxy::reset);
        self.recovered(&format!("connections of {name} reset"), begun).await;
        let begun = Instant::now();
        let delay = |delay: Duration| self.cluster.roles[at].links().for_each(|link| link.delay(delay));
        delay(Duration::from_millis(10));
        self.recovered(&format!("the network of {name} is 20 ms slower"), begun)
            .await;
        let delay = |delay: Duration| self.cluster.roles[at].links().for_each(|link| link.delay(delay));
        delay(Duration::ZERO);
        let begun = Instant::now();
        self.cluster.roles[at].links().for_each(Proxy::mute_open_ones);
        self.recovered(&format!("open connections of {name} mute"), begun).await;
        self.until_ready().await;
    }

    /// A process whose network swallows everything says so, and is ready again when it does not.
    async fn isolate(&mut self, at: usize) {
        let name = self.cluster.roles[at].name;
        self.cluster.roles[at].links().for_each(Proxy::mute_all);
        self.cluster.roles[at].process().until_not_ready(RECOVERS_WITHIN).await;
        let begun = Instant::now();
        self.cluster.roles[at].links().for_each(Proxy::mute_open_ones);
        self.recovered(&format!("all connections of {name} mute, until it said so"), begun)
            .await;
        self.until_ready().await;
    }

    async fn until_ready(&self) {
        for role in &self.cluster.roles {
            role.process().until_ready(STARTS_WITHIN).await;
        }
    }

    /// Ends the load, and compares the answers to clients with what the database and the gateway have.
    async fn check(self) {
        let Self {
            cluster, load, clients, ..
        } = self;
        let seen = clients.finish(&load, &cluster).await;
        let completed = i64::try_from(seen.completed.len()).expect("a number");
        cluster.until_count(CHARGED, completed, RECOVERS_WITHIN).await;
        let alerts = cluster.try_count(CHARGED).await.expect("the database answers");
        let charges = check_charges(&cluster, &seen).await;
        eprintln!(
            "| in all | {:?} | {completed} sessions and {} top-ups acknowledged, {} requests sent again | alerts missed {}, sessions or \
             top-ups charged twice {charges} |",
            cluster.bus,
            seen.bought,
            load.repeated.load(Ordering::Relaxed),
            completed - alerts,
        );
        assert_eq!(alerts, completed, "one alert for each session");
        let stored = stored_sessions(&cluster).await;
        let lost: Vec<_> = seen.completed.difference(&stored).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        assert!(cluster.print(&["verify"]).ends_with(" 0 violations"));
        for mut role in cluster.roles {
            let process = role.running.take().expect("it runs");
            assert!(process.terminate().await.0.success(), "{}", role.name);
        }
    }
}

/// Returns the completed sessions that have an entry.
async fn stored_sessions(cluster: &Cluster) -> HashSet<String> {
    let sql = "SELECT s.external_id FROM session AS s JOIN credit_entry AS e \
        ON e.account_id = s.account_id AND e.session_id = s.id AND e.kind = 'SESSION'";
    let statement = Statement::from_string(cluster.direct.get_database_backend(), sql);
    let rows = cluster.direct.query_all_raw(statement).await.expect("sessions");
    rows.iter()
        .map(|row| row.try_get("", "external_id").expect("an id"))
        .collect()
}

/// Returns how many sessions and top-ups were charged twice, which must be none.
async fn check_charges(cluster: &Cluster, seen: &Seen) -> i64 {
    let twice = |column: &str| {
        format!(
            "SELECT COUNT(*) AS count FROM (SELECT {column} FROM credit_entry WHERE kind IN ('SESSION', 'TOP_UP') \
             AND {column} IS NOT NULL GROUP BY {column} HAVING COUNT(*) > 1) AS twice"
        )
    };
    let mut found = 0;
    for column in ["session_id", "top_up_id"] {
        found += cluster.try_count(&twice(column)).await.expect("the database answers");
    }
    assert_eq!(found, 0, "charged twice in the credit log");
    let objects = cluster.gateway.objects();
    let charges: u32 = objects.iter().map(|object| object.charges).sum();
    assert!(
        objects.iter().all(|object| object.charges <= 1),
        "charged twice at the gateway"
    );
    assert_eq!(charges as usize, seen.bought, "each top-up was charged once");
    found
}

async fn every_fault(bus: Bus) {
    if postgres_server().is_none() {
        eprintln!("several processes need Postgres: it runs with LEDGERBELL_TEST_DATABASE_URL");
        return;
    }
    let Some(mut trial) = Trial::start(bus).await else {
        return;
    };
    for _ in 0..rounds() {
        trial.restart_each().await;
        trial.kill_each().await;
        trial.lose_bus().await;
        trial.restart_postgres().await;
        trial.disturb_network(0).await;
        trial.disturb_network(2).await;
        trial.isolate(1).await;
    }
    trial.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_bells_of_postgres_nothing_is_lost_or_done_twice_whatever_fails() {
    every_fault(Bus::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_bells_of_nats_nothing_is_lost_or_done_twice_whatever_fails() {
    every_fault(Bus::Nats).await;
}
