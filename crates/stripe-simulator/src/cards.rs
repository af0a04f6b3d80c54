//! Simulated cards. The token of a card decides how it behaves.

use serde::{Deserialize, Serialize};

use ledgerbell_core::top_up::{Card, FailureCode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Behaviour {
    Pays,
    Declines(Reason),
    Authenticates,
    Hangs,
    DiesAfterCharge,
    Unavailable,
    Slow,
    DeclinesOnce,
    FailsLate,
    Disputed,
    /// Pays. A refund to it fails a minute later.
    RefundFails,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reason {
    Funds,
    Declined,
    Expired,
    Blocked,
    /// The bank requires the customer, who is not present.
    Absent,
    /// The customer did not confirm the payment.
    NotAuthenticated,
    /// The card was detached before.
    Gone,
}

/// The codes and the message with which a gateway reports a decline.
pub(super) struct Words {
    pub(super) code: &'static str,
    pub(super) decline_code: Option<&'static str>,
    pub(super) message: &'static str,
}

impl Reason {
    pub(super) fn code(self) -> FailureCode {
        match self {
            Self::Funds => FailureCode::InsufficientFunds,
            Self::Declined => FailureCode::CardDeclined,
            Self::Expired => FailureCode::CardExpired,
            Self::Blocked => FailureCode::CardBlocked,
            Self::Absent | Self::NotAuthenticated => FailureCode::AuthenticationRequired,
            Self::Gone => FailureCode::PaymentMethodMissing,
        }
    }

    pub(super) fn words(self) -> Words {
        let (code, decline_code, message) = match self {
            Self::Funds => (
                "card_declined",
                Some("insufficient_funds"),
                "Your card has insufficient funds.",
            ),
            Self::Declined => ("card_declined", Some("generic_decline"), "Your card was declined."),
            Self::Expired => ("expired_card", Some("expired_card"), "Your card has expired."),
            Self::Blocked => ("card_declined", Some("stolen_card"), "Your card was declined."),
            Self::Absent => (
                "authentication_required",
                Some("authentication_required"),
                "Your card was declined. This transaction requires authentication.",
            ),
            Self::NotAuthenticated => (
                "payment_intent_authentication_failure",
                None,
                "The provided PaymentMethod has failed authentication.",
            ),
            Self::Gone => ("resource_missing", None, "No such PaymentMethod."),
        };
        Words {
            code,
            decline_code,
            message,
        }
    }

    /// Returns whether the bank was asked for the money.
    pub(super) fn leaves_charge(self) -> bool {
        !matches!(self, Self::NotAuthenticated | Self::Gone)
    }
}

/// Cards by the names of this project, without the prefix `card_`.
const OWN: &[(&str, Behaviour)] = &[
    ("ok", Behaviour::Pays),
    ("insufficient_funds", Behaviour::Declines(Reason::Funds)),
    ("declined", Behaviour::Declines(Reason::Declined)),
    ("expired", Behaviour::Declines(Reason::Expired)),
    ("blocked", Behaviour::Declines(Reason::Blocked)),
    ("authenticate", Behaviour::Authenticates),
    ("hang", Behaviour::Hangs),
    ("dies_after_charge", Behaviour::DiesAfterCharge),
    ("unavailable", Behaviour::Unavailable),
    ("slow", Behaviour::Slow),
    ("declines_once", Behaviour::DeclinesOnce),
    ("fails_late", Behaviour::FailsLate),
    ("disputed", Behaviour::Disputed),
    ("refund_fails", Behaviour::RefundFails),
];

/// Cards by the names of Stripe's test mode, without the prefix `pm_card_` or `tok_`.
const STRIPES: &[(&str, Behaviour)] = &[
    ("visa", Behaviour::Pays),
    ("mastercard", Behaviour::Pays),
    ("amex", Behaviour::Pays),
    ("chargeDeclined", Behaviour::Declines(Reason::Declined)),
    ("chargeDeclinedInsufficientFunds", Behaviour::Declines(Reason::Funds)),
    ("chargeDeclinedExpiredCard", Behaviour::Declines(Reason::Expired)),
    ("chargeDeclinedLostCard", Behaviour::Declines(Reason::Blocked)),
    ("chargeDeclinedStolenCard", Behaviour::Declines(Reason::Blocked)),
    ("authenticationRequired", Behaviour::Authenticates),
    ("createDispute", Behaviour::Disputed),
    ("refundFail", Behaviour::RefundFails),
];

impl Behaviour {
    /// Parses a name such as `card_ok`, or a name of Stripe's test mode such as `pm_card_visa`. `card_ok-2` is another card
    /// with the behavior of `card_ok`.
    pub(super) fn of(token: &str) -> Option<Self> {
        let name = token.split_once('-').map_or(token, |(name, _)| name);
        let look_up = |table: &[(&str, Self)], name: &str| {
            let found = table.iter().find(|(known, _)| *known == name);
            found.map(|(_, behaviour)| *behaviour)
        };
        if let Some(own) = name.strip_prefix("card_") {
            return look_up(OWN, own);
        }
        let name = name.strip_prefix("pm_card_").or_else(|| name.strip_prefix("tok_"))?;
        look_up(STRIPES, name).or_else(|| look_up(STRIPES, name.strip_prefix("visa_")?))
    }
}

/// A card that the simulator stores.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptCard {
    pub(super) token: String,
    /// The customer that the card is attached to.
    pub(super) customer_id: Option<String>,
    pub(super) behaviour: Behaviour,
    pub(super) has_declined: bool,
}

impl KeptCard {
    /// Returns a card with the behavior that its token selects. No customer owns it.
    pub(super) fn new(token: &str) -> Option<Self> {
        Some(Self {
            token: token.to_owned(),
            customer_id: None,
            behaviour: Behaviour::of(token)?,
            has_declined: false,
        })
    }

    /// Converts to the type of the port. The card is valid until the end of 2039, or of the year in its token (`card_ok-2027`).
    pub(super) fn card(&self, id: &str) -> Card {
        let year = self.token.rsplit_once('-').and_then(|(_, year)| year.parse().ok());
        Card {
            id: id.to_owned(),
            brand: if self.token.contains("mastercard") {
                "mastercard".to_owned()
            } else {
                "visa".to_owned()
            },
            last4: "4242".to_owned(),
            expiry_month: 12,
            expiry_year: year.filter(|year| (2_000..10_000).contains(year)).unwrap_or(2_039),
            fingerprint: format!("fp_{}", self.token),
        }
    }
}
