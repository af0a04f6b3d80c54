//! Addresses that get alerts and belong to no member: adding, changing and removing them.
//!
//! Each change locks the account's state row first and appends an event about the account. An address is verified by a code
//! (`member::Contacts`), as contacts of members are, or by a link (see `confirming`).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::{Fault, InvalidInput, QueryError, Refused, UseCaseError};
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member::{self, Change, Contact, ContactPatch, Vouch, may_vouch};
use crate::primitives::actor::{Actor, Cause, Permission};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, IdMint, IdSeed, NotificationAddressId};

use super::error::{AddAddressRefusal, InvalidAddress, RemoveAddressRefusal, UpdateAddressRefusal};
use super::model::{AddressPatch, AlertKind, MOST_ADDRESSES, NewAddress, NotificationAddress};
use super::store;

/// Use cases about notification addresses.
#[derive(Clone, Debug)]
pub struct Addresses {
    database: Database,
    ledger: Ledger,
}

/// A request to add an address.
struct Addition {
    new: NewAddress,
    by: Cause,
    /// Chosen once, for any number of runs of the transaction. By this id a run detects what an earlier run has committed.
    id: OnceLock<NotificationAddressId>,
}

impl Addresses {
    /// Use cases for the addresses of all accounts in this database.
    pub fn new(database: Database, ledger: Ledger) -> Self {
        Self { database, ledger }
    }

    /// Returns an account's addresses, in the order they were added.
    pub async fn of_account(
        &self,
        actor: &Actor,
        account_id: AccountId,
    ) -> Result<Vec<NotificationAddress>, QueryError> {
        actor.require(account_id, Permission::ManageSettings)?;
        Ok(store::addresses(self.database.read(), account_id).await?)
    }

    /// Returns addresses by id, also removed ones. Returns none when the actor may not see them.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[NotificationAddressId],
    ) -> Result<HashMap<NotificationAddressId, NotificationAddress>, QueryError> {
        actor.require(account_id, Permission::ManageSettings)?;
        Ok(store::addresses_by_id(self.database.read(), account_id, ids).await?)
    }

    /// Adds an address to an account. It gets nothing before it is verified.
    pub async fn add(
        &self,
        actor: &Actor,
        account_id: AccountId,
        new: NewAddress,
    ) -> Result<NotificationAddress, UseCaseError<AddAddressRefusal>> {
        actor.require(account_id, Permission::ManageSettings)?;
        let addition = Arc::new(Addition {
            new: checked_new(actor, new).map_err(|error| error.map(AddAddressRefusal::Invalid))?,
            by: actor.cause(None),
            id: OnceLock::new(),
        });
        self.ledger
            .change(account_id, move |tx, locked| {
                let addition = Arc::clone(&addition);
                Box::pin(async move { add_locked(tx, locked, &addition).await })
            })
            .await
    }

    /// Changes an address. A new e-mail address is unverified, unless the platform vouches for it.
    pub async fn update(
        &self,
        actor: &Actor,
        account_id: AccountId,
        id: NotificationAddressId,
        patch: AddressPatch,
    ) -> Result<NotificationAddress, UseCaseError<UpdateAddressRefusal>> {
        actor.require(account_id, Permission::ManageSettings)?;
        let patch = checked_patch(actor, patch).map_err(|error| error.map(UpdateAddressRefusal::Invalid))?;
        let work = Arc::new((patch, actor.cause(None)));
        self.ledger
            .change(account_id, move |tx, locked| {
                let work = Arc::clone(&work);
                Box::pin(async move { update_locked(tx, locked, id, &work).await })
            })
            .await
    }

    /// Removes an address. It gets no further mail. Past deliveries stay on record; the address itself does not.
    pub async fn remove(
        &self,
        actor: &Actor,
        account_id: AccountId,
        id: NotificationAddressId,
    ) -> Result<NotificationAddress, UseCaseError<RemoveAddressRefusal>> {
        actor.require(account_id, Permission::ManageSettings)?;
        self.ledger
            .change(account_id, move |tx, locked| {
                Box::pin(async move {
                    let before = store::address(tx, account_id, id).await?;
                    let before = before.ok_or(Refused(RemoveAddressRefusal::NotFound))?;
                    if before.removed_at.is_some() {
                        return Ok(before);
                    }
                    let after = before.clone().removed(locked.now);
                    record(tx, locked, Some(&before), &after).await?;
                    Ok(after)
                })
            })
            .await
    }
}

async fn add_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    addition: &Addition,
) -> Result<NotificationAddress, UseCaseError<AddAddressRefusal>> {
    let (account_id, new, now) = (locked.header.account_id, &addition.new, locked.now);
    let minted = || NotificationAddressId::from_uuid(IdMint::new(IdSeed::random(), now).next_uuid());
    let id = *addition.id.get_or_init(minted);
    let others = store::addresses(tx, account_id).await?;
    if let Some(added) = others.iter().find(|other| other.id == id) {
        return Ok(added.clone());
    }
    if let Some(other) = with_email(&others, id, &new.email) {
        return Err(Refused(InvalidAddress::EmailTaken(Box::new(other.clone())).into()));
    }
    if others.len() >= MOST_ADDRESSES {
        return Err(Refused(AddAddressRefusal::Limit));
    }
    let timezone = match new.timezone {
        Some(timezone) => timezone,
        None => store::timezone_of(tx, account_id).await?,
    };
    let vouched = new.email_verified.then_some(Vouch {
        by: addition.by,
        at: now,
    });
    let contact = (Some(new.email.clone()), vouched, new.locale.clone());
    let address = NotificationAddress {
        id,
        account_id,
        label: new.label.clone(),
        contact: Contact::new(account_id, id, contact, timezone),
        contact_since: now,
        wishes: new.wishes.clone(),
        created_by: addition.by,
        created_at: now,
        removed_at: None,
    };
    record(tx, locked, None, &address).await?;
    Ok(address)
}

