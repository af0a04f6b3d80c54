//! Typed settings from defaults, a file, the environment and flags. Each source overrides the one before.
//!
//! Every command reads the settings before anything else. `keys` is the single list of settings: the names of environment
//! variables, the commented defaults and the errors all come from it. The setting `database.max_connections` is
//! `LEDGERBELL_DATABASE_MAX_CONNECTIONS` in the environment. Invariants: the error for an invalid setting contains its name and
//! the allowed values; an unknown setting is an error; no secret is ever printed.

mod gateway;
mod keys;
mod limits;
mod mail;
mod pages;
mod print;
mod safety;
mod source;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use crate::primitives::credits::Credits;

use gateway::read_gateway;
pub use gateway::{GatewayKind, GatewaySettings, StripeSettings};
use keys::KEYS;
pub use limits::{DocumentSettings, ExportSettings, IntrospectionSetting, LimitSettings};
use limits::{read_documents, read_exports, read_limits};
use mail::read_mail;
pub use mail::{MailSettings, UnverifiedMailSettings};
use pages::read_pages;
pub use pages::{OidcSettings, PageSettings};
use print::Shown;
use safety::{check_issuer, check_rotation, check_together};
pub use source::ConfigError;
use source::{Given, Reader, read_environment, read_file};

/// The default secret of a demo or development server. It is public, so no other server starts with it.
pub const DEMO_SECRET: &str = "ledgerbell-demo-secret-known-to-everybody";

/// Whether the server is for development or for production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The demo secret is allowed, and `ledgerbell token` issues tokens for any member.
    Development,
    /// Secrets must be set.
    Production,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human-readable lines.
    Text,
    /// One JSON object per line.
    Json,
}

/// A text that is masked in logs and printed settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the text. To be called only where the secret is used.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
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
    /// The key that export links are signed with.
    pub secret: Secret,
    /// The database connection.
    pub database: DatabaseSettings,
    /// How members sign in.
    pub auth: AuthSettings,
    /// How commands are posted.
    pub engine: EngineSettings,
    /// The credits by which the final cost of a session may exceed its booking.
    pub overage_limit: Credits,
    /// Limits of HTTP requests and connections.
    pub http: HttpSettings,
    /// Limits on the cost of operations.
    pub limits: LimitSettings,
    /// Operations that are requested by id.
    pub documents: DocumentSettings,
    /// Limits of exports.
    pub exports: ExportSettings,
    /// Whether servers notify each other of new events, where the database supports it.
    pub rings_others: bool,
    /// The database URL for these notifications, if it differs from the database's.
    pub bell_url: Option<Secret>,
    /// Limits of connections that stay open.
    pub live: LiveSettings,
    /// How cards are charged.
    pub gateway: GatewaySettings,
    /// How mail is written and sent.
    pub mail: MailSettings,
    /// Which pages are served.
    pub pages: PageSettings,
    /// The page that alerts link to.
    pub app_url: Option<String>,
    /// Filter directives for log lines.
    pub log_level: String,
    /// The format of log lines.
    pub log_format: LogFormat,
    shown: Vec<Shown>,
}

/// The database connection.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// The URL of a Postgres or SQLite database; may contain a password.
    pub url: Secret,
    /// The maximum number of connections in the pool.
    pub max_connections: u32,
}

/// How tokens of members are checked.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// The key for HS256.
    pub jwt_secret: Option<Secret>,
    /// The previous key. Its tokens stay valid while the key is being replaced.
    pub jwt_secret_previous: Option<Secret>,
    /// The address of the keys for RS256, ES256 and `EdDSA`.
    pub jwks_url: Option<String>,
    /// How long fetched keys stay valid while the address is unreachable.
    pub jwks_lifetime: Duration,
    /// The issuer that tokens must name.
    pub issuer: Option<String>,
    /// The audience that tokens must name.
    pub audience: Option<String>,
    /// The longest accepted lifetime of a token.
    pub max_token_lifetime: Duration,
}

/// How commands are combined into transactions.
#[derive(Clone, Copy, Debug)]
pub struct EngineSettings {
    /// The maximum number of commands per transaction.
    pub max_batch: usize,
    /// The maximum number of accounts per transaction.
    pub accounts_per_transaction: usize,
    /// The number of concurrent transactions; if `None`, it depends on the database.
    pub lanes: Option<usize>,
    /// The maximum number of waiting commands per account.
    pub queue: usize,
}

/// Limits of HTTP requests and connections.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Origins whose pages may call the API.
    pub cors_origins: Vec<String>,
    /// Headers that these pages may send besides the usual ones.
    pub cors_headers: Vec<String>,
    /// The maximum number of concurrent connections.
    pub max_connections: usize,
    /// The maximum number of concurrent connections per address.
    pub max_connections_per_address: usize,
    /// Proxies whose forwarding headers name the client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether these proxies use `Forwarded` instead of `X-Forwarded-For`.
    pub use_forwarded: bool,
    /// The time limit for the head of a request, and for an idle connection.
    pub head_timeout: Duration,
    /// The time limit for the body of a request.
    pub body_timeout: Duration,
    /// How long a client may read nothing of a response.
    pub answer_timeout: Duration,
    /// The period over which sockets are closed at shutdown.
    pub drain: Duration,
}

