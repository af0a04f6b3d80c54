//! Mutations of accounts.

use async_graphql::{Context, InputObject, MaybeUndefined};

use super::account::Account;
use super::member_mutation::NewMemberInput;
use crate::domain::ledger::{LedgerError, Posted};
use crate::domain::member;
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{Nullable, nullable};
use crate::graphql::id::Id;
use crate::graphql::inputs::patched;
use crate::graphql::payload::{mutations, payload};
use crate::graphql::refusals::{Failure, LedgerFields};
use crate::graphql::scalars::{Decimal, TimeZone};
use crate::primitives::ids::AccountId;
use crate::primitives::money::{CreditPrice, Currency};

/// An account to create.
#[derive(InputObject, Debug)]
pub(crate) struct CreateAccountInput {
    /// The platform's own id. It must not have the form of an id of this service. Repeating the same input returns the same
    /// account.
    external_id: Option<String>,
    /// The team's name.
    name: String,
    /// Price of one credit in the currency's major unit, with at most 6 digits after the point.
    credit_price: Decimal,
    /// The currency that credits are bought in. It cannot be changed later.
    currency: Currency,
    /// The time zone of the account's days and months.
    #[graphql(default_with = "Some(TimeZone(chrono_tz::Tz::UTC))")]
    timezone: Option<TimeZone>,
    /// The team's first owner.
    owner: Option<NewMemberInput>,
}

/// Changes to an account. Fields that are left out keep their values.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateAccountInput {
    /// The account to change. May be left out by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
    /// Refused as `VERSION_CONFLICT` when this is not the current version.
    expected_version: Option<i32>,
    /// The platform's own id. Only a platform key that belongs to no single account can change it: FORBIDDEN for others.
    external_id: MaybeUndefined<String>,
    /// The number of hours after its end for which an unresolved session keeps its hold.
    session_grace_hours: MaybeUndefined<i32>,
    /// The team's name.
    name: MaybeUndefined<String>,
    /// The time zone of the account's days and months.
    timezone: MaybeUndefined<TimeZone>,
    /// Price of one credit in the currency's major unit, with at most 6 digits after the point.
    credit_price: MaybeUndefined<Decimal>,
}

/// An account to freeze.
#[derive(InputObject, Debug)]
pub(crate) struct FreezeAccountInput {
    /// The account to freeze.
    account_id: Id<AccountId>,
    /// A human-readable reason: 1 to 500 characters.
    reason: String,
}

/// An account whose freeze ends.
#[derive(InputObject, Debug)]
pub(crate) struct UnfreezeAccountInput {
    /// The account to unfreeze.
    account_id: Id<AccountId>,
}

/// An account to close permanently.
#[derive(InputObject, Debug)]
pub(crate) struct CloseAccountInput {
    /// The account to close.
    account_id: Id<AccountId>,
    /// A human-readable reason: 1 to 500 characters.
    reason: String,
}

pub(super) struct Changed {
    row: member::Account,
    posted: Option<Posted>,
}

payload! {
    /// The result of createAccount.
    CreateAccountPayload,
    /// The result of updateAccount.
    UpdateAccountPayload,
    /// The result of freezeAccount.
    FreezeAccountPayload,
    /// The result of unfreezeAccount.
    UnfreezeAccountPayload,
    /// The result of closeAccount.
    CloseAccountPayload
    from Changed => {
        /// The account in its current state. Null when refused, except for codes whose description says that the payload
        /// contains it.
        async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
            nullable(async {
                let shown = match &self.0.done {
                    Some(Changed { posted: Some(posted), .. }) => return Account::after(ctx, posted).await.map(Some),
                    Some(changed) => Some(&changed.row),
                    None => self.0.present(),
                };
                let scope = scope(ctx)?;
                Ok(shown.cloned().map(|row| Account::new(scope, row)))
            })
            .await
        }
    }
}

fn price(price: &Decimal) -> Result<CreditPrice, Failure> {
    CreditPrice::from_decimal(price.0).map_err(|error| Failure::invalid("creditPrice", error.to_string()))
}

