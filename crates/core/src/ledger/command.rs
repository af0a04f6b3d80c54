//! The commands and requests that change an account's credits.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::primitives::actor::{Actor, Cause, Side};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, IdSeed, MemberId, SessionId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::state::{ContraAccount, EntryKind, LotKind};

crate::text_enum! {
    /// Who chose an idempotency key. Each origin has a namespace of its own in an account. So neither side can use up a
/// key that the other one will send.
    Origin {
        /// The platform: one of its keys.
        Platform = "PLATFORM",
        /// The team: a member or one of its keys.
        Team = "TEAM",
        /// Ledgerbell, for a command without a request.
        System = "SYSTEM",
    }
}

impl Origin {
    /// Returns the namespace of the keys that an actor sends.
    pub const fn of(actor: &Actor) -> Self {
        match (actor, actor.side()) {
            (Actor::System, _) => Self::System,
            (_, Side::Platform) => Self::Platform,
            (_, Side::Team) => Self::Team,
        }
    }
}

/// A member, as named by a command.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberRef {
    /// By our id.
    Id(MemberId),
    /// By the platform's own id.
    ExternalId(String),
}

/// A session, as named by a command.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionRef {
    /// By our id.
    Id(SessionId),
    /// By the platform's own id: the open session, otherwise the newest.
    ExternalId(String),
}

/// Binds a value by the function that is named, or as its type does.
macro_rules! bind {
    ($value:ident, $out:ident) => {
        Bound::bind($value, &mut $out)
    };
    ($value:ident, $out:ident, $bind:ident) => {
        $bind($value, &mut $out)
    };
}

