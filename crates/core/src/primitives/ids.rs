//! Identifiers: numbers and UUIDs inside, opaque texts outside.
//!
//! A public id is a prefix that names the type, then base32 of the account's number and the object's UUID. So an id
//! alone leads to its account, and an id of another type or another account is detected before any query.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::BASE32_DNSSEC;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::timestamp::Timestamp;

/// The number of an account. 0 is the platform itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(i64);

impl AccountId {
    /// The platform. It owns the API keys that belong to no single account.
    pub const PLATFORM: Self = Self(0);

    /// Creates the id from the number in the database.
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The number in the database.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The number as clients see it: through a fixed permutation, so that ids do not look like a count. The permutation is published
    /// with this source, so it hides nothing: ids are not secret. With a keyed permutation every id would change with its key.
    fn veiled(self) -> [u8; 8] {
        let (mut left, mut right) = halves(self.0.cast_unsigned());
        for key in ROUND_KEYS {
            (left, right) = (right, left ^ scramble(right, key));
        }
        join(left, right).to_be_bytes()
    }

    fn unveiled(bytes: [u8; 8]) -> Self {
        let (mut left, mut right) = halves(u64::from_be_bytes(bytes));
        for key in ROUND_KEYS.iter().rev() {
            (left, right) = (right ^ scramble(left, *key), left);
        }
        Self(join(left, right).cast_signed())
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        GlobalId::account(*self).fmt(f)
    }
}

/// Changing these would change every public id that clients hold.
const ROUND_KEYS: [u32; 4] = [0x9e37_79b9, 0x85eb_ca6b, 0xc2b2_ae35, 0x27d4_eb2f];

fn halves(number: u64) -> (u32, u32) {
    let bytes = number.to_be_bytes();
    let half = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    (half(0), half(4))
}

fn join(left: u32, right: u32) -> u64 {
    (u64::from(left) << 32) | u64::from(right)
}

fn scramble(half: u32, key: u32) -> u32 {
    let mut mixed = (half ^ key).wrapping_mul(0x7feb_352d);
    mixed ^= mixed >> 15;
    mixed = mixed.wrapping_mul(0x846c_a68b);
    mixed ^ (mixed >> 16)
}

/// The type of object that a public id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// `acct_`: an account.
    Account,
    /// `bal_`: an account's balance.
    Balance,
    /// `mem_`: a member.
    Member,
    /// `con_`: a member's contact; carries the member's UUID.
    Contact,
    /// `ent_`: a line of the credit log.
    Entry,
    /// `lot_`: a credit lot.
    Lot,
    /// `ses_`: a session.
    Session,
    /// `top_`: a top-up.
    TopUp,
    /// `key_`: an API key.
    ApiKey,
    /// `att_`: one attempt to charge for a top-up.
    TopUpAttempt,
    /// `pm_`: a payment method.
    PaymentMethod,
    /// `atu_`: an account's auto top-up rule.
    AutoTopUp,
    /// `dec_`: the result of one evaluation of that rule.
    TopUpDecision,
    /// `set_`: a member's notification settings; carries the member's UUID.
    NotificationSettings,
    /// `alr_`: an alert.
    Alert,
    /// `dlv_`: a delivery of an alert.
    Delivery,
    /// `inb_`: an alert in a member's inbox; carries the UUID of the delivery that brought it there.
    InboxItem,
    /// `nad_`: an address that receives alerts and belongs to no member.
    NotificationAddress,
    /// `whe_`: an endpoint that gets messages about events.
    WebhookEndpoint,
    /// `msg_`: a message to such an endpoint.
    WebhookMessage,
}

