//! The single list of all settings.

mod pages;

/// The prefix of all environment variables.
pub(super) const PREFIX: &str = "LEDGERBELL_";

/// One setting.
pub(super) struct Key {
    /// The path in the settings file.
    pub(super) path: &'static str,
    /// The value if the setting is absent.
    pub(super) default: Option<&'static str>,
    /// The type of its value in the settings file.
    pub(super) form: Form,
    /// The allowed values; completes "must be …".
    pub(super) allowed: &'static str,
    /// What the setting is for.
    pub(super) about: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Number,
    Flag,
    List,
    /// Never shown.
    Secret,
    /// Shown without its password.
    SecretUrl,
}

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "mode",
        default: Some("production"),
        form: Form::Text,
        allowed: "development or production",
        about: "In production, secrets must be set and sign-ins come from your own application.",
    },
    Key {
        path: "listen",
        default: Some("127.0.0.1:8080"),
        form: Form::Text,
        allowed: "an address and a port, such as 127.0.0.1:8080 or [::]:8080; port 0 takes any free one",
        about: "Where the HTTP server listens.",
    },
    Key {
        path: "public_url",
        default: None,
        form: Form::Text,
        allowed: "a URL that begins with http:// or https://",
        about: "The address at which clients reach this server. Links to exports begin with it; if it is https, links that unsubscribe from mail too. When not set, links to exports begin with the address in listen.",
    },
    Key {
        path: "app_url",
        default: None,
        form: Form::Text,
        allowed: "a URL that begins with http:// or https://",
        about: "The page of your application that alerts link to. The action and the alert are added to it as a query, such as \
                ?action=TOP_UP&alert=alr_… Without it, alerts have no links.",
    },
    Key {
        path: "data_dir",
        default: Some("data"),
        form: Form::Text,
        allowed: "the path of a directory",
        about: "Where the SQLite database and the demo's key are stored.",
    },
    Key {
        path: "secret",
        default: None,
        form: Form::Secret,
        allowed: "at least 32 characters",
        about: "Signs links to exports and hashes of verification codes. Required in production. Must be the same on all servers of one installation.",
    },
    Key {
        path: "database.url",
        default: None,
        form: Form::SecretUrl,
        allowed: "a URL that begins with postgres:// or sqlite://",
        about: "The database. A SQLite file in data_dir when not set.",
    },
    Key {
        path: "database.max_connections",
        default: Some("16"),
        form: Form::Number,
        allowed: "a number from 2 to 1000",
        about: "The maximum number of connections to Postgres, or of readers of SQLite.",
    },
    Key {
        path: "auth.jwt_secret",
        default: None,
        form: Form::Secret,
        allowed: "at least 32 characters",
        about: "Members sign in with HS256 tokens signed with this.",
    },
    Key {
        path: "auth.jwt_secret_previous",
        default: None,
        form: Form::Secret,
        allowed: "at least 32 characters",
        about: "Tokens signed with this are also accepted. To replace auth.jwt_secret without signing members out, move the old secret here. Remove it when the last token signed with it has expired.",
    },
    Key {
        path: "auth.jwks_url",
        default: None,
        form: Form::Text,
        allowed: "a URL that begins with http:// or https://",
        about: "Members sign in with RS256, ES256 or EdDSA tokens signed with a key published here.",
    },
    Key {
        path: "auth.jwks_lifetime_seconds",
        default: Some("3600"),
        form: Form::Number,
        allowed: "a number from 60 to 604800",
        about: "Seconds that keys from auth.jwks_url are used when they cannot be fetched again. They are fetched every 10 minutes. After that time, members cannot sign in until the issuer is reachable.",
    },
    Key {
        path: "auth.issuer",
        default: None,
        form: Form::Text,
        allowed: "the text that tokens carry as iss",
        about: "Tokens of another issuer are refused. Required with auth.jwks_url.",
    },
    Key {
        path: "auth.audience",
        default: None,
        form: Form::Text,
        allowed: "the text that tokens carry as aud",
        about: "Tokens for another audience are refused. Required with auth.jwks_url.",
    },
    Key {
        path: "auth.max_token_lifetime",
        default: Some("2592000"),
        form: Form::Number,
        allowed: "a number from 60 to 3153600000",
        about: "The longest validity of a member's token in seconds, from its iat to its exp. Longer tokens are refused. The default is 30 days.",
    },
    Key {
        path: "engine.max_batch",
        default: Some("256"),
        form: Form::Number,
        allowed: "a number from 1 to 4096",
        about: "The maximum number of commands in one transaction.",
    },
    Key {
        path: "engine.accounts_per_transaction",
        default: Some("256"),
        form: Form::Number,
        allowed: "a number from 1 to 256",
        about: "The maximum number of accounts in one transaction. Set it to 1 on a Postgres that is sharded by account_id.",
    },
    Key {
        path: "engine.lanes",
        default: None,
        form: Form::Number,
        allowed: "a number from 1 to 64",
        about: "The number of transactions that post at the same time. When not set, 2 on Postgres. SQLite has one writer, so one lane.",
    },
    Key {
        path: "engine.queue",
        default: Some("512"),
        form: Form::Number,
        allowed: "a number from 1 to 65536",
        about: "The maximum number of waiting commands of one account. More commands are refused with BUSY.",
    },
    Key {
        path: "ledger.overage_limit",
        default: Some("10000"),
        form: Form::Text,
        allowed: "a number of credits, 0 or more, with at most 4 digits after the point",
        about: "How many credits beyond the booked ones completing a session with allowOverage may charge.",
    },
    Key {
        path: "gateway.kind",
        default: None,
        form: Form::Text,
        allowed: "stripe, simulated or none",
        about: "The gateway that charges cards. simulated moves no money, and is the default in development. In production the default is none, and cards cannot be added.",
    },
    Key {
        path: "gateway.simulated_in_production",
        default: Some("false"),
        form: Form::Flag,
        allowed: "true or false",
        about: "Whether `serve` and `worker` start in production mode with the simulated gateway, which adds credits without payment.",
    },
    Key {
        path: "gateway.stripe_url",
        default: Some("https://api.stripe.com"),
        form: Form::Text,
        allowed: "a URL that begins with http:// or https://",
        about: "The address of Stripe's API.",
    },
    Key {
        path: "gateway.stripe_secret_key",
        default: None,
        form: Form::Secret,
        allowed: "the secret key, sk_…",
        about: "Authenticates this server at Stripe. Required with gateway.kind stripe.",
    },
    Key {
        path: "gateway.stripe_publishable_key",
        default: None,
        form: Form::Text,
        allowed: "the publishable key, pk_…",
        about: "Names this installation to Stripe's browser library. Required with gateway.kind stripe.",
    },
    Key {
        path: "gateway.stripe_webhook_secret",
        default: None,
        form: Form::Secret,
        allowed: "the signing secret of the webhook endpoint, whsec_…",
        about: "Stripe signs what it sends to /webhooks/stripe with this. Required with gateway.kind stripe.",
    },
    Key {
        path: "gateway.return_url",
        default: None,
        form: Form::Text,
        allowed: "a URL that begins with http:// or https://",
        about: "The page of your application to which customers return from their bank. Required with gateway.kind stripe.",
    },
    Key {
        path: "http.cors_origins",
        default: Some(""),
        form: Form::List,
        allowed: "origins such as https://app.example.com, https://*.example.com or capacitor://localhost, without a path",
        about: "Sites and apps whose pages may call the API from a browser. In the environment: separated by commas. In development, pages on localhost may also call it.",
    },
    Key {
        path: "http.cors_headers",
        default: Some(""),
        form: Form::List,
        allowed: "names of headers",
        about: "Headers that those pages may send, besides those of GraphQL clients and of tracing.",
    },
    Key {
        path: "http.max_connections",
        default: Some("20000"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000",
        about: "The maximum number of open connections, including websockets. The system must allow at least this number of open files.",
    },
    Key {
        path: "http.max_connections_per_address",
        default: Some("2000"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000",
        about: "The maximum number of open connections of one address. A network of IPv6 (/64) is one address. Behind a proxy, set http.trusted_proxies: otherwise all clients have the proxy's address.",
    },
    Key {
        path: "http.trusted_proxies",
        default: Some(""),
        form: Form::List,
        allowed: "addresses or networks such as 10.0.0.0/8 or 2001:db8::7",
        about: "Proxies in front of this server that name their clients in a header. The last address in it that is not a proxy is the client's. Limits on connections and on requests without sign-in apply to that address.",
    },
    Key {
        path: "http.forwarded_header",
        default: Some("x-forwarded-for"),
        form: Form::Text,
        allowed: "x-forwarded-for or forwarded",
        about: "The header in which http.trusted_proxies name their clients. They must set it or add to it, because clients can also send it.",
    },
    Key {
        path: "http.head_seconds",
        default: Some("65"),
        form: Form::Number,
        allowed: "a number from 1 to 3600",
        about: "Seconds to receive the head of a request, and seconds that a connection may be idle. Set it higher than the idle time of a proxy in front. Otherwise the proxy sometimes sends a request on a connection that is being closed.",
    },
    Key {
        path: "http.body_seconds",
        default: Some("10"),
        form: Form::Number,
        allowed: "a number from 1 to 3600",
        about: "Seconds to receive the body of a request.",
    },
    Key {
        path: "http.answer_seconds",
        default: Some("30"),
        form: Form::Number,
        allowed: "a number from 1 to 3600",
        about: "Seconds that a client may read nothing of a response that is being sent.",
    },
    Key {
        path: "http.drain_seconds",
        default: Some("5"),
        form: Form::Number,
        allowed: "a number from 0 to 3600",
        about: "Seconds over which websockets are closed when the server stops. Before that, requests get a quarter of this time. The process ends at most 3 seconds after that.",
    },
    Key {
        path: "limits.cost",
        default: Some("20000"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000000",
        about: "The maximum cost of one operation: about one unit per field, times the number of requested items.",
    },
    Key {
        path: "limits.rate",
        default: None,
        form: Form::Number,
        allowed: "a number from 0 to 100000000",
        about: "Cost per second that each caller may use: a member, an API key, or an address without either. 0 means no limit. When not set: in production 100000, about the capacity of one processor, and 0 in development.",
    },
    Key {
        path: "limits.burst",
        default: Some("500000"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000000",
        about: "Cost that a caller may use at once after a pause. At least limits.cost.",
    },
    Key {
        path: "limits.anonymous_rate",
        default: None,
        form: Form::Number,
        allowed: "a number from 0 to 100000000",
        about: "Cost per second that each address may use without signing in: introspection, refused credentials, forged signatures. 0 means no limit. When not set: 200 in production, 0 in development.",
    },
    Key {
        path: "limits.anonymous_burst",
        default: Some("20000"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000000",
        about: "Cost that an address may use at once, without signing in, after a pause.",
    },
    Key {
        path: "documents.trusted",
        default: None,
        form: Form::Text,
        allowed: "the path of a JSON file",
        about: "Operations that are executed by id: a JSON object from ids to GraphQL documents.",
    },
    Key {
        path: "documents.only_trusted",
        default: Some("false"),
        form: Form::Flag,
        allowed: "true or false",
        about: "Whether only the trusted operations are executed.",
    },
    Key {
        path: "documents.introspection",
        default: Some("anyone"),
        form: Form::Text,
        allowed: "anyone, callers or off",
        about: "Who may query the schema itself: any client, within limits.anonymous_burst, or callers who are signed in, or no client.",
    },
    Key {
        path: "exports.uses",
        default: Some("5"),
        form: Form::Number,
        allowed: "a number from 1 to 1000",
        about: "How many times a link to an export may be used.",
    },
    Key {
        path: "exports.per_account",
        default: Some("2"),
        form: Form::Number,
        allowed: "a number from 1 to 1000",
        about: "The maximum number of simultaneous downloads of one account's log in this process.",
    },
    Key {
        path: "exports.at_a_time",
        default: Some("2"),
        form: Form::Number,
        allowed: "a number from 1 to 1000",
        about: "Parts of exports, a thousand entries each, that this process produces at the same time. Set it to at most about the number of processors.",
    },
    Key {
        path: "live.bell",
        default: Some("auto"),
        form: Form::Text,
        allowed: "auto or off",
        about: "How servers on one Postgres notify each other of new events: auto uses LISTEN and NOTIFY. off is for poolers that do not forward these: each server polls the database instead, which takes up to a second.",
    },
    Key {
        path: "live.bell_url",
        default: None,
        form: Form::SecretUrl,
        allowed: "a URL that begins with postgres:// or postgresql://",
        about: "The connection for LISTEN and NOTIFY when database.url goes through a pooler in transaction mode: the same database, directly.",
    },
    Key {
        path: "live.per_caller",
        default: Some("100"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000",
        about: "The maximum number of open sockets and event streams of one member or API key in this process.",
    },
    Key {
        path: "live.cost_per_caller",
        default: Some("200000"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000000000",
        about: "The maximum cost of all open subscriptions of one member or API key in this process, for one message of each. At \
                least limits.cost.",
    },
    Key {
        path: "live.operations",
        default: Some("100"),
        form: Form::Number,
        allowed: "a number from 1 to 10000",
        about: "The maximum number of operations on one socket at a time.",
    },
    Key {
        path: "live.message_bytes",
        default: Some("65536"),
        form: Form::Number,
        allowed: "a number from 1024 to 1048576",
        about: "The longest message that a client may send over a socket.",
    },
    Key {
        path: "live.messages_per_second",
        default: Some("50"),
        form: Form::Number,
        allowed: "a number from 1 to 100000",
        about: "Messages per second that a client may send over a socket; four times this number at once.",
    },
    Key {
        path: "live.init_timeout_ms",
        default: Some("10000"),
        form: Form::Number,
        allowed: "a number from 10 to 600000",
        about: "Milliseconds for a client to send connection_init.",
    },
    Key {
        path: "live.ping_interval_ms",
        default: Some("25000"),
        form: Form::Number,
        allowed: "a number from 10 to 600000",
        about: "Milliseconds without messages after which the server pings a client, or sends a comment on an event stream.",
    },
    Key {
        path: "live.pong_timeout_ms",
        default: Some("10000"),
        form: Form::Number,
        allowed: "a number from 10 to 600000",
        about: "Milliseconds for a client to answer a ping.",
    },
    Key {
        path: "live.write_timeout_ms",
        default: Some("15000"),
        form: Form::Number,
        allowed: "a number from 10 to 600000",
        about: "Milliseconds for a client to read what was sent to it.",
    },
    Key {
        path: "mail.smtp_url",
        default: None,
        form: Form::SecretUrl,
        allowed: "a URL such as smtps://user:password@mail.example.com or smtp://mail.example.com:587?tls=required",
        about: "The server that sends mail. When not set, mails are written as .eml files into data_dir/mail.",
    },
    Key {
        path: "mail.from",
        default: Some("Ledgerbell <ledgerbell@localhost.localdomain>"),
        form: Form::Text,
        allowed: "an address such as Credits <credits@example.com>",
        about: "The sender of mail. Set it together with mail.smtp_url.",
    },
    Key {
        path: "mail.templates",
        default: None,
        form: Form::Text,
        allowed: "the path of a directory",
        about: "Your own texts: en.toml, de.toml or another language's, mail.txt and mail.html. For missing ones, the built-in texts are used.",
    },
    Key {
        path: "mail.unverified_per_account",
        default: Some("30"),
        form: Form::Number,
        allowed: "a number from 0 to 1000000",
        about: "Mails per day from one account to addresses that are not verified: codes, critical alerts, tests.",
    },
    Key {
        path: "mail.unverified_per_address",
        default: Some("5"),
        form: Form::Number,
        allowed: "a number from 0 to 1000000",
        about: "Mails per day to one address that is not verified, from all accounts together.",
    },
    Key {
        path: "mail.unverified_per_caller",
        default: Some("10"),
        form: Form::Number,
        allowed: "a number from 0 to 1000000",
        about: "Mails per day to addresses that are not verified that one member or API key of a team may request.",
    },
    Key {
        path: "mail.webhook_secret",
        default: None,
        form: Form::Secret,
        allowed: "a random text of at least 32 characters",
        about: "The secret that signs reports to /webhooks/mail of mail that bounced, was delivered or was marked as spam. When not set, reports are refused.",
    },
    pages::CONSOLE,
    pages::EXPLORER,
    pages::FOLDER,
    pages::OIDC_CLIENT_ID,
    pages::OIDC_SCOPE,
    pages::OIDC_TOKEN,
    Key {
        path: "metrics.listen",
        default: None,
        form: Form::Text,
        allowed: "an address and a port, such as 127.0.0.1:9464; port 0 takes any free one",
        about: "Where Prometheus reads metrics for operators, at /metrics. They are not for clients: listen where only your monitoring reaches. When not set, metrics are not served.",
    },
    Key {
        path: "log.level",
        default: Some("info"),
        form: Form::Text,
        allowed: "error, warn, info, debug or trace, or directives such as info,sea_orm=debug",
        about: "The level of the log on standard error.",
    },
    Key {
        path: "log.format",
        default: Some("text"),
        form: Form::Text,
        allowed: "text or json",
        about: "The format of the log.",
    },
];

pub(super) fn key(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_uppercase())
}

pub(super) fn leaf(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, leaf)| leaf)
}

impl Form {
    pub(super) fn show(self, text: &str) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        match self {
            Self::Text => quoted(text),
            Self::Number | Self::Flag => text.to_owned(),
            Self::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                format!("[{}]", items.map(quoted).collect::<Vec<_>>().join(", "))
            }
            Self::Secret if text.is_empty() => quoted(""),
            Self::Secret => quoted("***"),
            Self::SecretUrl => quoted(&without_password(text)),
        }
    }
}

pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return if url.is_empty() {
            String::new()
        } else {
            "***".to_owned()
        };
    };
    // The password may contain an @, and a query may contain one too.
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) if query.contains("password") => (rest, "?***".to_owned()),
        Some((rest, query)) => (rest, format!("?{query}")),
        None => (rest, String::new()),
    };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}://{user}:***@{host}{query}")
        }
        None => format!("{scheme}://{rest}{query}"),
    }
}
