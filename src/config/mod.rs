//! Typed settings from defaults, a file, the environment and flags. Each source overrides the one before.
//!
//! Every command reads the settings before anything else. `keys` is the single list of settings: the names of environment
//! variables, the commented defaults, the checks and the errors all come from it. The setting `database.max_connections` is
//! `LEDGERBELL_DATABASE_MAX_CONNECTIONS` in the environment. Each module owns the struct of its settings, and serde reads it from a
//! section. Invariants: the error for an invalid setting contains its name and the allowed values; an unknown setting is an error;
//! every setting of the list is read; no secret is ever printed.

mod bounds;
mod bus;
mod gateway;
mod keys;
mod limits;
mod mail;
mod pages;
mod print;
mod safety;
mod source;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::adapters::bus::BusSettings;
use crate::adapters::webhook_transport::WebhookEndpointSettings;
use crate::domain::ledger::EngineSettings;
use crate::domain::ledger::model::Policy;
use crate::domain::member::UnverifiedMail;
use crate::domain::retention::RetentionSettings;
use crate::http::{ExportLimits, HttpSettings, LiveConnectionBounds, Oidc, Rates, SocketLimits, TrustedProxies};
pub use crate::primitives::secret::Secret;

pub use gateway::{GatewayKind, GatewaySettings};
use keys::KEYS;
pub use limits::DocumentSettings;
pub use mail::MailSettings;
pub use pages::PageSettings;
use print::Shown;
use safety::{check_demo_secret, check_issuer, check_replica, check_rotation};
pub use source::ConfigError;
use source::{Given, Reader, read_environment, read_file};

/// The default secret of a demo or development server. It is public, so no other server starts with it.
pub const DEMO_SECRET: &str = "ledgerbell-demo-secret-known-to-everybody";

/// Whether the server is for development or for production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The demo secret is allowed, and `ledgerbell token` issues tokens for any member.
    Development,
    /// Secrets must be set.
    Production,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Human-readable lines.
    Text,
    /// One JSON object per line.
    Json,
}

/// All settings, validated.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Development or production.
    pub mode: Mode,
    /// The address that the HTTP server listens on.
    pub listen: SocketAddr,
    /// The address that metrics are served on; `None` disables them.
    pub metrics_listen: Option<SocketAddr>,
    /// The start of all links that clients follow, without a trailing slash.
    pub public_url: Option<String>,
    /// The directory for the files of the server.
    pub data_dir: PathBuf,
    /// The database connection.
    pub database: DatabaseSettings,
    /// How members sign in.
    pub auth: AuthSettings,
    /// How commands are posted.
    pub engine: EngineSettings,
    /// The operator's limits on commands.
    pub policy: Policy,
    /// Limits of HTTP requests and connections.
    pub http: HttpSettings,
    /// Proxies that name their clients.
    pub proxies: TrustedProxies,
    /// The maximum cost of one operation.
    pub cost: u64,
    /// The cost that each caller may use over time.
    pub rates: Rates,
    /// Operations that are requested by id.
    pub documents: DocumentSettings,
    /// Limits of exports.
    pub exports: ExportLimits,
    /// How servers notify each other of new events.
    pub bus: BusSettings,
    /// What one member or API key may have open.
    pub live_connections: LiveConnectionBounds,
    /// Limits of sockets.
    pub sockets: SocketLimits,
    /// How cards are charged.
    pub gateway: GatewaySettings,
    /// How mail is written and sent.
    pub mail: MailSettings,
    /// The daily limits of mail to unverified addresses.
    pub unverified_mail: UnverifiedMail,
    /// How long rows are kept that are not of the ledger.
    pub retention: RetentionSettings,
    /// Which webhook endpoints may be called.
    pub webhook_endpoints: WebhookEndpointSettings,
    /// Which pages are served.
    pub pages: PageSettings,
    /// How the console signs members in at an issuer.
    pub oidc: Option<Oidc>,
    /// The page that alerts link to.
    pub app_url: Option<String>,
    /// Filter directives for log lines.
    pub log_level: String,
    /// The format of log lines.
    pub log_format: LogFormat,
    /// See [`Self::secret`].
    secret: Option<Secret>,
    shown: Vec<Shown>,
}

