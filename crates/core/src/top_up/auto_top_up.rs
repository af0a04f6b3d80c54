//! The account's rule for topping itself up, and what pauses it.
//!
//! A pause is durable: it ends by a success, by another card, or by a person who says so; never by time, nor by switching the
//! rule off and on.

use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, PaymentMethodId};
use crate::primitives::money::Money;
use crate::primitives::timestamp::Timestamp;

use super::HOUR;
use super::evaluation::Obstacle;
use super::failure::FailureCode;
use super::payment_method::PaymentMethod;

/// Soft declines in a row after which the rule pauses.
const SOFT_DECLINES: i32 = 3;

crate::text_enum! {
    /// Why the rule does not start top-ups, until somebody does something.
    PauseReason {
        /// Declined three times in a row.
        RepeatedDeclines = "REPEATED_DECLINES",
        /// Declined for a reason that does not pass by itself.
        CardRefused = "CARD_REFUSED",
        /// The bank wants its customer to confirm.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Money of a top-up went back.
        TopUpReversed = "TOP_UP_REVERSED",
        /// The gateway does not charge so little.
        AmountInvalid = "AMOUNT_INVALID",
        /// It costs more than was consented to.
        ConsentNeeded = "CONSENT_NEEDED",
    }
}

crate::text_enum! {
    /// Whether the rule works.
    AutoTopUpState {
        /// Switched off.
        Off = "OFF",
        /// At work.
        Active = "ACTIVE",
        /// Switched on, and waiting for somebody to do something.
        Paused = "PAUSED",
    }
}

crate::text_enum! {
    /// Why the rule shows as paused: a pause that is stored, or what keeps it for as long as it lasts.
    ShownPauseReason {
        /// Stored.
        RepeatedDeclines = "REPEATED_DECLINES",
        /// Stored.
        CardRefused = "CARD_REFUSED",
        /// Stored.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Stored.
        TopUpReversed = "TOP_UP_REVERSED",
        /// Stored.
        AmountInvalid = "AMOUNT_INVALID",
        /// Stored.
        ConsentNeeded = "CONSENT_NEEDED",
        /// While the account is frozen or closed.
        AccountFrozen = "ACCOUNT_FROZEN",
        /// While there is no card that it could charge.
        PaymentMethodMissing = "PAYMENT_METHOD_MISSING",
        /// While its card is past its date.
        PaymentMethodExpired = "PAYMENT_METHOD_EXPIRED",
        /// While its card was declined so often in 30 days that it is not tried again.
        TooManyDeclines = "TOO_MANY_DECLINES",
    }
}

/// What a person has agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Topping up at this level.
    pub trigger: Credits,
    /// By this much.
    pub amount: Credits,
    /// Up to this much money a month; `None` is without end.
    pub monthly_cap_minor: Option<i64>,
    /// At this price for one amount.
    pub price_minor: i64,
    /// Who.
    pub by: Cause,
    /// When.
    pub at: Timestamp,
}

/// The account's rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoTopUp {
    /// Whose.
    pub account_id: AccountId,
    /// Whether it is switched on.
    pub is_enabled: bool,
    /// Tops up when available is at or below this.
    pub trigger: Option<Credits>,
    /// Buys this much, as many times over as one charge needs.
    pub amount: Option<Credits>,
    /// Most money a calendar month, in the minor unit.
    pub monthly_cap_minor: Option<i64>,
    /// The card.
    pub payment_method_id: Option<PaymentMethodId>,
    /// What a person has agreed to.
    pub consent: Option<Consent>,
    /// Why it does not work.
    pub pause: Option<PauseReason>,
    /// The card that brought the pause about.
    pub paused_fingerprint: Option<String>,
    /// Soft declines since the last success.
    pub soft_declines: i32,
    /// When a booking was last refused for want of credits.
    pub refused_at: Option<Timestamp>,
    /// When it is looked at again whatever happens.
    pub due_at: Option<Timestamp>,
    /// Evaluations in a row that came to the same no.
    pub repeated: i32,
    /// Grows with every change of its settings or its pause.
    pub version: i32,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When its settings or its pause last changed.
    pub updated_at: Timestamp,
}

impl AutoTopUp {
    /// A rule that was never set.
    pub fn new(account_id: AccountId, now: Timestamp) -> Self {
        Self {
            account_id,
            is_enabled: false,
            trigger: None,
            amount: None,
            monthly_cap_minor: None,
            payment_method_id: None,
            consent: None,
            pause: None,
            paused_fingerprint: None,
            soft_declines: 0,
            refused_at: None,
            due_at: None,
            repeated: 0,
            version: 0,
            created_at: now,
            updated_at: now,
        }
    }