impl IdKind {
    const ALL: [Self; 20] = [
        Self::Account,
        Self::Balance,
        Self::Member,
        Self::Contact,
        Self::Entry,
        Self::Lot,
        Self::Session,
        Self::TopUp,
        Self::ApiKey,
        Self::TopUpAttempt,
        Self::PaymentMethod,
        Self::AutoTopUp,
        Self::TopUpDecision,
        Self::NotificationSettings,
        Self::Alert,
        Self::Delivery,
        Self::InboxItem,
        Self::NotificationAddress,
        Self::WebhookEndpoint,
        Self::WebhookMessage,
    ];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Account => "acct_",
            Self::Balance => "bal_",
            Self::Member => "mem_",
            Self::Contact => "con_",
            Self::Entry => "ent_",
            Self::Lot => "lot_",
            Self::Session => "ses_",
            Self::TopUp => "top_",
            Self::ApiKey => "key_",
            Self::TopUpAttempt => "att_",
            Self::PaymentMethod => "pm_",
            Self::AutoTopUp => "atu_",
            Self::TopUpDecision => "dec_",
            Self::NotificationSettings => "set_",
            Self::Alert => "alr_",
            Self::Delivery => "dlv_",
            Self::InboxItem => "inb_",
            Self::NotificationAddress => "nad_",
            Self::WebhookEndpoint => "whe_",
            Self::WebhookMessage => "msg_",
        }
    }

    /// Ids of objects that an account has once contain the account's number alone; all others also a UUID.
    const fn has_uuid(self) -> bool {
        !matches!(self, Self::Account | Self::Balance | Self::AutoTopUp)
    }
}

/// The parts of a public id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalId {
    /// The type of object.
    pub kind: IdKind,
    /// The account that the object belongs to.
    pub account_id: AccountId,
    /// The object's UUID within the account; nil for an object that an account has once.
    pub uuid: Uuid,
}

impl GlobalId {
    /// The id of an account.
    pub const fn account(account_id: AccountId) -> Self {
        Self {
            kind: IdKind::Account,
            account_id,
            uuid: Uuid::nil(),
        }
    }

    /// The id of an object in an account.
    pub const fn new(kind: IdKind, account_id: AccountId, uuid: Uuid) -> Self {
        Self { kind, account_id, uuid }
    }
}

impl fmt::Display for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut bytes, mut text) = ([0; 24], [0; 39]);
        bytes[..8].copy_from_slice(&self.account_id.veiled());
        bytes[8..].copy_from_slice(self.uuid.as_bytes());
        let bytes = if self.kind.has_uuid() { &bytes[..] } else { &bytes[..8] };
        let text = &mut text[..BASE32_DNSSEC.encode_len(bytes.len())];
        BASE32_DNSSEC.encode_mut(bytes, text);
        f.write_str(self.kind.prefix())?;
        f.write_str(str::from_utf8(text).map_err(|_| fmt::Error)?)
    }
}

/// The text is not an id that this service could have issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an id of this service")]
pub struct ParseIdError;

impl FromStr for GlobalId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > 64 {
            return Err(ParseIdError);
        }
        let (kind, rest) = IdKind::ALL
            .into_iter()
            .find_map(|kind| text.strip_prefix(kind.prefix()).map(|rest| (kind, rest)))
            .ok_or(ParseIdError)?;
        let bytes = BASE32_DNSSEC.decode(rest.as_bytes()).map_err(|_| ParseIdError)?;
        let (number, uuid) = bytes.split_at_checked(8).ok_or(ParseIdError)?;
        let account_id = AccountId::unveiled(number.try_into().map_err(|_| ParseIdError)?);
        let uuid = match (kind.has_uuid(), uuid) {
            (false, []) => Uuid::nil(),
            (true, uuid) => Uuid::from_slice(uuid).map_err(|_| ParseIdError)?,
            _ => return Err(ParseIdError),
        };
        let id = Self { kind, account_id, uuid };
        // An object has exactly one id: capitals would decode to the same bytes.
        if account_id.number() < 0 || id.to_string() != text {
            return Err(ParseIdError);
        }
        Ok(id)
    }
}

/// An id that public ids of one kind contain.
pub trait PublicId: Copy {
    /// Returns the id that a public id contains; `None` if it names another type.
    fn of_global(id: GlobalId) -> Option<Self>;
}

impl PublicId for AccountId {
    fn of_global(id: GlobalId) -> Option<Self> {
        (id.kind == IdKind::Account).then_some(id.account_id)
    }
}