/// The database connection.
#[derive(Clone, Debug, Deserialize)]
pub struct DatabaseSettings {
    /// The URL of a Postgres or SQLite database; may contain a password.
    pub url: Secret,
    /// The maximum number of connections in the pool.
    pub max_connections: u32,
    /// The URL of a replica on Postgres; may contain a password.
    pub replica_url: Option<Secret>,
}

/// How tokens of members are checked.
#[derive(Clone, Debug, Deserialize)]
pub struct AuthSettings {
    /// The key for HS256.
    pub jwt_secret: Option<Secret>,
    /// The previous key. Its tokens stay valid while the key is being replaced.
    pub jwt_secret_previous: Option<Secret>,
    /// The address of the keys for RS256, ES256 and `EdDSA`.
    pub jwks_url: Option<String>,
    /// How long fetched keys stay valid while the address is unreachable.
    #[serde(rename = "jwks_lifetime_seconds")]
    pub jwks_lifetime: Duration,
    /// The issuer that tokens must name.
    pub issuer: Option<String>,
    /// The audience that tokens must name.
    pub audience: Option<String>,
    /// The longest accepted lifetime of a token.
    pub max_token_lifetime: Duration,
}

/// The values of the command line by path; `None` where a flag is absent.
pub type Flags = Vec<(&'static str, Option<String>)>;

impl Settings {
    /// Reads the settings from `file` if given, then from the environment, then from the flags.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: Flags,
    ) -> Result<Self, ConfigError> {
        let mut given = BTreeMap::new();
        for key in KEYS {
            if let Some(default) = key.default {
                let text = default.to_owned();
                let source = print::DEFAULT.to_owned();
                given.insert(key.path, Given { text, source });
            }
        }
        if let Some(path) = file {
            read_file(path, &mut given)?;
        }
        read_environment(environment, &mut given)?;
        for (path, value) in flags {
            if let Some(text) = value {
                let source = format!("flag --{}", path.rsplit('.').next().unwrap_or(path).replace('_', "-"));
                given.insert(path, Given { text, source });
            }
        }
        Self::from_given(&given)
    }

    /// Returns the database URL without its password.
    pub fn database_shown(&self) -> String {
        bounds::without_password(self.database.url.reveal())
    }

    /// Returns the URL of the replica without its password.
    pub fn replica_shown(&self) -> Option<String> {
        let url = self.database.replica_url.as_ref()?;
        Some(bounds::without_password(url.reveal()))
    }

    fn from_given(given: &BTreeMap<&'static str, Given>) -> Result<Self, ConfigError> {
        let read = Reader::new(given)?;
        let mode: Mode = read.value("mode")?;
        let mut secret: Option<Secret> = read.optional("secret")?;
        let mut auth: AuthSettings = read.section("auth")?;
        check_demo_secret(mode, [&secret, &auth.jwt_secret])?;
        check_rotation(mode, auth.jwt_secret.as_ref(), auth.jwt_secret_previous.as_ref())?;
        check_issuer(
            auth.jwks_url.is_some(),
            auth.issuer.is_some() && auth.audience.is_some(),
        )?;
        if mode == Mode::Development {
            let demo = || Secret::new(DEMO_SECRET);
            secret.get_or_insert_with(demo);
            if auth.jwks_url.is_none() {
                auth.jwt_secret.get_or_insert_with(demo);
            }
        }
        let public_url: Option<String> = read.optional("public_url")?;
        let database: DatabaseSettings = read.section("database")?;
        check_replica(database.url.reveal(), database.replica_url.is_some())?;
        let settings = Self {
            mode,
            listen: read.value("listen")?,
            metrics_listen: read.optional("metrics.listen")?,
            public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
            data_dir: read.value("data_dir")?,
            secret,
            oidc: pages::read_oidc(&read, auth.issuer.as_deref())?,
            auth,
            engine: read.section("engine")?,
            policy: read.section("ledger")?,
            http: read.section("http")?,
            proxies: read.section("http")?,
            cost: read.value("limits.cost")?,
            rates: read.section("limits")?,
            documents: read.section("documents")?,
            exports: read.section("exports")?,
            bus: bus::read_bus(&read, database.url.reveal())?,
            database,
            live_connections: read.section("live")?,
            sockets: read.section("live")?,
            gateway: gateway::read_gateway(&read)?,
            mail: read.section("mail")?,
            unverified_mail: read.section("mail")?,
            retention: read.section("retention")?,
            webhook_endpoints: read.section("webhook_endpoints")?,
            pages: read.section("pages")?,
            app_url: read.optional("app_url")?,
            log_level: read.value("log.level")?,
            log_format: read.value("log.format")?,
            shown: print::shown(given),
        };
        read.check_all_are_read()?;
        settings.check_limits()?;
        Ok(settings)
    }
}

