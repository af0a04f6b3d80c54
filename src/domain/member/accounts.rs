//! Accounts without their figures, which belong to the ledger.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::{Fault, InvalidInput, QueryError, Refused, UseCaseError};
use crate::domain::ledger::credit_log::LogEnd;
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::primitives::actor::{AccessError, Actor, Cause, MemberRole, Permission};
use crate::primitives::clock::Clock;
use crate::primitives::ids::{AccountId, IdMint, IdSeed, MemberId};
use crate::primitives::page::{Page, PageRequest};

use super::account_list;
use super::error::{CreateAccountRefusal, UpdateAccountRefusal};
use super::filter::AccountFilter;
use super::input::{checked_external_id, checked_grace_hours, checked_member, checked_name};
use super::model::{
    Account, AccountOrder, AccountPatch, AccountPosition, Contact, DEFAULT_SESSION_GRACE_HOURS, Installation, Member,
    NewAccount, NewMember, Vouch, grace_millis,
};
use super::store;

/// Account numbers that a process takes at once. Unused ones are lost, and the gap is not visible.
const NUMBERS_AT_ONCE: i64 = 32;

/// Returns the identity of this installation, created on first use.
///
/// The ledger's live cursors need it, so the application calls this before it builds anything else.
pub async fn open_installation(database: &Database, clock: &Clock) -> Result<Installation, Fault> {
    if let Some(installation) = store::installation(database.read()).await? {
        return Ok(installation);
    }
    let now = clock.now();
    database
        .transaction(move |tx| Box::pin(async move { store::make_installation(tx, now).await }))
        .await?;
    store::installation(database.read())
        .await?
        .ok_or_else(|| Fault::Internal("the installation row was made and is gone".to_owned()))
}

/// An account, and the end of its credit log in the same instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAccount {
    /// The account.
    pub account: Account,
    /// The last entry of its log.
    pub log_end: LogEnd,
}

/// Use cases about accounts.
#[derive(Clone)]
pub struct Accounts {
    clock: Clock,
    database: Database,
    ledger: Ledger,
    /// Numbers that were taken from the installation and not yet given to an account.
    numbers: Arc<tokio::sync::Mutex<Range<i64>>>,
}

impl Accounts {
    /// Uses the accounts of this database.
    pub fn new(clock: Clock, database: Database, ledger: Ledger) -> Self {
        Self {
            clock,
            database,
            ledger,
            numbers: Arc::default(),
        }
    }

    /// Returns the identity of this installation.
    pub async fn installation(&self) -> Result<Installation, Fault> {
        open_installation(&self.database, &self.clock).await
    }

    /// Creates an account, with its figures and its owner. For the platform alone.
    ///
    /// The external id makes it safe to repeat: the same input returns the same account, other input is
    /// refused.
    pub async fn create(&self, actor: &Actor, new: NewAccount) -> Result<Account, UseCaseError<CreateAccountRefusal>> {
        actor.require_platform(Permission::ManageAccounts)?;
        let new = checked(new)?;
        if let Some(existing) = self.existing(&new).await? {
            return existing;
        }
        let account = Account {
            id: self.next_id().await?,
            external_id: new.external_id.clone(),
            name: new.name.clone(),
            timezone: new.timezone,
            currency: new.currency,
            credit_price: new.credit_price,
            session_grace_hours: DEFAULT_SESSION_GRACE_HOURS,
            version: 1,
            created_at: self.clock.now(),
        };
        let by = actor.cause(None);
        if self.insert(&account, new.owner.clone(), by).await? {
            return Ok(account);
        }
        // Another process created it between the query and the insertion.
        match self.existing(&new).await? {
            Some(existing) => existing,
            None => Err(Fault::Unavailable("an account was made and renamed at once".to_owned()).into()),
        }
    }

    /// Changes an account's settings.
    pub async fn update(
        &self,
        actor: &Actor,
        account_id: AccountId,
        patch: AccountPatch,
    ) -> Result<Account, UseCaseError<UpdateAccountRefusal>> {
        actor.require(account_id, Permission::ManageAccounts)?;
        if patch.external_id.is_some() && actor.require_platform(Permission::ManageAccounts).is_err() {
            return Err(Refused(UpdateAccountRefusal::ExternalIdOfPlatform));
        }
        let patch = Arc::new(checked_patch(patch)?);
        self.ledger
            .change(account_id, move |tx, locked| {
                let patch = Arc::clone(&patch);
                Box::pin(async move { update_locked(tx, locked, &patch).await })
            })
            .await
    }

