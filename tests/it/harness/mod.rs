//! A whole server for each test, which is called through its public API.
//!
//! [`TestApp::start`] starts a server on its own port and its own database. Its clock stands still until it is advanced. It has
//! a team of three, and a client for each of them. Dropping it verifies the ledger: a test that leaves a wrong sum or a broken
//! hash chain fails, whatever it tests. No test sleeps.
//!
//! `LEDGERBELL_TEST_DATABASE_URL` names a Postgres server to test on instead of SQLite.
//! `LEDGERBELL_TEST_ACCOUNTS_PER_TRANSACTION` is the number of accounts that may share a transaction.

mod across;
mod bookings;
pub(crate) mod citus;
mod client;
mod database;
mod dice;
mod event_stream;
mod nats;
mod process;
mod proxy;
mod raw;
mod serving;
mod settings;
mod socket;
mod statements;
mod subscriber;
mod words;

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use async_graphql::Response;
use ledgerbell::adapters::database::{self as databases, OpenOptions};
use ledgerbell::adapters::gateway::simulated::SimulatedGateway;
use ledgerbell::app::{self, App};
use ledgerbell::config::Settings;
use ledgerbell::domain::Services;
use ledgerbell::domain::database::Database;
use ledgerbell::domain::ledger::verify;
use ledgerbell::domain::member::{Account, IssueTokenError, Member, NewAccount, NewApiKey, NewMember, SignedIn};
use ledgerbell::domain::notification::Progress;
use ledgerbell::domain::top_up::{TopUp, TopUpOrigin};
use ledgerbell::graphql::Schema;
use ledgerbell::primitives::actor::{Actor, Cause, MemberRole, Permission, Permissions, Side};
use ledgerbell::primitives::clock::{Clock, Timestamp};
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::ids::AccountId;
use ledgerbell::primitives::money::CreditPrice;
use ledgerbell::workers::FindingWatch;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use process::{as_json, response_of, subscribe};

pub(crate) use bookings::with;
pub(crate) use client::{Answer, Client, code, read_document};
pub(crate) use database::{TestDatabase, citus_coordinator, connect, elsewhere, execute, in_database, postgres_server};
pub(crate) use dice::Dice;
pub(crate) use event_stream::{EventStream, StreamEvent};
pub(crate) use nats::NatsServer;
pub(crate) use process::AnotherProcess;
pub(crate) use proxy::{Proxy, address_of, by_way_of};
pub(crate) use raw::{Raw, RawAnswer};
pub(crate) use serving::{MAKE_KEY, Place, Serving, free_port};
pub(crate) use settings::{environment, load_settings};
pub(crate) use socket::{Frame, Socket};
pub(crate) use statements::{GLOBAL_TABLES, judge};
pub(crate) use subscriber::Subscriber;

/// The initial time of tests: Monday, 2 March 2026, 09:00 UTC.
pub(crate) const BEGIN: Timestamp = Timestamp::from_millis(1_772_442_000_000);

/// A running server with a team. Its parts are on the heap, because the future of each test contains them.
pub(crate) struct TestApp(Box<Parts>);

/// The parts of a test's server.
pub(crate) struct Parts {
    /// Stands still until it is advanced.
    pub(crate) clock: Clock,
    pub(crate) team: Team,
    /// Calls with a key that has all permissions in all accounts.
    pub(crate) platform: Client,
    app: App,
    schema: Schema,
    settings: Settings,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
    database: TestDatabase,
    verifies: bool,
}

/// An account and its members, with signed-in clients.
pub(crate) struct Team {
    pub(crate) account: Account,
    pub(crate) owner: Person,
    pub(crate) admin: Person,
    pub(crate) member: Person,
}

/// A member with a signed-in client.
pub(crate) struct Person {
    pub(crate) member: Member,
    pub(crate) client: Client,
}

impl Team {
    /// Returns the account's public id.
    pub(crate) fn id(&self) -> String {
        self.account.id.to_string()
    }
}

