//! Webhooks of the payment gateway.
//!
//! A webhook is accepted only with a valid signature. It is stored unchanged, and the response is sent after that. A worker
//! processes it later. The worker reads the object that the webhook names and uses nothing else of its content. So any order
//! and any number of repetitions have the same result. A webhook that cannot be processed is parked for an operator, who can
//! replay it.

use std::sync::Arc;

use tracing::Instrument as _;

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::primitives::clock::{MINUTE, Timestamp};
use crate::primitives::ids::{GlobalId, IdKind, TopUpId};
use crate::primitives::record::{FromRow, Record};
use crate::primitives::trace;

use super::charging::{Charging, GatewayFault};
use super::context::TopUpContext;
use super::gateway::{InvalidWebhook, Notice};
use super::store;

/// The number of tries after which a webhook is parked until an operator replays it.
const MAX_TRIES: i32 = 10;
/// The number of webhooks that one replay schedules, at most.
const MOST_REPLAYED: u64 = 1_000;
/// The lease of a worker on a webhook, in milliseconds.
const LEASE: i64 = MINUTE;

crate::text_enum! {
    /// The status of a webhook.
    WebhookStatus {
        /// Stored, not processed.
        Pending = "PENDING",
        /// Processed.
        Applied = "APPLIED",
        /// Given up until an operator replays it.
        Parked = "PARKED",
    }
}

/// A stored webhook.
#[derive(Clone, Debug, PartialEq, Eq, Record, FromRow)]
pub struct StoredWebhook {
    /// The gateway's id of the event.
    pub event_id: String,
    /// The type of the event.
    pub kind: String,
    /// The object to read.
    pub object_id: Option<String>,
    /// The unchanged body.
    pub body: Vec<u8>,
    /// The current status.
    pub status: WebhookStatus,
    /// The number of tries.
    pub tries: i32,
    /// The error of the last try.
    pub last_error: Option<String>,
    /// When it was received.
    pub received_at: Timestamp,
    /// When it was processed.
    pub applied_at: Option<Timestamp>,
    /// When a worker processes it.
    pub due_at: Option<Timestamp>,
}