/// Returns whether a text is one of our ids, ignoring spaces around it and case. No external id may be such a text. Readers,
/// and clients that trim, would take it for ours.
pub fn resembles_id(text: &str) -> bool {
    text.trim().to_ascii_lowercase().parse::<GlobalId>().is_ok()
}

/// Returns whether a text can be an external id: one without control characters. Other texts are not looked up, because PostgreSQL
/// fails on U+0000 instead of finding nothing.
pub fn may_be_external_id(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident is $kind:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Creates the id from the UUID in the database.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID in the database.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The public id.
            pub const fn global(self, account_id: AccountId) -> GlobalId {
                GlobalId::new(IdKind::$kind, account_id, self.0)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0.simple())
            }
        }

        impl PublicId for $name {
            fn of_global(id: GlobalId) -> Option<Self> {
                (id.kind == IdKind::$kind).then_some(Self(id.uuid))
            }
        }

        #[cfg(feature = "sea-orm")]
        crate::stored!($name, Uuid, $name::uuid, |uuid: Uuid| Ok($name::from_uuid(uuid)));
    )*};
}

uuid_ids! {
    /// A member, within its account.
    MemberId is Member;
    /// A line of the credit log, within its account.
    EntryId is Entry;
    /// A credit lot, within its account.
    LotId is Lot;
    /// A session, within its account.
    SessionId is Session;
    /// A top-up, within its account.
    TopUpId is TopUp;
    /// An API key, within its account or the platform.
    ApiKeyId is ApiKey;
    /// One attempt to charge for a top-up, within its account.
    TopUpAttemptId is TopUpAttempt;
    /// A payment method, within its account.
    PaymentMethodId is PaymentMethod;
    /// The result of one evaluation of the auto top-up rule, within its account.
    TopUpDecisionId is TopUpDecision;
    /// An alert, within its account.
    AlertId is Alert;
    /// A delivery of an alert, within its account.
    DeliveryId is Delivery;
    /// An address that receives alerts and belongs to no member, within its account.
    NotificationAddressId is NotificationAddress;
    /// An endpoint that gets messages about events, within its account or the platform.
    WebhookEndpointId is WebhookEndpoint;
    /// A message to such an endpoint, within the account that it is about.
    WebhookMessageId is WebhookMessage;
}

/// The recipient of mail, and the owner of an e-mail address: a member, or a notification address of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum RecipientId {
    /// A member.
    Member(MemberId),
    /// An address that belongs to no member.
    Address(NotificationAddressId),
}

impl RecipientId {
    /// The UUID in the database. Members and notification addresses never share one.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Member(id) => id.uuid(),
            Self::Address(id) => id.uuid(),
        }
    }

    /// The public id.
    pub const fn global(self, account_id: AccountId) -> GlobalId {
        match self {
            Self::Member(id) => id.global(account_id),
            Self::Address(id) => id.global(account_id),
        }
    }

    /// Returns the recipient that a public id names; `None` if it names another type.
    pub const fn of_global(id: GlobalId) -> Option<Self> {
        match id.kind {
            IdKind::Member => Some(Self::Member(MemberId::from_uuid(id.uuid))),
            IdKind::NotificationAddress => Some(Self::Address(NotificationAddressId::from_uuid(id.uuid))),
            _ => None,
        }
    }

    /// The member; `None` for an address that belongs to no member.
    pub const fn member(self) -> Option<MemberId> {
        match self {
            Self::Member(id) => Some(id),
            Self::Address(_) => None,
        }
    }

    /// The kind in the database, where a column beside it contains the UUID.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Member(_) => "MEMBER",
            Self::Address(_) => "ADDRESS",
        }
    }

    /// Reads both columns; `None` if the kind is unknown.
    pub fn from_columns(kind: &str, uuid: Uuid) -> Option<Self> {
        match kind {
            "MEMBER" => Some(Self::Member(MemberId::from_uuid(uuid))),
            "ADDRESS" => Some(Self::Address(NotificationAddressId::from_uuid(uuid))),
            _ => None,
        }
    }
}

impl From<MemberId> for RecipientId {
    fn from(id: MemberId) -> Self {
        Self::Member(id)
    }
}

