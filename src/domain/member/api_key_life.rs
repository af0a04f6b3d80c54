//! How API keys are created, and how they end: a key never has more permissions than its creator, and never outlives it.
//!
//! A key records who created it. Whatever ends its creator ends the key too. Revoking a key revokes all keys that it created, and
//! those that these created. Removing a member revokes all keys that the member created. When a change of role takes permissions from
//! a member, it takes them from the member's keys too. All of it is written at once, so the row of a key contains its current
//! permissions.

use std::sync::Arc;

use crate::domain::database::Transaction;
use crate::domain::event::{ApiKeyChange, EventContent};
use crate::domain::fault::{Fault, InvalidInput, Refused, UseCaseError};
use crate::domain::ledger::LockedAccount;
use crate::primitives::actor::{AccessError, Actor, Permission, Permissions, Side};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, ApiKeyId, IdMint, IdSeed};

use super::api_keys::{ApiKeys, NewSecret, require_keys};
use super::error::{CreateApiKeyRefusal, RevokeApiKeyRefusal};
use super::input::checked_label;
use super::model::{ApiKey, MAX_ACTIVE_API_KEYS, Member, NewApiKey, beyond_own};
use super::store::{self, Ending};
use super::token::KeyText;

/// Accounts whose revoked keys are announced at once.
const ACCOUNTS_AT_ONCE: u32 = 100;

/// A key that is being created, and its creator.
struct Making {
    maker: Actor,
    api_key: ApiKey,
    hash: [u8; 32],
}

impl ApiKeys {
    /// Creates a key, with no more permissions than its creator has and its side can hold.
    pub async fn create(&self, actor: &Actor, new: NewApiKey) -> Result<NewSecret, UseCaseError<CreateApiKeyRefusal>> {
        require_keys(actor, new.account_id)?;
        let now = self.clock.now();
        let name = checked_label("name", &new.name)?;
        if new.permissions.iter().next().is_none() {
            return Err(InvalidInput::new("permissions", "must name at least one permission".to_owned()).into());
        }
        let side = checked_side(actor, &new)?;
        if new.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(InvalidInput::new("expiresAt", "must be in the future".to_owned()).into());
        }
        let (account_id, text) = (new.account_id, KeyText::generate()?);
        let api_key = ApiKey {
            id: ApiKeyId::from_uuid(IdMint::new(IdSeed::random(), now).next_uuid()),
            account_id,
            side,
            prefix: text.prefix().to_owned(),
            name,
            permissions: new.permissions,
            created_by: Some(actor.cause(None)),
            created_at: now,
            last_used_at: None,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        let making = Arc::new(Making {
            maker: actor.clone(),
            api_key,
            hash: text.hash(),
        });
        let api_key = if account_id == AccountId::PLATFORM {
            let made = self.database.transaction(move |tx| {
                let making = Arc::clone(&making);
                Box::pin(async move { making.write(tx, now).await })
            });
            made.await?
        } else {
            let made = self.ledger.change(account_id, move |tx, locked| {
                let making = Arc::clone(&making);
                Box::pin(async move {
                    let api_key = making.write(tx, now).await?;
                    if api_key.side == Side::Team {
                        announce_change(tx, locked, api_key.id, ApiKeyChange::Created).await?;
                    }
                    Ok::<_, UseCaseError<CreateApiKeyRefusal>>(api_key)
                })
            });
            made.await?
        };
        Ok(NewSecret {
            api_key,
            secret: text.into_text(),
        })
    }

    /// Ends a key at once, and all keys that it created. Revoking it again changes nothing.
    pub async fn revoke(
        &self,
        actor: &Actor,
        account_id: AccountId,
        api_key_id: ApiKeyId,
    ) -> Result<ApiKey, UseCaseError<RevokeApiKeyRefusal>> {
        require_keys(actor, account_id)?;
        let (now, side) = (self.clock.now(), actor.side());
        let revoked = self.database.transaction(move |tx| {
            Box::pin(async move {
                let found = store::api_key(tx, account_id, api_key_id).await?;
                if !found.is_some_and(|api_key| api_key.is_shown_to(side)) {
                    return Err(Refused(RevokeApiKeyRefusal::NotFound));
                }
                store::revoke_api_keys(tx, Ending::Key(account_id, api_key_id), now).await?;
                let revoked = store::api_key(tx, account_id, api_key_id).await?;
                revoked.ok_or(Refused(RevokeApiKeyRefusal::NotFound))
            })
        });
        let revoked = revoked.await?;
        // The key is revoked, even if the event follows a little later.
        if let Err(error) = self.announce_revocations().await {
            tracing::warn!(%error, "revoked API keys are announced later");
        }
        Ok(revoked)
    }

    /// Appends the pending events about revoked keys to the streams of their accounts. A key of the platform may have created keys
    /// in many accounts, which are processed one after another.
    pub async fn announce_revocations(&self) -> Result<(), Fault> {
        for account_id in store::accounts_with_news(self.database.read(), ACCOUNTS_AT_ONCE).await? {
            let announced = self.ledger.change(account_id, |tx, locked| {
                Box::pin(async move { Ok::<_, UseCaseError<RevokeApiKeyRefusal>>(announce(tx, locked).await?) })
            });
            match announced.await {
                Ok(()) => {}
                Err(UseCaseError::Fault(fault)) => return Err(fault),
                Err(error) => return Err(Fault::Internal(format!("a revoked key cannot be announced: {error}"))),
            }
        }
        Ok(())
    }
}

