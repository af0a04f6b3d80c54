//! How members are reached: changing it, and showing that mail arrives.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::quota;
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::derived_key;
use crate::primitives::ids::{AccountId, MemberId};

use super::error::{InvalidInput, StartVerificationError, UpdateContactError, VerifyContactError};
use super::input::{check_vouch, checked_email, checked_locale};
use super::mail_bounds::MailBounds;
use super::members::{locked_person, record_contact};
use super::model::{
    Change, Contact, ContactPatch, ContactStatus, Member, Vouch, may_vouch, require_over, require_own_or_settings,
};
use super::store;

/// For so long a code is good.
const CODE_LIVES_MILLIS: i64 = 15 * 60_000;
/// Between two codes at least.
const CODE_INTERVAL_MILLIS: i64 = 60_000;
/// Wrong codes that are taken before a new one is needed.
const CODE_TRIES: i32 = 5;
/// Codes have eight digits.
const CODES: u64 = 100_000_000;

/// Use cases about contacts.
///
/// Each change locks the account's state row first and appends an event about the member.
#[derive(Clone, Debug)]
pub struct Contacts {
    ledger: Ledger,
    bounds: MailBounds,
    key: CodeKey,
}

/// Keys the hashes of codes. Whoever reads the database alone cannot try all codes against a hash: there are only 100 million.
#[derive(Clone)]
pub struct CodeKey(Hmac<Sha256>);

impl CodeKey {
    /// Derives the key from the secret of the installation. With another secret, codes that were sent before are not taken.
    pub fn derive(secret: &[u8]) -> Self {
        Self(derived_key::derive(secret, "ledgerbell contact code 1"))
    }

    fn hasher(&self, contact: &Contact, email: &str, code: &str) -> Hmac<Sha256> {
        self.0
            .clone()
            .chain_update(contact.account_id.number().to_be_bytes())
            .chain_update(contact.member_id.uuid().as_bytes())
            .chain_update(email)
            .chain_update([0])
            .chain_update(code)
    }

    fn hash(&self, contact: &Contact, email: &str, code: &str) -> Vec<u8> {
        self.hasher(contact, email, code).finalize().into_bytes().to_vec()
    }

    /// Whether this is the code with that hash, in constant time.
    fn matches(&self, contact: &Contact, sent: &Verification, code: &str) -> bool {
        let hasher = self.hasher(contact, &sent.email, code);
        hasher.verify_slice(&sent.code_hash).is_ok()
    }
}

impl fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeKey(***)")
    }
}

/// A code to be sent to the contact's address. It is shown nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCode {
    /// Where to send it, and in which language.
    pub contact: Contact,
    /// Whom it is for.
    pub member: Member,
    /// The code.
    pub code: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// A code that was sent, but for the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verification {
    pub(super) account_id: AccountId,
    pub(super) member_id: MemberId,
    pub(super) email: String,
    pub(super) code_hash: Vec<u8>,
    pub(super) tries_left: i32,
    pub(super) made_at: Timestamp,
}

impl Contacts {
    /// Contacts of all accounts of this ledger.
    pub fn new(ledger: Ledger, bounds: MailBounds, key: &CodeKey) -> Self {
        Self {
            ledger,
            bounds,
            key: key.clone(),
        }
    }

    /// Changes how a member is reached. Another address is unverified until a code sent there comes back, unless the platform vouches
    /// for it.
    pub async fn update(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
        patch: ContactPatch,
    ) -> Result<Contact, UpdateContactError> {
        require_own_or_settings(actor, account_id, member_id)?;
        if patch.email_verified && !may_vouch(actor) {
            return Err(UpdateContactError::VouchingOfPlatform);
        }
        let work = Arc::new((actor.clone(), checked(patch)?));
        self.ledger
            .change(account_id, move |tx, locked| {
                let work = Arc::clone(&work);
                Box::pin(async move {
                    let (actor, patch) = work.as_ref();
                    let (member, before) = locked_person(tx, account_id, member_id)
                        .await?
                        .ok_or(UpdateContactError::NotFound)?;
                    require_over(actor, &member)?;
                    if patch.expected_version.is_some_and(|version| version != before.version) {
                        return Err(UpdateContactError::VersionConflict(Box::new(before)));
                    }
                    if member.removed_at.is_some() {
                        return Err(UpdateContactError::MemberRemoved);
                    }
                    let vouched = patch.email_verified.then(|| Vouch {
                        by: actor.cause(None),
                        at: locked.now,
                    });
                    let after = before.clone().patched(patch, vouched);
                    if after != before {
                        notify_old_address(tx, &before, &after, locked.now).await?;
                        record_contact(tx, locked, &after).await?;
                    }
                    Ok(after)
                })
            })
            .await
    }

