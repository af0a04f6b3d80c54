//! Actors and their permissions.

use uuid::Uuid;

use super::ids::{AccountId, ApiKeyId, MemberId};

crate::text_enum! {
    /// The side of the trade that an actor acts for: the platform sells credits, the team buys them.
    Side {
        /// Sets prices, settles sessions and sends money back.
        Platform = "PLATFORM",
        /// Buys credits and uses them. Never holds a permission of [`Permission::is_of_platform`].
        Team = "TEAM",
    }
}

/// A permission of an actor. Members have the permissions of their role, API keys those they were created
/// with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See one's own sessions, entries and alerts, and the balance.
    ReadOwnUsage,
    /// See the whole credit log, usage, export, top-ups, troubleshooting.
    ReadCreditLog,
    /// Buy top-ups, manage payment methods and the automatic top-up.
    BuyCredits,
    /// Read and change others' notification settings and contacts.
    ManageSettings,
    /// Add, change, remove members.
    ManageMembers,
    /// Create and revoke API keys.
    ManageApiKeys,
    /// Book and move sessions, and cancel them free of charge.
    BookSessions,
    /// Complete and refund sessions, charge fees, record no-shows.
    SettleSessions,
    /// Refund money of top-ups.
    RefundTopUps,
    /// Grant credits and adjust balances.
    ManageCredits,
    /// Create, change, freeze, close accounts.
    ManageAccounts,
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Permission {
    /// All permissions, in the contract's order.
    pub const ALL: [Self; 11] = [
        Self::ReadOwnUsage,
        Self::ReadCreditLog,
        Self::BuyCredits,
        Self::ManageSettings,
        Self::ManageMembers,
        Self::ManageApiKeys,
        Self::BookSessions,
        Self::SettleSessions,
        Self::RefundTopUps,
        Self::ManageCredits,
        Self::ManageAccounts,
    ];

    /// The name in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOwnUsage => "READ_OWN_USAGE",
            Self::ReadCreditLog => "READ_CREDIT_LOG",
            Self::BuyCredits => "BUY_CREDITS",
            Self::ManageSettings => "MANAGE_SETTINGS",
            Self::ManageMembers => "MANAGE_MEMBERS",
            Self::ManageApiKeys => "MANAGE_API_KEYS",
            Self::BookSessions => "BOOK_SESSIONS",
            Self::SettleSessions => "SETTLE_SESSIONS",
            Self::RefundTopUps => "REFUND_TOP_UPS",
            Self::ManageCredits => "MANAGE_CREDITS",
            Self::ManageAccounts => "MANAGE_ACCOUNTS",
        }
    }

    /// Returns the permission with this name in the contract.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }

    /// Returns whether only the platform's side can hold it: it sets a price, settles a session or moves money back.
    pub const fn is_of_platform(self) -> bool {
        match self {
            Self::BookSessions
            | Self::SettleSessions
            | Self::RefundTopUps
            | Self::ManageCredits
            | Self::ManageAccounts => true,
            Self::ReadOwnUsage
            | Self::ReadCreditLog
            | Self::BuyCredits
            | Self::ManageSettings
            | Self::ManageMembers
            | Self::ManageApiKeys => false,
        }
    }

    /// The bit in the database. A bit never gets another meaning: 4 was `MANAGE_SESSIONS` and stays unused.
    const fn bit(self) -> u16 {
        1 << match self {
            Self::ReadOwnUsage => 0,
            Self::ReadCreditLog => 1,
            Self::BuyCredits => 3,
            Self::ManageSettings => 4,
            Self::ManageMembers => 5,
            Self::ManageCredits => 6,
            Self::ManageAccounts => 7,
            Self::ManageApiKeys => 8,
            Self::BookSessions => 9,
            Self::SettleSessions => 10,
            Self::RefundTopUps => 11,
        }
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u16);

impl Permissions {
    /// Every permission.
    pub fn all() -> Self {
        Permission::ALL.into_iter().collect()
    }

    /// Every permission that `side` can hold.
    pub fn of(side: Side) -> Self {
        Self::all().within(side)
    }

    /// Returns the permissions of the set that `side` can hold; the others are dropped.
    #[must_use]
    pub fn within(self, side: Side) -> Self {
        match side {
            Side::Platform => self,
            Side::Team => self.iter().filter(|permission| !permission.is_of_platform()).collect(),
        }
    }

    /// Returns whether the set contains this permission.
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Returns whether every one of `others` is in this set.
    pub const fn covers(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Iterates over the permissions in the set, in the contract's order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .into_iter()
            .filter(move |permission| self.has(*permission))
    }

    /// The set as stored in the database.
    pub const fn bits(self) -> i64 {
        self.0 as i64
    }