impl From<NotificationAddressId> for RecipientId {
    fn from(id: NotificationAddressId) -> Self {
        Self::Address(id)
    }
}

/// Randomness that is drawn once for a command. All ids that the command makes are derived from it.
///
/// It keeps the pure core pure: deciding the same command on the same state twice makes the same ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdSeed([u8; 16]);

impl IdSeed {
    /// Draws a new seed.
    pub fn random() -> Self {
        Self(*Uuid::new_v4().as_bytes())
    }

    /// Creates a given seed: for tests and simulations.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// The source of seeds: random, or a counter where the same ids are needed again.
#[derive(Clone, Debug, Default)]
pub struct IdSeeds(Option<Arc<AtomicU64>>);

impl IdSeeds {
    /// Returns random seeds.
    pub fn random() -> Self {
        Self(None)
    }

    /// Returns the same seeds again, in the same order: for simulations.
    pub fn counted(from: u64) -> Self {
        Self(Some(Arc::new(AtomicU64::new(from))))
    }

    /// Returns the next seed.
    pub fn next_seed(&self) -> IdSeed {
        match &self.0 {
            None => IdSeed::random(),
            Some(count) => IdSeed(u128::from(count.fetch_add(1, Ordering::SeqCst)).to_be_bytes()),
        }
    }
}

/// Makes the ids of one command: UUIDs of version 7 at the command's time, their random bits derived from its seed.
#[derive(Debug)]
pub struct IdMint {
    seed: IdSeed,
    now: Timestamp,
    made: u32,
}

impl IdMint {
    /// Creates the mint for one command decided at `now`.
    pub const fn new(seed: IdSeed, now: Timestamp) -> Self {
        Self { seed, now, made: 0 }
    }

    /// Returns the next id.
    pub fn next_uuid(&mut self) -> Uuid {
        let random: [u8; 32] = Sha256::new()
            .chain_update(self.seed.0)
            .chain_update(self.made.to_be_bytes())
            .finalize()
            .into();
        self.made += 1;
        let mut ten = [0; 10];
        ten.copy_from_slice(&random[..10]);
        uuid::Builder::from_unix_timestamp_millis(self.now.millis().unsigned_abs(), &ten).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn account_numbers_do_not_show() {
        let shown: Vec<String> = (1..4)
            .map(|number| AccountId::from_number(number).to_string())
            .collect();
        assert_eq!(
            shown,
            ["acct_4ajfau0c0ue4c", "acct_7a5m8ao08pn4o", "acct_6ujab7e4ut3fk"],
            "golden: ids are for ever"
        );
    }

    #[test]
    fn texts_that_only_begin_like_an_id_do_not_resemble_one() {
        for text in [
            "",
            "mem_",
            "mem_42",
            "acct_acme",
            "user:mem_1",
            "pm_card_visa",
            "set_up",
        ] {
            assert!(!resembles_id(text), "{text}");
        }
    }

    #[test]
    fn the_ids_of_a_command_follow_from_its_seed() {
        let mint = || IdMint::new(IdSeed::from_bytes([7; 16]), Timestamp::from_millis(1_000));
        let (mut one, mut other) = (mint(), mint());
        assert_eq!(one.next_uuid(), other.next_uuid());
        assert_ne!(one.next_uuid(), mint().next_uuid());
        assert_eq!(one.next_uuid().get_version_num(), 7);
    }

    proptest! {
        #[test]
        fn every_id_comes_back_from_its_text(number in 0..i64::MAX, uuid in any::<u128>(), at in 0..IdKind::ALL.len()) {
            let kind = IdKind::ALL[at];
            let uuid = if kind.has_uuid() { Uuid::from_u128(uuid) } else { Uuid::nil() };
            let id = GlobalId::new(kind, AccountId::from_number(number), uuid);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.to_string().to_uppercase().parse::<GlobalId>(), Err(ParseIdError));
            prop_assert!(resembles_id(&id.to_string()));
            let disguised = format!("\u{a0} {}\n", id.to_string().to_uppercase());
            prop_assert!(resembles_id(&disguised));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,80}") {
            let _ = text.parse::<GlobalId>();
        }
    }
}
