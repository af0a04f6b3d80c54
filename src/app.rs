//! Joins settings and adapters into the domain's services: the only place that does.
//!
//! Called by commands, and by tests, which bring a database and a clock of their own.

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::Router;

use crate::adapters::bus::PostgresBell;
use crate::adapters::database::{self, OpenError, OpenOptions};
use crate::adapters::key_set::{HttpKeySet, InvalidKeySetUrl};
use crate::adapters::mailer::{FileMailer, InvalidSender, InvalidSmtpUrl, Sender, SmtpMailer};
use crate::adapters::wording::{TemplateError, Templates};
use crate::config::{AuthSettings, Settings};
use crate::domain::Services;
use crate::domain::database::Database;
use crate::domain::event::{Bell, Events, Hub};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::CreditLog;
use crate::domain::ledger::lots::Lots;
use crate::domain::ledger::model::Policy;
use crate::domain::ledger::sessions::Sessions;
use crate::domain::ledger::{EngineSettings, Ledger, LedgerSettings};
use crate::domain::member::{
    Accounts, ApiKeys, Contacts, KeySetSource, Members, SignIn, SignInSettings, Standing, open_installation,
};
use crate::domain::notification::{self, Links, Mailer, Post, Wording};
use crate::domain::top_up::TopUps;
use crate::graphql::{self, ExportLinks, Schema};
use crate::http;
use crate::primitives::clock::Clock;

/// What a caller who is told BUSY is told to wait.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Everything that is running. End it with [`Self::close`].
#[derive(Clone)]
pub struct App {
    services: Services,
    database: Database,
    postgres_bell: Option<Arc<PostgresBell>>,
}

