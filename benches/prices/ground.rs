//! An account with everything that the measured operations read.

use std::path::Path;
use std::time::Duration;

use ledgerbell::app::{self, App};
use ledgerbell::config::Settings;
use ledgerbell::domain::member::{NewAccount, NewMember};
use ledgerbell::domain::notification::Progress;
use ledgerbell::domain::top_up::TopUpOrigin;
use ledgerbell::graphql::{Caller, EXPORTED_ENTRY, Operation, Parameters, Schema, to_json};
use ledgerbell::primitives::actor::{Actor, Cause, MemberRole};
use ledgerbell::primitives::clock::Clock;
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::ids::AccountId;
use ledgerbell::primitives::money::CreditPrice;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::Failure;
use crate::operations::{self, Who};

/// The number of members, top-ups and open sessions of the account: more than one page of each.
const MANY: usize = 120;

/// The external id of the account.
const BUSY: &str = "busy";

pub(crate) struct Ground {
    app: App,
    pub(crate) schema: Schema,
    pub(crate) owner: Actor,
    pub(crate) account: String,
    members: Vec<String>,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl Ground {
    /// Opens the database in a directory. Makes it and its account, with this number of past sessions, unless it exists.
    pub(crate) async fn open(directory: &Path, sessions: usize) -> Result<Self, Failure> {
        let settings = Settings::load(
            None,
            [],
            vec![
                ("mode", Some("development".to_owned())),
                ("data_dir", Some(directory.display().to_string())),
                ("limits.cost", Some("1000000000".to_owned())),
                ("limits.burst", Some("1000000000".to_owned())),
                ("live.cost_per_caller", Some("1000000000".to_owned())),
            ],
        )?;
        let database = app::open_database(&settings).await?;
        ledgerbell::adapters::database::migrate(&database).await?;
        let app = App::start(database, &settings, Clock::system()).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let http_state = app.http_state(&settings, &base);
        let server = tokio::spawn(ledgerbell::http::serve(
            listener,
            http_state,
            stop.clone().cancelled_owned(),
        ));
        let known = app
            .services()
            .accounts
            .find_by_external_id(&Actor::System, BUSY)
            .await?;
        let account_id = match &known {
            Some(account) => account.id,
            None => make_account(&app).await?,
        };
        let mut ground = Self {
            schema: app.schema(&settings, &base),
            owner: owner(&app, account_id).await?,
            account: ledgerbell::primitives::ids::GlobalId::account(account_id).to_string(),
            members: Vec::new(),
            app,
            stop,
            server,
        };
        if known.is_none() {
            ground.add_members(account_id).await?;
        }
        for number in 0..MANY {
            let members = &ground.app.services().members;
            let member = members
                .find_by_external_id(&Actor::System, account_id, &external_id(number))
                .await?;
            let member = member.ok_or("a member of the account")?;
            ground.members.push(member.id.global(account_id).to_string());
        }
        if known.is_none() {
            ground.fill(sessions).await?;
        }
        Ok(ground)
    }

    async fn add_members(&self, account_id: AccountId) -> Result<(), Failure> {
        let services = self.app.services();
        let owner_id = self.owner.member_id().ok_or("the owner is a member")?;
        for number in 0..MANY {
            let new = NewMember {
                external_id: Some(external_id(number)),
                name: format!("Member {number}"),
                email: Some(format!("member-{number}@example.com")),
                role: if number % 10 == 0 {
                    MemberRole::Admin
                } else {
                    MemberRole::Member
                },
                locale: None,
                email_verified: false,
            };
            services.members.add(&Actor::System, account_id, new).await?;
            let credits = Credits::whole(1_000);
            let paid = services.top_ups.record_paid(
                &Actor::System,
                account_id,
                credits,
                TopUpOrigin::Manual,
                Cause::Member(owner_id),
            );
            paid.await?;
        }
        Ok(())
    }

    async fn fill(&self, sessions: usize) -> Result<(), Failure> {
        let services = self.app.services();
        for at in (0..sessions).step_by(100) {
            self.book(at, true).await?;
        }
        self.book(sessions, false).await?;
        let mut progress = Progress::default();
        let late = services.alerts.late(500).await?;
        for account_id in services.alerts.evaluate(&late, &mut progress).await? {
            while services.alerts.evaluate_alone(account_id).await? {}
        }
        services.alerts.save_progress(&mut progress).await?;
        let analyzed = self.app.database().transaction(|tx| {
            Box::pin(async move {
                sea_orm::ConnectionTrait::execute_unprepared(tx, "ANALYZE").await?;
                Ok::<_, ledgerbell::domain::fault::Fault>(())
            })
        });
        Ok(analyzed.await?)
    }

    /// Books a hundred sessions, and optionally completes them.
    async fn book(&self, at: usize, completes: bool) -> Result<(), Failure> {
        let begins = self.app.services().clock.now();
        let items: Vec<Value> = (at..at + 100)
            .map(|number| {
                json!({
                    "accountId": self.account, "memberId": self.members[number % self.members.len()],
                    "title": format!("Yoga {number}"), "credits": "2", "idempotencyKey": format!("book-{number}"),
                    "startsAt": begins.plus_millis(3_600_000).to_string(),
                    "endsAt": begins.plus_millis(7_200_000).to_string(),
                })
            })
            .collect();
        let booked = self
            .ask(
                Actor::System,
                "mutation B($i: BookSessionsInput!) { bookSessions(input: $i) { results { session { id } userErrors { code message } } } }",
                json!({"i": {"items": items}}),
            )
            .await?;
        if !completes {
            return Ok(());
        }
        let results = booked["bookSessions"]["results"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let items: Vec<Value> = results
            .iter()
            .map(|result| json!({"sessionId": result["session"]["id"], "credits": "1", "idempotencyKey": result["session"]["id"]}))
            .collect();
        self.ask(
            Actor::System,
            "mutation C($i: CompleteSessionsInput!) { completeSessions(input: $i) { results { session { id } userErrors { code message } } } }",
            json!({"i": {"items": items}}),
        )
        .await?;
        Ok(())
    }

    async fn ask(&self, actor: Actor, query: &str, variables: Value) -> Result<Value, Failure> {
        let (_, text) = self.execute(actor, query, variables).await?;
        let mut response: Value = serde_json::from_str(&text)?;
        Ok(response["data"].take())
    }

    /// Checks a document, as the server does before it executes it.
    pub(crate) fn check(&self, query: &str, variables: Value) -> Result<Operation, Failure> {
        let parameters = Parameters {
            query: Some(query.to_owned()),
            variables: async_graphql::Variables::from_json(variables),
            ..Parameters::default()
        };
        let checked = self.schema.check(parameters);
        checked.map_err(|refused| format!("{query}: {refused:?}").into())
    }

    /// Returns the price and the response of an operation.
    async fn execute(&self, actor: Actor, query: &str, variables: Value) -> Result<(u64, String), Failure> {
        let checked = self.check(query, variables)?;
        let cost = checked.cost;
        let response = self.schema.execute(checked, Some(caller(actor))).await;
        if !response.errors.is_empty() {
            return Err(format!("{query}: {:?}", response.errors).into());
        }
        let text = to_json(&response)?;
        if text.contains("\"code\":\"") && text.contains("userErrors\":[{") {
            return Err(format!("{query} is refused: {text}").into());
        }
        Ok((cost, text))
    }

    /// Runs an operation, and returns its price and the length of its response. Mutations differ by `run`.
    pub(crate) async fn run(&self, operation: &operations::Operation, run: u32) -> Result<(u64, usize), Failure> {
        let actor = match operation.who {
            Who::Owner => self.owner.clone(),
            Who::Platform => Actor::System,
        };
        let now = self.app.services().clock.now();
        let variables = json!({
            "id": self.account,
            "member": self.members[0],
            "members": self.members[..100],
            "run": format!("{run}"),
            "key": format!("{}-{run}", operation.name),
            "startsAt": now.plus_millis(3_600_000).to_string(),
            "endsAt": now.plus_millis(7_200_000).to_string(),
        });
        let variables = operation.variables(variables);
        let (cost, text) = self.execute(actor, operation.document, variables).await?;
        if operation.entries == 0 {
            return Ok((cost, text.len()));
        }
        let answer: Value = serde_json::from_str(&text)?;
        let url = answer["data"]["account"]["creditLogExport"]["url"]
            .as_str()
            .ok_or("a link")?;
        let file = reqwest::get(url).await?.error_for_status()?.bytes().await?;
        let entries = String::from_utf8_lossy(&file).lines().count() as u64 - 1;
        Ok((cost + entries * EXPORTED_ENTRY, file.len()))
    }

    pub(crate) async fn end(self) -> Result<(), Failure> {
        self.stop.cancel();
        self.server.await??;
        Ok(self.app.close().await?)
    }
}

fn external_id(number: usize) -> String {
    format!("member-{number}")
}

/// A caller who is signed in for as long as the program runs.
pub(crate) fn caller(actor: Actor) -> Caller {
    Caller {
        actor,
        expires_at: None,
        language: None,
    }
}

async fn make_account(app: &App) -> Result<AccountId, Failure> {
    let new = NewAccount {
        external_id: Some(BUSY.to_owned()),
        name: "Busy".to_owned(),
        credit_price: CreditPrice::from_millionths(1_000_000),
        currency: "EUR".parse().map_err(|_| "a currency")?,
        timezone: chrono_tz::Tz::UTC,
        owner: Some(NewMember {
            external_id: Some("owner".to_owned()),
            name: "Olga".to_owned(),
            email: Some("olga@example.com".to_owned()),
            role: MemberRole::Owner,
            locale: None,
            email_verified: false,
        }),
    };
    Ok(app.services().accounts.create(&Actor::System, new).await?.id)
}

async fn owner(app: &App, account_id: AccountId) -> Result<Actor, Failure> {
    let members = &app.services().members;
    let owner = members.find_by_external_id(&Actor::System, account_id, "owner").await?;
    let member_id = owner.ok_or("an owner")?.id;
    let token = app
        .services()
        .sign_in
        .issue_token(account_id, member_id, Duration::from_hours(1))?;
    Ok(app.services().sign_in.authenticate(&token).await?.actor)
}
