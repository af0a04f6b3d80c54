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
        about: "How clients reach this server: what links to exports begin with, and, if it is https, links \
                that unsubscribe from mail. Exports begin with the address listened on when it is not set.",
    },
    Key {
        path: "app_url",
        default: None,
        form: Form::Text,
        allowed: "a URL that begins with http:// or https://",
        about: "The page of your application that alerts lead to. Which action and which alert is added to it as a query, such as \
                ?action=TOP_UP&alert=alr_… Without it, alerts have no links.",
    },
    Key {
        path: "data_dir",
        default: Some("data"),
        form: Form::Text,
        allowed: "the path of a directory",
        about: "Where the SQLite database and the demo's key are kept.",
    },
    Key {
        path: "secret",
        default: None,
        form: Form::Secret,
        allowed: "at least 32 characters",
        about: "Signs links to exports and keys the hashes of verification codes. Required in production; the same on all servers of one installation.",
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
        about: "Connections to Postgres, or readers of SQLite, at most.",
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
        about: "Tokens signed with this are accepted too. To replace auth.jwt_secret without signing anybody out, move the old secret here, \
                and remove it when the last token signed with it has expired.",
    },
    Key {
        path: "auth.jwks_url",
        default: None,
        form: Form::Text,
        allowed: "a URL that begins with http:// or https://",
        about: "Members sign in with RS256, ES256 or EdDSA tokens by a key published here.",
    },
    Key {
        path: "auth.jwks_lifetime_seconds",
        default: Some("3600"),
        form: Form::Number,
        allowed: "a number from 60 to 604800",
        about: "How long keys from auth.jwks_url count after they were fetched, when they cannot be fetched again. They are fetched \
                again every 10 minutes. Afterwards members cannot sign in until the issuer is reachable.",
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
        about: "Seconds that a member's token may be valid for, from its iat to its exp. Others are refused. 30 days.",
    },
    Key {
        path: "engine.max_batch",
        default: Some("256"),
        form: Form::Number,
        allowed: "a number from 1 to 4096",
        about: "Commands that share one transaction, at most.",
    },
    Key {
        path: "engine.accounts_per_transaction",
        default: Some("256"),
        form: Form::Number,
        allowed: "a number from 1 to 256",
        about: "Accounts that share one transaction, at most. 1 on a Postgres that is sharded by account_id.",
    },
    Key {
        path: "engine.lanes",
        default: None,
        form: Form::Number,
        allowed: "a number from 1 to 64",
        about: "Transactions that post at the same time. 2 on Postgres when not set; SQLite has one writer, and so one lane.",
    },
    Key {
        path: "engine.queue",
        default: Some("512"),
        form: Form::Number,
        allowed: "a number from 1 to 65536",
        about: "Commands of one account that may wait. Beyond it: BUSY.",
    },
    Key {
        path: "ledger.overage_limit",
        default: Some("10000"),
        form: Form::Text,
        allowed: "a number of credits, 0 or more, with at most 4 digits after the point",
        about: "How far completing a session with allowOverage may go beyond what was booked.",
    },
    Key {
        path: "gateway.kind",
        default: None,
        form: Form::Text,
        allowed: "stripe, simulated or none",
        about: "Who charges cards. simulated moves no money; the default in development. Otherwise none, and cards cannot be added.",
    },
    Key {
        path: "gateway.simulated_in_production",
        default: Some("false"),
        form: Form::Flag,
        allowed: "true or false",
        about: "Whether `serve` and `worker` start in production mode with the simulated gateway, which gives credits for no money.",
    },
    Key {
        path: "gateway.stripe_url",
        default: Some("https://api.stripe.com"),
        form: Form::Text,
        allowed: "a URL that begins with http:// or https://",
        about: "Where Stripe's API is.",
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
        about: "The page of yours that customers come back to from their bank. Required with gateway.kind stripe.",
    },
    Key {
        path: "http.cors_origins",
        default: Some(""),
        form: Form::List,
        allowed: "origins such as https://app.example.com, https://*.example.com or capacitor://localhost, without a path",
        about: "Sites and apps whose pages may call the API from a browser. In the environment: separated by commas. In development, \
                pages on localhost may too.",
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
        about: "Connections at the same time, at most, websockets among them. The system must allow as many open files.",
    },
    Key {
        path: "http.max_connections_per_address",
        default: Some("2000"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000",
        about: "Connections at the same time of one address, at most; a network of IPv6 (/64) is one address. Behind a proxy, set \
                http.trusted_proxies: else all clients have the proxy's address.",
    },
    Key {
        path: "http.trusted_proxies",
        default: Some(""),
        form: Form::List,
        allowed: "addresses or networks such as 10.0.0.0/8 or 2001:db8::7",
        about: "Proxies in front of this server that name their clients. The last address in their header that is not one of these is \
                the client's: its connections are bounded, and what it asks without signing in is charged to it.",
    },
    Key {
        path: "http.forwarded_header",
        default: Some("x-forwarded-for"),
        form: Form::Text,
        allowed: "x-forwarded-for or forwarded",
        about: "The header in which http.trusted_proxies name their clients. They must set it or add to it, for clients can send it too.",
    },
    Key {
        path: "http.head_seconds",
        default: Some("65"),
        form: Form::Number,
        allowed: "a number from 1 to 3600",
        about: "How long the head of a request may take to come, and how long a connection may be idle. Longer than a proxy in \
                front keeps its connections, or it will now and then send a request into one that closes.",
    },
    Key {
        path: "http.body_seconds",
        default: Some("10"),
        form: Form::Number,
        allowed: "a number from 1 to 3600",
        about: "How long the body of a request may take to come.",
    },
    Key {
        path: "http.answer_seconds",
        default: Some("30"),
        form: Form::Number,
        allowed: "a number from 1 to 3600",
        about: "How long a client may take nothing of an answer that is being sent.",
    },
    Key {
        path: "http.drain_seconds",
        default: Some("5"),
        form: Form::Number,
        allowed: "a number from 0 to 3600",
        about: "Over how long websockets are closed when the server is told to stop. Requests get a quarter of it before, and the \
                process ends at most 3 seconds after that.",
    },
    Key {
        path: "limits.cost",
        default: Some("20000"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000000",
        about: "What one operation may cost, at most: about a unit a field, times the items that are asked for.",
    },
    Key {
        path: "limits.rate",
        default: None,
        form: Form::Number,
        allowed: "a number from 0 to 100000000",
        about: "Cost a second of each caller: a member, an API key, or an address without either. 0 is as much as they like. \
                100000 in production when not set, which is about what one processor answers; 0 in development.",
    },
    Key {
        path: "limits.burst",
        default: Some("500000"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000000",
        about: "Cost that a caller may ask for at once after a rest. At least limits.cost.",
    },
    Key {
        path: "limits.anonymous_rate",
        default: None,
        form: Form::Number,
        allowed: "a number from 0 to 100000000",
        about: "Cost a second of each address, for what is asked without signing in: introspection, refused credentials, forged \
                signatures. 0 is as much as they like. 200 in production when not set, 0 in development.",
    },
    Key {
        path: "limits.anonymous_burst",
        default: Some("20000"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000000",
        about: "Cost that an address may ask for at once, without signing in, after a rest.",
    },
    Key {
        path: "documents.trusted",
        default: None,
        form: Form::Text,
        allowed: "the path of a JSON file",
        about: "Operations that are run by id: a JSON object from ids to GraphQL documents.",
    },
    Key {
        path: "documents.only_trusted",
        default: Some("false"),
        form: Form::Flag,
        allowed: "true or false",
        about: "Whether no operations are run but the trusted ones.",
    },
    Key {
        path: "documents.introspection",
        default: Some("anyone"),
        form: Form::Text,
        allowed: "anyone, callers or off",
        about: "Who may ask for the schema itself: any client, within limits.anonymous_burst, or those who are signed in, or no client.",
    },
    Key {
        path: "exports.uses",
        default: Some("5"),
        form: Form::Number,
        allowed: "a number from 1 to 1000",
        about: "How often a link to an export may be followed.",
    },
    Key {
        path: "exports.per_account",
        default: Some("2"),
        form: Form::Number,
        allowed: "a number from 1 to 1000",
        about: "Downloads of one account's log at a time, at most, in this process.",
    },
    Key {
        path: "exports.at_a_time",
        default: Some("2"),
        form: Form::Number,
        allowed: "a number from 1 to 1000",
        about: "Pieces of exports, a thousand entries each, that this process makes at the same time. About its processors at most.",
    },
    Key {
        path: "live.bell",
        default: Some("auto"),
        form: Form::Text,
        allowed: "auto or off",
        about: "How servers on one Postgres tell each other of new events: by LISTEN and NOTIFY, or not at all. Off, for poolers \
                that do not pass these on: each asks the database instead, which takes up to a second.",
    },
    Key {
        path: "live.bell_url",
        default: None,
        form: Form::SecretUrl,
        allowed: "a URL that begins with postgres:// or postgresql://",
        about: "Where LISTEN and NOTIFY go, when database.url leads through a pooler in transaction mode: the same database, directly.",
    },
    Key {
        path: "live.per_caller",
        default: Some("100"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000",
        about: "Sockets and event streams that one member or API key may have open in this process.",
    },
    Key {
        path: "live.cost_per_caller",
        default: Some("200000"),
        form: Form::Number,
        allowed: "a number from 1 to 1000000000000",
        about: "What the open subscriptions of one member or API key may cost in this process, a message of each, all together. At \
                least limits.cost.",
    },
    Key {
        path: "live.operations",
        default: Some("100"),
        form: Form::Number,
        allowed: "a number from 1 to 10000",
        about: "Operations that run on one socket at a time.",
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
        about: "Messages that a client may send over a socket each second; four times as many at once.",
    },
    Key {
        path: "live.init_timeout_ms",
        default: Some("10000"),
        form: Form::Number,
        allowed: "a number from 10 to 600000",
        about: "Milliseconds for a client to introduce itself.",
    },
    Key {
        path: "live.ping_interval_ms",
        default: Some("25000"),
        form: Form::Number,
        allowed: "a number from 10 to 600000",
        about: "Milliseconds of silence after which a client is pinged, and after which an event stream is sent a comment.",
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
        about: "Milliseconds for a client to take what it is sent.",
    },
    Key {
        path: "mail.smtp_url",
        default: None,
        form: Form::SecretUrl,
        allowed: "a URL such as smtps://user:password@mail.example.com or smtp://mail.example.com:587?tls=required",
        about: "The server that mail is handed to. When not set, mails are written as .eml files into data_dir/mail.",
    },
    Key {
        path: "mail.from",
        default: Some("Ledgerbell <ledgerbell@localhost.localdomain>"),
        form: Form::Text,
        allowed: "an address such as Credits <credits@example.com>",
        about: "Who mail is from. Set it together with mail.smtp_url.",
    },
    Key {
        path: "mail.templates",
        default: None,
        form: Form::Text,
        allowed: "the path of a directory",
        about: "Texts of your own: en.toml, de.toml or another language's, mail.txt and mail.html. Those that are not there are \
                the built-in ones.",
    },
    Key {
        path: "mail.unverified_per_account",
        default: Some("30"),
        form: Form::Number,
        allowed: "a number from 0 to 1000000",
        about: "Mails a day from one account to addresses that are not verified: codes, critical alerts, tests.",
    },
    Key {
        path: "mail.unverified_per_address",
        default: Some("5"),
        form: Form::Number,
        allowed: "a number from 0 to 1000000",
        about: "Mails a day to one address that is not verified, from all accounts together.",
    },
    Key {
        path: "mail.unverified_per_caller",
        default: Some("10"),
        form: Form::Number,
        allowed: "a number from 0 to 1000000",
        about: "Mails a day to addresses that are not verified that one member or API key of a team may ask for.",
    },
    Key {
        path: "mail.webhook_secret",
        default: None,
        form: Form::Secret,
        allowed: "a random text of at least 32 characters",
        about: "What reports of mail that bounced, was delivered or called spam are signed with at /webhooks/mail. When not set, none \
                are taken in.",
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
        about: "Where Prometheus reads figures for operators, at /metrics. They are not for clients: listen where only your \
                monitoring reaches. Nowhere when not set.",
    },
    Key {
        path: "log.level",
        default: Some("info"),
        form: Form::Text,
        allowed: "error, warn, info, debug or trace, or directives such as info,sea_orm=debug",
        about: "What is logged, on standard error.",
    },
    Key {
        path: "log.format",
        default: Some("text"),
        form: Form::Text,
        allowed: "text or json",
        about: "How it is logged.",
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