/// Declares the commands, each with the name of its operation.
macro_rules! commands {
    ($(
        $(#[$doc:meta])* $command:ident
        $({ $($(#[$field_doc:meta])* $field:ident: $ty:ty $(as $bind:ident)?),+ $(,)? })?
        = $operation:literal,
    )+) => {
        /// One change of an account's credits. Amounts are positive unless stated otherwise. The core checks them again.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Command {
            $($(#[$doc])* $command $({ $($(#[$field_doc])* $field: $ty),+ })?,)+
        }

        impl Command {
            /// The operation's name, part of the digest and stored with the key.
            pub const fn operation(&self) -> &'static str {
                match self { $(Self::$command { .. } => $operation,)+ }
            }

            /// SHA-256 over version, operation and every input in canonical form.
            pub fn digest(&self) -> [u8; 32] {
                let mut out = Canonical::new(1, self.operation());
                match self {
                    $(Self::$command $({ $($field),+ })? => { $($(bind!($field, out $(, $bind)?);)+)? })+
                }
                out.finish()
            }
        }
    };
}

commands! {
    /// Adds credits without a top-up.
    Grant {
        /// Credits to add.
        credits: Credits,
        /// Human-readable text of the entry.
        description: String,
        /// Whether the credits were paid elsewhere or given away.
        kind: LotKind,
        /// When their remainder expires; `None` is never.
        expires_at: Option<Timestamp>,
        /// Lots with a lower number are spent first.
        priority: i32,
    } = "grantCredits",
    /// Credits a top-up whose payment is proven. The only refusal is that it was credited before.
    CreditTopUp {
        /// The top-up that was paid.
        top_up_id: TopUpId,
        /// Credits of the top-up.
        credits: Credits,
        /// True when the account's rule started the top-up.
        automatic: bool,
    } = "creditTopUp",
    /// Reverses a top-up's credits because its money went back, up to a running total.
    TakeBack {
        /// The entry that credited the top-up.
        entry_id: EntryId,
        /// The total to be reversed. If more than that is reversed already, the difference is returned.
        target: Credits,
        /// `REVERSAL` or `CHARGEBACK`.
        kind: EntryKind,
        /// `CARD_PAYMENTS` or `CHARGEBACKS`.
        contra: ContraAccount,
        /// Human-readable text of the entry.
        description: String,
    } = "takeBack",
    /// While a top-up is disputed, holds all that is left of its credits; otherwise holds what its refunds in progress will take.
    /// Sets the hold to a value, so that it is safe to repeat.
    HoldTopUp {
        /// The entry that credited the top-up.
        entry_id: EntryId,
        /// The dispute is open: the bank has not decided yet.
        is_disputed: bool,
        /// What its refunds in progress will take.
        refunding: Credits,
    } = "holdTopUp",
    /// Hold credits of a top-up whose money is to be refunded, until the gateway has answered.
    HoldRefund {
        /// The entry that credited the top-up.
        entry_id: EntryId,
        /// Credits to refund; all that may be refunded when `None`.
        credits: Option<Credits>,
        /// Spent credits may be taken too: the balance may go below zero.
        allow_debt: bool,
        /// True allows the refund also while the account is frozen or closed.
        allow_inactive: bool,
    } = "holdRefund",
    /// Books a session and holds its credits.
    Book {
        /// The member who will use it.
        member: MemberRef,
        /// The platform's own id, unique among the account's open sessions.
        external_id: Option<String>,
        /// Human-readable title.
        title: String,
        /// The planned beginning.
        starts_at: Timestamp,
        /// The planned end.
        ends_at: Timestamp,
        /// Credits to hold.
        credits: Credits,
        /// The caller's own JSON, as text.
        metadata: Option<String>,
    } = "bookSession",
    /// Moves an open session, and may change what it holds.
    Reschedule {
        /// The session to move.
        session: SessionRef,
        /// The new beginning.
        starts_at: Timestamp,
        /// The new end.
        ends_at: Timestamp,
        /// The new hold; unchanged when `None`.
        credits: Option<Credits>,
    } = "rescheduleSession",
    /// Records that a session took place, and deducts its credits.
    Complete {
        /// The session that took place.
        session: SessionRef,
        /// Credits that were used, 0 included; the whole hold when `None`.
        credits: Option<Credits>,
        /// Whether it may cost more than its hold, or be charged after its hold was released.
        allow_overage: bool,
    } = "completeSession",
    /// Records that a session was canceled, or that its member did not come.
    Cancel {
        /// The session to cancel.
        session: SessionRef,
        /// Human-readable reason.
        reason: Option<String>,
        /// Credits to charge, 0 included; nothing when `None`.
        fee: Option<Credits> as or_zero,
        /// The member did not come.
        no_show: bool,
    } = "cancelSession",
    /// Returns part of a session's charge.
    Refund {
        /// The session that was charged.
        session: SessionRef,
        /// Credits to return.
        credits: Credits,
        /// Human-readable reason.
        reason: String,
    } = "refundSession",
    /// Corrects the balance.
    Adjust {
        /// The change of the balance, with its sign; not 0.
        amount: Credits,
        /// Human-readable text of the entry.
        description: String,
        /// The entry that this corrects.
        reverses: Option<EntryId>,
    } = "adjustCredits",
    /// Refuses all new commands until the account is unfrozen.
    Freeze {
        /// Human-readable reason.
        reason: String,
    } = "freezeAccount",
    /// Ends a freeze. No effect on an active account.
    Unfreeze = "unfreezeAccount",
    /// Refuses all new commands forever, and cancels bookings.
    Close {
        /// Human-readable reason.
        reason: String,
    } = "closeAccount",
    /// Expires everything whose time has come, and announces sessions that have ended. Only the sweeper sends
    /// it.
    Sweep = "sweep",
}

/// A command with the context needed to decide it exactly once.
#[derive(Clone, Debug)]
pub struct Request {
    /// The change to decide.
    pub command: Command,
    /// The idempotency key. Only commands that are safe to repeat have none.
    pub key: Option<(Origin, String)>,
    /// The cause of the change.
    pub cause: Cause,
    /// Source of the ids that the command makes, the same on each attempt.
    pub seed: IdSeed,
}

impl Request {
    /// Returns the member on whose behalf a key asks. That member must be on the team now. A payment has none: its cause is
    /// the member who asked when it was begun, and the payment counts even if that member has left.
    pub fn acting(&self) -> Option<MemberId> {
        let is_payment = matches!(
            self.command,
            Command::CreditTopUp { .. } | Command::TakeBack { .. } | Command::HoldTopUp { .. }
        );
        match self.cause {
            Cause::ApiKey(_, acting) if !is_payment => acting,
            _ => None,
        }
    }
}

impl Request {
    /// Returns what the key is bound to: the input, and the member on whose behalf it is asked. The second digest is what keys
    /// of older versions are bound to: it leaves the member out.
    pub fn digests(&self) -> [[u8; 32]; 2] {
        let input = self.command.digest();
        let mut digest = Canonical::new(2, self.command.operation());
        digest.bytes(&input);
        digest.optional_id(self.acting().map(MemberId::uuid));
        [digest.finish(), input]
    }
}

impl Command {
    /// Returns whether the command must be the last of its batch for the account: it changes rows beyond the working set.
    pub const fn ends_batch(&self) -> bool {
        matches!(
            self,
            Self::Freeze { .. } | Self::Unfreeze | Self::Close { .. } | Self::Sweep
        )
    }
}

/// Feeds values to SHA-256 so that no two different inputs make the same stream. Each value is preceded by its length, an
/// optional value by whether it is present.
#[derive(Debug)]
pub struct Canonical(Sha256);

impl Canonical {
    /// Begins with the name of the operation and the version of the encoding.
    pub fn new(version: i64, name: &str) -> Self {
        let mut canonical = Self(Sha256::new());
        canonical.number(version);
        canonical.text(name);
        canonical
    }

    /// Continues a chain of hashes.
    pub(super) fn after(previous: &[u8; 32], version: i64) -> Self {
        let mut canonical = Self(Sha256::new());
        canonical.0.update(previous);
        canonical.number(version);
        canonical
    }

    /// Feeds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// Feeds a text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Feeds a number.
    pub fn number(&mut self, number: i64) {
        self.bytes(&number.to_be_bytes());
    }

    /// Feeds bytes, or that they are absent.
    pub fn optional_bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => {
                self.0.update([1]);
                self.bytes(bytes);
            }
            None => self.0.update([0]),
        }
    }

    /// Feeds a text, or that it is absent.
    pub fn optional_text(&mut self, text: Option<&str>) {
        self.optional_bytes(text.map(str::as_bytes));
    }

    /// Feeds a number, or that it is absent.
    pub fn optional_number(&mut self, number: Option<i64>) {
        self.optional_bytes(number.map(i64::to_be_bytes).as_ref().map(|bytes| &bytes[..]));
    }

    /// Feeds an id, or that it is absent.
    pub fn optional_id(&mut self, id: Option<Uuid>) {
        self.optional_bytes(id.as_ref().map(|id| &id.as_bytes()[..]));
    }

    /// Returns the hash of all that was fed.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// A value that an idempotency key can be bound to.
trait Bound {
    fn bind(&self, out: &mut Canonical);
}

macro_rules! bound {
    ($($ty:ty: |$value:ident, $out:ident| $bind:expr;)+) => {$(
        impl Bound for $ty {
            fn bind(&self, $out: &mut Canonical) {
                let $value = self;
                $bind;
            }
        }
    )+};
}

bound! {
    bool: |value, out| out.number(i64::from(*value));
    i32: |value, out| out.number(i64::from(*value));
    Credits: |value, out| out.number(value.units());
    Timestamp: |value, out| out.number(value.millis());
    String: |value, out| out.text(value);
    LotKind: |value, out| out.text(value.as_str());
    EntryKind: |value, out| out.text(value.as_str());
    ContraAccount: |value, out| out.text(value.as_str());
    EntryId: |value, out| out.bytes(value.uuid().as_bytes());
    TopUpId: |value, out| out.bytes(value.uuid().as_bytes());
    MemberRef: |value, out| match value {
        Self::Id(id) => out.bytes(id.uuid().as_bytes()),
        Self::ExternalId(id) => out.text(&format!("external:{id}")),
    };
    SessionRef: |value, out| match value {
        Self::Id(id) => out.bytes(id.uuid().as_bytes()),
        Self::ExternalId(id) => out.text(&format!("external:{id}")),
    };
}

impl<T: Bound> Bound for Option<T> {
    fn bind(&self, out: &mut Canonical) {
        out.0.update([u8::from(self.is_some())]);
        if let Some(value) = self {
            value.bind(out);
        }
    }
}

/// No fee and a fee of 0 are the same input.
#[allow(clippy::ref_option, reason = "fields are bound by reference")]
fn or_zero(fee: &Option<Credits>, out: &mut Canonical) {
    fee.unwrap_or(Credits::ZERO).bind(out);
}