/// Limits of connections that stay open.
#[derive(Clone, Copy, Debug)]
pub struct LiveSettings {
    /// The maximum number of sockets and event streams per member or API key.
    pub per_caller: usize,
    /// The maximum cost of one message of each open subscription, in total per member or API key.
    pub cost_per_caller: u64,
    /// The maximum number of concurrent operations per socket.
    pub operations: usize,
    /// The maximum size of a client's message, in bytes.
    pub message_bytes: usize,
    /// The maximum number of messages per second and client.
    pub messages_per_second: u32,
    /// The time limit for a client's `connection_init`.
    pub init_timeout: Duration,
    /// The silence after which the server sends a ping.
    pub ping_interval: Duration,
    /// The time limit for the answer to a ping.
    pub pong_timeout: Duration,
    /// The time limit for a client to accept a message.
    pub write_timeout: Duration,
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
        Self::from_given(&Reader(&given))
    }

    /// Returns the database URL without its password.
    pub fn database_shown(&self) -> String {
        keys::without_password(self.database.url.reveal())
    }

    fn from_given(read: &Reader<'_>) -> Result<Self, ConfigError> {
        let mode = read.one_of(
            "mode",
            &[("development", Mode::Development), ("production", Mode::Production)],
        )?;
        let secret = read.secret("secret")?;
        let jwt_secret = read.secret("auth.jwt_secret")?;
        let jwt_secret_previous = read.secret("auth.jwt_secret_previous")?;
        let jwks_url = read.url("auth.jwks_url", &["http://", "https://"])?;
        let issuer = read.text("auth.issuer")?;
        let audience = read.text("auth.audience")?;
        check_together(mode, secret.as_ref(), jwt_secret.as_ref(), jwks_url.as_ref())?;
        check_rotation(mode, jwt_secret.as_ref(), jwt_secret_previous.as_ref())?;
        check_issuer(jwks_url.is_some(), issuer.is_some() && audience.is_some())?;
        let data_dir = PathBuf::from(read.required("data_dir")?);
        let url = match read.url("database.url", &["postgres://", "postgresql://", "sqlite://"])? {
            Some(url) => url,
            None => sqlite_url(&data_dir),
        };
        let pages = read_pages(read, mode == Mode::Development, issuer.as_deref())?;
        let limits = read_limits(read, mode)?;
        let demo = || Secret(DEMO_SECRET.to_owned());
        let development = mode == Mode::Development;
        let jwt_secret = jwt_secret.or_else(|| (development && jwks_url.is_none()).then(demo));
        Ok(Self {
            mode,
            listen: read.parse("listen")?,
            metrics_listen: match read.text("metrics.listen")? {
                Some(_) => Some(read.parse("metrics.listen")?),
                None => None,
            },
            public_url: read
                .url("public_url", &["http://", "https://"])?
                .map(|url| url.trim_end_matches('/').to_owned()),
            data_dir,
            secret: secret.unwrap_or_else(demo),
            database: DatabaseSettings {
                url: Secret(url),
                max_connections: read.number("database.max_connections", 2, 1_000)?,
            },
            auth: AuthSettings {
                jwt_secret,
                jwt_secret_previous,
                jwks_url,
                jwks_lifetime: read.seconds("auth.jwks_lifetime_seconds", 60, 604_800)?,
                issuer,
                audience,
                max_token_lifetime: read.seconds("auth.max_token_lifetime", 60, 3_153_600_000)?,
            },
            engine: EngineSettings {
                max_batch: read.number("engine.max_batch", 1, 4_096)?,
                accounts_per_transaction: read.number("engine.accounts_per_transaction", 1, 256)?,
                lanes: match read.text("engine.lanes")? {
                    Some(_) => Some(read.number("engine.lanes", 1, 64)?),
                    None => None,
                },
                queue: read.number("engine.queue", 1, 65_536)?,
            },
            overage_limit: {
                let credits: Credits = read.parse("ledger.overage_limit")?;
                if credits.is_negative() {
                    return Err(read.invalid("ledger.overage_limit"));
                }
                credits
            },
            http: read_http(read)?,
            limits,
            documents: read_documents(read)?,
            exports: read_exports(read)?,
            rings_others: read.one_of("live.bell", &[("auto", true), ("off", false)])?,
            bell_url: read
                .url("live.bell_url", &["postgres://", "postgresql://"])?
                .map(Secret),
            live: read_live(read, limits.cost)?,
            gateway: read_gateway(read, development)?,
            mail: read_mail(read)?,
            pages,
            app_url: read.url("app_url", &["http://", "https://"])?,
            log_level: {
                let level = read.required("log.level")?;
                if level.parse::<tracing_subscriber::EnvFilter>().is_err() {
                    return Err(read.invalid("log.level"));
                }
                level.to_owned()
            },
            log_format: read.one_of("log.format", &[("text", LogFormat::Text), ("json", LogFormat::Json)])?,
            shown: read.shown(),
        })
    }
}

