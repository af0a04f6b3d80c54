//! The auto top-up rule of an account, and its pauses.
//!
//! A pause is durable. It ends by a success, by a different card, or by a member who resumes the rule. It never ends by time or
//! by disabling and enabling the rule.

use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, PaymentMethodId};
use crate::primitives::money::Money;
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{FromRow, Record};
use crate::primitives::timestamp::{HOUR, MINUTE, Timestamp};

use super::evaluation::Obstacle;
use super::failure::FailureCode;
use super::payment_method::PaymentMethod;

/// The number of consecutive soft declines after which the rule pauses.
const SOFT_DECLINES: i32 = 3;

crate::text_enum! {
    /// Why the rule starts no top-ups until a member or the platform acts.
    PauseReason {
        /// Declined three times in a row.
        RepeatedDeclines = "REPEATED_DECLINES",
        /// Declined for a reason that is permanent.
        CardRefused = "CARD_REFUSED",
        /// The bank requires the customer to confirm.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Money of a top-up was returned.
        TopUpReversed = "TOP_UP_REVERSED",
        /// The amount is less than the gateway charges.
        AmountInvalid = "AMOUNT_INVALID",
        /// The price is above what the consent covers.
        ConsentNeeded = "CONSENT_NEEDED",
    }
}

crate::text_enum! {
    /// Whether the rule starts top-ups.
    AutoTopUpState {
        /// Disabled.
        Off = "OFF",
        /// Enabled, and starts top-ups.
        Active = "ACTIVE",
        /// Enabled, but starts no top-ups until a member or the platform acts.
        Paused = "PAUSED",
    }
}

crate::text_enum! {
    /// Why the rule is shown as paused: a stored pause, or an obstacle while it lasts.
    ShownPauseReason {
        /// A stored pause: declined three times in a row.
        RepeatedDeclines = "REPEATED_DECLINES",
        /// A stored pause: declined for a reason that is permanent.
        CardRefused = "CARD_REFUSED",
        /// A stored pause: the bank requires the customer to confirm.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// A stored pause: money of a top-up was returned.
        TopUpReversed = "TOP_UP_REVERSED",
        /// A stored pause: the amount is less than the gateway charges.
        AmountInvalid = "AMOUNT_INVALID",
        /// A stored pause: the price is above what the consent covers.
        ConsentNeeded = "CONSENT_NEEDED",
        /// Lasts while the account is frozen or closed.
        AccountFrozen = "ACCOUNT_FROZEN",
        /// Lasts while there is no card to charge.
        PaymentMethodMissing = "PAYMENT_METHOD_MISSING",
        /// Lasts while the card is expired.
        PaymentMethodExpired = "PAYMENT_METHOD_EXPIRED",
        /// Lasts while the card has too many declines within 30 days.
        TooManyDeclines = "TOO_MANY_DECLINES",
    }
}

/// The terms that a member has agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct Consent {
    /// The available credits at which a top-up starts.
    #[cfg_attr(feature = "sea-orm", record(name = "consent_trigger"))]
    pub trigger: Credits,
    /// The credits of one amount.
    #[cfg_attr(feature = "sea-orm", record(name = "consent_amount"))]
    pub amount: Credits,
    /// The maximum money per month, in minor units; `None` means no limit.
    #[cfg_attr(feature = "sea-orm", record(name = "consent_cap_minor"))]
    pub monthly_cap_minor: Option<i64>,
    /// The price of one amount, in minor units.
    #[cfg_attr(feature = "sea-orm", record(name = "consent_price_minor"))]
    pub price_minor: i64,
    /// Who agreed.
    #[cfg_attr(feature = "sea-orm", record(flatten, prefix = "consent_actor_"))]
    pub by: Cause,
    /// When the member agreed.
    #[cfg_attr(feature = "sea-orm", record(name = "consented_at"))]
    pub at: Timestamp,
}

