//! Builds the domain's services from settings and adapters. No other module does that.
//!
//! Called by commands, and by tests, which supply their own database and clock.

mod files;
mod foundation;
mod pages;
mod webhook_endpoints;

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::adapters::bus::{BusBell, NatsError};
use crate::adapters::database::{self, OpenError, OpenOptions, SchemaError};
use crate::adapters::gateway::NoGateway;
use crate::adapters::gateway::simulated::{self, SimulatedGateway};
use crate::adapters::gateway::stripe::Stripe;
use crate::adapters::key_set::{HttpKeySet, InvalidKeySetUrl};
use crate::adapters::lock_file::{LockError, LockFile};
use crate::adapters::mailer::{FileMailer, InvalidSender, InvalidSmtpUrl, Sender, SignedReports, SmtpMailer};
use crate::adapters::private_files;
use crate::adapters::wording::{TemplateError, Templates};
use crate::config::{AuthSettings, ConfigError, DocumentSettings, GatewayKind, Mode, Secret, Settings};
use crate::domain::Services;
use crate::domain::backlog::Backlog;
use crate::domain::database::{Database, Health, Replica};
use crate::domain::event::Events;
use crate::domain::fault::Fault;
use crate::domain::forecast::Forecasts;
use crate::domain::ledger::credit_log::CreditLog;
use crate::domain::ledger::lots::Lots;
use crate::domain::ledger::sessions::Sessions;
use crate::domain::member::{
    Accounts, ApiKeys, CodeKey, Contacts, CurrentRights, KeySetSource, MailBounds, Members, SignIn, SignInSettings,
};
use crate::domain::notification::{self, Links, MailLinks, Mailer, Post, ReportSource};
use crate::domain::quota::Quotas;
use crate::domain::retention::Retention;
use crate::domain::top_up::gateway::PaymentGateway;
use crate::domain::top_up::{
    AutoTopUps, Charging, PaymentMethods, ReceiveError, Reconciler, Refunding, TopUpContext, TopUps, Webhooks,
};
use crate::domain::troubleshooting::Troubleshooting;
use crate::graphql::{self, ExportLinks, Limits, Schema, TrustedDocuments};
use crate::http::{self, HttpState, LiveConnections, Metrics, SignIns, Traffic};
use crate::primitives::clock::Clock;

pub use files::data_files;
pub(crate) use files::{DEMO_KEY_FILE, DEMO_TIME_FILE, GATEWAY_SERVER_FILE};
use files::{MAIL_FOLDER, SIMULATED_GATEWAY_FILE, tighten_files};
use foundation::{Foundation, end_ledger};
pub use foundation::{Keys, Pruning};
use webhook_endpoints::WebhookServices;

/// The pause between deliveries of events of the simulated payment gateway.
const DELIVERY_INTERVAL: Duration = Duration::from_millis(200);

/// The server's time limit for statements that read everything.
const LONGEST_LOOK: Duration = Duration::from_mins(2);

/// The running application. End it with [`Self::close`].
#[derive(Clone)]
pub struct App {
    services: Services,
    database: Database,
    replica: Option<Replica>,
    trusted: TrustedDocuments,
    bus_bell: Option<Arc<BusBell>>,
    live_connections: LiveConnections,
    traffic: Traffic,
    simulated_gateway: Option<SimulatedGateway>,
    sign_ins: Option<Arc<SignIns>>,
    /// The secret that links and codes are signed with.
    secret: Secret,
}

