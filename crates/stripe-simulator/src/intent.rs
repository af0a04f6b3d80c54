//! An intent to pay, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use ledgerbell_core::primitives::timestamp::Timestamp;
use ledgerbell_core::top_up::{Charge, ChargeFailure, ChargeStatus, DisputeStatus, KnownRefund};

use super::cards::Reason;

/// Whether an intent is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum IntentStatus {
    Unconfirmed,
    Processing,
    RequiresAction,
    Succeeded,
    Canceled,
}

/// An intent to pay, which is paid once at the most.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) reference: Option<String>,
    /// Makes the address of its page one that cannot be guessed.
    #[serde(default)]
    pub(super) page_token: String,
    /// What whoever made it over HTTP wrote beside it.
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) customer_id: Option<String>,
    pub(super) card_id: Option<String>,
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    pub(super) status: IntentStatus,
    /// The last failed try: why, and its charge.
    pub(super) failure: Option<(Reason, String)>,
    /// The charge that succeeded.
    pub(super) paid_by: Option<String>,
    #[serde(default)]
    pub(super) refunds: Vec<Refund>,
    pub(super) dispute: Option<Dispute>,
    /// What the dispute is about: what had not gone back when it was opened.
    #[serde(default)]
    pub(super) disputed_minor: i64,
    /// Where the customer goes after having confirmed.
    #[serde(default)]
    pub(super) return_url: Option<String>,
    pub(super) confirm_keys: BTreeSet<String>,
    /// When something happens to it by itself.
    pub(super) pays_at: Option<i64>,
    pub(super) fails_at: Option<i64>,
    pub(super) created_at: i64,
    /// Successful charges. More than one would be a double charge.
    pub(super) charges: u32,
}

/// The key of what goes back by itself, because a payment failed late.
pub(super) const LATE_FAILURE: &str = "late failure";

/// Money of an intent that went back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) amount_minor: i64,
    /// What whoever asked for it over HTTP wrote beside it.
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    /// It came back: the customer's bank did not take it.
    pub(super) has_failed: bool,
    /// When that will happen.
    pub(super) fails_at: Option<i64>,
    pub(super) created_at: i64,
}

/// A dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Dispute {
    Open,
    Lost,
    Won,
}

impl IntentStatus {
    /// As the port has it.
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
    /// One that has no id yet.
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

    /// The address of its page, where customers confirm with the bank, below the address of all pages.
    pub(super) fn page(&self, pages: &str) -> String {
        format!("{pages}/{}/{}", self.id, self.page_token)
    }

    /// Whether this is the token of its page, in constant time. One from before there were tokens has no page.
    pub(super) fn has_page(&self, token: &str) -> bool {
        !self.page_token.is_empty() && self.page_token.as_bytes().ct_eq(token.as_bytes()).into()
    }

    /// Whether it may still be confirmed, or canceled.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.status, IntentStatus::Unconfirmed | IntentStatus::RequiresAction)
    }

    /// What went back, and what of that came back.
    pub(super) fn returned_minor(&self) -> (i64, i64) {
        let failed = self.refunds.iter().filter(|refund| refund.has_failed);
        let all = self.refunds.iter().map(|refund| refund.amount_minor).sum();
        (all, failed.map(|refund| refund.amount_minor).sum())
    }

    /// What went back by itself, because the payment failed late.
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

    /// What has not gone back.
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

    /// As the port has it. `pages` is the address of all pages.
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
