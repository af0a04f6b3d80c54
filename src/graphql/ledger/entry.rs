//! The credit log: its entries, and who caused them.

use async_graphql::{Context, Enum, ID, Object};
use data_encoding::HEXLOWER;

use super::lot::LotDraw;
use super::session::Session;
use super::usage::CreditTotals;
use crate::domain::ledger::{credit_log, model};
use crate::graphql::by_id::find;
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::live::Followed;
use crate::graphql::loaders::must_exist;
use crate::graphql::member::{Account, Member};
use crate::graphql::rows::Rows;
use crate::graphql::scalars::{Int64, LiveCursorText};
use crate::graphql::top_up::TopUp;
use crate::graphql::viewer::in_language;
use crate::primitives::actor::{Cause, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

/// What an entry of the credit log records.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::EntryKind")]
pub enum CreditEntryKind {
    /// A top-up that a member or an integration requested.
    TopUp,
    /// A top-up that the account's rule started.
    AutoTopUp,
    /// Credits that the operator granted.
    Grant,
    /// A session's charge, or the fee of a session that was canceled late or missed.
    Session,
    /// A refund of a session's charge.
    SessionRefund,
    /// Credits that expired.
    Expiry,
    /// A top-up that was reversed.
    Reversal,
    /// A top-up that was lost in a dispute.
    Chargeback,
    /// A correction by the operator.
    Adjustment,
}

/// The kind of actor that caused something.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "credit_log::ActorKind")]
pub enum ActorKind {
    /// A member of the team.
    Member,
    /// An integration, with its API key.
    ApiKey,
    /// Ledgerbell itself.
    System,
    /// The payment gateway.
    PaymentGateway,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Actor {
    pub(super) account_id: AccountId,
    pub(super) cause: Cause,
}

/// The label of Ledgerbell itself.
pub(super) const SYSTEM: &str = "Ledgerbell";
/// The label of the payment gateway, in English.
pub(super) const PAYMENT_GATEWAY: &str = "Payment gateway";

impl Actor {
    pub(in crate::graphql) fn new(account_id: AccountId, cause: Cause) -> Self {
        Self { account_id, cause }
    }

    pub(super) fn actor_kind(&self) -> ActorKind {
        match self.cause {
            Cause::Member(_) => ActorKind::Member,
            Cause::ApiKey(..) => ActorKind::ApiKey,
            Cause::System => ActorKind::System,
            Cause::PaymentGateway => ActorKind::PaymentGateway,
        }
    }
}

/// Who caused something.
#[Object]
impl Actor {
    /// The kind of actor.
    async fn kind(&self) -> ActorKind {
        self.actor_kind()
    }

    /// The id of the member or API key, as in `CreditLogFilter.actorIds`. Null for Ledgerbell and the payment gateway. A member
    /// who acted through an API key is in `member`.
    async fn id(&self, ctx: &Context<'_>) -> Nullable<ID> {
        nullable(async {
            Ok(match self.cause {
                Cause::Member(member_id) => Some(public_id(member_id.global(self.account_id))),
                Cause::ApiKey(api_key_id, _) => {
                    let api_key = must_exist(scope(ctx)?.loaders.api_key_name(api_key_id).await?, "API key")?;
                    Some(public_id(api_key_id.global(api_key.account_id)))
                }
                Cause::System | Cause::PaymentGateway => None,
            })
        })
        .await
    }

    /// Display name: of the member or the API key, "Ledgerbell" or, in the viewer's language, "Payment gateway".
    #[graphql(directive = in_language::apply())]
    async fn label(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        let loaders = &scope(ctx)?.loaders;
        Ok(match self.cause {
            Cause::Member(member_id) => must_exist(loaders.member(self.account_id, member_id).await?, "member")?.name,
            Cause::ApiKey(api_key_id, _) => must_exist(loaders.api_key_name(api_key_id).await?, "API key")?.name,
            Cause::System => SYSTEM.to_owned(),
            Cause::PaymentGateway => scope(ctx)?.in_words(PAYMENT_GATEWAY).await?,
        })
    }

    /// The member who acted, or on whose behalf an API key acted. Null when there is none.
    async fn member(&self, ctx: &Context<'_>) -> Nullable<Member> {
        find(ctx, self.account_id, self.cause.member_id()?).await
    }
}

#[derive(Clone, Debug)]
pub(crate) struct CreditEntry(pub(super) credit_log::Entry);

impl CreditEntry {
    pub(in crate::graphql) fn new(entry: credit_log::Entry) -> Self {
        Self(entry)
    }

    /// Returns whether the operator wrote the description, which is then not translated.
    pub(super) fn is_described_by_hand(&self) -> bool {
        matches!(self.0.kind, model::EntryKind::Grant | model::EntryKind::Adjustment)
    }

    pub(super) fn hash_text(&self) -> String {
        HEXLOWER.encode(&self.0.hash)
    }
}

/// One immutable entry of the credit log: credits that were added or deducted, who caused it, and for what.
#[Object]
impl CreditEntry {
    /// Opaque id, for `node` and for filters.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// Position in the account's log: 1, 2, 3 … without gaps. A member who may see only their own entries sees gaps.
    async fn sequence(&self) -> Int64 {
        Int64(self.0.sequence)
    }

    /// When it was posted.
    async fn occurred_at(&self) -> Timestamp {
        self.0.occurred_at
    }

    /// What it records.
    async fn kind(&self) -> CreditEntryKind {
        self.0.kind.into()
    }

    /// Positive when credits were added, negative when deducted.
    async fn amount(&self) -> Credits {
        self.0.amount
    }

    /// The account's posted balance just before it.
    async fn balance_before(&self) -> Credits {
        self.0.balance_before()
    }

    /// The account's posted balance just after it.
    async fn balance_after(&self) -> Credits {
        self.0.balance_after
    }

    /// A human-readable description. Texts of Ledgerbell are in the viewer's language; texts of members and integrations are
    /// not translated.
    #[graphql(directive = in_language::apply())]
    async fn description(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        if self.is_described_by_hand() {
            return Ok(self.0.description.clone());
        }
        scope(ctx)?.in_words(&self.0.description).await
    }

    /// Who caused it.
    async fn actor(&self) -> Actor {
        Actor::new(self.0.account_id, self.0.cause)
    }

    /// The team member who used the credits. Null for top-ups, grants and corrections that belong to no single member.
    async fn member(&self, ctx: &Context<'_>) -> Nullable<Member> {
        find(ctx, self.0.account_id, self.0.member_id?).await
    }

    /// The session that it belongs to. Null when there is none.
    async fn session(&self, ctx: &Context<'_>) -> Nullable<Session> {
        find(ctx, self.0.account_id, self.0.session_id?).await
    }

    /// The top-up that it belongs to. Null when there is none. [auth: `READ_CREDIT_LOG`]
    async fn top_up(&self, ctx: &Context<'_>) -> Nullable<TopUp> {
        find(ctx, self.0.account_id, self.0.top_up_id?).await
    }

    /// The entry that this one reverses or refunds. Null when it does neither.
    async fn reverses(&self, ctx: &Context<'_>) -> Nullable<CreditEntry> {
        find(ctx, self.0.account_id, self.0.reverses?).await
    }

    /// Entries that reverse this one or refund part of it, oldest first. Contains the first 100; reversedByCount is the total
    /// number.
    async fn reversed_by(&self, ctx: &Context<'_>) -> Result<Vec<CreditEntry>, ApiError> {
        let entries = scope(ctx)?.loaders.reversals(self.0.account_id, self.0.id).await?;
        let entries = entries.unwrap_or_default().entries;
        Ok(entries.into_iter().map(CreditEntry::new).collect())
    }

    /// The number of entries that reverse this one or refund part of it.
    async fn reversed_by_count(&self, ctx: &Context<'_>) -> Result<i32, ApiError> {
        let entries = scope(ctx)?.loaders.reversals(self.0.account_id, self.0.id).await?;
        Ok(entries.map_or(0, |entries| i32::try_from(entries.total).unwrap_or(i32::MAX)))
    }

    /// The lots from which credits were taken (negative) or to which they were added (positive). Empty for callers without
    /// `READ_CREDIT_LOG`.
    async fn lot_draws(&self, ctx: &Context<'_>) -> Result<Vec<LotDraw>, ApiError> {
        let scope = scope(ctx)?;
        if !scope.actor().permissions().has(Permission::ReadCreditLog) {
            return Ok(Vec::new());
        }
        let draws = scope.loaders.draws(self.0.account_id, self.0.id).await?;
        let account_id = self.0.account_id;
        Ok(draws
            .unwrap_or_default()
            .into_iter()
            .map(|draw| LotDraw::new(account_id, draw))
            .collect())
    }

    /// Chain hash over this entry and the previous one, in hexadecimal; `ledgerbell verify` recomputes it.
    async fn hash(&self) -> String {
        self.hash_text()
    }

    /// The account of the log.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account, ApiError> {
        Account::load(ctx, self.0.account_id).await
    }
}

/// One item of a page, and its cursor.
#[derive(async_graphql::SimpleObject, Clone)]
pub(crate) struct CreditEntryEdge {
    /// The position of the item in this list, with this filter and order.
    pub cursor: String,
    /// The item.
    pub node: CreditEntry,
}

pub(crate) struct CreditEntryConnection {
    edges: Vec<CreditEntryEdge>,
    page_info: crate::graphql::connection::PageInfo,
    account_id: AccountId,
    filter: credit_log::CreditLogFilter,
    end: Option<credit_log::LogEnd>,
    followed: Followed,
}

impl CreditEntryConnection {
    pub(in crate::graphql) fn new(
        (items, page_info): (Vec<(String, credit_log::Entry)>, crate::graphql::connection::PageInfo),
        (account_id, filter, end): (AccountId, credit_log::CreditLogFilter, Option<credit_log::LogEnd>),
        followed: Followed,
    ) -> Self {
        let edge = |(cursor, entry)| CreditEntryEdge {
            cursor,
            node: CreditEntry::new(entry),
        };
        Self {
            edges: items.into_iter().map(edge).collect(),
            page_info,
            account_id,
            filter,
            end,
            followed,
        }
    }
}

/// A page of the credit log.
#[Object]
impl CreditEntryConnection {
    /// The entries with their cursors.
    async fn edges(&self) -> Rows<'_, CreditEntryEdge> {
        Rows(self.edges.iter().collect())
    }

    /// The entries without their cursors.
    async fn nodes(&self) -> Rows<'_, CreditEntry> {
        Rows(self.edges.iter().map(|edge| &edge.node).collect())
    }

    /// The position of the page in the list.
    async fn page_info(&self) -> &crate::graphql::connection::PageInfo {
        &self.page_info
    }

    /// The position in the account's event stream just before this page was read: follow the list from here. It belongs to this
    /// list, so a cache stores it with the page. Unlike account.liveCursor, no other query moves it.
    async fn live_cursor(&self, ctx: &Context<'_>) -> Result<LiveCursorText, ApiError> {
        self.followed.text(ctx).await
    }

    /// Sums over the whole filter, not this page. Computed only when selected, also with first: 0.
    async fn totals(&self, ctx: &Context<'_>) -> Nullable<CreditTotals> {
        nullable(async {
            let scope = scope(ctx)?;
            let log = scope.services.credit_log.up_to(self.end);
            let totals = log.totals(scope.actor(), self.account_id, &self.filter).await?;
            Ok(Some(totals.into()))
        })
        .await
    }
}