    /// Makes a code that shows, once it comes back, that mail arrives at the member's address. Whoever calls sends it there.
    pub async fn start_verification(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
    ) -> Result<NewCode, StartVerificationError> {
        require_own_or_settings(actor, account_id, member_id)?;
        let code = Arc::new((new_code()?, self.key.clone()));
        let (bounds, by, actor) = (self.bounds.clone(), self.bounds.of_caller(actor), actor.clone());
        self.ledger
            .change(account_id, move |tx, locked| {
                let (code, bounds, by, actor) = (Arc::clone(&code), bounds.clone(), by.clone(), actor.clone());
                Box::pin(async move {
                    let new = start_locked(tx, locked.now, (&actor, account_id, member_id), &code).await?;
                    let email = new.contact.email.as_deref().unwrap_or_default();
                    let mut quotas = bounds.of_mail(account_id, email);
                    quotas.extend(by);
                    match quota::spend(tx, &quotas, locked.now).await? {
                        None => Ok(new),
                        Some(exhausted) => Err(StartVerificationError::TooMany {
                            retry_after_seconds: exhausted.retry_after_seconds(locked.now),
                        }),
                    }
                })
            })
            .await
    }

    /// Takes a code back that was sent to the member's address: the address is verified.
    pub async fn verify(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
        code: String,
    ) -> Result<Contact, VerifyContactError> {
        require_own_or_settings(actor, account_id, member_id)?;
        let work = Arc::new((actor.clone(), (code, self.key.clone())));
        let verified = self.ledger.change(account_id, move |tx, locked| {
            let work = Arc::clone(&work);
            Box::pin(async move { verify_locked(tx, locked, (&work.0, account_id, member_id), &work.1).await })
        });
        // A wrong code is counted, so it must be committed: a refusal that is no error of the transaction.
        verified.await?.ok_or(VerifyContactError::CodeInvalid)
    }
}

async fn start_locked(
    tx: &Transaction,
    now: Timestamp,
    (actor, account_id, member_id): (&Actor, AccountId, MemberId),
    (code, key): &(String, CodeKey),
) -> Result<NewCode, StartVerificationError> {
    let (member, contact) = locked_person(tx, account_id, member_id)
        .await?
        .ok_or(StartVerificationError::NotFound)?;
    require_over(actor, &member)?;
    let Some(email) = contact.email.clone().filter(|_| member.removed_at.is_none()) else {
        return Err(StartVerificationError::NoAddress);
    };
    if contact.email_status == ContactStatus::Verified {
        return Err(StartVerificationError::AlreadyVerified);
    }
    let code_hash = key.hash(&contact, &email, code);
    if let Some(last) = store::verification(tx, account_id, member_id).await?
        && last.code_hash != code_hash
    {
        let wait = last.made_at.millis() + CODE_INTERVAL_MILLIS - now.millis();
        if wait > 0 {
            let retry_after_seconds = u32::try_from((wait + 999) / 1_000).unwrap_or(u32::MAX);
            return Err(StartVerificationError::TooSoon { retry_after_seconds });
        }
    }
    let verification = Verification {
        account_id,
        member_id,
        email,
        code_hash,
        tries_left: CODE_TRIES,
        made_at: now,
    };
    store::save_verification(tx, &verification).await?;
    Ok(NewCode {
        contact,
        member,
        code: code.clone(),
        expires_at: now.plus_millis(CODE_LIVES_MILLIS),
    })
}

/// `None` when the code is wrong.
async fn verify_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    (actor, account_id, member_id): (&Actor, AccountId, MemberId),
    (code, key): &(String, CodeKey),
) -> Result<Option<Contact>, VerifyContactError> {
    let (member, contact) = locked_person(tx, account_id, member_id)
        .await?
        .ok_or(VerifyContactError::NotFound)?;
    require_over(actor, &member)?;
    let Some(mut sent) = store::verification(tx, account_id, member_id).await? else {
        return Ok(None);
    };
    let is_good = contact.email.as_deref() == Some(sent.email.as_str())
        && locked.now.millis() - sent.made_at.millis() < CODE_LIVES_MILLIS
        && sent.tries_left > 0;
    if !is_good {
        return Ok(None);
    }
    if !key.matches(&contact, &sent, code.trim()) {
        sent.tries_left -= 1;
        store::save_verification(tx, &sent).await?;
        return Ok(None);
    }
    store::delete_verification(tx, account_id, member_id).await?;
    let verified = contact.with_status(ContactStatus::Verified, None);
    record_contact(tx, locked, &verified).await?;
    Ok(Some(verified))
}

/// Has a mail sent to the address that a contact had, if it has another or none now. Only to one that was verified: any other may
/// be a stranger's, or mail to it comes back.
pub(super) async fn notify_old_address(
    tx: &Transaction,
    before: &Contact,
    after: &Contact,
    now: Timestamp,
) -> Result<(), Fault> {
    match &before.email {
        Some(email) if after.email != before.email && before.email_status == ContactStatus::Verified => {
            store::insert_address_notice(tx, before, email.clone(), now).await
        }
        _ => Ok(()),
    }
}

fn checked(patch: ContactPatch) -> Result<ContactPatch, InvalidInput> {
    let has_email = matches!(patch.email, Change::Set(_));
    check_vouch("emailVerified", patch.email_verified, has_email)?;
    Ok(ContactPatch {
        email: match patch.email {
            Change::Set(email) => Change::Set(checked_email("email", &email)?),
            other => other,
        },
        locale: patch
            .locale
            .map(|locale| checked_locale("locale", &locale))
            .transpose()?,
        ..patch
    })
}

fn new_code() -> Result<String, Fault> {
    let random = getrandom::u64().map_err(|error| Fault::Internal(format!("no randomness: {error}")))?;
    Ok(format!("{:08}", random % CODES))
}