/// Why the application does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory for its files cannot be created.
    #[error("cannot make the directory {path}: {reason}")]
    DataDirectory {
        /// The path of the directory.
        path: String,
        /// The error of the operating system.
        reason: std::io::Error,
    },
    /// A setting is missing.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// Another process serves the database.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The schema of the database belongs to a different version.
    #[error("the schema of the database is not up to date: run `ledgerbell migrate`, or start with --migrate")]
    NotMigrated,
    /// The schema of the database cannot be used.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// LISTEN is configured to use a pooler that does not support it.
    #[error(
        "database.url goes through a pooler in transaction mode, which does not forward LISTEN: set bus.postgres_url to a direct \
         connection to the same database, or bus.kind to nats or none"
    )]
    BellBehindPooler,
    /// The settings of NATS name a file that cannot be used.
    #[error("settings of NATS: {0}")]
    Nats(#[from] NatsError),
    /// The address of the keys that sign tokens is not valid.
    #[error("setting auth.jwks_url {0}")]
    KeySet(#[from] InvalidKeySetUrl),
    /// The trusted documents cannot be loaded.
    #[error("setting documents.trusted names {path}: {reason}")]
    Documents {
        /// The path of the manifest.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Stripe is selected, but its settings are missing.
    #[error("gateway.kind is stripe, but its settings are missing")]
    NoStripeSettings,
    /// The client of Stripe cannot be created.
    #[error("cannot make a client for Stripe: {0}")]
    Stripe(String),
    /// The file of the simulated payment gateway cannot be read.
    #[error("cannot read the state of the simulated payment gateway: {0}")]
    SimulatedGateway(#[from] std::io::Error),
    /// The address of the SMTP server is not valid.
    #[error("setting mail.smtp_url {0}")]
    SmtpUrl(#[from] InvalidSmtpUrl),
    /// The sender of mail is not valid.
    #[error("setting mail.from {0}")]
    MailFrom(#[from] InvalidSender),
    /// The client of webhook endpoints cannot be created.
    #[error("cannot make a client for webhook endpoints: {0}")]
    WebhookTransport(String),
    /// The templates of mail are not valid.
    #[error("setting mail.templates: {0}")]
    Templates(#[from] TemplateError),
    /// The database does not respond.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Locks the database for a serving process, if only one process may serve it.
pub fn lock(settings: &Settings) -> Result<Option<LockFile>, StartError> {
    make_data_directory(settings)?;
    Ok(LockFile::take(settings.database.url.reveal())?)
}

fn make_data_directory(settings: &Settings) -> Result<(), StartError> {
    private_files::make_directory(&settings.data_dir).map_err(|reason| StartError::DataDirectory {
        path: settings.data_dir.display().to_string(),
        reason,
    })?;
    tighten_files(settings);
    Ok(())
}

/// The maximum number of connections that read SQLite. Its reads are work of the processors of this machine: more of them at once take memory
/// and are no faster. Two more let short reads pass long ones, such as exports, of which each part takes up to two.
fn readers(settings: &Settings) -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let useful = processors.max(2 * settings.exports.at_a_time) + 2;
    let most = settings.database.max_connections;
    u32::try_from(useful).map_or(most, |useful| most.min(useful))
}

/// Opens the configured database for commands that do not change it.
pub async fn open_database_to_read(settings: &Settings) -> Result<Database, StartError> {
    tighten_files(settings);
    let options = OpenOptions {
        max_connections: settings.database.max_connections,
        readers: readers(settings),
        // Statements that read everything take longer than those of requests.
        statement_timeout: LONGEST_LOOK,
        ..OpenOptions::default()
    };
    Ok(database::open_to_read(settings.database.url.reveal(), options).await?)
}

/// Opens the configured database.
pub async fn open_database(settings: &Settings) -> Result<Database, StartError> {
    make_data_directory(settings)?;
    let options = OpenOptions {
        max_connections: settings.database.max_connections,
        readers: readers(settings),
        ..OpenOptions::default()
    };
    Ok(database::open(settings.database.url.reveal(), options).await?)
}

async fn open_replica(settings: &Settings) -> Result<Option<Replica>, StartError> {
    let Some(url) = &settings.database.replica_url else {
        return Ok(None);
    };
    let replica = database::open_replica(url.reveal(), settings.database.max_connections).await?;
    Ok(Some(replica))
}

async fn open_migrated(settings: &Settings) -> Result<Database, StartError> {
    let database = open_database(settings).await?;
    if database::migrations_are_pending(&database).await? {
        database.close().await?;
        return Err(StartError::NotMigrated);
    }
    Ok(database)
}

impl App {
    /// Opens the configured database, which must be migrated, and starts.
    pub async fn open(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        Self::start(open_migrated(settings).await?, settings, clock).await
    }

    /// Starts on an open, migrated database.
    pub async fn start(database: Database, settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let secret = settings.secret()?.clone();
        let sign_in_settings = sign_in_settings(&settings.auth)?;
        let trusted = trusted_documents(&settings.documents)?;
        let Foundation {
            database,
            epoch,
            hub,
            pulse,
            bus_bell,
            ledger,
        } = Foundation::start(database, settings, &clock).await?;
        let (handle, time) = (|| database.clone(), || clock.clone());
        let api_keys = ApiKeys::new(time(), handle(), ledger.clone());
        let (simulated_gateway, gateway) = open_gateway(settings, &clock)?;
        let top_up_context = TopUpContext::new(time(), handle(), ledger.clone(), gateway);
        let (credit_log, sessions) = (CreditLog::new(handle()), Sessions::new(handle()));
        let replica = open_replica(settings).await?;
        // Shells alone read the log from the replica; other modules decide by what they read.
        let shown_log = credit_log.clone().with_replica(replica.clone(), epoch);
        let (lots, rules) = (Lots::new(handle()), AutoTopUps::new(top_up_context.clone()));
        let top_ups = TopUps::new(top_up_context.clone());

        let (post, templates) = post(settings, &secret)?;
        let code_key = CodeKey::derive(secret.reveal().as_bytes());
        let events = Events::new(handle(), epoch, hub);
        let webhooks = WebhookServices::new(settings, &secret, &ledger, (&database, &clock), (epoch, &events))?;
        let contacts = Contacts::new(ledger.clone(), post.bounds.clone(), &code_key);
        let services = Services {
            accounts: Accounts::new(time(), handle(), ledger.clone()),
            members: Members::new(handle(), ledger.clone()),
            deliveries: notification::Deliveries::new(handle(), ledger.clone(), post.bounds.clone()),
            verification: notification::Verification::new(contacts.clone(), time(), post.clone()),
            outbox: notification::Outbox::new((handle(), time()), ledger.clone(), post.clone()),
            unsubscribing: notification::Unsubscribing::new(handle(), ledger.clone(), post.unsubscribing.clone()),
            confirming: notification::Confirming::new((handle(), time()), ledger.clone(), post.confirming.clone()),
            notification_addresses: notification::Addresses::new(handle(), ledger.clone()),
            mail_reports: notification::MailReports::new((handle(), time()), ledger.clone(), report_source(settings)),
            wording: post.wording,
            links: post.links,
            contacts,
            notification_settings: notification::Settings::new(handle(), ledger.clone()),
            sign_in: SignIn::new(time(), handle(), api_keys.clone(), sign_in_settings)
                .explaining(settings.mode == Mode::Development),
            current_rights: CurrentRights::new(time(), handle()),
            payment_methods: PaymentMethods::new(top_up_context.clone()),
            backlog: Backlog::new(handle()),
            troubleshooting: Troubleshooting::new((handle(), time()), ledger.clone(), rules.clone()),
            explaining: templates,
            forecasts: Forecasts::new(
                (handle(), time()),
                ledger.clone(),
                credit_log.clone(),
                lots.clone(),
                rules.clone(),
            ),
            retention: Retention::new((handle(), time()), ledger.clone(), settings.retention),
            auto_top_ups: rules,
            charging: Charging::new(top_up_context.clone()),
            refunding: Refunding::new(top_up_context.clone()),
            webhooks: Webhooks::new(top_up_context.clone()),
            reconciler: Reconciler::new(top_up_context),
            alerts: notification::Alerts::new(
                (handle(), time()),
                ledger.clone(),
                credit_log.clone(),
                sessions.clone(),
                top_ups.clone(),
                api_keys.clone(),
                post.bounds,
            ),
            top_ups,
            credit_log: shown_log,
            sessions,
            lots,
            webhook_endpoints: webhooks.endpoints,
            webhook_messages: webhooks.messages,
            webhook_collecting: webhooks.collecting,
            webhook_sending: webhooks.sending,
            events,
            api_keys,
            ledger,
            clock: time(),
            database: Health::new(handle()),
            wake: handle().wake().clone(),
            quotas: Quotas::new((handle(), time())),
            pulse,
        };
        Ok(Self {
            services,
            database,
            replica,
            trusted,
            bus_bell,
            live_connections: LiveConnections::new(settings.live_connections),
            traffic: Traffic::default(),
            simulated_gateway,
            sign_ins: None,
            secret,
        })
    }

    /// Adds the sign-ins of a demo's people.
    #[must_use]
    pub fn with_sign_ins(self, sign_ins: Arc<SignIns>) -> Self {
        Self {
            sign_ins: Some(sign_ins),
            ..self
        }
    }

    /// Returns whether the console is served and built.
    pub fn console_is_built(&self, settings: &Settings) -> bool {
        pages::pages(settings).console.is_some_and(|console| console.is_built())
    }

    /// Returns the embedded payment gateway, if it is in use.
    pub fn simulated_gateway(&self) -> Option<&SimulatedGateway> {
        self.simulated_gateway.as_ref()
    }

    /// Returns the use cases.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Returns the database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Returns the GraphQL schema. Links that clients follow begin with `base_url`.
    pub fn schema(&self, settings: &Settings, base_url: &str) -> Schema {
        let limits = Limits {
            cost: settings.cost,
            trusted: self.trusted.clone(),
            only_trusted: settings.documents.only_trusted,
        };
        graphql::build_schema(self.services.clone(), self.export_links(base_url), limits)
    }

    /// Returns the connections that stay open: sockets and event streams.
    pub fn live_connections(&self) -> &LiveConnections {
        &self.live_connections
    }

    /// Returns the figures of this process, which are served separately.
    pub fn metrics(&self) -> Metrics {
        Metrics::new(
            self.services.clone(),
            self.live_connections.clone(),
            self.traffic.clone(),
        )
    }

    /// Returns the state of the HTTP server. Links that clients follow begin with `base_url`.
    pub fn http_state(&self, settings: &Settings, base_url: &str) -> Arc<HttpState> {
        let export_links = self.export_links(base_url);
        let schema = self.schema(settings, base_url);
        let http_state = http::Settings {
            http: settings.http.clone(),
            allows_local_origins: settings.mode == Mode::Development,
            public_url: settings.public_url.clone(),
            sockets: settings.sockets,
            rates: settings.rates,
            proxies: settings.proxies.clone(),
            exports: settings.exports,
            introspection: settings.documents.introspection,
            pages: pages::pages(settings),
            oidc: settings.oidc.clone(),
        };
        let http_state = HttpState::new(
            schema,
            self.services.clone(),
            export_links,
            (self.live_connections.clone(), self.traffic.clone()),
            http_state,
        );
        let http_state = match self.sign_ins.clone() {
            Some(sign_ins) => http_state.with_sign_ins(sign_ins),
            None => http_state,
        };
        Arc::new(match self.simulated_gateway.clone() {
            Some(gateway) => {
                gateway.send_customers_to(base_url);
                http_state.with_payment_page(simulated::payment_page(gateway, settings.public_url.clone()))
            }
            None => http_state,
        })
    }

    /// Delivers the events of the embedded payment gateway, as another gateway does by webhooks. Returns their number.
    pub async fn deliver_messages(&self) -> Result<usize, ReceiveError> {
        let messages = self.simulated_gateway.as_ref().map(SimulatedGateway::take_messages);
        let messages = messages.unwrap_or_default();
        let delivered = messages.len();
        for (body, signature) in messages {
            self.services.webhooks.receive(body, &signature).await?;
        }
        Ok(delivered)
    }

    /// Delivers repeatedly until `stop` is canceled.
    pub async fn keep_delivering(self, stop: CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(DELIVERY_INTERVAL))
            .await
            .is_some()
        {
            if let Err(error) = self.deliver_messages().await {
                tracing::warn!(%error, "a message of the simulated payment gateway was not processed");
            }
        }
    }

    fn export_links(&self, base_url: &str) -> ExportLinks {
        ExportLinks::new(self.secret.reveal().as_bytes(), base_url)
    }

    /// Finishes waiting commands, stores what is kept in memory, and closes the database.
    pub async fn close(&self) -> Result<(), Fault> {
        self.end().await?;
        if let Some(replica) = &self.replica {
            replica.close().await?;
        }
        self.database.close().await
    }

    /// Like [`Self::close`], but leaves the database open.
    pub async fn end(&self) -> Result<(), Fault> {
        end_ledger(&self.services.ledger, self.bus_bell.as_ref()).await;
        self.services.api_keys.flush_last_used().await
    }
}

type Gateway = (Option<SimulatedGateway>, Arc<dyn PaymentGateway>);

pub(crate) fn stripe(settings: &Settings) -> Result<Stripe, StartError> {
    let given = settings.gateway.stripe.as_ref().ok_or(StartError::NoStripeSettings)?;
    let stripe = Stripe::new(given.clone());
    stripe.map_err(|error| StartError::Stripe(error.to_string()))
}

fn open_gateway(settings: &Settings, clock: &Clock) -> Result<Gateway, StartError> {
    Ok(match settings.gateway.kind {
        GatewayKind::None => (None, Arc::new(NoGateway)),
        GatewayKind::Stripe => (None, Arc::new(stripe(settings)?)),
        GatewayKind::Simulated => {
            let file = settings.data_dir.join(SIMULATED_GATEWAY_FILE);
            let gateway = simulated::open(clock.clone(), file)?;
            (Some(gateway.clone()), Arc::new(gateway))
        }
    })
}

/// Creates what is needed to send mail.
fn post(settings: &Settings, secret: &Secret) -> Result<(Post, Arc<Templates>), StartError> {
    let mail = &settings.mail;
    let sender = Sender::parse(&mail.from)?;
    let mailer: Arc<dyn Mailer> = if let Some(url) = &mail.smtp_url {
        Arc::new(SmtpMailer::new(url.reveal(), sender)?)
    } else {
        let folder = settings.data_dir.join(MAIL_FOLDER);
        tracing::info!(folder = %folder.display(), "no mail.smtp_url is set: mails are written as files");
        Arc::new(FileMailer::new(&folder, sender))
    };
    let templates = Arc::new(Templates::load(mail.templates.as_deref())?);
    let post = Post {
        mailer,
        wording: Arc::<Templates>::clone(&templates),
        links: Links::new(settings.app_url.clone()),
        unsubscribing: MailLinks::new(secret.reveal().as_bytes(), settings.public_url.as_deref()),
        confirming: MailLinks::new(secret.reveal().as_bytes(), settings.public_url.as_deref()),
        bounds: MailBounds::new(secret.reveal().as_bytes(), settings.unverified_mail),
    };
    Ok((post, templates))
}

/// Returns the source of reports about mail, if one is configured.
fn report_source(settings: &Settings) -> Option<Arc<dyn ReportSource>> {
    let secret = settings.mail.webhook_secret.as_ref()?;
    Some(Arc::new(SignedReports::new(secret.reveal())))
}

fn trusted_documents(settings: &DocumentSettings) -> Result<TrustedDocuments, StartError> {
    let Some(path) = &settings.trusted else {
        return Ok(TrustedDocuments::default());
    };
    let wrong = |reason: String| StartError::Documents {
        path: path.display().to_string(),
        reason,
    };
    let manifest = std::fs::read_to_string(path).map_err(|reason| wrong(reason.to_string()))?;
    TrustedDocuments::read(&manifest).map_err(|reason| wrong(reason.to_string()))
}

fn sign_in_settings(auth: &AuthSettings) -> Result<SignInSettings, InvalidKeySetUrl> {
    let key_set = match &auth.jwks_url {
        Some(url) => Some(Arc::new(HttpKeySet::new(url, auth.jwks_lifetime)?) as Arc<dyn KeySetSource>),
        None => None,
    };
    Ok(SignInSettings {
        hs256_secret: auth
            .jwt_secret
            .as_ref()
            .map(|secret| secret.reveal().as_bytes().to_vec()),
        hs256_previous_secret: auth
            .jwt_secret_previous
            .as_ref()
            .map(|secret| secret.reveal().as_bytes().to_vec()),
        key_set,
        issuer: auth.issuer.clone(),
        audience: auth.audience.clone(),
        max_token_lifetime: Some(auth.max_token_lifetime),
    })
}
