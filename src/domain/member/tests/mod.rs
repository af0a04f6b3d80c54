//! The module by its use cases, on a database of its own for each test.

mod accounts;
mod api_keys;
mod contacts;
pub(crate) mod issuer;
mod members;
mod sign_in;

use std::sync::Arc;

use tempfile::TempDir;
use uuid::Uuid;

use crate::adapters::database::{OpenOptions, migrate, open};
use crate::domain::database::Database;
use crate::domain::event::SilentBell;
use crate::domain::fault::QueryError;
use crate::domain::ledger::model::Policy;
use crate::domain::ledger::{EngineSettings, Ledger, LedgerSettings};
use crate::primitives::actor::{Actor, MemberRole, Permission, Permissions, Side};
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};
use crate::primitives::money::CreditPrice;

use super::{
    Account, Accounts, ApiKeys, Member, Members, NewAccount, NewApiKey, NewMember, SignIn, SignInSettings,
    open_installation, store,
};

/// All use cases on an empty database.
pub(crate) struct Room {
    pub(crate) clock: Clock,
    pub(crate) database: Database,
    pub(crate) ledger: Ledger,
    pub(crate) accounts: Accounts,
    pub(crate) members: Members,
    pub(crate) api_keys: ApiKeys,
    _directory: TempDir,
}

impl Room {
    pub(crate) async fn open() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("test.db").display());
        let database = open(&url, OpenOptions::default()).await.expect("opens");
        migrate(&database).await.expect("migrates");
        let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
        let installation = open_installation(&database, &clock).await.expect("opens");
        let settings = LedgerSettings {
            engine: EngineSettings::ONE_WRITER,
            policy: Policy {
                overage_limit: Credits::whole(10_000),
            },
        };
        let ledger = Ledger::start(
            database.clone(),
            clock.clone(),
            installation.epoch,
            settings,
            Arc::new(SilentBell),
        );
        Self {
            accounts: Accounts::new(clock.clone(), database.clone(), ledger.clone()),
            members: Members::new(database.clone(), ledger.clone()),
            api_keys: ApiKeys::new(clock.clone(), database.clone(), ledger.clone()),
            clock,
            database,
            ledger,
            _directory: directory,
        }
    }

    /// Creates a key and returns its actor.
    pub(crate) async fn key(&self, account_id: AccountId, side: Side, permissions: &[Permission]) -> Actor {
        let new = NewApiKey {
            account_id,
            side: Some(side),
            name: "Key".to_owned(),
            permissions: permissions.iter().copied().collect(),
            expires_at: None,
        };
        let made = self.api_keys.create(&Actor::System, new).await.expect("a key");
        made.api_key.actor()
    }

    pub(crate) fn sign_in(&self, settings: SignInSettings) -> SignIn {
        SignIn::new(
            self.clock.clone(),
            self.database.clone(),
            self.api_keys.clone(),
            settings,
        )
    }

    /// An account with this external id, and its owner.
    pub(crate) async fn team(&self, external_id: &str) -> (Account, Member) {
        let new = NewAccount {
            owner: Some(named(&format!("{external_id}-owner"), MemberRole::Owner)),
            ..account(external_id)
        };
        let account = self.accounts.create(&Actor::System, new).await.expect("creates");
        let owner = self
            .members
            .find_by_external_id(&Actor::System, account.id, &format!("{external_id}-owner"))
            .await
            .expect("reads")
            .expect("was made");
        (account, owner)
    }

    pub(crate) async fn member(&self, account_id: AccountId, external_id: &str, role: MemberRole) -> Member {
        self.members
            .add(&Actor::System, account_id, named(external_id, role))
            .await
            .expect("adds")
    }

    /// Gives a member an external id that no use case would accept.
    async fn write_external_id(&self, member: &Member, external_id: &str) {
        let member = Arc::new(Member {
            external_id: Some(external_id.to_owned()),
            ..member.clone()
        });
        let written = self.database.transaction(move |tx| {
            let member = Arc::clone(&member);
            Box::pin(async move { store::update_member(tx, &member).await })
        });
        written.await.expect("writes");
    }

    /// Gives an account an external id that no use case would accept.
    async fn write_account_external_id(&self, account: &Account, external_id: &str) {
        let (external_id, account_id) = (external_id.to_owned(), account.id);
        let written = self.database.transaction(move |tx| {
            let external_id = external_id.clone();
            Box::pin(async move { store::claim_external_id(tx, &external_id, account_id).await })
        });
        assert!(written.await.expect("writes"));
    }

    /// How many events the account has.
    async fn events(&self, account_id: AccountId) -> i64 {
        let counted = self.ledger.change(account_id, |_, locked| {
            Box::pin(async move { Ok::<_, QueryError>(locked.header.event_sequence) })
        });
        counted.await.expect("reads")
    }
}

pub(crate) fn account(external_id: &str) -> NewAccount {
    NewAccount {
        external_id: Some(external_id.to_owned()),
        name: format!("Team {external_id}"),
        credit_price: CreditPrice::from_millionths(1_500_000),
        currency: "EUR".parse().expect("known"),
        timezone: chrono_tz::Europe::Berlin,
        owner: None,
    }
}

pub(crate) fn named(external_id: &str, role: MemberRole) -> NewMember {
    NewMember {
        external_id: Some(external_id.to_owned()),
        name: format!("Member {external_id}"),
        email: Some(format!("{external_id}@example.com")),
        role,
        locale: None,
        email_verified: false,
    }
}

pub(crate) fn actor(member: &Member) -> Actor {
    Actor::Member {
        account_id: member.account_id,
        member_id: member.id,
        role: member.role,
    }
}

/// A key of the platform, for one account or for all.
fn key(account_id: AccountId, permissions: &[Permission]) -> Actor {
    Actor::ApiKey {
        account_id,
        api_key_id: ApiKeyId::from_uuid(Uuid::new_v4()),
        side: Side::Platform,
        permissions: permissions.iter().copied().collect::<Permissions>(),
    }
}

fn unknown_member() -> MemberId {
    MemberId::from_uuid(Uuid::new_v4())
}