/// Returns the URL of the SQLite database in a data directory. Opening it creates the file if needed.
pub fn sqlite_url(data_dir: &Path) -> String {
    let path = data_dir.join("ledgerbell.db").display().to_string();
    // These three characters have a meaning in a URL.
    let path = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("sqlite://{path}?mode=rwc")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    const SECRET: &str = "0123456789012345678901234567890123456789";

    fn load(toml: &str, environment: &[(&str, &str)], flags: Flags) -> Result<Settings, String> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), toml).expect("written");
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(Some(file.path()), environment, flags).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_override_the_environment_which_overrides_the_file() {
        let toml = "mode = \"development\"\nlisten = \"127.0.0.1:1\"\n[engine]\nlanes = 3\nqueue = 7\n";
        let environment = [("LEDGERBELL_LISTEN", "127.0.0.1:2"), ("LEDGERBELL_ENGINE_LANES", "4")];
        let flags = vec![("listen", Some("127.0.0.1:3".to_owned())), ("data_dir", None)];
        let settings = load(toml, &environment, flags).expect("valid");
        assert_eq!(settings.listen.port(), 3);
        let lanes = settings.engine.lanes.map(NonZeroUsize::get);
        assert_eq!((lanes, settings.engine.queue_limit), (Some(4), 7));
        assert_eq!(settings.database.url.reveal(), "sqlite://data/ledgerbell.db?mode=rwc");
    }

    #[test]
    fn stripe_needs_its_keys_and_production_needs_a_gateway_by_name() {
        let development = "mode = \"development\"\n";
        let settings = load(development, &[], vec![]).expect("valid");
        assert_eq!(settings.gateway.kind, GatewayKind::Simulated);
        let production = format!("secret = \"{SECRET}\"\n[auth]\njwt_secret = \"{SECRET}\"\n");
        let settings = load(&production, &[], vec![]).expect("valid");
        assert_eq!(settings.gateway.kind, GatewayKind::None);
        let stripe = [("LEDGERBELL_GATEWAY_KIND", "stripe")];
        let refused = load(&production, &stripe, vec![]).expect_err("keys are missing");
        assert!(refused.contains("gateway.stripe_webhook_secret"), "{refused}");
        assert!(refused.contains("missing field `stripe_secret_key`"), "{refused}");
        let given = [
            ("LEDGERBELL_GATEWAY_KIND", "stripe"),
            ("LEDGERBELL_GATEWAY_STRIPE_SECRET_KEY", "sk_secret"),
            ("LEDGERBELL_GATEWAY_STRIPE_PUBLISHABLE_KEY", "pk_1"),
            ("LEDGERBELL_GATEWAY_STRIPE_WEBHOOK_SECRET", "whsec_secret"),
            ("LEDGERBELL_GATEWAY_RETURN_URL", "https://app.example/back"),
        ];
        let settings = load(&production, &given, vec![]).expect("valid");
        assert!(settings.gateway.stripe.is_some());
        assert!(!format!("{settings:?}").contains("sk_secret"), "no secret is shown");
    }

    #[test]
    fn a_wrong_setting_is_named_with_what_is_allowed() {
        let development = |rest: &str| format!("mode = \"development\"\n{rest}");
        let postgres = |bus: &str| format!("[database]\nurl = \"postgres://db/x\"\n[bus]\n{bus}");
        for (toml, environment, expected) in [
            ("mode = \"prod\"", None, "mode is \"prod\""),
            ("mode = \"prod\"", None, "development or production"),
            ("listen = 8080", None, "an address and a port"),
            ("[log]\nformat = \"xml\"", None, "must be text or json"),
            ("[database]\nmax_connections = 1", None, "a number from 2 to 1000"),
            (
                "[database]\nurl = \"mysql://root:hunter2@db/x\"",
                None,
                "postgres:// or sqlite://",
            ),
            ("[databse]\nurl = \"x\"", None, "unknown setting databse"),
            ("[database]\nurl = {}", None, "database.url is a table"),
            ("[engine]\nlane = 2", None, "unknown setting engine.lane"),
            ("[engine]\nlanes = 2.5", None, "engine.lanes is a float"),
            ("", Some(("LEDGERBELL_LISTEN", "nowhere")), "(LEDGERBELL_LISTEN)"),
            ("", Some(("LEDGERBELL_LISTN", "127.0.0.1:1")), "LEDGERBELL_LISTN"),
            (
                "[ledger]\noverage_limit = \"-1\"",
                None,
                "a number of credits, 0 or more",
            ),
            ("data_dir = \"\"", None, "the path of a directory"),
            ("[http]\ncors_origins = [\"*\"]", None, "origins such as"),
            ("secret = \"short-and-private\"", None, "at least 32 characters"),
            ("[bus]\nkind = \"nats\"", None, "a SQLite database has one process"),
            (
                "[database]\nreplica_url = \"postgres://ann:hunter2@db/x\"",
                None,
                "database.replica_url is for PostgreSQL",
            ),
            (&postgres("kind = \"nats\""), None, "needs bus.nats_servers"),
            (
                &postgres("kind = \"nats\"\nnats_servers = [\"nats://bell:hunter2@nats\"]"),
                None,
                "without a password",
            ),
            (
                &postgres("kind = \"nats\"\nnats_servers = [\"bell:hunter2@nats\"]"),
                None,
                "without a password",
            ),
            (
                &postgres("kind = \"nats\"\nnats_servers = [\"nats://nats\"]\nnats_token = \"hunter2\""),
                None,
                "would be sent without encryption",
            ),
            (
                &postgres("kind = \"nats\"\nnats_servers = [\"tls://nats\"]\nnats_user = \"bell\""),
                None,
                "belong together",
            ),
            (&postgres("namespace = \"a.*\""), None, "letters, digits"),
            (
                "[auth]\njwks_url = \"https://id.example.com/keys\"",
                None,
                "auth.issuer and auth.audience",
            ),
        ] {
            let toml = if toml.starts_with("mode") {
                toml.to_owned()
            } else {
                development(toml)
            };
            let error = load(&toml, environment.as_slice(), vec![]).expect_err(&toml);
            assert!(error.contains(expected), "{toml}: {error}");
            assert!(
                !error.contains("hunter2") && !error.contains("short-and-private"),
                "{error}"
            );
        }
    }

    #[test]
    fn production_refuses_the_demo_secret_and_no_secret() {
        let refused = |settings: Settings| settings.secret().expect_err("refused").to_string();
        let error = |toml: &str| load(toml, &[], vec![]).map_or_else(|error| error, refused);
        assert!(error("").contains("LEDGERBELL_SECRET"));
        assert!(error(&format!("secret = \"{DEMO_SECRET}\"")).contains("demo secret"));
        assert!(error(&format!("secret = \"{SECRET}\"")).contains("auth.jwks_url"));
        assert!(error(&format!("secret = \"{SECRET}\"\nauth.jwt_secret = \"{DEMO_SECRET}\"")).contains("demo secret"));
        let whole = format!("secret = \"{SECRET}\"\nauth.jwt_secret = \"{SECRET}\"");
        let settings = load(&whole, &[], vec![]).expect("valid");
        assert_eq!(settings.mode, Mode::Production);
        assert_eq!(settings.secret().expect("given").reveal(), SECRET);
        let development = load("mode = \"development\"", &[], vec![]).expect("valid");
        assert_eq!(development.secret().expect("the demo's").reveal(), DEMO_SECRET);
    }

    #[test]
    fn a_previous_secret_is_another_than_the_current_one() {
        let other = SECRET.replace('0', "x");
        let rotating = |current: &str, previous: &str| {
            let toml = format!(
                "secret = \"{SECRET}\"\nauth.jwt_secret = \"{current}\"\nauth.jwt_secret_previous = \"{previous}\""
            );
            load(&toml, &[], vec![])
        };
        let settings = rotating(&other, SECRET).expect("valid");
        assert_eq!(settings.auth.jwt_secret_previous, Some(Secret::new(SECRET)));
        assert!(!settings.to_toml().contains(SECRET) && !format!("{settings:?}").contains(SECRET));
        assert!(
            rotating(SECRET, SECRET)
                .expect_err("the same")
                .contains("is the same as")
        );
        assert!(
            rotating(SECRET, DEMO_SECRET)
                .expect_err("known")
                .contains("demo secret")
        );
        assert!(rotating(SECRET, "short").expect_err("short").contains("at least 32"));
        let alone = load(
            "mode = \"development\"",
            &[("LEDGERBELL_AUTH_JWT_SECRET_PREVIOUS", SECRET)],
            vec![],
        );
        assert!(alone.expect_err("of what").contains("needs auth.jwt_secret"));
    }

    #[test]
    fn no_print_out_shows_a_secret() {
        let toml = format!(
            "mode = \"development\"\nsecret = \"{SECRET}\"\nauth.jwt_secret = \"{SECRET}\"\nmail.webhook_secret = \"{SECRET}\"\n\
             database.url = \"postgres://ann:p@ss:w0rd@db:5432/x?password=p@ss\"\n\
             database.replica_url = \"postgres://ann:p@ss:w0rd@standby:5432/x?password=p@ss\""
        );
        let settings = load(&toml, &[], vec![]).expect("valid");
        for text in [settings.to_toml(), format!("{settings:?}")] {
            assert!(
                !text.contains(SECRET) && !text.contains("w0rd") && !text.contains("p@ss"),
                "{text}"
            );
        }
        assert!(settings.to_toml().contains("postgres://ann:***@db:5432/x"));
        assert!(settings.to_toml().contains("postgres://ann:***@standby:5432/x"));
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let settings = load(
            "mode = \"development\"\n[http]\ncors_origins = [\"https://a.example\", \"http://b:1\"]",
            &[],
            vec![],
        );
        let again = load(&settings.expect("valid").to_toml(), &[], vec![]).expect("valid");
        assert_eq!(again.http.cors_origins, ["https://a.example", "http://b:1"]);
        let defaults = Settings::commented_defaults().replace("# mode = \"production\"", "mode = \"development\"");
        load(&defaults, &[], vec![]).expect("valid");
    }

    #[test]
    fn names_in_the_environment_are_unique_and_foreign_ones_are_let_be() {
        let names: std::collections::HashSet<String> = KEYS.iter().map(|key| keys::variable(key.path)).collect();
        assert_eq!(names.len(), KEYS.len());
        let foreign = [
            ("LEDGERBELL_PORT", "tcp://10.0.0.1:8080"),
            ("LEDGERBELL_SERVICE_HOST", "10.0.0.1"),
        ];
        load("mode = \"development\"", &foreign, vec![]).expect("let be");
    }
}
