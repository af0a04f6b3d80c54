//! Everything that can be asked of an account's credits.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::primitives::actor::{Actor, Cause, Side};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, IdSeed, MemberId, SessionId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::state::{ContraAccount, EntryKind, LotKind};

crate::text_enum! {
    /// Who chose an idempotency key. Each has a namespace of its own in an account, so that neither side can use up a key that the
    /// other one will send.
    Origin {
        /// The platform: one of its keys.
        Platform = "PLATFORM",
        /// The team: a member or one of its keys.
        Team = "TEAM",
        /// Ledgerbell, for a command of its own.
        System = "SYSTEM",
    }
}

impl Origin {
    /// The namespace of the keys that an actor sends.
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
    /// By the platform's own id: the open one, else the newest.
    ExternalId(String),
}

/// One thing to do to one account's credits. Amounts are positive unless said otherwise, and checked again by the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Give credits away.
    Grant {
        /// How many.
        credits: Credits,
        /// For people.
        description: String,
        /// Bought elsewhere, or given.
        kind: LotKind,
        /// When what is left of them runs out.
        expires_at: Option<Timestamp>,
        /// Spent first when lower.
        priority: i32,
    },
    /// Credit a top-up whose payment is proven. Never refused but for a second time.
    CreditTopUp {
        /// Which.
        top_up_id: TopUpId,
        /// How many.
        credits: Credits,
        /// Started by the account's rule.
        automatic: bool,
    },
    /// Take back a top-up's credits because its money went back, up to a running total.
    TakeBack {
        /// The entry that credited the top-up.
        entry_id: EntryId,
        /// How much is to be taken back in all. Less than already is gives some back again.
        target: Credits,
        /// `REVERSAL` or `CHARGEBACK`.
        kind: EntryKind,
        /// `CARD_PAYMENTS` or `CHARGEBACKS`.
        contra: ContraAccount,
        /// For people.
        description: String,
    },
    /// Hold what is left of a top-up's credits while it is disputed, else what its refunds under way will take. Sets what is held,
    /// so that it is safe to repeat.
    HoldTopUp {
        /// The entry that credited the top-up.
        entry_id: EntryId,
        /// The bank has not decided yet.
        is_disputed: bool,
        /// What its refunds that are under way will take.
        refunding: Credits,
    },
    /// Hold credits of a top-up whose money is to be refunded, until the gateway has answered.
    HoldRefund {
        /// The entry that credited the top-up.
        entry_id: EntryId,
        /// How many; all that may be refunded when `None`.
        credits: Option<Credits>,
        /// Credits that were spent may be taken as well: the balance may go below zero.
        allow_debt: bool,
        /// Also while the account is frozen or closed.
        allow_inactive: bool,
    },
    /// Book a session: holds its credits.
    Book {
        /// Who will use it.
        member: MemberRef,
        /// The platform's own id, unique among the account's open sessions.
        external_id: Option<String>,
        /// For people.
        title: String,
        /// When it begins.
        starts_at: Timestamp,
        /// When it ends.
        ends_at: Timestamp,
        /// What to hold.
        credits: Credits,
        /// The caller's own JSON, as text.
        metadata: Option<String>,
    },
    /// Move an open session, and perhaps change what it holds.
    Reschedule {
        /// Which.
        session: SessionRef,
        /// When it begins now.
        starts_at: Timestamp,
        /// When it ends now.
        ends_at: Timestamp,
        /// What to hold now; as before when `None`.
        credits: Option<Credits>,
    },
    /// A session took place: deduct its credits.
    Complete {
        /// Which.
        session: SessionRef,
        /// What was used, 0 included; the whole hold when `None`.
        credits: Option<Credits>,
        /// Whether it may cost more than its hold, or be charged after its hold was released.
        allow_overage: bool,
    },
    /// A session was called off, or its member did not come.
    Cancel {
        /// Which.
        session: SessionRef,
        /// For people.
        reason: Option<String>,
        /// What is kept, 0 included; nothing when `None`.
        fee: Option<Credits>,
        /// The member did not come.
        no_show: bool,
    },
    /// Give back part of a session's charge.
    Refund {
        /// Which.
        session: SessionRef,
        /// How many.
        credits: Credits,
        /// For people.
        reason: String,
    },
    /// Correct the balance.
    Adjust {
        /// How much, with its sign; not 0.
        amount: Credits,
        /// For people.
        description: String,
        /// The entry that this corrects.
        reverses: Option<EntryId>,
    },
    /// Stop everything new.
    Freeze {
        /// For people.
        reason: String,
    },
    /// End a freeze. A no-op on an active account.
    Unfreeze,
    /// Stop for ever, and cancel what is booked.
    Close {
        /// For people.
        reason: String,
    },
    /// Expire what is due and announce sessions that have ended. Asked by the sweeper alone.
    Sweep,
}

