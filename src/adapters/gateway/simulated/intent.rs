//! A payment intent and its result.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::domain::top_up::gateway::{Charge, ChargeFailure, ChargeStatus, DisputeStatus, KnownRefund};
use crate::primitives::clock::Timestamp;

use super::cards::Reason;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum IntentStatus {
    Unconfirmed,
    Processing,
    RequiresAction,
    Succeeded,
    Canceled,
}

/// A payment intent. It is paid at most once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) reference: Option<String>,
    /// Makes the address of the payment page impossible to guess.
    #[serde(default)]
    pub(super) page_token: String,
    /// Metadata that was set over HTTP.
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) customer_id: Option<String>,
    pub(super) card_id: Option<String>,
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    pub(super) status: IntentStatus,
    /// The last failed attempt: the reason and the charge.
    pub(super) failure: Option<(Reason, String)>,
    /// The charge that succeeded.
    pub(super) paid_by: Option<String>,
    #[serde(default)]
    pub(super) refunds: Vec<Refund>,
    pub(super) dispute: Option<Dispute>,
    /// The disputed amount: the part that had not been refunded when the dispute was opened.
    #[serde(default)]
    pub(super) disputed_minor: i64,
    /// The address to which the customer returns after confirming.
    #[serde(default)]
    pub(super) return_url: Option<String>,
    pub(super) confirm_keys: BTreeSet<String>,
    /// When a slow payment succeeds without another call.
    pub(super) pays_at: Option<i64>,
    pub(super) fails_at: Option<i64>,
    pub(super) created_at: i64,
    /// The number of successful charges. More than one is a double charge.
    pub(super) charges: u32,
}

/// The idempotency key of the refund after a payment that failed late.
pub(super) const LATE_FAILURE: &str = "late failure";

/// A refund of an intent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) amount_minor: i64,
    /// Metadata that was set over HTTP.
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    /// Whether the customer's bank rejected the refund.
    pub(super) has_failed: bool,
    /// When the bank will reject the refund.
    pub(super) fails_at: Option<i64>,
    pub(super) created_at: i64,
}

/// The state of a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Dispute {
    Open,
    Lost,
    Won,
}

impl IntentStatus {
    /// Converts to the status of the port.
    pub(super) fn shown(self) -> ChargeStatus {
        match self {
            Self::Unconfirmed => ChargeStatus::Unconfirmed,
            Self::Processing => ChargeStatus::Processing,
            Self::RequiresAction => ChargeStatus::RequiresAction,
            Self::Succeeded => ChargeStatus::Succeeded,
            Self::Canceled => ChargeStatus::Canceled,
        }
    }
}

impl Intent {
    /// Returns an intent without an id.
    pub(super) fn new(amount_minor: i64, currency: &str, now: Timestamp) -> Self {
        Self {
            id: String::new(),
            reference: None,
            page_token: Uuid::new_v4().simple().to_string(),
            metadata: BTreeMap::new(),
            customer_id: None,
            card_id: None,
            amount_minor,
            currency: currency.to_lowercase(),
            status: IntentStatus::Unconfirmed,
            failure: None,
            paid_by: None,
            refunds: Vec::new(),
            dispute: None,
            disputed_minor: 0,
            return_url: None,
            confirm_keys: BTreeSet::new(),
            pays_at: None,
            fails_at: None,
            created_at: now.millis(),
            charges: 0,
        }
    }

    /// Returns the address of the payment page, where the customer confirms with the bank. `pages` is the base address.
    pub(super) fn page(&self, pages: &str) -> String {
        format!("{pages}/{}/{}", self.id, self.page_token)
    }

    /// Checks the token of the payment page in constant time. An intent from before tokens existed has no page.
    pub(super) fn has_page(&self, token: &str) -> bool {
        !self.page_token.is_empty() && self.page_token.as_bytes().ct_eq(token.as_bytes()).into()
    }

    /// Returns whether the intent can still be confirmed or canceled.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.status, IntentStatus::Unconfirmed | IntentStatus::RequiresAction)
    }

    /// Returns the refunded amount, and the part of it whose refund failed.
    pub(super) fn returned_minor(&self) -> (i64, i64) {
        let failed = self.refunds.iter().filter(|refund| refund.has_failed);
        let all = self.refunds.iter().map(|refund| refund.amount_minor).sum();
        (all, failed.map(|refund| refund.amount_minor).sum())
    }

    /// Returns the amount that was returned because the payment failed late.
    pub(super) fn failed_late_minor(&self) -> i64 {
        let late = self.refunds.iter().filter(|refund| refund.key == LATE_FAILURE);
        late.map(|refund| refund.amount_minor).sum()
    }

    fn known_refunds(&self) -> Vec<KnownRefund> {
        let known = self.refunds.iter().map(|refund| KnownRefund {
            key: refund.key.clone(),
            has_failed: refund.has_failed,
        });
        known.collect()
    }

    /// Returns the amount that has not been refunded.
    pub(super) fn left_minor(&self) -> i64 {
        let (returned, came_back) = self.returned_minor();
        self.amount_minor - returned + came_back
    }

    pub(super) fn dispute_status(&self) -> Option<DisputeStatus> {
        self.dispute.map(|dispute| match dispute {
            Dispute::Open => DisputeStatus::Open,
            Dispute::Lost => DisputeStatus::Lost,
            Dispute::Won => DisputeStatus::Won,
        })
    }

    /// Converts to the type of the port. `pages` is the base address of the payment pages.
    pub(super) fn charge(&self, pages: &str) -> Charge {
        let status = self.status.shown();
        let dispute = self.dispute_status();
        let (returned_minor, came_back_minor) = self.returned_minor();
        Charge {
            id: self.id.clone(),
            reference: self.reference.clone(),
            status,
            amount_minor: self.amount_minor,
            failure: self.failure.as_ref().map(|(reason, mark)| ChargeFailure {
                code: reason.code(),
                mark: mark.clone(),
            }),
            action_url: (status == ChargeStatus::RequiresAction).then(|| self.page(pages)),
            returned_minor,
            came_back_minor,
            refunds: self.known_refunds(),
            dispute: dispute.map(|dispute| (dispute, self.disputed_minor)),
            created_at: Timestamp::from_millis(self.created_at),
        }
    }
}
