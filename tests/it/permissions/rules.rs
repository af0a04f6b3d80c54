//! Who may do what: read from the schema, or listed here. A field in neither place fails the test.

use graphql_parser::schema::Field;
use ledgerbell::primitives::actor::{Permission, Side};

use super::parties::Rights;

/// Who may use a field, or see an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Every signed-in caller that can see the account.
    Anyone,
    /// Callers with any of these permissions.
    AnyOf(Vec<Permission>),
    /// The member that it is about, and callers with any of these permissions.
    OwnOr(Vec<Permission>),
    /// The member that it is about, and keys with any of these permissions.
    OwnOrKeys(Vec<Permission>),
    /// Members see their own part; callers with `READ_CREDIT_LOG` see all.
    OwnPart,
    /// Keys for all accounts, with any of these permissions if some are listed.
    Everywhere(Vec<Permission>),
    /// Platform keys with any of these permissions.
    OfPlatform(Vec<Permission>),
}

impl Rule {
    /// Parses `[auth: …]` in a description. The part after a semicolon is about some inputs only.
    fn stated(description: &str) -> Option<Self> {
        let (_, auth) = description.split_once("[auth: ")?;
        let (auth, _) = auth.split_once(']')?;
        let (auth, _) = auth.split_once(';').unwrap_or((auth, ""));
        let named: Vec<Permission> = auth.split('`').filter_map(Permission::from_name).collect();
        Some(if auth.contains("platform key") {
            Self::Everywhere(named)
        } else if auth.ends_with("of the platform") {
            Self::OfPlatform(named)
        } else if auth.starts_with("OWN") {
            Self::OwnOr(named)
        } else {
            assert!(!named.is_empty(), "[auth: {auth}] names a permission");
            Self::AnyOf(named)
        })
    }

    /// Returns the rule of a field: from its description, or from the list here.
    pub(super) fn of(type_name: &str, field: &Field<'static, String>) -> Self {
        let stated = field.description.as_deref().and_then(Self::stated);
        let place = format!("{type_name}.{}", field.name);
        let written = WRITTEN_DOWN.iter().find(|(name, _)| *name == place);
        match (stated, written) {
            (Some(rule), None) => rule,
            (None, Some((_, rule))) => rule(),
            (None, None) => {
                panic!("{place} says [auth: …] in its description, or has a row in tests/it/permissions/rules.rs")
            }
            (Some(_), Some(_)) => panic!("{place} says who may use it; its row in tests/it/permissions/rules.rs goes"),
        }
    }

    pub(super) fn of_node(type_name: &str) -> Self {
        let found = NODES.iter().find(|(name, _)| *name == type_name);
        let (_, rule) = found.unwrap_or_else(|| panic!("{type_name} has a row among the nodes"));
        rule()
    }

    /// Returns whether a caller with these rights is permitted. The objects belong to the plain member.
    pub(super) fn allows(&self, rights: &Rights) -> bool {
        let has = |any: &[Permission]| any.iter().any(|permission| rights.permissions.has(*permission));
        match self {
            Self::Anyone => true,
            Self::AnyOf(any) => has(any),
            Self::OwnOr(any) => rights.is_subject || has(any),
            Self::OwnOrKeys(any) => rights.is_subject || (!rights.is_member && has(any)),
            Self::OwnPart => rights.is_member || has(&[Permission::ReadCreditLog]),
            Self::Everywhere(any) => rights.is_everywhere && (any.is_empty() || has(any)),
            Self::OfPlatform(any) => rights.side == Side::Platform && has(any),
        }
    }
}

type Written = (&'static str, fn() -> Rule);

const fn anyone() -> Rule {
    Rule::Anyone
}

const fn own_part() -> Rule {
    Rule::OwnPart
}

fn balance() -> Rule {
    Rule::AnyOf(vec![Permission::ReadOwnUsage])
}

fn log() -> Rule {
    Rule::AnyOf(vec![Permission::ReadCreditLog])
}

fn own_log() -> Rule {
    Rule::OwnOr(vec![Permission::ReadCreditLog])
}

fn purchases() -> Rule {
    Rule::AnyOf(vec![Permission::ReadCreditLog, Permission::BuyCredits])
}

fn settings() -> Rule {
    Rule::OwnOr(vec![Permission::ManageSettings])
}

/// Fields whose description states no permission.
const WRITTEN_DOWN: &[Written] = &[
    ("Query.viewer", anyone),
    // Null for accounts that the caller may not see.
    ("Query.account", anyone),
    ("Query.node", anyone),
    ("Query.nodes", anyone),
    ("Account.id", anyone),
    ("Account.externalId", anyone),
    ("Account.name", anyone),
    ("Account.status", anyone),
    ("Account.frozenReason", anyone),
    ("Account.timezone", anyone),
    ("Account.creditPrice", anyone),
    ("Account.version", anyone),
    ("Account.createdAt", anyone),
    ("Account.balance", balance),
    ("Account.eligibility", balance),
    ("Account.topUpQuote", balance),
    ("Account.creditLog", own_part),
    ("Account.creditUsage", own_part),
    ("Account.creditLogExport", own_part),
    ("Account.sessions", own_part),
    // Null where the caller may not see them.
    ("Account.member", anyone),
    ("Account.session", own_part),
    ("Account.liveCursor", anyone),
    ("Account.events", own_part),
    ("Subscription.creditEntryPosted", own_part),
    ("Subscription.sessionUpdated", own_part),
    ("Subscription.accountUpdated", own_part),
];

/// Who may see an object by its id. The member, entry, session and so on belong to the plain member.
const NODES: &[Written] = &[
    ("Account", anyone),
    ("Balance", balance),
    ("CreditEntry", own_log),
    ("CreditLot", log),
    ("Session", own_log),
    ("TopUp", purchases),
    ("TopUpAttempt", purchases),
    ("PaymentMethod", purchases),
    ("AutoTopUp", purchases),
    ("TopUpDecision", purchases),
    ("Member", || {
        Rule::OwnOr(vec![Permission::ReadCreditLog, Permission::ManageMembers])
    }),
    ("Contact", settings),
    ("NotificationSettings", settings),
    ("ApiKey", || Rule::AnyOf(vec![Permission::ManageApiKeys])),
    ("Alert", || {
        Rule::OwnOrKeys(vec![Permission::ManageSettings, Permission::ReadCreditLog])
    }),
    ("InboxItem", settings),
    ("Delivery", settings),
    ("NotificationAddress", || Rule::AnyOf(vec![Permission::ManageSettings])),
    ("WebhookEndpoint", || Rule::AnyOf(vec![Permission::ManageSettings])),
    ("WebhookMessage", || Rule::AnyOf(vec![Permission::ManageSettings])),
];
