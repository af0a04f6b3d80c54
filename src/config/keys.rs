//! The single list of all settings. Their explanation, their check and their reading follow from it.

use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

use crate::adapters::bus::{is_nats_server, is_subject};

use super::Mode;
use super::bounds::{Bounds, Form, HTTP, Unit, is_credits, is_header_name, is_network, is_origin, is_smtp_url, parses};

/// The prefix of all environment variables.
pub(super) const PREFIX: &str = "LEDGERBELL_";

/// One setting.
#[derive(Clone, Copy)]
pub(super) struct Key {
    /// The path in the settings file.
    pub(super) path: &'static str,
    /// The value if the setting is absent.
    pub(super) default: Option<&'static str>,
    /// The values in development and in production if the setting is absent and has no default.
    by_mode: Option<[&'static str; 2]>,
    /// The allowed values.
    pub(super) bounds: Bounds,
    /// What the setting is for.
    pub(super) about: &'static str,
}

/// All settings. `mode` is the first, because values of others depend on it.
pub(super) const KEYS: &[Key] = &[
    one_of("mode", &["development", "production"])
        .default("production")
        .about("In production, secrets must be set and sign-ins come from your own application."),
    valid_text(
        "listen",
        "an address and a port, such as 127.0.0.1:8080 or [::]:8080; port 0 takes any free one",
        Form::Text,
        parses::<SocketAddr>,
    )
    .default("127.0.0.1:8080")
    .about("Where the HTTP server listens."),
    url("public_url", HTTP).about(
        "The address at which clients reach this server. Links to exports begin with it; if it is https, \
                links that unsubscribe from mail too. When not set, links to exports begin with the address in \
                listen.",
    ),
    url("app_url", HTTP).about(
        "The page of your application that alerts link to. The action and the alert are added to it as a \
                query, such as ?action=TOP_UP&alert=alr_… Without it, alerts have no links.",
    ),
    text("data_dir", "the path of a directory")
        .default("data")
        .about("Where the SQLite database and the demo's key are stored."),
    secret("secret", "").about(
        "Signs links to exports and hashes of verification codes. Required in production. Must be the \
                same on all servers of one installation.",
    ),
    secret_url("database.url", &["postgres://", "sqlite://"])
        .about("The database. A SQLite file in data_dir when not set."),
    number("database.max_connections", 2, 1_000)
        .default("16")
        .about("The maximum number of connections to Postgres, or of readers of SQLite, of which no more are opened than help."),
    secret_url("database.replica_url", &["postgres://", "postgresql://"]).about(
        "A replica of the same database on Postgres, which answers queries of the credit log when it has the \
                account's last entry. Each process has as many connections there as to the database.",
    ),
    secret("auth.jwt_secret", "").about("Members sign in with HS256 tokens signed with this."),
    secret("auth.jwt_secret_previous", "").about(
        "Tokens signed with this are also accepted. To replace auth.jwt_secret without signing members \
                out, move the old secret here. Remove it when the last token signed with it has expired.",
    ),
    url("auth.jwks_url", HTTP)
        .about("Members sign in with RS256, ES256 or EdDSA tokens signed with a key published here."),
    seconds("auth.jwks_lifetime_seconds", 60, 604_800)
        .default("3600")
        .about(
            "Seconds that keys from auth.jwks_url are used when they cannot be fetched again. They are \
                fetched every 10 minutes. After that time, members cannot sign in until the issuer is reachable.",
        ),
    text("auth.issuer", "the text that tokens carry as iss")
        .about("Tokens of another issuer are refused. Required with auth.jwks_url."),
    text("auth.audience", "the text that tokens carry as aud")
        .about("Tokens for another audience are refused. Required with auth.jwks_url."),
    seconds("auth.max_token_lifetime", 60, 3_153_600_000)
        .default("2592000")
        .about(
            "The longest validity of a member's token in seconds, from its iat to its exp. Longer tokens are \
                refused. The default is 30 days.",
        ),
    number("engine.max_batch", 1, 4_096)
        .default("256")
        .about("The maximum number of commands in one transaction."),
    number("engine.accounts_per_transaction", 1, 256).default("256").about(
        "The maximum number of accounts in one transaction. Set it to 1 on a Postgres that is sharded by \
                account_id.",
    ),
    number("engine.lanes", 1, 64).about(
        "The number of transactions that post at the same time. When not set, 2 on Postgres. SQLite has \
                one writer, so one lane.",
    ),
    number("engine.queue", 1, 65_536)
        .default("512")
        .about("The maximum number of waiting commands of one account. More commands are refused with BUSY."),
    valid_text(
        "ledger.overage_limit",
        "a number of credits, 0 or more, with at most 4 digits after the point",
        Form::Text,
        is_credits,
    )
    .default("10000")
    .about("How many credits beyond the booked ones completing a session with allowOverage may charge."),
    one_of("gateway.kind", &["stripe", "simulated", "none"])
        .by_mode("simulated", "none")
        .about(
            "The gateway that charges cards. simulated moves no money, and is the default in development. In \
                production the default is none, and cards cannot be added.",
        ),
    flag("gateway.simulated_in_production").default("false").about(
        "Whether `serve` and `worker` start in production mode with the simulated gateway, which adds \
                credits without payment.",
    ),
    url("gateway.stripe_url", HTTP)
        .default("https://api.stripe.com")
        .about("The address of Stripe's API."),
    valid_text(
        "gateway.stripe_secret_key",
        "the secret key, sk_…",
        Form::Secret,
        |_| true,
    )
    .about("Authenticates this server at Stripe. Required with gateway.kind stripe."),
    text("gateway.stripe_publishable_key", "the publishable key, pk_…")
        .about("Names this installation to Stripe's browser library. Required with gateway.kind stripe."),
    valid_text(
        "gateway.stripe_webhook_secret",
        "the signing secret of the webhook endpoint, whsec_…",
        Form::Secret,
        |_| true,
    )
    .about("Stripe signs what it sends to /webhooks/stripe with this. Required with gateway.kind stripe."),
    url("gateway.return_url", HTTP).about(
        "The page of your application to which customers return from their bank. Required with \
                gateway.kind stripe.",
    ),
    list(
        "http.cors_origins",
        "origins such as https://app.example.com, https://*.example.com or capacitor://localhost, without a path",
        is_origin,
    )
    .default("")
    .about(
        "Sites and apps whose pages may call the API from a browser. In the environment: separated by \
                commas. In development, pages on localhost may also call it.",
    ),
    list("http.cors_headers", "names of headers", is_header_name)
        .default("")
        .about("Headers that those pages may send, besides those of GraphQL clients and of tracing."),
    number("http.max_connections", 1, 1_000_000).default("20000").about(
        "The maximum number of open connections, including websockets. The system must allow at least \
                this number of open files.",
    ),
    number("http.max_connections_per_address", 1, 1_000_000)
        .default("2000")
        .about(
            "The maximum number of open connections of one address. A network of IPv6 (/64) is one address. \
                Behind a proxy, set http.trusted_proxies: otherwise all clients have the proxy's address.",
        ),
    list(
        "http.trusted_proxies",
        "addresses or networks such as 10.0.0.0/8 or 2001:db8::7",
        is_network,
    )
    .default("")
    .about(
        "Proxies in front of this server that name their clients in a header. The last address in it that \
                is not a proxy is the client's. Limits on connections and on requests without sign-in apply to \
                that address.",
    ),
    switch(
        "http.forwarded_header",
        &[("x-forwarded-for", false), ("forwarded", true)],
    )
    .default("x-forwarded-for")
    .about(
        "The header in which http.trusted_proxies name their clients. They must set it or add to it, \
                because clients can also send it.",
    ),
    seconds("http.head_seconds", 1, 3_600).default("65").about(
        "Seconds to receive the head of a request, and seconds that a connection may be idle. Set it \
                higher than the idle time of a proxy in front. Otherwise the proxy sometimes sends a request on \
                a connection that is being closed.",
    ),
    seconds("http.body_seconds", 1, 3_600)
        .default("10")
        .about("Seconds to receive the body of a request."),
    seconds("http.answer_seconds", 1, 3_600)
        .default("30")
        .about("Seconds that a client may read nothing of a response that is being sent."),
    seconds("http.drain_seconds", 0, 3_600).default("5").about(
        "Seconds over which websockets are closed when the server stops. Before that, requests get a \
                quarter of this time. The process ends at most 3 seconds after that.",
    ),
    number("limits.cost", 1, 1_000_000_000)
        .default("20000")
        .about("The maximum cost of one operation: about one unit per field, times the number of requested items."),
    number("limits.rate", 0, 100_000_000).by_mode("0", "100000").about(
        "Cost per second that each caller may use: a member, an API key, or an address without either. 0 \
                means no limit. When not set: in production 100000, about the capacity of one processor, and 0 \
                in development.",
    ),
    number("limits.burst", 1, 1_000_000_000)
        .default("500000")
        .about("Cost that a caller may use at once after a pause. At least limits.cost."),
    number("limits.anonymous_rate", 0, 100_000_000)
        .by_mode("0", "200")
        .about(
            "Cost per second that each address may use without signing in: introspection, refused \
                credentials, forged signatures. 0 means no limit. When not set: 200 in production, 0 in \
                development.",
        ),
    number("limits.anonymous_burst", 1, 1_000_000_000)
        .default("20000")
        .about("Cost that an address may use at once, without signing in, after a pause."),
    text("documents.trusted", "the path of a JSON file")
        .about("Operations that are executed by id: a JSON object from ids to GraphQL documents."),
    flag("documents.only_trusted")
        .default("false")
        .about("Whether only the trusted operations are executed."),
    one_of("documents.introspection", &["anyone", "callers", "off"])
        .default("anyone")
        .about(
            "Who may query the schema itself: any client, within limits.anonymous_burst, or callers who are \
                signed in, or no client.",
        ),
    number("exports.uses", 1, 1_000)
        .default("5")
        .about("How many times a link to an export may be used."),
    number("exports.per_account", 1, 1_000)
        .default("2")
        .about("The maximum number of simultaneous downloads of one account's log in this process."),
    number("exports.at_a_time", 1, 1_000).default("2").about(
        "Parts of exports, a thousand entries each, that this process produces at the same time. Each \
                takes up to two connections to the database. Set it to at most about the number of \
                processors, and well below half of database.max_connections.",
    ),
    one_of("bus.kind", &["none", "postgres", "nats"]).about(
        "How servers and workers on one Postgres notify each other of new events: postgres uses LISTEN and \
                NOTIFY, nats a NATS server. With none, each polls the database: live events of other processes \
                come up to half a second late, and work of other processes up to five seconds. When not set, \
                postgres. SQLite has one process, and no bus.",
    ),
    secret_url("bus.postgres_url", &["postgres://", "postgresql://"]).about(
        "The connection for LISTEN and NOTIFY when database.url goes through a pooler in transaction \
                mode: the same database, directly.",
    ),
    valid_text(
        "bus.namespace",
        "letters, digits, - and _, with dots between parts, such as eu-1.ledgerbell",
        Form::Text,
        is_subject,
    )
    .default("ledgerbell")
    .about(
        "What the names of all subjects on NATS begin with. The account there must be allowed to publish \
                and to subscribe to <namespace>.>. The identity of the database follows in each name, so two \
                installations may share a server, also with one namespace.",
    ),
    list(
        "bus.nats_servers",
        "addresses such as nats://10.0.0.7:4222 or tls://nats.example.com:4222, without a password",
        is_nats_server,
    )
    .default("")
    .about(
        "The servers of one NATS cluster. With tls:// the connection is always encrypted, with nats:// when the \
                server requires it. Required with bus.kind nats.",
    ),
    text("bus.nats_user", "the name of a user").about("The user at NATS, with bus.nats_password."),
    valid_text("bus.nats_password", "a password", Form::Secret, |_| true).about("The password of bus.nats_user."),
    valid_text("bus.nats_token", "a token", Form::Secret, |_| true).about("A token for NATS, in place of a user."),
    text("bus.nats_credentials", "the path of a .creds file")
        .about("A file with a JWT and its key for NATS, in place of a user. It is read at each connection."),
    text("bus.nats_ca", "the path of a PEM file").about(
        "The certificates by which servers of NATS are verified. The system's when not set. The same for the \
                next two: they are read at each connection.",
    ),
    text("bus.nats_certificate", "the path of a PEM file")
        .about("The certificate by which NATS verifies this process, with bus.nats_key."),
    text("bus.nats_key", "the path of a PEM file").about("The key of bus.nats_certificate."),
    number("live.per_caller", 1, 1_000_000)
        .default("100")
        .about("The maximum number of open sockets and event streams of one member or API key in this process."),
    number("live.cost_per_caller", 1, 1_000_000_000_000)
        .default("200000")
        .about(
            "The maximum cost of all open subscriptions of one member or API key in this process, for one \
                message of each. At least limits.cost.",
        ),
    number("live.operations", 1, 10_000)
        .default("100")
        .about("The maximum number of operations on one socket at a time."),
    number("live.message_bytes", 1_024, 1_048_576)
        .default("65536")
        .about("The longest message that a client may send over a socket."),
    number("live.messages_per_second", 1, 100_000)
        .default("50")
        .about("Messages per second that a client may send over a socket; four times this number at once."),
    millis("live.init_timeout_ms", 10, 600_000)
        .default("10000")
        .about("Milliseconds for a client to send connection_init."),
    millis("live.ping_interval_ms", 10, 600_000).default("25000").about(
        "Milliseconds without messages after which the server pings a client, or sends a comment on an \
                event stream.",
    ),
    millis("live.pong_timeout_ms", 10, 600_000)
        .default("10000")
        .about("Milliseconds for a client to answer a ping."),
    millis("live.write_timeout_ms", 10, 600_000)
        .default("15000")
        .about("Milliseconds for a client to read what was sent to it."),
    valid_text(
        "mail.smtp_url",
        "a URL such as smtps://user:password@mail.example.com or smtp://mail.example.com:587?tls=required",
        Form::SecretUrl,
        is_smtp_url,
    )
    .about("The server that sends mail. When not set, mails are written as .eml files into data_dir/mail."),
    text("mail.from", "an address such as Credits <credits@example.com>")
        .default("Ledgerbell <ledgerbell@localhost.localdomain>")
        .about("The sender of mail. Set it together with mail.smtp_url."),
    text("mail.templates", "the path of a directory").about(
        "Your own texts: en.toml, de.toml or another language's, mail.txt and mail.html. For missing \
                ones, the built-in texts are used.",
    ),
    number("mail.unverified_per_account", 0, 1_000_000)
        .default("30")
        .about("Mails per day from one account to addresses that are not verified: codes, critical alerts, tests."),
    number("mail.unverified_per_address", 0, 1_000_000)
        .default("5")
        .about("Mails per day to one address that is not verified, from all accounts together."),
    number("mail.unverified_per_caller", 0, 1_000_000)
        .default("10")
        .about("Mails per day to addresses that are not verified that one member or API key of a team may request."),
    secret("mail.webhook_secret", "a random text of ").about(
        "The secret that signs reports to /webhooks/mail of mail that bounced, was delivered or was \
                marked as spam. When not set, reports are refused.",
    ),
    number("retention.events_days", 7, 36_500).about(
        "Days that events of accounts are kept. Live cursors that are older start over (RESET). An event that \
                a worker has not read yet is kept. When not set, all are kept.",
    ),
    number("retention.idempotency_keys_days", 30, 36_500).about(
        "Days that the results of idempotency keys are kept. The keys stay used: a request that is repeated later is \
                refused (IDEMPOTENCY_KEY_EXPIRED), and nothing is done. When not set, all are kept.",
    ),
    number("retention.webhooks_days", 7, 36_500)
        .about("Days that processed webhooks of the payment gateway are kept. When not set, all are kept."),
    flag("webhook_endpoints.allow_http")
        .by_mode("true", "false")
        .about("Whether webhook endpoints may have http:// URLs. Only in development when not set."),
    list(
        "webhook_endpoints.allowed_networks",
        "addresses or networks such as 10.1.0.0/16 or 127.0.0.1",
        is_network,
    )
    .default("")
    .about(
        "Internal networks that webhook messages may be sent to. Customers choose the URLs: without an entry \
                here, no internal address is ever called.",
    ),
    millis("webhook_endpoints.timeout_ms", 100, 60_000)
        .default("15000")
        .about("Milliseconds for a webhook endpoint to answer."),
    flag("pages.console")
        .default("true")
        .about("Whether the console is served to browsers at /. Programs get JSON there in either case."),
    flag("pages.explorer").by_mode("true", "false").about(
        "Whether the explorer of the API is served, at /graphiql and to browsers that open /graphql. Only \
                in development when not set.",
    ),
    text("pages.folder", "the path of a directory").about(
        "A directory with builds of the pages, in its folders console and explorer, that are served in \
                place of those in the executable.",
    ),
    text(
        "pages.oidc_client_id",
        "the client's id, beside auth.issuer, which must be a URL",
    )
    .about(
        "The console's client at the issuer: public, with the authorization code flow and PKCE, and the \
                console's address as redirect URI. Its members sign in there. The issuer must let the console's \
                origin read its token endpoint (CORS).",
    ),
    text("pages.oidc_scope", "scopes, with spaces between them")
        .default("openid")
        .about("The scopes that the console requests from the issuer. Its tokens must have the claim acct."),
    switch("pages.oidc_token", &[("access", false), ("id", true)])
        .default("access")
        .about(
            "Which of the issuer's tokens the console sends as its credential: it must be a JWT for \
                auth.audience.",
        ),
    valid_text(
        "metrics.listen",
        "an address and a port, such as 127.0.0.1:9464; port 0 takes any free one",
        Form::Text,
        parses::<SocketAddr>,
    )
    .about(
        "Where Prometheus reads metrics for operators, at /metrics. They are not for clients: listen \
                where only your monitoring reaches. When not set, metrics are not served.",
    ),
    valid_text(
        "log.level",
        "error, warn, info, debug or trace, or directives such as info,sea_orm=debug",
        Form::Text,
        parses::<EnvFilter>,
    )
    .default("info")
    .about("The level of the log on standard error."),
    one_of("log.format", &["text", "json"])
        .default("text")
        .about("The format of the log."),
];

const fn key(path: &'static str, bounds: Bounds) -> Key {
    Key {
        path,
        default: None,
        by_mode: None,
        bounds,
        about: "",
    }
}

const fn number(path: &'static str, least: u64, most: u64) -> Key {
    let unit = Unit::One;
    key(path, Bounds::Number { least, most, unit })
}

const fn seconds(path: &'static str, least: u64, most: u64) -> Key {
    let unit = Unit::Seconds;
    key(path, Bounds::Number { least, most, unit })
}

const fn millis(path: &'static str, least: u64, most: u64) -> Key {
    let unit = Unit::Millis;
    key(path, Bounds::Number { least, most, unit })
}

const fn flag(path: &'static str) -> Key {
    switch(path, &[("true", true), ("false", false)])
}

/// A flag whose two values have names.
const fn switch(path: &'static str, names: &'static [(&'static str, bool); 2]) -> Key {
    key(path, Bounds::Switch(names))
}

const fn one_of(path: &'static str, names: &'static [&'static str]) -> Key {
    key(path, Bounds::OneOf(names))
}

const fn url(path: &'static str, schemes: &'static [&'static str]) -> Key {
    key(
        path,
        Bounds::Url {
            schemes,
            form: Form::Text,
        },
    )
}

const fn secret_url(path: &'static str, schemes: &'static [&'static str]) -> Key {
    key(
        path,
        Bounds::Url {
            schemes,
            form: Form::SecretUrl,
        },
    )
}

/// A secret with a minimum length. Its explanation begins with `what`.
const fn secret(path: &'static str, what: &'static str) -> Key {
    key(path, Bounds::Secret { what })
}

const fn list(path: &'static str, allowed: &'static str, is_valid: fn(&str) -> bool) -> Key {
    key(path, Bounds::List { allowed, is_valid })
}

const fn text(path: &'static str, allowed: &'static str) -> Key {
    valid_text(path, allowed, Form::Text, |_| true)
}

const fn valid_text(path: &'static str, allowed: &'static str, form: Form, is_valid: fn(&str) -> bool) -> Key {
    key(
        path,
        Bounds::Text {
            allowed,
            form,
            is_valid,
        },
    )
}

impl Key {
    const fn default(self, default: &'static str) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }

    const fn by_mode(self, development: &'static str, production: &'static str) -> Self {
        Self {
            by_mode: Some([development, production]),
            ..self
        }
    }

    const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// Returns the value in this mode if the setting is absent and has no default.
    pub(super) fn implied(&self, mode: Mode) -> Option<&'static str> {
        self.by_mode.map(|[development, production]| match mode {
            Mode::Development => development,
            Mode::Production => production,
        })
    }

    /// Whether the setting must have a value. An empty text counts as absent.
    pub(super) fn is_required(&self) -> bool {
        // Without Stripe, its address is not needed.
        self.default.is_some_and(|default| !default.is_empty()) && !matches!(self.bounds, Bounds::Url { .. })
    }
}

pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_uppercase())
}

pub(super) fn leaf(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, leaf)| leaf)
}