/// Why a webhook is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// The signature or the body is not valid.
    #[error(transparent)]
    Invalid(#[from] InvalidWebhook),
    /// It could not be stored: the gateway sends it again.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Receives and processes webhooks.
#[derive(Clone, Debug)]
pub struct Webhooks {
    pub(super) context: TopUpContext,
    charging: Charging,
}

/// Deletes up to `limit` processed webhooks that were received before an instant. Returns their number. If the gateway sends one of them
/// again, its object is read once more, which changes nothing.
pub(in crate::domain) async fn delete_processed_webhooks(
    database: &Database,
    before: Timestamp,
    limit: u32,
) -> Result<u64, Fault> {
    database
        .transaction(move |tx| Box::pin(async move { store::delete_processed_webhooks(tx, before, limit).await }))
        .await
}

impl StoredWebhook {
    /// Returns the webhook as one that a worker processes from the beginning.
    pub(super) fn scheduled_again(self, now: Timestamp) -> Self {
        Self {
            status: WebhookStatus::Pending,
            tries: 0,
            due_at: Some(now),
            ..self
        }
    }
}

impl Webhooks {
    /// Creates the use cases for the gateway in use.
    pub fn new(context: TopUpContext) -> Self {
        let charging = Charging::new(context.clone());
        Self { context, charging }
    }

    /// Verifies a webhook and stores it. It is stored when this returns.
    pub async fn receive(&self, body: Vec<u8>, signature: &str) -> Result<(), ReceiveError> {
        let now = self.context.clock.now();
        let Notice {
            event_id,
            kind,
            charge_id,
        } = self.context.gateway.read_webhook(&body, signature, now)?;
        // An event about no object of ours is stored too, without any work.
        let due_at = charge_id.is_some().then_some(now);
        let status = if due_at.is_some() {
            WebhookStatus::Pending
        } else {
            WebhookStatus::Applied
        };
        let webhook = Arc::new(StoredWebhook {
            event_id,
            kind,
            object_id: charge_id,
            body,
            status,
            tries: 0,
            last_error: None,
            received_at: now,
            applied_at: None,
            due_at,
        });
        let gateway = self.context.gateway.name();
        self.context
            .database
            .transaction(move |tx| {
                let webhook = Arc::clone(&webhook);
                Box::pin(async move { store::receive_webhook(tx, gateway, &webhook).await })
            })
            .await?;
        self.context.ledger.wake_workers();
        Ok(())
    }

    /// Processes up to `limit` webhooks whose time has come. Returns the number of webhooks that it found.
    pub async fn turn(&self, limit: u32) -> Result<usize, Fault> {
        let gateway = self.context.gateway.name();
        let due = store::due_webhooks(&self.context.database, gateway, self.context.clock.now(), limit).await?;
        let found = due.len();
        for webhook in due {
            self.apply(webhook)
                .instrument(trace::job("process webhook", None))
                .await?;
        }
        Ok(found)
    }

    /// Schedules parked webhooks again. Returns their number.
    pub async fn replay(&self) -> Result<usize, Fault> {
        let gateway = self.context.gateway.name();
        let parked = store::parked_webhooks(&self.context.database, gateway, None, MOST_REPLAYED).await?;
        let found = parked.len();
        let now = self.context.clock.now();
        for webhook in parked {
            self.save(webhook.scheduled_again(now)).await?;
        }
        Ok(found)
    }

    async fn apply(&self, webhook: StoredWebhook) -> Result<(), Fault> {
        let now = self.context.clock.now();
        let claimed = StoredWebhook {
            tries: webhook.tries + 1,
            due_at: Some(now.plus_millis(LEASE)),
            ..webhook
        };
        self.save(claimed.clone()).await?;
        let result = self.look(&claimed).await;
        let ended = match result {
            Ok(()) => StoredWebhook {
                status: WebhookStatus::Applied,
                applied_at: Some(now),
                due_at: None,
                last_error: None,
                ..claimed
            },
            Err(error) if claimed.tries >= MAX_TRIES => {
                tracing::error!(event = claimed.event_id, %error, "a webhook failed too often and is no longer retried: fix the cause, then run `ledgerbell webhooks replay`");
                StoredWebhook {
                    status: WebhookStatus::Parked,
                    due_at: None,
                    last_error: Some(error.to_string()),
                    ..claimed
                }
            }
            Err(error) => {
                let pause = (1_000_i64 << claimed.tries.clamp(0, 12)).min(60 * LEASE);
                StoredWebhook {
                    due_at: Some(now.plus_millis(pause)),
                    last_error: Some(error.to_string()),
                    ..claimed
                }
            }
        };
        self.save(ended).await
    }

    async fn look(&self, webhook: &StoredWebhook) -> Result<(), GatewayFault> {
        let Some(object_id) = &webhook.object_id else {
            return Ok(());
        };
        let gateway = self.context.gateway.name();
        if let Some((account_id, top_up_id)) =
            store::object_owner(self.context.database.read(), gateway, object_id).await?
        {
            return self.charging.look_at(account_id, top_up_id, object_id).await;
        }
        // Created for a top-up whose worker died before it stored the object: then the object names its top-up.
        let charge = self.context.gateway.read_charge(object_id.clone()).await?;
        let reference = charge
            .reference
            .as_ref()
            .and_then(|reference| reference.parse::<GlobalId>().ok());
        match reference.filter(|id| id.kind == IdKind::TopUp) {
            Some(id) => {
                let top_up_id = TopUpId::from_uuid(id.uuid);
                Ok(self.charging.settle_if_known(id.account_id, top_up_id, charge).await?)
            }
            None => Ok(()),
        }
    }

    pub(super) async fn save(&self, webhook: StoredWebhook) -> Result<(), Fault> {
        let gateway = self.context.gateway.name();
        let webhook = Arc::new(webhook);
        self.context
            .database
            .transaction(move |tx| {
                let webhook = Arc::clone(&webhook);
                Box::pin(async move { store::save_webhook(tx, gateway, &webhook).await })
            })
            .await
    }
}
