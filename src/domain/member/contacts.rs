//! How members and notification addresses are reached: changing it, and showing that mail arrives.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::domain::database::Transaction;
use crate::domain::fault::{Fault, InvalidInput, Refused, UseCaseError};
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::quota;
use crate::primitives::actor::Actor;
use crate::primitives::clock::{MINUTE, Timestamp};
use crate::primitives::derived_key;
use crate::primitives::ids::{AccountId, MemberId, RecipientId};

use super::error::{StartVerificationRefusal, UpdateContactRefusal, VerifyContactRefusal};
use super::input::{check_vouch, checked_email, checked_locale};
use super::mail_bounds::MailBounds;
use super::members::{locked_holder, locked_person, record_contact};
use super::model::{
    Change, Contact, ContactPatch, ContactStatus, Vouch, may_vouch, require_over, require_own_or_settings,
};
use super::store;

/// How long a code is valid.
const CODE_LIVES_MILLIS: i64 = 15 * MINUTE;
/// The shortest time between two codes.
const CODE_INTERVAL_MILLIS: i64 = MINUTE;
/// Wrong codes that may be entered before a new code is needed.
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

/// Keys the hashes of codes. There are only 100 million codes, so without a key a copy of the database would suffice to try
/// all of them.
#[derive(Clone)]
pub struct CodeKey(Hmac<Sha256>);

impl CodeKey {
    /// Derives the key from the secret of the installation. With another secret, codes that were sent before are refused.
    pub fn derive(secret: &[u8]) -> Self {
        Self(derived_key::derive(secret, "ledgerbell contact code 1"))
    }

    fn hasher(&self, contact: &Contact, email: &str, code: &str) -> Hmac<Sha256> {
        self.0
            .clone()
            .chain_update(contact.account_id.number().to_be_bytes())
            .chain_update(contact.recipient.uuid().as_bytes())
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

/// A code to be sent to the contact's address. It must not be shown anywhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCode {
    /// The address and the language of the mail.
    pub contact: Contact,
    /// The code.
    pub code: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// A code that was sent, without its digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verification {
    pub(super) account_id: AccountId,
    pub(super) recipient: RecipientId,
    pub(super) email: String,
    pub(super) code_hash: Vec<u8>,
    pub(super) tries_left: i32,
    pub(super) made_at: Timestamp,
}

impl Contacts {
    /// Uses the contacts of all accounts of this ledger.
    pub fn new(ledger: Ledger, bounds: MailBounds, key: &CodeKey) -> Self {
        Self {
            ledger,
            bounds,
            key: key.clone(),
        }
    }