impl Making {
    /// Writes the key, if its creator may still create it. The creator cannot end unnoticed in the transaction that calls this.
    async fn write(&self, tx: &Transaction, now: Timestamp) -> Result<ApiKey, UseCaseError<CreateApiKeyRefusal>> {
        let mut api_key = self.api_key.clone();
        let account_id = api_key.account_id;
        if let Some(made) = store::api_key(tx, account_id, api_key.id).await? {
            // The earlier attempt of this transaction was committed after all.
            return Ok(made);
        }
        let maker = maker_as_of(tx, &self.maker, now).await?;
        let (maker, ends_at) = maker.ok_or(AccessError::Forbidden(Permission::ManageApiKeys))?;
        require_keys(&maker, account_id)?;
        if let Some(permission) = beyond_own(&maker, api_key.permissions) {
            return Err(Refused(CreateApiKeyRefusal::BeyondOwn(permission)));
        }
        if let Some(ends_at) = ends_at {
            if api_key.expires_at.is_some_and(|expires_at| expires_at > ends_at) {
                let message = format!("must not be after {ends_at}, when the key that creates it expires");
                return Err(InvalidInput::new("expiresAt", message).into());
            }
            api_key.expires_at = api_key.expires_at.or(Some(ends_at));
        }
        let others = store::api_keys(tx, account_id, now).await?;
        let is_counted = |other: &&ApiKey| other.is_active(now) && other.side == api_key.side;
        if others.iter().filter(is_counted).count() >= MAX_ACTIVE_API_KEYS {
            let message =
                format!("there are already {MAX_ACTIVE_API_KEYS} active keys, which is the maximum; revoke one first");
            return Err(InvalidInput::new("accountId", message).into());
        }
        store::insert_api_key(tx, &api_key, &self.hash).await?;
        Ok(api_key)
    }
}

/// Returns the creator as the transaction sees it, and when it ends; `None` when it no longer signs in.
async fn maker_as_of(
    tx: &Transaction,
    maker: &Actor,
    now: Timestamp,
) -> Result<Option<(Actor, Option<Timestamp>)>, Fault> {
    match maker {
        Actor::Member {
            account_id, member_id, ..
        } => {
            let member = store::member(tx, *account_id, *member_id).await?;
            let present = member.filter(|member| member.removed_at.is_none());
            Ok(present.map(|member| (member.actor(), None)))
        }
        Actor::ApiKey {
            account_id, api_key_id, ..
        } => {
            if !store::touch_maker(tx, *api_key_id).await? {
                return Ok(None);
            }
            let api_key = store::api_key(tx, *account_id, *api_key_id).await?;
            let active = api_key.filter(|api_key| api_key.is_active(now));
            Ok(active.map(|api_key| (api_key.actor(), api_key.expires_at)))
        }
        Actor::System => Ok(Some((Actor::System, None))),
    }
}

/// Adjusts the keys that a member created to a change of that member, under the account's lock.
pub(super) async fn follow_maker(tx: &Transaction, locked: &mut LockedAccount, member: &Member) -> Result<(), Fault> {
    let (account_id, now) = (member.account_id, locked.now);
    let ending = if member.removed_at.is_some() {
        Ending::MadeBy(account_id, member.id)
    } else if store::reduce_api_keys(tx, account_id, member.id, member.role.permissions()).await? {
        Ending::Powerless(account_id)
    } else {
        return Ok(());
    };
    if store::revoke_api_keys(tx, ending, now).await? {
        announce(tx, locked).await?;
    }
    Ok(())
}

async fn announce_change(
    tx: &Transaction,
    locked: &mut LockedAccount,
    api_key_id: ApiKeyId,
    change: ApiKeyChange,
) -> Result<(), Fault> {
    locked
        .append(tx, EventContent::ApiKeyUpdated { api_key_id, change })
        .await
}

async fn announce(tx: &Transaction, locked: &mut LockedAccount) -> Result<(), Fault> {
    for api_key_id in store::take_unannounced(tx, locked.header.account_id).await? {
        announce_change(tx, locked, api_key_id, ApiKeyChange::Revoked).await?;
    }
    Ok(())
}

/// Returns the side of the new key, if that side can hold the permissions and the creator can lend them.
fn checked_side(actor: &Actor, new: &NewApiKey) -> Result<Side, UseCaseError<CreateApiKeyRefusal>> {
    let side = new.side.unwrap_or(actor.side());
    if side == Side::Platform && actor.side() == Side::Team {
        return Err(Refused(CreateApiKeyRefusal::SideOfPlatform));
    }
    if side == Side::Team && new.account_id == AccountId::PLATFORM {
        return Err(InvalidInput::new(
            "accountId",
            "is required: a key of side TEAM belongs to one account".to_owned(),
        )
        .into());
    }
    let can_hold = Permissions::of(side);
    if let Some(permission) = new.permissions.iter().find(|permission| !can_hold.has(*permission)) {
        return Err(Refused(CreateApiKeyRefusal::BeyondSide(permission)));
    }
    match beyond_own(actor, new.permissions) {
        Some(permission) => Err(Refused(CreateApiKeyRefusal::BeyondOwn(permission))),
        None => Ok(side),
    }
}