impl Person {
    /// Returns the member's public id.
    pub(crate) fn id(&self) -> String {
        self.member.id.global(self.member.account_id).to_string()
    }
}

impl TestApp {
    /// Starts a server with default settings.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server with these additional settings, by their path in the settings file.
    pub(crate) async fn start_with(settings: &[(&'static str, &str)]) -> Self {
        Box::pin(Self::start_on(TestDatabase::make().await, settings)).await
    }

    /// Starts a server with these additional settings on a database that the test has created.
    pub(crate) async fn start_on(database: TestDatabase, settings: &[(&'static str, &str)]) -> Self {
        let settings = load_settings(&database, settings);
        let clock = Clock::manual(BEGIN);
        let opened = statements::observe(app::open_database(&settings).await.expect("the database opens"));
        let app = Box::pin(App::start(opened, &settings, clock.clone()))
            .await
            .expect("the application starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        let http_state = app.http_state(&settings, &base);
        let schema = app.schema(&settings, &base);
        let serving = ledgerbell::http::serve(listener, http_state, stop.clone().cancelled_owned());
        let server = tokio::spawn(async move { serving.await.expect("the server ends well") });
        let anonymous = Client::new(&base, None);
        let everything = NewApiKey {
            account_id: AccountId::PLATFORM,
            side: Some(Side::Platform),
            name: "Test".to_owned(),
            permissions: Permissions::all(),
            expires_at: None,
        };
        let key = Box::pin(make_key(app.services(), everything)).await;
        let team = Box::pin(make_team(app.services(), &anonymous, "team")).await;
        Self(Box::new(Parts {
            clock,
            team,
            platform: anonymous.with_credential(&key),
            app,
            schema,
            settings,
            stop,
            server: Some(server),
            database,
            verifies: true,
        }))
    }

    /// Returns the use cases, for what the API does not offer.
    pub(crate) fn services(&self) -> &Services {
        self.app.services()
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Returns the directory of the server's files.
    pub(crate) fn data_dir(&self) -> &std::path::Path {
        &self.settings.data_dir
    }

    /// Returns the address of the server, without a trailing slash.
    pub(crate) fn base(&self) -> &str {
        self.platform.base()
    }

    /// Starts the shutdown of the server, as SIGTERM does.
    pub(crate) fn tell_to_stop(&self) {
        self.stop.cancel();
    }

    /// Subscribes as the client's caller, directly at the schema.
    pub(crate) async fn subscribe(&self, client: &Client, document: &str, variables: Value) -> Subscriber {
        let subscribed = self.try_subscribe(client, document, variables).await;
        subscribed.unwrap_or_else(|refused| panic!("subscribed to, not {refused}"))
    }

    /// Like [`Self::subscribe`], but returns a refusal.
    pub(crate) async fn try_subscribe(
        &self,
        client: &Client,
        document: &str,
        variables: Value,
    ) -> Result<Subscriber, Value> {
        Box::pin(subscribe(&self.app, &self.schema, client, document, variables)).await
    }

    /// Signs in with the client's credential.
    pub(crate) async fn sign_in(&self, client: &Client) -> SignedIn {
        let credential = client.credential().expect("has a credential");
        let signed_in = self.services().sign_in.authenticate(credential).await;
        signed_in.expect("signs in")
    }

    /// Returns the response of the schema to a query of this caller, as JSON.
    pub(crate) async fn answer_as(&self, actor: Actor, query: &str) -> Value {
        as_json(&self.response_to(actor, query).await)
    }

    /// Returns the response of the schema to a query of this caller.
    pub(crate) async fn response_to(&self, actor: Actor, query: &str) -> Response {
        response_of(&self.schema, actor, query).await
    }

    /// Like [`Self::try_subscribe`], for a caller that signed in before.
    pub(crate) async fn subscribe_as(
        &self,
        signed_in: SignedIn,
        document: &str,
        variables: Value,
    ) -> Result<Subscriber, Value> {
        Box::pin(Subscriber::start(
            (&self.schema, self.services()),
            signed_in,
            document,
            variables,
        ))
        .await
    }

    /// Starts a second process on the same database, with these additional settings.
    pub(crate) async fn another_process(&self, settings: &[(&'static str, &str)]) -> AnotherProcess {
        let settings = load_settings(&self.database, settings);
        let opened = statements::observe(app::open_database(&settings).await.expect("the database opens"));
        self.another_process_on(opened, &settings).await
    }

    /// Starts a process on another database, by the clock of this test.
    pub(crate) async fn another_process_at(
        &self,
        database: &TestDatabase,
        settings: &[(&'static str, &str)],
    ) -> AnotherProcess {
        let settings = load_settings(database, settings);
        let opened = app::open_database(&settings).await.expect("the database opens");
        self.another_process_on(opened, &settings).await
    }

    /// Starts a second process on these connections.
    pub(crate) async fn another_process_by(&self, opened: Database) -> AnotherProcess {
        self.another_process_on(opened, &load_settings(&self.database, &[]))
            .await
    }

    async fn another_process_on(&self, opened: Database, settings: &Settings) -> AnotherProcess {
        let app = Box::pin(App::start(opened, settings, self.clock.clone()));
        let app = app.await.expect("the application starts");
        AnotherProcess {
            schema: app.schema(settings, "http://another"),
            app,
        }
    }

    /// Waits until no client is connected.
    pub(crate) async fn until_nobody_is_connected(&self) {
        until(|| self.app.live_connections().taken() == 0).await;
        assert_eq!(self.app.live_connections().callers(), 0);
    }

    pub(crate) fn database(&self) -> &TestDatabase {
        &self.database
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database.url
    }

    /// Returns a client without a credential.
    pub(crate) fn anonymous(&self) -> Client {
        self.platform.anonymous()
    }

    /// Returns a client with a platform key for the team's account only, with these permissions.
    pub(crate) async fn key(&self, permissions: &[Permission]) -> Client {
        self.key_of(Some(self.team.account.id), Side::Platform, permissions)
            .await
    }

    /// Returns a client with a key of the team, with these permissions.
    pub(crate) async fn team_key(&self, permissions: &[Permission]) -> Client {
        self.key_of(Some(self.team.account.id), Side::Team, permissions).await
    }

    /// Returns a client with a platform key for all accounts, with these permissions.
    pub(crate) async fn platform_key(&self, permissions: &[Permission]) -> Client {
        self.key_of(None, Side::Platform, permissions).await
    }

    /// Returns a client with a key of this side, for this account or for all.
    pub(crate) async fn key_of(&self, account_id: Option<AccountId>, side: Side, permissions: &[Permission]) -> Client {
        let new = NewApiKey {
            account_id: account_id.unwrap_or(AccountId::PLATFORM),
            side: Some(side),
            name: "Test".to_owned(),
            permissions: permissions.iter().copied().collect(),
            expires_at: None,
        };
        self.platform
            .with_credential(&Box::pin(make_key(self.services(), new)).await)
    }

    /// Returns a client with a key of the team's account that has all permissions of its side and expires after `lives`.
    pub(crate) async fn expiring_key(&self, side: Side, lives: Duration) -> Client {
        let millis = i64::try_from(lives.as_millis()).expect("not for ever");
        let new = NewApiKey {
            account_id: self.team.account.id,
            side: Some(side),
            name: "Test".to_owned(),
            permissions: Permissions::of(side),
            expires_at: Some(self.clock.now().plus_millis(millis)),
        };
        self.platform
            .with_credential(&Box::pin(make_key(self.services(), new)).await)
    }

    /// Revokes all keys of the team's account.
    pub(crate) async fn revoke_all_keys(&self) {
        let query = "query ($id: ID) { account(id: $id) { apiKeys { id } } }";
        let keys = self.platform.query(query, json!({ "id": self.team.id() })).await;
        let revoke = "mutation R($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { userErrors { code } } }";
        for key in keys.at("/account/apiKeys").as_array().expect("a list") {
            let input = json!({ "apiKeyId": key["id"] });
            self.platform.query(revoke, json!({ "input": input })).await.data();
        }
    }

    /// Creates another account with its own members. `external_id` is also its name.
    pub(crate) async fn another_team(&self, external_id: &str) -> Team {
        make_team(self.services(), &self.anonymous(), external_id).await
    }

    /// Adds credits that the team has paid for.
    pub(crate) async fn top_up(&self, credits: i64) -> TopUp {
        self.top_up_of(&self.team, credits).await
    }

    /// Adds credits that a team has paid for.
    pub(crate) async fn top_up_of(&self, team: &Team, credits: i64) -> TopUp {
        let cause = Cause::Member(team.owner.member.id);
        let credits = Credits::whole(credits);
        let top_ups = &self.services().top_ups;
        let paid = top_ups.record_paid(&Actor::System, team.account.id, credits, TopUpOrigin::Manual, cause);
        paid.await.expect("the top-up is credited")
    }

    /// Advances the clock.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Returns an instant this number of minutes from now, in the format of the API.
    pub(crate) fn in_minutes(&self, minutes: i64) -> String {
        self.clock.now().plus_millis(minutes * 60_000).to_string()
    }

    /// Runs the workers until no work is left.
    pub(crate) async fn settle(&self) {
        Box::pin(async {
            let services = self.services();
            loop {
                let mut found = services.ledger.sweep(500).await.expect("the sweeper works");
                found += services.auto_top_ups.try_again(500).await.expect("retries work");
                found += services.auto_top_ups.sweep(500).await.expect("rules are evaluated");
                found += services.charging.turn(500).await.expect("charging works");
                found += services.refunding.turn(500).await.expect("refunding works");
                found += self.app.deliver_messages().await.expect("messages are taken in");
                found += services.webhooks.turn(500).await.expect("webhooks are dealt with");
                if found == 0 {
                    return;
                }
            }
        })
        .await;
    }

    pub(crate) fn gateway(&self) -> &SimulatedGateway {
        self.app
            .simulated_gateway()
            .expect("tests charge the simulated gateway")
    }

    /// Raises the alerts for all events, until no account is left to evaluate.
    pub(crate) async fn evaluate(&self) {
        Box::pin(async {
            let alerts = &self.services().alerts;
            while alerts.evaluate_due(500).await.expect("accounts are looked at again") > 0 {}
            loop {
                let late = alerts.late(500).await.expect("accounts are found");
                if late.is_empty() {
                    return;
                }
                let mut progress = Progress::default();
                for account_id in alerts
                    .evaluate(&late, &mut progress)
                    .await
                    .expect("accounts are looked at")
                {
                    while alerts.evaluate_alone(account_id).await.expect("events are looked at") {}
                }
                alerts.save_progress(&mut progress).await.expect("places are moved on");
            }
        })
        .await;
    }

    /// Evaluates the findings of all accounts that may have changed, and notifies subscribers.
    pub(crate) async fn look(&self) {
        Box::pin(async {
            let watch = FindingWatch::new(self.services().clone());
            watch.turn(Vec::new()).await.expect("accounts are looked at");
        })
        .await;
    }

    /// Sends the scheduled mail. Returns all mail that was ever written into files.
    pub(crate) async fn mail(&self) -> Vec<String> {
        Box::pin(async {
            while self.services().outbox.send_due(20).await.expect("mail is sent") > 0 {}
            let Ok(files) = std::fs::read_dir(self.settings.data_dir.join("mail")) else {
                return Vec::new();
            };
            files
                .map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("a mail"))
                .collect()
        })
        .await
    }

    /// Disables the verification, for tests that damage the ledger.
    pub(crate) fn do_not_verify(&mut self) {
        self.verifies = false;
    }

    /// Ends the server as SIGTERM does, then verifies the ledger.
    pub(crate) async fn finish(mut self) {
        Box::pin(async move {
            self.stop.cancel();
            if let Some(server) = self.server.take() {
                server.await.expect("the server ends well");
            }
            self.app.close().await.expect("the application closes");
        })
        .await;
    }
}

impl Deref for TestApp {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl DerefMut for TestApp {
    fn deref_mut(&mut self) -> &mut Parts {
        &mut self.0
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
        if std::thread::panicking() || !self.verifies {
            return;
        }
        // On separate connections: those of the application belong to the test's runtime, which waits for this.
        let url = self.settings.database.url.reveal().to_owned();
        let verified = elsewhere(async move {
            let options = OpenOptions {
                max_connections: 2,
                readers: 1,
                ..OpenOptions::default()
            };
            let database = databases::open(&url, options).await.expect("the database opens again");
            let database = statements::observe(database);
            let report = verify::verify(&database, |_| {})
                .await
                .expect("the ledger can be verified");
            database.close().await.expect("the database closes");
            report.violations.iter().map(ToString::to_string).collect::<Vec<_>>()
        });
        match verified {
            Ok(violations) => assert!(
                violations.is_empty(),
                "the ledger does not verify:\n{}",
                violations.join("\n")
            ),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        statements::assert_shardable();
    }
}

/// Waits for a condition that will become true.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("it comes to hold");
}

async fn make_key(services: &Services, new: NewApiKey) -> String {
    let made = services.api_keys.create(&Actor::System, new).await;
    made.expect("a key").secret
}

/// Returns the owner of an account that a test creates itself.
pub(crate) fn owner(name: &str) -> NewMember {
    NewMember {
        external_id: Some(name.to_lowercase()),
        name: name.to_owned(),
        email: None,
        role: MemberRole::Owner,
        locale: None,
        email_verified: false,
    }
}

async fn make_team(services: &Services, anonymous: &Client, external_id: &str) -> Team {
    let new_member = |name: &str, role| NewMember {
        external_id: Some(name.to_lowercase()),
        name: name.to_owned(),
        email: Some(format!("{}@{external_id}.example", name.to_lowercase())),
        role,
        locale: None,
        email_verified: false,
    };
    let new = NewAccount {
        external_id: Some(external_id.to_owned()),
        name: format!("The {external_id}"),
        credit_price: CreditPrice::from_millionths(1_000_000),
        currency: "EUR".parse().expect("a currency"),
        timezone: chrono_tz::Tz::UTC,
        owner: Some(new_member("Olga", MemberRole::Owner)),
    };
    let account = services.accounts.create(&Actor::System, new).await.expect("an account");
    let members = &services.members;
    let owner = members.find_by_external_id(&Actor::System, account.id, "olga").await;
    let owner = owner.expect("the owner is found").expect("an owner");
    let add = async |name: &str, role| {
        let added = members.add(&Actor::System, account.id, new_member(name, role)).await;
        added.expect("a member")
    };
    let admin = add("Adam", MemberRole::Admin).await;
    let member = add("Mia", MemberRole::Member).await;
    let person = |member: Member| {
        // Long enough for tests that advance the clock by years, unless a test is about this limit.
        let issue = |lives| services.sign_in.issue_token(account.id, member.id, lives);
        let token = match issue(Duration::from_hours(20 * 365 * 24)) {
            Err(IssueTokenError::LivesTooLong { most_seconds }) => issue(Duration::from_secs(most_seconds)),
            issued => issued,
        };
        let client = anonymous.with_credential(&token.expect("a token"));
        Person { member, client }
    };
    Team {
        owner: person(owner),
        admin: person(admin),
        member: person(member),
        account,
    }
}