/// A command with what is needed to decide it once, and only once.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub command: Command,
    /// The idempotency key it is bound to. Only commands that are safe to repeat go without.
    pub key: Option<(Origin, String)>,
    /// Who asks.
    pub cause: Cause,
    /// Where its ids come from.
    pub seed: IdSeed,
}

impl Request {
    /// The member on whose behalf a key asks, who has to be on the team now. A payment is not asked for now: its cause is who
    /// asked when it was begun, and it counts whoever has left since.
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
    /// What its key is bound to: the input, and the member on whose behalf it is asked. Second, what keys of older versions are
    /// bound to, which left the member out.
    pub fn digests(&self) -> [[u8; 32]; 2] {
        let input = self.command.digest();
        let mut digest = Canonical::new(2, self.command.operation());
        digest.bytes(&input);
        digest.optional_id(self.acting().map(MemberId::uuid));
        [digest.finish(), input]
    }
}

impl Command {
    /// The operation's name, part of the digest and stored with the key.
    pub const fn operation(&self) -> &'static str {
        match self {
            Self::Grant { .. } => "grantCredits",
            Self::CreditTopUp { .. } => "creditTopUp",
            Self::TakeBack { .. } => "takeBack",
            Self::HoldTopUp { .. } => "holdTopUp",
            Self::HoldRefund { .. } => "holdRefund",
            Self::Book { .. } => "bookSession",
            Self::Reschedule { .. } => "rescheduleSession",
            Self::Complete { .. } => "completeSession",
            Self::Cancel { .. } => "cancelSession",
            Self::Refund { .. } => "refundSession",
            Self::Adjust { .. } => "adjustCredits",
            Self::Freeze { .. } => "freezeAccount",
            Self::Unfreeze => "unfreezeAccount",
            Self::Close { .. } => "closeAccount",
            Self::Sweep => "sweep",
        }
    }

    /// Whether the command must be the last of its batch for the account: it changes rows beyond the working set.
    pub const fn ends_batch(&self) -> bool {
        matches!(
            self,
            Self::Freeze { .. } | Self::Unfreeze | Self::Close { .. } | Self::Sweep
        )
    }

    /// SHA-256 over version, operation and every input in canonical form.
    #[expect(clippy::too_many_lines, reason = "one arm a command, and no arm decides anything")]
    pub fn digest(&self) -> [u8; 32] {
        let mut out = Canonical::new(1, self.operation());
        match self {
            Self::Grant {
                credits,
                description,
                kind,
                expires_at,
                priority,
            } => {
                out.number(credits.units());
                out.text(description);
                out.text(kind.as_str());
                out.optional_number(expires_at.map(Timestamp::millis));
                out.number(i64::from(*priority));
            }
            Self::CreditTopUp {
                top_up_id,
                credits,
                automatic,
            } => {
                out.bytes(top_up_id.uuid().as_bytes());
                out.number(credits.units());
                out.number(i64::from(*automatic));
            }
            Self::TakeBack {
                entry_id,
                target,
                kind,
                contra,
                description,
            } => {
                out.bytes(entry_id.uuid().as_bytes());
                out.number(target.units());
                out.text(kind.as_str());
                out.text(contra.as_str());
                out.text(description);
            }
            Self::HoldTopUp {
                entry_id,
                is_disputed,
                refunding,
            } => {
                out.bytes(entry_id.uuid().as_bytes());
                out.number(i64::from(*is_disputed));
                out.number(refunding.units());
            }
            Self::HoldRefund {
                entry_id,
                credits,
                allow_debt,
                allow_inactive,
            } => {
                out.bytes(entry_id.uuid().as_bytes());
                out.optional_number(credits.map(Credits::units));
                out.number(i64::from(*allow_debt));
                out.number(i64::from(*allow_inactive));
            }
            Self::Book {
                member,
                external_id,
                title,
                starts_at,
                ends_at,
                credits,
                metadata,
            } => {
                out.member(member);
                out.optional_text(external_id.as_deref());
                out.text(title);
                out.number(starts_at.millis());
                out.number(ends_at.millis());
                out.number(credits.units());
                out.optional_text(metadata.as_deref());
            }
            Self::Reschedule {
                session,
                starts_at,
                ends_at,
                credits,
            } => {
                out.session(session);
                out.number(starts_at.millis());
                out.number(ends_at.millis());
                out.optional_number(credits.map(Credits::units));
            }
            Self::Complete {
                session,
                credits,
                allow_overage,
            } => {
                out.session(session);
                out.optional_number(credits.map(Credits::units));
                out.number(i64::from(*allow_overage));
            }
            Self::Cancel {
                session,
                reason,
                fee,
                no_show,
            } => {
                out.session(session);
                out.optional_text(reason.as_deref());
                // No fee and a fee of nothing are the same input.
                out.number(fee.unwrap_or(Credits::ZERO).units());
                out.number(i64::from(*no_show));
            }
            Self::Refund {
                session,
                credits,
                reason,
            } => {
                out.session(session);
                out.number(credits.units());
                out.text(reason);
            }
            Self::Adjust {
                amount,
                description,
                reverses,
            } => {
                out.number(amount.units());
                out.text(description);
                out.optional_bytes(
                    reverses
                        .map(|entry| *entry.uuid().as_bytes())
                        .as_ref()
                        .map(|bytes| &bytes[..]),
                );
            }
            Self::Freeze { reason } | Self::Close { reason } => out.text(reason),
            Self::Unfreeze | Self::Sweep => {}
        }
        out.finish()
    }
}