    /// The level that the ledger watches for it.
    pub fn watched_level(&self) -> Option<Credits> {
        self.trigger.filter(|_| self.is_enabled)
    }

    /// Has it looked at again at once.
    pub fn look_again(&mut self, now: Timestamp) {
        self.repeated = 0;
        self.due_at = self.is_enabled.then_some(now);
    }

    /// How it shows: [`Self::may_charge`] is what it answers now.
    pub fn shown(may_charge: Result<Money, Obstacle>) -> (AutoTopUpState, Option<ShownPauseReason>) {
        let reason = match may_charge {
            Ok(_) => return (AutoTopUpState::Active, None),
            Err(Obstacle::Off) => return (AutoTopUpState::Off, None),
            Err(Obstacle::AccountFrozen) => Some(ShownPauseReason::AccountFrozen),
            Err(Obstacle::Paused(pause)) => ShownPauseReason::from_text(pause.as_str()),
            Err(Obstacle::ConsentNeeded) => Some(ShownPauseReason::ConsentNeeded),
            Err(Obstacle::AmountInvalid) => Some(ShownPauseReason::AmountInvalid),
            Err(Obstacle::NoCard) => Some(ShownPauseReason::PaymentMethodMissing),
            Err(Obstacle::CardExpired) => Some(ShownPauseReason::PaymentMethodExpired),
            Err(Obstacle::TooManyDeclines) => Some(ShownPauseReason::TooManyDeclines),
        };
        (AutoTopUpState::Paused, reason)
    }

    /// Stops it until somebody does something. Money that went back outweighs every other reason: it alone is not ended by a
    /// success.
    pub fn pause(&mut self, reason: PauseReason, fingerprint: Option<&str>, now: Timestamp) {
        if self.pause == Some(reason) || self.pause == Some(PauseReason::TopUpReversed) {
            return;
        }
        self.pause = Some(reason);
        self.paused_fingerprint = fingerprint.map(str::to_owned);
        self.changed(now);
    }

    /// The bank said no to an automatic attempt.
    pub fn declined(&mut self, code: FailureCode, fingerprint: &str, now: Timestamp) {
        let reason = match code {
            FailureCode::AuthenticationRequired => Some(PauseReason::AuthenticationRequired),
            code if code.is_hard() => Some(PauseReason::CardRefused),
            code if code.is_soft() => {
                self.soft_declines += 1;
                (self.soft_declines >= SOFT_DECLINES).then_some(PauseReason::RepeatedDeclines)
            }
            _ => None,
        };
        if let Some(reason) = reason {
            self.pause(reason, Some(fingerprint), now);
        }
    }

    /// Whether the pause is about a card.
    pub fn is_paused_by_card(&self) -> bool {
        matches!(
            self.pause,
            Some(PauseReason::RepeatedDeclines | PauseReason::CardRefused | PauseReason::AuthenticationRequired)
        )
    }

    /// A top-up of the account was paid.
    pub fn paid(&mut self, now: Timestamp) {
        self.soft_declines = 0;
        let by_card = self.is_paused_by_card();
        if by_card {
            self.end_pause(now);
        }
        self.look_again(now);
    }

    /// Its card is another one now. The same card added again is not another one.
    pub fn card_changed(&mut self, card: &PaymentMethod, now: Timestamp) {
        let by_card = self.is_paused_by_card();
        if by_card && self.paused_fingerprint.as_ref() != Some(&card.fingerprint) {
            self.soft_declines = 0;
            self.end_pause(now);
        }
        self.look_again(now);
    }

    /// A person says that it may go on.
    pub fn resume(&mut self, now: Timestamp) {
        self.soft_declines = 0;
        self.end_pause(now);
        self.look_again(now);
    }

    pub(super) fn end_pause(&mut self, now: Timestamp) {
        if self.pause.take().is_some() {
            self.paused_fingerprint = None;
            self.changed(now);
        }
    }

    pub(super) fn changed(&mut self, now: Timestamp) {
        self.version = self.version.saturating_add(1);
        self.updated_at = now;
    }

    /// When it is looked at again after an evaluation that started nothing: from a minute to an hour, the longer the more often
    /// it came to the same; and not after `until`, when what stopped it ends.
    pub fn back_off(&mut self, is_same: bool, until: Option<Timestamp>, now: Timestamp) {
        self.repeated = if is_same { self.repeated.saturating_add(1) } else { 0 };
        let minutes = 1_i64 << self.repeated.clamp(0, 6);
        let due_at = now.plus_millis((minutes * super::MINUTE).min(HOUR));
        self.due_at = Some(
            until
                .filter(|until| *until > now)
                .map_or(due_at, |until| until.min(due_at)),
        );
    }
}