async fn create(scope: &Scope, input: CreateAccountInput) -> Result<Changed, Failure> {
    let new = member::NewAccount {
        external_id: input.external_id,
        name: input.name,
        credit_price: price(&input.credit_price)?,
        currency: input.currency,
        timezone: input.timezone.map_or(chrono_tz::Tz::UTC, |zone| zone.0),
        owner: input.owner.map(Into::into),
    };
    let row = scope.services.accounts.create(scope.actor(), new).await?;
    Ok(Changed { row, posted: None })
}

async fn update(scope: &Scope, input: UpdateAccountInput) -> Result<Changed, Failure> {
    let account_id = scope.account_for(input.account_id)?;
    let patch = member::AccountPatch {
        expected_version: input.expected_version,
        external_id: patched("externalId", input.external_id)?,
        session_grace_hours: patched("sessionGraceHours", input.session_grace_hours)?,
        name: patched("name", input.name)?,
        timezone: patched("timezone", input.timezone)?.map(|zone| zone.0),
        credit_price: patched("creditPrice", input.credit_price)?
            .as_ref()
            .map(price)
            .transpose()?,
    };
    let row = scope.services.accounts.update(scope.actor(), account_id, patch).await?;
    Ok(Changed { row, posted: None })
}

/// Returns the payload of a change of status.
async fn status_changed(
    scope: &Scope,
    account_id: AccountId,
    result: Result<Posted, LedgerError>,
) -> Result<Changed, Failure> {
    let fields = LedgerFields {
        account_id,
        member: "accountId",
        session: "accountId",
        amount: "accountId",
    };
    let posted = result.map_err(|error| fields.failure(error))?;
    let row = scope.services.accounts.find(scope.actor(), account_id).await?;
    let row = row.ok_or_else(|| Failure::not_found("accountId", "account"))?;
    Ok(Changed {
        row,
        posted: Some(posted),
    })
}

async fn freeze(scope: &Scope, input: FreezeAccountInput) -> Result<Changed, Failure> {
    let account_id = scope.account_for(Some(input.account_id))?;
    let ledger = &scope.services.ledger;
    let result = ledger.freeze_account(scope.actor(), account_id, input.reason).await;
    status_changed(scope, account_id, result).await
}

async fn unfreeze(scope: &Scope, input: UnfreezeAccountInput) -> Result<Changed, Failure> {
    let account_id = scope.account_for(Some(input.account_id))?;
    let result = scope.services.ledger.unfreeze_account(scope.actor(), account_id).await;
    status_changed(scope, account_id, result).await
}

async fn close(scope: &Scope, input: CloseAccountInput) -> Result<Changed, Failure> {
    let account_id = scope.account_for(Some(input.account_id))?;
    let ledger = &scope.services.ledger;
    let result = ledger.close_account(scope.actor(), account_id, input.reason).await;
    status_changed(scope, account_id, result).await
}

mutations! {
    AccountMutation {
        /// Creates an account, and its first owner if one is given. [auth: `MANAGE_ACCOUNTS`, platform key]
        create_account(CreateAccountInput: "The account to create.") -> CreateAccountPayload = create;

        /// Changes an account's settings. [auth: `MANAGE_ACCOUNTS`]
        update_account(UpdateAccountInput: "The changes.") -> UpdateAccountPayload = update;

        /// Freezes an account: credits are neither added nor used, and none expire. [auth: `MANAGE_ACCOUNTS`]
        freeze_account(FreezeAccountInput: "The account, and the reason.") -> FreezeAccountPayload = freeze;

        /// Ends a freeze. Credits that would have expired meanwhile are valid for longer by the same time.
        /// [auth: `MANAGE_ACCOUNTS`]
        unfreeze_account(UnfreezeAccountInput: "The account.") -> UnfreezeAccountPayload = unfreeze;

        /// Closes an account permanently: booked sessions are canceled without fee. [auth: `MANAGE_ACCOUNTS`]
        close_account(CloseAccountInput: "The account, and the reason.") -> CloseAccountPayload = close;
    }
}
