//! Who acts, and what they may do.

use super::ids::{AccountId, ApiKeyId, MemberId};

/// What a caller may do. Members have those of their role, API keys those they were made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See one's own sessions, entries and alerts, and the balance.
    ReadOwnUsage,
    /// See the whole credit log, usage, export, top-ups, troubleshooting.
    ReadCreditLog,
    /// Book, complete, cancel, refund sessions.
    ManageSessions,
    /// Top-ups, payment methods, auto top-up.
    ManageTopUps,
    /// Others' notification settings and contacts.
    ManageSettings,
    /// Add, change, remove members.
    ManageMembers,
    /// Grants and adjustments.
    ManageCredits,
    /// Create, change, freeze, close accounts.
    ManageAccounts,
    /// Create and revoke API keys.
    ManageApiKeys,
}

impl Permission {
    /// All of them, in the contract's order.
    pub const ALL: [Self; 9] = [
        Self::ReadOwnUsage,
        Self::ReadCreditLog,
        Self::ManageSessions,
        Self::ManageTopUps,
        Self::ManageSettings,
        Self::ManageMembers,
        Self::ManageCredits,
        Self::ManageAccounts,
        Self::ManageApiKeys,
    ];

    /// The contract's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOwnUsage => "READ_OWN_USAGE",
            Self::ReadCreditLog => "READ_CREDIT_LOG",
            Self::ManageSessions => "MANAGE_SESSIONS",
            Self::ManageTopUps => "MANAGE_TOP_UPS",
            Self::ManageSettings => "MANAGE_SETTINGS",
            Self::ManageMembers => "MANAGE_MEMBERS",
            Self::ManageCredits => "MANAGE_CREDITS",
            Self::ManageAccounts => "MANAGE_ACCOUNTS",
            Self::ManageApiKeys => "MANAGE_API_KEYS",
        }
    }

    /// From the contract's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
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

    /// Whether the set has this one.
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether every one of `others` is in this set.
    pub const fn covers(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Those in the set, in the contract's order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .into_iter()
            .filter(move |permission| self.has(*permission))
    }

    /// The set as kept in the database.
    pub const fn bits(self) -> i64 {
        self.0 as i64
    }

    /// The set from its bits; unknown bits are dropped.
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
    /// A member's standing in the team.
    MemberRole {
        /// May do all that admins do, and change other owners.
        Owner = "OWNER",
        /// Runs the team's credits.
        Admin = "ADMIN",
        /// Uses credits.
        Member = "MEMBER",
    }
}

impl MemberRole {
    /// What a member of this role may do.
    pub fn permissions(self) -> Permissions {
        match self {
            Self::Owner | Self::Admin => Permission::ALL
                .into_iter()
                .filter(|permission| !matches!(permission, Permission::ManageCredits | Permission::ManageAccounts))
                .collect(),
            Self::Member => [Permission::ReadOwnUsage].into_iter().collect(),
        }
    }
}

/// An authenticated caller: the first argument of every use case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person of a team.
    Member {
        /// The team.
        account_id: AccountId,
        /// The person.
        member_id: MemberId,
        /// Their standing, as it is now.
        role: MemberRole,
    },
    /// An integration.
    ApiKey {
        /// The one account it is for, or [`AccountId::PLATFORM`] for all.
        account_id: AccountId,
        /// Which key.
        api_key_id: ApiKeyId,
        /// What it was made for.
        permissions: Permissions,
    },
    /// Ledgerbell itself: sweepers, workers, the command line.
    System,
}

/// The caller may not do this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The account is not the caller's: to them it does not exist.
    #[error("this account does not exist")]
    NotFound,
    /// It is about an owner, and the caller is neither an owner nor of the platform.
    #[error("only owners and the platform may add, change or remove an owner, or change what reaches one")]
    OwnersOnly,
    /// The caller lacks this permission.
    #[error("this needs the permission {}", .0.name())]
    Forbidden(Permission),
}

impl Actor {
    /// All that the caller may do in accounts it reaches.
    pub fn permissions(&self) -> Permissions {
        match self {
            Self::Member { role, .. } => role.permissions(),
            Self::ApiKey { permissions, .. } => {
                // A key that reads the whole log reads each one's own part of it.
                let own = permissions
                    .has(Permission::ReadCreditLog)
                    .then_some(Permission::ReadOwnUsage);
                permissions.iter().chain(own).collect()
            }
            Self::System => Permissions::all(),
        }
    }

    /// Whether the account exists as far as this caller is concerned.
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

    /// The member, when the caller is one.
    pub fn member_id(&self) -> Option<MemberId> {
        match self {
            Self::Member { member_id, .. } => Some(*member_id),
            Self::ApiKey { .. } | Self::System => None,
        }
    }

    /// The account meant when none is named: a member's own, or that of a key for one account.
    pub fn own_account(&self) -> Option<AccountId> {
        match self {
            Self::Member { account_id, .. } => Some(*account_id),
            Self::ApiKey { account_id, .. } => Some(*account_id).filter(|id| *id != AccountId::PLATFORM),
            Self::System => None,
        }
    }

    /// What is written down about the caller; `acting` is the member on whose behalf a key acts.
    pub fn cause(&self, acting: Option<MemberId>) -> Cause {
        match self {
            Self::Member { member_id, .. } => Cause::Member(*member_id),
            Self::ApiKey { api_key_id, .. } => Cause::ApiKey(*api_key_id, acting),
            Self::System => Cause::System,
        }
    }
}

/// Who caused something, as written down with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A member.
    Member(MemberId),
    /// An API key, and the member on whose behalf it acted.
    ApiKey(ApiKeyId, Option<MemberId>),
    /// Ledgerbell itself.
    System,
    /// The payment gateway.
    PaymentGateway,
}

impl Cause {
    /// As kept in three columns: kind, API key, member.
    pub const fn columns(self) -> (&'static str, Option<ApiKeyId>, Option<MemberId>) {
        match self {
            Self::Member(member_id) => ("MEMBER", None, Some(member_id)),
            Self::ApiKey(api_key_id, acting) => ("API_KEY", Some(api_key_id), acting),
            Self::System => ("SYSTEM", None, None),
            Self::PaymentGateway => ("PAYMENT_GATEWAY", None, None),
        }
    }

    /// From those columns; `None` where they contradict each other.
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