fn read_http(read: &Reader<'_>) -> Result<HttpSettings, ConfigError> {
    Ok(HttpSettings {
        cors_origins: read.origins("http.cors_origins")?,
        cors_headers: read.header_names("http.cors_headers")?,
        max_connections: read.number("http.max_connections", 1, 1_000_000)?,
        max_connections_per_address: read.number("http.max_connections_per_address", 1, 1_000_000)?,
        trusted_proxies: read.networks("http.trusted_proxies")?,
        use_forwarded: read.one_of(
            "http.forwarded_header",
            &[("x-forwarded-for", false), ("forwarded", true)],
        )?,
        head_timeout: read.seconds("http.head_seconds", 1, 3_600)?,
        body_timeout: read.seconds("http.body_seconds", 1, 3_600)?,
        answer_timeout: read.seconds("http.answer_seconds", 1, 3_600)?,
        drain: read.seconds("http.drain_seconds", 0, 3_600)?,
    })
}

fn read_live(read: &Reader<'_>, highest_cost: u64) -> Result<LiveSettings, ConfigError> {
    let live = LiveSettings {
        per_caller: read.number("live.per_caller", 1, 1_000_000)?,
        cost_per_caller: read.number("live.cost_per_caller", 1, 1_000_000_000_000)?,
        operations: read.number("live.operations", 1, 10_000)?,
        message_bytes: read.number("live.message_bytes", 1_024, 1_048_576)?,
        messages_per_second: read.number("live.messages_per_second", 1, 100_000)?,
        init_timeout: read.millis("live.init_timeout_ms")?,
        ping_interval: read.millis("live.ping_interval_ms")?,
        pong_timeout: read.millis("live.pong_timeout_ms")?,
        write_timeout: read.millis("live.write_timeout_ms")?,
    };
    if live.cost_per_caller < highest_cost {
        return Err(ConfigError::Together(
            "live.cost_per_caller must be at least limits.cost, or the dearest subscriptions could never be opened"
                .to_owned(),
        ));
    }
    Ok(live)
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
        assert_eq!((settings.engine.lanes, settings.engine.queue), (Some(4), 7));
        assert_eq!(settings.database.url.reveal(), "sqlite://data/ledgerbell.db?mode=rwc");
    }

    #[test]
    fn stripe_needs_its_keys_and_nobody_charges_unasked_in_production() {
        let development = "mode = \"development\"\n";
        let settings = load(development, &[], vec![]).expect("valid");
        assert_eq!(settings.gateway.kind, GatewayKind::Simulated);
        let production = format!("secret = \"{SECRET}\"\n[auth]\njwt_secret = \"{SECRET}\"\n");
        let settings = load(&production, &[], vec![]).expect("valid");
        assert_eq!(settings.gateway.kind, GatewayKind::None);
        let stripe = [("LEDGERBELL_GATEWAY_KIND", "stripe")];
        let refused = load(&production, &stripe, vec![]).expect_err("keys are missing");
        assert!(refused.contains("gateway.stripe_webhook_secret"), "{refused}");
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
            ("[http]\ncors_origins = [\"*\"]", None, "origins such as"),
            ("secret = \"short-and-private\"", None, "at least 32 characters"),
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
        let error = |toml: &str| load(toml, &[], vec![]).expect_err("refused");
        assert!(error("").contains("LEDGERBELL_SECRET"));
        assert!(error(&format!("secret = \"{DEMO_SECRET}\"")).contains("demo secret"));
        assert!(error(&format!("secret = \"{SECRET}\"")).contains("auth.jwks_url"));
        assert!(error(&format!("secret = \"{SECRET}\"\nauth.jwt_secret = \"{DEMO_SECRET}\"")).contains("demo secret"));
        let whole = format!("secret = \"{SECRET}\"\nauth.jwt_secret = \"{SECRET}\"");
        assert_eq!(load(&whole, &[], vec![]).expect("valid").mode, Mode::Production);
        let development = load("mode = \"development\"", &[], vec![]).expect("valid");
        assert_eq!(development.secret.reveal(), DEMO_SECRET);
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
        assert_eq!(settings.auth.jwt_secret_previous, Some(Secret(SECRET.to_owned())));
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
             database.url = \"postgres://ann:p@ss:w0rd@db:5432/x?password=p@ss\""
        );
        let settings = load(&toml, &[], vec![]).expect("valid");
        for text in [settings.to_toml(), format!("{settings:?}")] {
            assert!(
                !text.contains(SECRET) && !text.contains("w0rd") && !text.contains("p@ss"),
                "{text}"
            );
        }
        assert!(settings.to_toml().contains("postgres://ann:***@db:5432/x"));
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