    /// Returns an account by its id; `None` when it is not the caller's.
    pub async fn find(&self, actor: &Actor, account_id: AccountId) -> Result<Option<Account>, QueryError> {
        let known = self.find_known(actor, account_id).await?;
        Ok(known.map(|known| known.account))
    }

    /// As [`Self::find`], with the end of the log.
    pub async fn find_known(&self, actor: &Actor, account_id: AccountId) -> Result<Option<KnownAccount>, QueryError> {
        Ok(self.find_by_ids(actor, &[account_id]).await?.remove(&account_id))
    }

    /// Returns an account by the platform's own id; `None` when it is not the caller's.
    pub async fn find_by_external_id(&self, actor: &Actor, external_id: &str) -> Result<Option<Account>, QueryError> {
        let known = self.find_known_by_external_id(actor, external_id).await?;
        Ok(known.map(|known| known.account))
    }

    /// As [`Self::find_by_external_id`], with the end of the log.
    pub async fn find_known_by_external_id(
        &self,
        actor: &Actor,
        external_id: &str,
    ) -> Result<Option<KnownAccount>, QueryError> {
        match store::account_id(self.database.read(), external_id).await? {
            Some(account_id) => self.find_known(actor, account_id).await,
            None => Ok(None),
        }
    }

    /// Returns the account that the caller belongs to; `None` for the platform.
    pub async fn find_own(&self, actor: &Actor) -> Result<Option<KnownAccount>, QueryError> {
        match actor.own_account() {
            Some(account_id) => self.find_known(actor, account_id).await,
            None => Ok(None),
        }
    }

    /// Returns several accounts by id. Those that are not the caller's are left out.
    pub async fn find_by_ids(
        &self,
        actor: &Actor,
        account_ids: &[AccountId],
    ) -> Result<HashMap<AccountId, KnownAccount>, QueryError> {
        let reached: Vec<AccountId> = account_ids.iter().copied().filter(|id| actor.reaches(*id)).collect();
        if reached.is_empty() {
            return Ok(HashMap::new());
        }
        let accounts = store::accounts(self.database.read(), &reached).await?;
        Ok(accounts
            .into_iter()
            .map(|(known, _)| (known.account.id, known))
            .collect())
    }

    /// Returns a page of accounts that match the filter. For the platform alone.
    ///
    /// A page reads a bounded number of accounts, so it may be short and not the last. The list goes forward only: `backward` and
    /// `before` are ignored.
    pub async fn page(
        &self,
        actor: &Actor,
        filter: &AccountFilter,
        order: AccountOrder,
        request: &PageRequest<AccountPosition>,
    ) -> Result<Page<Account, AccountPosition>, QueryError> {
        if !actor.reaches(AccountId::PLATFORM) {
            return Err(AccessError::Forbidden(Permission::ManageAccounts).into());
        }
        Ok(account_list::page(&self.database, filter, order, request).await?)
    }

    /// Returns the result of `create` for a known external id: the account if it was created from this input.
    async fn existing(
        &self,
        new: &NewAccount,
    ) -> Result<Option<Result<Account, UseCaseError<CreateAccountRefusal>>>, Fault> {
        let connection = self.database.read();
        let Some(external_id) = &new.external_id else {
            return Ok(None);
        };
        let Some(account_id) = store::account_id(connection, external_id).await? else {
            return Ok(None);
        };
        let Some(account) = store::account(connection, account_id).await? else {
            return Ok(None);
        };
        let is_same = account.name == new.name
            && account.currency == new.currency
            && account.credit_price == new.credit_price
            && account.timezone == new.timezone
            && match &new.owner {
                Some(owner) => self.is_owner(account_id, owner).await?,
                None => true,
            };
        Ok(Some(if is_same {
            Ok(account)
        } else {
            Err(Refused(CreateAccountRefusal::ExternalIdTaken(Box::new(account))))
        }))
    }

    async fn is_owner(&self, account_id: AccountId, owner: &NewMember) -> Result<bool, Fault> {
        let connection = self.database.read();
        let Some(first) = store::first_member(connection, account_id).await? else {
            return Ok(false);
        };
        let contact = store::contacts(connection, account_id, &[first.id.into()]).await?.pop();
        let (email, vouched) = contact.map_or((None, None), |contact| (contact.email, contact.vouched));
        // A vouch that came later is not part of the original input.
        let was_vouched = vouched.is_some_and(|vouch| vouch.at == first.created_at);
        Ok(first.name == owner.name
            && first.external_id == owner.external_id
            && email == owner.email
            && was_vouched == owner.email_verified)
    }