    /// Changes how a member is reached. A new address is unverified until a code that was sent there is entered, unless the platform
    /// vouches for it.
    pub async fn update(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
        patch: ContactPatch,
    ) -> Result<Contact, UseCaseError<UpdateContactRefusal>> {
        require_own_or_settings(actor, account_id, member_id)?;
        if patch.email_verified && !may_vouch(actor) {
            return Err(Refused(UpdateContactRefusal::VouchingOfPlatform));
        }
        let work = Arc::new((actor.clone(), checked(patch)?));
        self.ledger
            .change(account_id, move |tx, locked| {
                let work = Arc::clone(&work);
                Box::pin(async move {
                    let (actor, patch) = work.as_ref();
                    let (member, before) = locked_person(tx, account_id, member_id)
                        .await?
                        .ok_or(Refused(UpdateContactRefusal::NotFound))?;
                    require_over(actor, &member)?;
                    if patch.expected_version.is_some_and(|version| version != before.version) {
                        return Err(Refused(UpdateContactRefusal::VersionConflict(Box::new(before))));
                    }
                    if member.removed_at.is_some() {
                        return Err(Refused(UpdateContactRefusal::MemberRemoved));
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

    /// Makes a code that shows, once it comes back, that mail arrives at the recipient's address. The caller sends it there.
    pub async fn start_verification(
        &self,
        actor: &Actor,
        account_id: AccountId,
        recipient: impl Into<RecipientId>,
    ) -> Result<NewCode, UseCaseError<StartVerificationRefusal>> {
        let recipient = recipient.into();
        require_own_or_settings(actor, account_id, recipient)?;
        let code = Arc::new((new_code()?, self.key.clone()));
        let (bounds, by, actor) = (self.bounds.clone(), self.bounds.of_caller(actor), actor.clone());
        self.ledger
            .change(account_id, move |tx, locked| {
                let (code, bounds, by, actor) = (Arc::clone(&code), bounds.clone(), by.clone(), actor.clone());
                Box::pin(async move {
                    let new = start_locked(tx, locked.now, (&actor, account_id, recipient), &code).await?;
                    let email = new.contact.email.as_deref().unwrap_or_default();
                    let mut quotas = bounds.of_mail(account_id, email);
                    quotas.extend(by);
                    match quota::spend(tx, &quotas, locked.now).await? {
                        None => Ok(new),
                        Some(exhausted) => Err(Refused(StartVerificationRefusal::TooMany {
                            retry_after_seconds: exhausted.retry_after_seconds(locked.now),
                        })),
                    }
                })
            })
            .await
    }

    /// Takes a code back that was sent to the recipient's address: the address is verified.
    pub async fn verify(
        &self,
        actor: &Actor,
        account_id: AccountId,
        recipient: impl Into<RecipientId>,
        code: String,
    ) -> Result<Contact, UseCaseError<VerifyContactRefusal>> {
        let recipient = recipient.into();
        require_own_or_settings(actor, account_id, recipient)?;
        let work = Arc::new((actor.clone(), (code, self.key.clone())));
        let verified = self.ledger.change(account_id, move |tx, locked| {
            let work = Arc::clone(&work);
            Box::pin(async move { verify_locked(tx, locked, (&work.0, account_id, recipient), &work.1).await })
        });
        // A wrong code is counted, so the transaction must be committed: this refusal is not an error of the
        // transaction.
        verified.await?.ok_or(Refused(VerifyContactRefusal::CodeInvalid))
    }
}

async fn start_locked(
    tx: &Transaction,
    now: Timestamp,
    (actor, account_id, recipient): (&Actor, AccountId, RecipientId),
    (code, key): &(String, CodeKey),
) -> Result<NewCode, UseCaseError<StartVerificationRefusal>> {
    let holder = locked_holder(tx, account_id, recipient)
        .await?
        .ok_or(Refused(StartVerificationRefusal::NotFound))?;
    holder.require_over(actor)?;
    let Some(email) = holder.email().map(str::to_owned) else {
        return Err(Refused(StartVerificationRefusal::NoAddress));
    };
    let contact = holder.contact;
    if contact.email_status == ContactStatus::Verified {
        return Err(Refused(StartVerificationRefusal::AlreadyVerified));
    }
    let code_hash = key.hash(&contact, &email, code);
    if let Some(last) = store::verification(tx, account_id, recipient).await?
        && last.code_hash != code_hash
    {
        let wait = last.made_at.millis() + CODE_INTERVAL_MILLIS - now.millis();
        if wait > 0 {
            let retry_after_seconds = u32::try_from((wait + 999) / 1_000).unwrap_or(u32::MAX);
            return Err(Refused(StartVerificationRefusal::TooSoon { retry_after_seconds }));
        }
    }
    let verification = Verification {
        account_id,
        recipient,
        email,
        code_hash,
        tries_left: CODE_TRIES,
        made_at: now,
    };
    store::save_verification(tx, &verification).await?;
    Ok(NewCode {
        contact,
        code: code.clone(),
        made_at: now,
        expires_at: now.plus_millis(CODE_LIVES_MILLIS),
    })
}

/// Returns `None` when the code is wrong.
async fn verify_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    (actor, account_id, recipient): (&Actor, AccountId, RecipientId),
    (code, key): &(String, CodeKey),
) -> Result<Option<Contact>, UseCaseError<VerifyContactRefusal>> {
    let holder = locked_holder(tx, account_id, recipient)
        .await?
        .ok_or(Refused(VerifyContactRefusal::NotFound))?;
    holder.require_over(actor)?;
    let contact = holder.contact;
    let Some(mut sent) = store::verification(tx, account_id, recipient).await? else {
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
    store::delete_verification(tx, account_id, recipient).await?;
    let verified = contact.with_status(ContactStatus::Verified, None);
    record_contact(tx, locked, &verified).await?;
    Ok(Some(verified))
}

/// Has a mail sent to the address that a contact had, if it has another or none now. Only to one that was verified: any other may
/// be a stranger's, or mail to it comes back.
pub(in crate::domain) async fn notify_old_address(
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

/// The patch with its texts checked.
pub(in crate::domain) fn checked(patch: ContactPatch) -> Result<ContactPatch, InvalidInput> {
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
