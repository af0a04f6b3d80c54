//! Mutations of credits: grants and corrections.

use async_graphql::InputObject;

use super::CreditLotKind;
use super::payload::{AdjustCreditsPayload, GrantCreditsPayload};
use crate::domain::ledger::Posted;
use crate::domain::ledger::model::{Command, LotKind};
use crate::graphql::context::Scope;
use crate::graphql::id::Id;
use crate::graphql::payload::mutations;
use crate::graphql::refusals::{Failure, LedgerFields};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId};

/// Credits to grant.
#[derive(InputObject, Debug)]
pub(crate) struct GrantCreditsInput {
    /// The account that receives them. May be left out by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
    /// The number of credits; above 0.
    credits: Credits,
    /// A human-readable purpose: 1 to 500 characters.
    description: String,
    /// Whether the credits were bought elsewhere or are a gift.
    #[graphql(default_with = "Some(CreditLotKind::Promotional)")]
    kind: Option<CreditLotKind>,
    /// When the unspent rest expires; never when left out.
    expires_at: Option<Timestamp>,
    /// Lots with a lower priority are spent first; 0 when left out.
    priority: Option<i32>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// A correction of the balance. amount may be negative.
#[derive(InputObject, Debug)]
pub(crate) struct AdjustCreditsInput {
    /// The account to correct. May be left out by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
    /// The signed amount; not 0.
    amount: Credits,
    /// A human-readable purpose: 1 to 500 characters.
    description: String,
    /// The entry that this corrects. Not an entry of a session: use refundSession for that. Not an entry that reversed a
    /// top-up.
    reverses_entry_id: Option<Id<EntryId>>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

async fn post(
    scope: &Scope,
    account_id: AccountId,
    amount: &'static str,
    key: String,
    command: Command,
) -> Result<Posted, Failure> {
    let fields = LedgerFields {
        account_id,
        member: "actingMemberId",
        session: "reversesEntryId",
        amount,
    };
    let ledger = &scope.services.ledger;
    ledger
        .post(scope.actor(), account_id, None, key, command)
        .await
        .map_err(|error| fields.failure(error))
}

async fn grant(scope: &Scope, input: GrantCreditsInput) -> Result<Posted, Failure> {
    let account_id = scope.account_for(input.account_id)?;
    let command = Command::Grant {
        credits: input.credits,
        description: input.description,
        kind: input.kind.map_or(LotKind::Promotional, Into::into),
        expires_at: input.expires_at,
        priority: input.priority.unwrap_or(0),
    };
    post(scope, account_id, "credits", input.idempotency_key, command).await
}

async fn adjust(scope: &Scope, input: AdjustCreditsInput) -> Result<Posted, Failure> {
    let account_id = scope.account_for(input.account_id)?;
    let reverses = input.reverses_entry_id;
    let reverses = reverses.map(|id| id.in_field("reversesEntryId", account_id));
    let command = Command::Adjust {
        amount: input.amount,
        description: input.description,
        reverses: reverses.transpose()?,
    };
    post(scope, account_id, "amount", input.idempotency_key, command).await
}

mutations! {
    CreditMutation {
        /// Grants credits to an account. [auth: `MANAGE_CREDITS`]
        grant_credits(GrantCreditsInput: "The credits to grant, and their terms.") -> GrantCreditsPayload = grant;

        /// Corrects an account's balance, up or down. [auth: `MANAGE_CREDITS`]
        adjust_credits(AdjustCreditsInput: "The amount, and the reason.") -> AdjustCreditsPayload = adjust;
    }
}