async fn update_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    id: NotificationAddressId,
    (patch, by): &(AddressPatch, Cause),
) -> Result<NotificationAddress, UseCaseError<UpdateAddressRefusal>> {
    let others = store::addresses(tx, locked.header.account_id).await?;
    let before = others.iter().find(|other| other.id == id);
    let before = before.ok_or(Refused(UpdateAddressRefusal::NotFound))?;
    let expected = patch.contact.expected_version;
    if expected.is_some_and(|version| version != before.contact.version) {
        return Err(Refused(UpdateAddressRefusal::VersionConflict(Box::new(before.clone()))));
    }
    if let Change::Set(email) = &patch.contact.email
        && let Some(other) = with_email(&others, id, email)
    {
        return Err(Refused(InvalidAddress::EmailTaken(Box::new(other.clone())).into()));
    }
    let vouched = patch.contact.email_verified.then_some(Vouch {
        by: *by,
        at: locked.now,
    });
    let after = before.clone().patched(patch, vouched);
    if after != *before {
        record(tx, locked, Some(before), &after).await?;
    }
    Ok(after)
}

/// Finds another of these addresses with the same e-mail address.
fn with_email<'a>(
    addresses: &'a [NotificationAddress],
    id: NotificationAddressId,
    email: &str,
) -> Option<&'a NotificationAddress> {
    let has_it = |address: &&NotificationAddress| {
        let own = address.contact.email.as_deref();
        address.id != id && own.is_some_and(|own| own.to_lowercase() == email.to_lowercase())
    };
    addresses.iter().find(has_it)
}

/// Writes the new state of an address and appends the event. If its previous e-mail address was verified, that one gets a mail.
async fn record(
    tx: &Transaction,
    locked: &mut LockedAccount,
    before: Option<&NotificationAddress>,
    after: &NotificationAddress,
) -> Result<(), Fault> {
    if let Some(before) = before {
        member::notify_old_address(tx, &before.contact, &after.contact, locked.now).await?;
    }
    // The row of the address refers to its contact, so the contact is written first.
    member::record_contact(tx, locked, &after.contact).await?;
    store::save_address(tx, after).await
}

/// Switches mail of these kinds off for an address, at the request of its readers.
pub(super) async fn refuse_kinds(
    tx: &Transaction,
    locked: &mut LockedAccount,
    id: NotificationAddressId,
    kinds: &BTreeSet<AlertKind>,
) -> Result<(), Fault> {
    let Some(before) = store::address(tx, locked.header.account_id, id).await? else {
        return Ok(());
    };
    let after = before.clone().without(kinds);
    if after == before {
        return Ok(());
    }
    record(tx, locked, Some(&before), &after).await
}

fn checked_new(actor: &Actor, new: NewAddress) -> Result<NewAddress, UseCaseError<InvalidAddress>> {
    if new.email_verified && !may_vouch(actor) {
        return Err(Refused(InvalidAddress::VouchingOfPlatform));
    }
    check_wishes(new.wishes.kinds.iter(), new.wishes.low_balance_threshold)?;
    let contact = member::checked_contact(ContactPatch {
        expected_version: None,
        email: Change::Set(new.email.clone()),
        email_verified: new.email_verified,
        locale: new.locale.clone(),
        timezone: new.timezone,
    })?;
    Ok(NewAddress {
        label: member::checked_label("label", &new.label)?,
        locale: contact.locale,
        ..new
    })
}

fn checked_patch(actor: &Actor, patch: AddressPatch) -> Result<AddressPatch, UseCaseError<InvalidAddress>> {
    if patch.contact.email_verified && !may_vouch(actor) {
        return Err(Refused(InvalidAddress::VouchingOfPlatform));
    }
    let threshold = match patch.low_balance_threshold {
        Change::Set(threshold) => Some(threshold),
        Change::Keep | Change::Clear => None,
    };
    check_wishes(patch.kinds.iter().flatten(), threshold)?;
    let label = patch.label.map(|label| member::checked_label("label", &label));
    Ok(AddressPatch {
        label: label.transpose()?,
        contact: member::checked_contact(patch.contact)?,
        ..patch
    })
}

fn check_wishes<'a>(
    mut kinds: impl Iterator<Item = &'a AlertKind>,
    threshold: Option<Credits>,
) -> Result<(), InvalidInput> {
    if let Some(kind) = kinds.find(|kind| !kind.is_for_addresses()) {
        let message = format!("alerts of kind {} are only for members", kind.as_str());
        return Err(InvalidInput::new("alertKinds", message));
    }
    if threshold.is_some_and(|threshold| threshold.is_negative() || threshold > Credits::MAX) {
        return Err(invalid_threshold());
    }
    Ok(())
}

/// The threshold is not an amount that a balance could fall to.
pub(super) fn invalid_threshold() -> InvalidInput {
    let message = "must not be negative or more than an account can hold";
    InvalidInput::new("lowBalanceThreshold", message)
}