    /// Reads the set from its bits; unknown bits are dropped.
    pub fn from_bits(bits: i64) -> Self {
        Permission::ALL
            .into_iter()
            .filter(|permission| bits & i64::from(permission.bit()) != 0)
            .collect()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(
            permissions
                .into_iter()
                .fold(0, |bits, permission| bits | permission.bit()),
        )
    }
}

crate::text_enum! {
    /// The role of a member in the team. It decides the permissions.
    MemberRole {
        /// Has all permissions of admins, and may change other owners.
        Owner = "OWNER",
        /// Manages the team's credits and members.
        Admin = "ADMIN",
        /// Uses credits. Sees the balance, and only their own sessions, entries and alerts.
        Member = "MEMBER",
    }
}

impl MemberRole {
    /// The permissions of a member with this role.
    pub fn permissions(self) -> Permissions {
        match self {
            Self::Owner | Self::Admin => Permissions::of(Side::Team),
            Self::Member => [Permission::ReadOwnUsage].into_iter().collect(),
        }
    }
}

/// An authenticated caller: the first argument of every use case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A member of a team.
    Member {
        /// The account of the team.
        account_id: AccountId,
        /// The member's id within the account.
        member_id: MemberId,
        /// The current role.
        role: MemberRole,
    },
    /// An integration.
    ApiKey {
        /// The only account that it reaches, or [`AccountId::PLATFORM`] for all.
        account_id: AccountId,
        /// The key's id.
        api_key_id: ApiKeyId,
        /// The side that it acts for.
        side: Side,
        /// The permissions that it was created with. [`Actor::permissions`] drops those that its side cannot
        /// hold.
        permissions: Permissions,
    },
    /// Ledgerbell itself: sweepers, workers, the command line.
    System,
}

/// Why the caller may not do this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The account is not the caller's. The caller gets the same answer as for an account that does not
    /// exist.
    #[error("this account does not exist")]
    NotFound,
    /// The change concerns an owner, and the caller is neither an owner nor of the platform.
    #[error("only owners and the platform may add, change or remove an owner, or change an owner's notifications")]
    OwnersOnly,
    /// The caller lacks this permission.
    #[error("this needs the permission {}{}", .0.name(), holder(*.0))]
    Forbidden(Permission),
}

const fn holder(permission: Permission) -> &'static str {
    if permission.is_of_platform() {
        ", which only keys of the platform can have"
    } else {
        ""
    }
}

impl Actor {
    /// The side of the trade that the actor acts for.
    pub const fn side(&self) -> Side {
        match self {
            Self::Member { .. } => Side::Team,
            Self::ApiKey { side, .. } => *side,
            Self::System => Side::Platform,
        }
    }

    /// The permissions in accounts that the actor reaches: never more than its side can hold.
    pub fn permissions(&self) -> Permissions {
        let granted: Permissions = match self {
            Self::Member { role, .. } => role.permissions(),
            Self::ApiKey { permissions, .. } => {
                // A key that reads the whole log also reads each member's own part of it.
                let own = permissions
                    .has(Permission::ReadCreditLog)
                    .then_some(Permission::ReadOwnUsage);
                permissions.iter().chain(own).collect()
            }
            Self::System => Permissions::all(),
        };
        granted.within(self.side())
    }

    /// Returns whether the account exists from the caller's point of view.
    pub fn reaches(&self, account: AccountId) -> bool {
        match self {
            Self::Member { account_id, .. } => *account_id == account,
            Self::ApiKey { account_id, .. } => *account_id == AccountId::PLATFORM || *account_id == account,
            Self::System => true,
        }
    }

    /// Refuses unless the caller has `permission` in `account`.
    pub fn require(&self, account: AccountId, permission: Permission) -> Result<(), AccessError> {
        if !self.reaches(account) {
            return Err(AccessError::NotFound);
        }
        if !self.permissions().has(permission) {
            return Err(AccessError::Forbidden(permission));
        }
        Ok(())
    }

    /// Refuses unless the caller acts for the platform in all accounts and has `permission`.
    pub fn require_platform(&self, permission: Permission) -> Result<(), AccessError> {
        // The existence of the platform is no secret, so this is never "not found".
        self.require(AccountId::PLATFORM, permission)
            .map_err(|_| AccessError::Forbidden(permission))
    }

    /// The member's id, when the caller is a member.
    pub fn member_id(&self) -> Option<MemberId> {
        match self {
            Self::Member { member_id, .. } => Some(*member_id),
            Self::ApiKey { .. } | Self::System => None,
        }
    }