    /// Writes the account, its figures and its owner. Writes nothing and returns `false` when the external id
    /// is taken.
    async fn insert(&self, account: &Account, owner: Option<NewMember>, by: Cause) -> Result<bool, Fault> {
        let (ledger, row) = (self.ledger.clone(), Arc::new((account.clone(), owner)));
        self.database
            .transaction(move |tx| {
                let (ledger, row) = (ledger.clone(), Arc::clone(&row));
                Box::pin(async move {
                    let (account, owner) = row.as_ref();
                    if let Some(external_id) = &account.external_id
                        && !store::claim_external_id(tx, external_id, account.id).await?
                    {
                        return Ok(false);
                    }
                    store::insert_account(tx, account).await?;
                    let grace = grace_millis(account.session_grace_hours);
                    ledger.create_state(tx, account.id, grace, account.created_at).await?;
                    if let Some(owner) = owner {
                        let (member, contact) = first_owner(account, owner, by);
                        store::insert_member(tx, &member).await?;
                        store::save_contact(tx, &contact, account.created_at).await?;
                    }
                    Ok(true)
                })
            })
            .await
    }

    async fn next_id(&self) -> Result<AccountId, Fault> {
        let mut numbers = self.numbers.lock().await;
        if numbers.is_empty() {
            self.installation().await?;
            let first = self
                .database
                .transaction(|tx| Box::pin(async move { store::take_account_numbers(tx, NUMBERS_AT_ONCE).await }))
                .await?;
            *numbers = first..first + NUMBERS_AT_ONCE;
        }
        numbers
            .next()
            .map(AccountId::from_number)
            .ok_or_else(|| Fault::Internal("no account numbers are left".to_owned()))
    }
}

async fn update_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    patch: &AccountPatch,
) -> Result<Account, UseCaseError<UpdateAccountRefusal>> {
    let account_id = locked.header.account_id;
    let before = store::account(tx, account_id).await?.ok_or(AccessError::NotFound)?;
    if patch.expected_version.is_some_and(|version| version != before.version) {
        return Err(Refused(UpdateAccountRefusal::VersionConflict(Box::new(before))));
    }
    let after = before.clone().patched(patch);
    if after == before {
        return Ok(before);
    }
    if after.external_id != before.external_id {
        // The new id is claimed before the old one is released. When two accounts swap their ids at once, one is
        // refused; otherwise both would wait for each other.
        if let Some(external_id) = &after.external_id
            && !store::claim_external_id(tx, external_id, account_id).await?
        {
            return Err(Refused(UpdateAccountRefusal::ExternalIdTaken(Box::new(before))));
        }
        if let Some(external_id) = &before.external_id {
            store::release_external_id(tx, external_id, account_id).await?;
        }
    }
    let after = Account {
        version: before.version.saturating_add(1),
        ..after
    };
    store::update_account(tx, &after).await?;
    locked.header.session_grace_millis = grace_millis(after.session_grace_hours);
    locked.append_account_updated(tx).await?;
    Ok(after)
}

/// The paths of the owner's fields.
const OWNER_FIELDS: [&str; 5] = [
    "owner.externalId",
    "owner.name",
    "owner.email",
    "owner.emailVerified",
    "owner.locale",
];

fn checked(new: NewAccount) -> Result<NewAccount, InvalidInput> {
    Ok(NewAccount {
        external_id: new
            .external_id
            .map(|id| checked_external_id("externalId", &id))
            .transpose()?,
        name: checked_name("name", &new.name)?,
        owner: new.owner.map(|owner| checked_member(owner, OWNER_FIELDS)).transpose()?,
        ..new
    })
}

fn checked_patch(patch: AccountPatch) -> Result<AccountPatch, InvalidInput> {
    Ok(AccountPatch {
        external_id: patch
            .external_id
            .map(|id| checked_external_id("externalId", &id))
            .transpose()?,
        session_grace_hours: patch.session_grace_hours.map(checked_grace_hours).transpose()?,
        name: patch.name.map(|name| checked_name("name", &name)).transpose()?,
        ..patch
    })
}

fn first_owner(account: &Account, owner: &NewMember, by: Cause) -> (Member, Contact) {
    let id = IdMint::new(IdSeed::random(), account.created_at).next_uuid();
    let member = Member {
        id: MemberId::from_uuid(id),
        account_id: account.id,
        external_id: owner.external_id.clone(),
        name: owner.name.clone(),
        role: MemberRole::Owner,
        removed_at: None,
        returned_at: None,
        version: 1,
        created_at: account.created_at,
    };
    let vouched = owner.email_verified.then_some(Vouch {
        by,
        at: account.created_at,
    });
    let contact = Contact::new(
        account.id,
        member.id,
        (owner.email.clone(), vouched, owner.locale.clone()),
        account.timezone,
    );
    (member, contact)
}