/// Feeds values to SHA-256 so that no two different inputs make the same stream: each is preceded by its length, and what may
/// be absent by whether it is there.
#[derive(Debug)]
pub struct Canonical(Sha256);

impl Canonical {
    /// Begins with what is done, and the version of how it is written.
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

    /// Feeds bytes, or that there are none.
    pub fn optional_bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => {
                self.0.update([1]);
                self.bytes(bytes);
            }
            None => self.0.update([0]),
        }
    }

    /// Feeds a text, or that there is none.
    pub fn optional_text(&mut self, text: Option<&str>) {
        self.optional_bytes(text.map(str::as_bytes));
    }

    /// Feeds a number, or that there is none.
    pub fn optional_number(&mut self, number: Option<i64>) {
        self.optional_bytes(number.map(i64::to_be_bytes).as_ref().map(|bytes| &bytes[..]));
    }

    /// Feeds an id, or that there is none.
    pub fn optional_id(&mut self, id: Option<Uuid>) {
        self.optional_bytes(id.as_ref().map(|id| &id.as_bytes()[..]));
    }

    fn member(&mut self, member: &MemberRef) {
        match member {
            MemberRef::Id(id) => self.bytes(id.uuid().as_bytes()),
            MemberRef::ExternalId(id) => self.text(&format!("external:{id}")),
        }
    }

    fn session(&mut self, session: &SessionRef) {
        match session {
            SessionRef::Id(id) => self.bytes(id.uuid().as_bytes()),
            SessionRef::ExternalId(id) => self.text(&format!("external:{id}")),
        }
    }

    /// The hash.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