    /// A caller with the same rights that is neither an existing member nor an existing key.
    #[must_use]
    pub fn without_identity(&self) -> Self {
        let mut actor = self.clone();
        match &mut actor {
            Self::Member { member_id, .. } => *member_id = MemberId::from_uuid(Uuid::nil()),
            Self::ApiKey { api_key_id, .. } => *api_key_id = ApiKeyId::from_uuid(Uuid::nil()),
            Self::System => {}
        }
        actor
    }

    /// The account that is used when none is named: a member's own, or that of a key for one account.
    pub fn own_account(&self) -> Option<AccountId> {
        match self {
            Self::Member { account_id, .. } => Some(*account_id),
            Self::ApiKey { account_id, .. } => Some(*account_id).filter(|id| *id != AccountId::PLATFORM),
            Self::System => None,
        }
    }

    /// The cause to store for the caller; `acting` is the member on whose behalf a key acts.
    pub fn cause(&self, acting: Option<MemberId>) -> Cause {
        match self {
            Self::Member { member_id, .. } => Cause::Member(*member_id),
            Self::ApiKey { api_key_id, .. } => Cause::ApiKey(*api_key_id, acting),
            Self::System => Cause::System,
        }
    }
}

/// Who caused an entry or another stored object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A member.
    Member(MemberId),
    /// An API key, and the member on whose behalf it acted.
    ApiKey(ApiKeyId, Option<MemberId>),
    /// Ledgerbell, without a request.
    System,
    /// The payment gateway.
    PaymentGateway,
}

impl Cause {
    /// Returns the member who acted, or on whose behalf an API key acted.
    pub const fn member_id(self) -> Option<MemberId> {
        self.columns().2
    }

    /// The three columns in which it is stored: kind, API key, member.
    pub const fn columns(self) -> (&'static str, Option<ApiKeyId>, Option<MemberId>) {
        match self {
            Self::Member(member_id) => ("MEMBER", None, Some(member_id)),
            Self::ApiKey(api_key_id, acting) => ("API_KEY", Some(api_key_id), acting),
            Self::System => ("SYSTEM", None, None),
            Self::PaymentGateway => ("PAYMENT_GATEWAY", None, None),
        }
    }

    /// Reads the cause from those columns; `None` where they contradict each other.
    pub fn from_columns(kind: &str, api_key: Option<ApiKeyId>, member: Option<MemberId>) -> Option<Self> {
        match (kind, api_key, member) {
            ("MEMBER", None, Some(member_id)) => Some(Self::Member(member_id)),
            ("API_KEY", Some(api_key_id), acting) => Some(Self::ApiKey(api_key_id, acting)),
            ("SYSTEM", None, None) => Some(Self::System),
            ("PAYMENT_GATEWAY", None, None) => Some(Self::PaymentGateway),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_in_the_database_never_change() {
        let bits = Permission::ALL.map(|permission| (permission.name(), i64::from(permission.bit())));
        let expected = [
            ("READ_OWN_USAGE", 1),
            ("READ_CREDIT_LOG", 2),
            ("BUY_CREDITS", 8),
            ("MANAGE_SETTINGS", 16),
            ("MANAGE_MEMBERS", 32),
            ("MANAGE_API_KEYS", 256),
            ("BOOK_SESSIONS", 512),
            ("SETTLE_SESSIONS", 1_024),
            ("REFUND_TOP_UPS", 2_048),
            ("MANAGE_CREDITS", 64),
            ("MANAGE_ACCOUNTS", 128),
        ];
        assert_eq!(bits, expected);
        assert_eq!(Permissions::from_bits(Permissions::all().bits()), Permissions::all());
        assert_eq!(Permissions::from_bits(4), Permissions::default(), "the unused bit");
    }

    #[test]
    fn no_actor_of_the_team_has_a_permission_of_the_platform() {
        let key = |side| Actor::ApiKey {
            account_id: AccountId::from_number(7),
            api_key_id: ApiKeyId::from_uuid(uuid::Uuid::nil()),
            side,
            permissions: Permissions::all(),
        };
        let member = |role| Actor::Member {
            account_id: AccountId::from_number(7),
            member_id: MemberId::from_uuid(uuid::Uuid::nil()),
            role,
        };
        for actor in [key(Side::Team), member(MemberRole::Owner), member(MemberRole::Admin)] {
            let names: Vec<&str> = actor.permissions().iter().map(Permission::name).collect();
            let of_team = [
                "READ_OWN_USAGE",
                "READ_CREDIT_LOG",
                "BUY_CREDITS",
                "MANAGE_SETTINGS",
                "MANAGE_MEMBERS",
                "MANAGE_API_KEYS",
            ];
            assert_eq!(names, of_team, "{actor:?}");
        }
        assert_eq!(key(Side::Platform).permissions(), Permissions::all());
        assert_eq!(Actor::System.permissions(), Permissions::all());
    }
}
