//! Reasons of failed charges, reduced to the few kinds that a person can act upon.
//!
//! The message of the card's bank stays at the gateway: adapters map it to these codes, and only the codes are published.

crate::text_enum! {
    /// Why an attempt failed.
    FailureCode {
        /// The card's account has too little money.
        InsufficientFunds = "INSUFFICIENT_FUNDS",
        /// The bank declined without a reason.
        CardDeclined = "CARD_DECLINED",
        /// The card is expired.
        CardExpired = "CARD_EXPIRED",
        /// The card is lost, stolen, closed or permanently refused.
        CardBlocked = "CARD_BLOCKED",
        /// The bank requires the customer to confirm the payment.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// There was no card to charge.
        PaymentMethodMissing = "PAYMENT_METHOD_MISSING",
        /// The gateway did not respond in time, and nothing was charged.
        GatewayUnavailable = "GATEWAY_UNAVAILABLE",
        /// The gateway does not accept the amount.
        AmountInvalid = "AMOUNT_INVALID",
        /// The monthly cap is reached.
        CapReached = "CAP_REACHED",
        /// It is not known yet whether the attempt was charged.
        UnknownOutcome = "UNKNOWN_OUTCOME",
    }
}

crate::text_enum! {
    /// Who can fix a failure.
    FixBy {
        /// The customer.
        Customer = "CUSTOMER",
        /// The customer's bank.
        Bank = "BANK",
        /// The operator of this service.
        Platform = "PLATFORM",
    }
}

crate::text_enum! {
    /// What to do next.
    NextStep {
        /// Add money to the card's account, then retry.
        AddFundsThenRetry = "ADD_FUNDS_THEN_RETRY",
        /// Ask the bank, then retry.
        ContactBankThenRetry = "CONTACT_BANK_THEN_RETRY",
        /// Add another card.
        UpdatePaymentMethod = "UPDATE_PAYMENT_METHOD",
        /// Confirm the payment with the bank.
        Authenticate = "AUTHENTICATE",
        /// Retry: nothing else is needed first.
        Retry = "RETRY",
        /// Wait: Ledgerbell or its operator is working on it.
        Wait = "WAIT",
        /// Raise the monthly cap.
        RaiseCap = "RAISE_CAP",
        /// Nothing.
        None = "NONE",
    }
}

/// A human-readable explanation of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What went wrong and what to do.
    pub message: &'static str,
    /// Whether a retry with the same card can succeed.
    pub retryable: bool,
    /// Who can fix it.
    pub fix_by: FixBy,
    /// What to do next.
    pub next_step: NextStep,
}

impl FailureCode {
    /// Returns whether a decline is temporary: automatic top-ups retry after it.
    pub const fn is_soft(self) -> bool {
        matches!(self, Self::InsufficientFunds | Self::CardDeclined)
    }

    /// Returns whether the card is no longer charged automatically after this decline.
    pub const fn is_hard(self) -> bool {
        matches!(
            self,
            Self::CardExpired | Self::CardBlocked | Self::AuthenticationRequired
        )
    }

    /// Returns a human-readable explanation. `may_authenticate`: the bank still waits for the customer. `is_worn_out`: the card
    /// was declined so often that it is not charged again.
    pub const fn explain(self, may_authenticate: bool, is_worn_out: bool) -> Explanation {
        let (message, retryable, fix_by, next_step) = match self {
            Self::InsufficientFunds | Self::CardDeclined | Self::AuthenticationRequired if is_worn_out => (
                "The card was declined too often in 30 days and is not charged again. Retry with another card.",
                false,
                FixBy::Customer,
                NextStep::UpdatePaymentMethod,
            ),
            Self::AuthenticationRequired if !may_authenticate => (
                "The bank wanted the cardholder to confirm this payment, but that did not happen in time. Nothing was charged. Retry, \
                 or use another card.",
                true,
                FixBy::Customer,
                NextStep::Retry,
            ),
            Self::InsufficientFunds => (
                "The card's account does not hold enough money. Add funds to it, then retry, or use another card.",
                true,
                FixBy::Customer,
                NextStep::AddFundsThenRetry,
            ),
            Self::CardDeclined => (
                "The bank declined the charge. Ask the bank why, then retry, or use another card.",
                true,
                FixBy::Bank,
                NextStep::ContactBankThenRetry,
            ),
            Self::CardExpired => (
                "The card has expired. Add a card that is valid, then retry with it.",
                false,
                FixBy::Customer,
                NextStep::UpdatePaymentMethod,
            ),
            Self::CardBlocked => (
                "The bank no longer accepts charges to this card. Add another card, then retry with it.",
                false,
                FixBy::Customer,
                NextStep::UpdatePaymentMethod,
            ),
            Self::AuthenticationRequired => (
                "The bank wants the cardholder to confirm this payment. Confirm it, or retry with another card.",
                true,
                FixBy::Customer,
                NextStep::Authenticate,
            ),
            Self::PaymentMethodMissing => (
                "There was no card to charge. Add a card, then retry.",
                true,
                FixBy::Customer,
                NextStep::UpdatePaymentMethod,
            ),
            Self::GatewayUnavailable => (
                "The payment service did not answer in time, and nothing was charged. Retry later.",
                true,
                FixBy::Platform,
                NextStep::Wait,
            ),
            Self::AmountInvalid => (
                "The payment service does not accept this amount, and nothing was charged. Choose another amount.",
                false,
                FixBy::Customer,
                NextStep::None,
            ),
            Self::CapReached => (
                "The monthly cap for automatic top-ups did not allow this top-up. Raise the cap, or top up by hand.",
                false,
                FixBy::Customer,
                NextStep::RaiseCap,
            ),
            Self::UnknownOutcome => (
                "The payment service has not reported yet whether the card was charged. We keep checking; nothing will be charged twice.",
                false,
                FixBy::Platform,
                NextStep::Wait,
            ),
        };
        Explanation {
            message,
            retryable,
            fix_by,
            next_step,
        }
    }
}