/// The auto top-up rule of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct AutoTopUp {
    /// The account of the rule.
    pub account_id: AccountId,
    /// Whether the rule is enabled.
    pub is_enabled: bool,
    /// A top-up starts when available credits are at or below this.
    #[cfg_attr(feature = "sea-orm", record(name = "trigger_credits"))]
    pub trigger: Option<Credits>,
    /// The credits of one amount. A charge buys as many amounts as needed.
    pub amount: Option<Credits>,
    /// The maximum money per calendar month, in minor units.
    pub monthly_cap_minor: Option<i64>,
    /// The card to charge.
    pub payment_method_id: Option<PaymentMethodId>,
    /// The terms that a member has agreed to.
    #[cfg_attr(feature = "sea-orm", record(flatten))]
    pub consent: Option<Consent>,
    /// Why the rule is paused.
    pub pause: Option<PauseReason>,
    /// The fingerprint of the card that caused the pause.
    pub paused_fingerprint: Option<String>,
    /// The number of soft declines since the last success.
    pub soft_declines: i32,
    /// When a booking was last refused because of missing credits.
    pub refused_at: Option<Timestamp>,
    /// When the rule is next evaluated, even without an event.
    pub due_at: Option<Timestamp>,
    /// The number of consecutive evaluations with the same negative result.
    pub repeated: i32,
    /// Increases with every change of the settings or the pause.
    pub version: i32,
    /// When the rule was first set.
    pub created_at: Timestamp,
    /// When the settings or the pause last changed.
    pub updated_at: Timestamp,
}

impl AutoTopUp {
    /// Returns the card that the rule charges, unless it was removed.
    pub fn card_of<'a>(&self, cards: &'a [PaymentMethod]) -> Option<&'a PaymentMethod> {
        let mut cards = cards.iter();
        cards.find(|card| Some(card.id) == self.payment_method_id && card.removed_at.is_none())
    }

    /// Returns the default rule, for an account without a stored rule.
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

    /// Returns the level that the ledger watches for this rule.
    pub fn watched_level(&self) -> Option<Credits> {
        self.trigger.filter(|_| self.is_enabled)
    }

    /// Schedules an evaluation now.
    pub fn look_again(&mut self, now: Timestamp) {
        self.repeated = 0;
        self.due_at = self.is_enabled.then_some(now);
    }

    /// Returns the state to show. `may_charge` is the current result of [`Self::may_charge`].
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

    /// Pauses the rule until a member or the platform acts. The reason `TopUpReversed` replaces every other reason: it is the
    /// only one that a success does not end.
    pub fn pause(&mut self, reason: PauseReason, fingerprint: Option<&str>, now: Timestamp) {
        if self.pause == Some(reason) || self.pause == Some(PauseReason::TopUpReversed) {
            return;
        }
        self.pause = Some(reason);
        self.paused_fingerprint = fingerprint.map(str::to_owned);
        self.changed(now);
    }

    /// Records that the bank declined an automatic attempt.
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

    /// Returns whether the pause is about a card.
    pub fn is_paused_by_card(&self) -> bool {
        matches!(
            self.pause,
            Some(PauseReason::RepeatedDeclines | PauseReason::CardRefused | PauseReason::AuthenticationRequired)
        )
    }

    /// Records that a top-up of the account was paid.
    pub fn paid(&mut self, now: Timestamp) {
        self.soft_declines = 0;
        let by_card = self.is_paused_by_card();
        if by_card {
            self.end_pause(now);
        }
        self.look_again(now);
    }

    /// Records that the rule has a different card. The same card added again does not count as different.
    pub fn card_changed(&mut self, card: &PaymentMethod, now: Timestamp) {
        let by_card = self.is_paused_by_card();
        if by_card && self.paused_fingerprint.as_ref() != Some(&card.fingerprint) {
            self.soft_declines = 0;
            self.end_pause(now);
        }
        self.look_again(now);
    }

    /// Ends the pause at the request of a member.
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

    /// Schedules the next evaluation after one that started nothing. The pause grows from a minute to an hour with the number
    /// of equal results, and ends at `until` at the latest, when the obstacle ends.
    pub fn back_off(&mut self, is_same: bool, until: Option<Timestamp>, now: Timestamp) {
        self.repeated = if is_same { self.repeated.saturating_add(1) } else { 0 };
        let minutes = 1_i64 << self.repeated.clamp(0, 6);
        let due_at = now.plus_millis((minutes * MINUTE).min(HOUR));
        self.due_at = Some(
            until
                .filter(|until| *until > now)
                .map_or(due_at, |until| until.min(due_at)),
        );
    }
}