/// Why the application does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory for its files cannot be made.
    #[error("cannot make the directory {path}: {reason}")]
    DataDirectory {
        /// Which.
        path: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The database's schema is not this version's.
    #[error("the schema of the database is not up to date: run `ledgerbell migrate`, or start with --migrate")]
    NotMigrated,
    /// The address of the keys that sign tokens is no good.
    #[error("setting auth.jwks_url {0}")]
    KeySet(#[from] InvalidKeySetUrl),
    /// Mail cannot be sent so.
    #[error("setting mail.smtp_url {0}")]
    SmtpUrl(#[from] InvalidSmtpUrl),
    /// Mail cannot be from there.
    #[error("setting mail.from {0}")]
    MailFrom(#[from] InvalidSender),
    /// Mail cannot be written so.
    #[error("setting mail.templates: {0}")]
    Templates(#[from] TemplateError),
    /// The database does not answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Opens the database that the settings name.
pub async fn open_database(settings: &Settings) -> Result<Database, StartError> {
    std::fs::create_dir_all(&settings.data_dir).map_err(|reason| StartError::DataDirectory {
        path: settings.data_dir.display().to_string(),
        reason,
    })?;
    let options = OpenOptions {
        max_connections: settings.database.max_connections,
        readers: settings.database.max_connections,
        ..OpenOptions::default()
    };
    Ok(database::open(settings.database.url.reveal(), options).await?)
}

impl App {
    /// Opens the database that the settings name, which must be migrated, and starts on it.
    pub async fn open(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let database = open_database(settings).await?;
        if database::migrations_are_pending(&database).await? {
            database.close().await?;
            return Err(StartError::NotMigrated);
        }
        Self::start(database, settings, clock).await
    }

    /// Starts on an open, migrated database.
    pub async fn start(database: Database, settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let sign_in_settings = sign_in_settings(&settings.auth)?;
        let installation = open_installation(&database, &clock).await?;
        let ledger_settings = LedgerSettings {
            engine: engine_settings(&database, settings),
            policy: Policy {
                overage_limit: settings.overage_limit,
            },
        };
        let (handle, time) = (|| database.clone(), || clock.clone());
        let hub = Hub::new(handle());
        let rings_others = settings.rings_others && !database.has_one_writer();
        let postgres_bell = rings_others.then(|| PostgresBell::start(settings.database.url.reveal(), hub.clone()));
        let bell: Arc<dyn Bell> = match &postgres_bell {
            Some(bell) => Arc::clone(bell) as Arc<dyn Bell>,
            None => Arc::new(hub.clone()),
        };
        let ledger = Ledger::start(handle(), time(), installation.epoch, ledger_settings, bell);
        let api_keys = ApiKeys::new(time(), handle());
        let (credit_log, sessions) = (CreditLog::new(handle()), Sessions::new(handle()));
        let top_ups = TopUps::new(handle(), ledger.clone());
        let contacts = Contacts::new(ledger.clone());
        let post = post(settings)?;
        let services = Services {
            accounts: Accounts::new(time(), handle(), ledger.clone()),
            members: Members::new(handle(), ledger.clone()),
            deliveries: notification::Deliveries::new(handle(), ledger.clone()),
            verification: notification::Verification::new(contacts.clone(), time(), post.clone()),
            outbox: notification::Outbox::new((handle(), time()), ledger.clone(), post.clone()),
            wording: post.wording,
            links: post.links,
            contacts,
            notification_settings: notification::Settings::new(handle(), ledger.clone()),
            sign_in: SignIn::new(time(), handle(), api_keys.clone(), sign_in_settings),
            standing: Standing::new(time(), handle()),
            alerts: notification::Alerts::new(
                (handle(), time()),
                ledger.clone(),
                credit_log.clone(),
                sessions.clone(),
                top_ups.clone(),
            ),
            top_ups,
            credit_log,
            sessions,
            lots: Lots::new(handle()),
            events: Events::new(handle(), installation.epoch, hub),
            api_keys,
            ledger,
            clock: time(),
        };
        Ok(Self {
            services,
            database,
            postgres_bell,
        })
    }

    /// The use cases.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The database it runs on.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The GraphQL interface. Links that clients follow begin with `base_url`.
    pub fn schema(&self, settings: &Settings, base_url: &str) -> Schema {
        graphql::build_schema(self.services.clone(), export_links(settings, base_url))
    }

    /// The HTTP interface. Links that clients follow begin with `base_url`.
    pub fn router(&self, settings: &Settings, base_url: &str) -> Router {
        let export_links = export_links(settings, base_url);
        let schema = self.schema(settings, base_url);
        let door = http::Settings {
            allowed_origins: settings.cors_origins.clone(),
        };
        http::router(schema, self.services.clone(), export_links, &door)
    }

    /// Answers what waits, writes down what was remembered, and closes the database.
    pub async fn close(&self) -> Result<(), Fault> {
        self.end().await?;
        self.database.close().await
    }

    /// As [`Self::close`], but leaves the database open.
    pub async fn end(&self) -> Result<(), Fault> {
        self.services.ledger.shutdown().await;
        if let Some(bell) = &self.postgres_bell {
            bell.close().await;
        }
        self.services.api_keys.flush_last_used().await
    }
}

fn export_links(settings: &Settings, base_url: &str) -> ExportLinks {
    ExportLinks::new(settings.secret.reveal().as_bytes(), base_url)
}

/// What members are written with.
fn post(settings: &Settings) -> Result<Post, StartError> {
    let mail = &settings.mail;
    let sender = Sender::parse(&mail.from)?;
    let mailer: Arc<dyn Mailer> = if let Some(url) = &mail.smtp_url {
        Arc::new(SmtpMailer::new(url.reveal(), sender)?)
    } else {
        let folder = settings.data_dir.join("mail");
        tracing::info!(folder = %folder.display(), "no mail.smtp_url is set: mails are written as files");
        Arc::new(FileMailer::new(&folder, sender))
    };
    let wording: Arc<dyn Wording> = Arc::new(Templates::load(mail.templates.as_deref())?);
    let links = Links::new(settings.app_url.clone());
    Ok(Post { mailer, wording, links })
}

fn engine_settings(database: &Database, settings: &Settings) -> EngineSettings {
    let fitting = if database.has_one_writer() {
        EngineSettings::ONE_WRITER
    } else {
        EngineSettings::MANY_WRITERS
    };
    let given = settings.engine;
    EngineSettings {
        lanes: given.lanes.and_then(NonZeroUsize::new).unwrap_or(fitting.lanes),
        max_batch: given.max_batch,
        accounts_per_transaction: given.accounts_per_transaction,
        queue_limit: given.queue,
        retry_after_seconds: RETRY_AFTER_SECONDS,
    }
}

fn sign_in_settings(auth: &AuthSettings) -> Result<SignInSettings, InvalidKeySetUrl> {
    let key_set = match &auth.jwks_url {
        Some(url) => Some(Arc::new(HttpKeySet::new(url)?) as Arc<dyn KeySetSource>),
        None => None,
    };
    Ok(SignInSettings {
        hs256_secret: auth
            .jwt_secret
            .as_ref()
            .map(|secret| secret.reveal().as_bytes().to_vec()),
        key_set,
        issuer: auth.issuer.clone(),
        audience: auth.audience.clone(),
    })
}
