//! The pure core of purchases: their types, and the rules for their changes.
//!
//! No I/O, no clock, no async: every function depends only on rows and a given time. So property tests and the simulation run
//! the same code as the server. Only [`Purchase`], a top-up with its attempts, decides how a purchase changes. Only
//! [`AutoTopUp::evaluate`] decides whether the account's rule buys.

mod attempt;
mod auto_top_up;
mod card_trial;
mod evaluation;
mod failure;
mod gateway;
mod outcome;
mod payment_method;
mod purchase;
mod refund;
mod settings;
mod snapshot;
mod terms;
#[cfg(test)]
mod tests;
mod top_up_state;

pub use attempt::{Attempt, AttemptOutcome, NextRequest};
pub use auto_top_up::{AutoTopUp, AutoTopUpState, Consent, PauseReason, ShownPauseReason};
pub use card_trial::{CardTrial, TrialDecision, TrialKind, decide_trial, trials_count_from};
pub use evaluation::{
    COOLDOWN_MILLIS, ChargeFacts, Decision, DecisionOutcome, Obstacle, Snapshot, StoredDecision, most_amounts,
};
pub use failure::{Explanation, FailureCode, FixBy, NextStep};
pub use gateway::{
    Card, CardSetup, Charge, ChargeFailure, ChargeStatus, Confirmation, DisputeStatus, GatewayError, InvalidWebhook,
    KnownRefund, NewCharge, Notice,
};
pub use outcome::TakenBack;
pub use payment_method::{PaymentMethod, PaymentMethodStatus, Suspension, next_card};
pub use purchase::{
    CancelRefusal, Change, GatewayRequest, MAX_DECLINES, NewPurchase, Purchase, RetryFacts, RetryRefusal,
};
pub use refund::{Refund, RefundStatus, Return, target_of_return};
pub use settings::{AutoTopUpPatch, PatchFacts, PatchRefusal};
pub use snapshot::{FailureRemedy, TopUpSnapshot, unknown};
pub use terms::AccountTerms;
pub use top_up_state::{TopUp, TopUpOrigin, TopUpStatus};
