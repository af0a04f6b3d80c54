//! The account, which all other objects belong to.

mod lists;

use async_graphql::{Context, ID, Object};

use super::account_subscription::{self, EventPage, LiveTopic};
use super::api_key::ApiKey;
use super::money::Money;
use super::person::{Member, MemberConnection, MemberRole};
use crate::domain::event::LiveCursor;
use crate::domain::filter::{AnyOf, Given, key};
use crate::domain::forecast::TrialSettings;
use crate::domain::ledger::credit_log::LogEnd;
use crate::domain::ledger::credit_log::search::Search;
use crate::domain::ledger::model::AccountStatus as Status;
use crate::domain::ledger::{self, Posted};
use crate::domain::member;
use crate::graphql::connection::PageArguments;
use crate::graphql::context::{Scope, public_id, scope};
use crate::graphql::errors::{ApiError, Nullable, found, nullable, visible};
use crate::graphql::forecast::{self, AutoTopUpSimulation, Forecast};
use crate::graphql::ledger::{
    AccountStatus, Balance, BalanceExplanation, CreditEntryConnection, CreditLogFilter, CreditLot, CreditLotConnection,
    CreditUsage, CreditUsageConnection, Eligibility, ExportFormat, ExportLink, Session, SessionConnection,
    SessionFilter, SessionOrder, SortOrder, UsageGrouping, at_most_100, explain_balance, export_link,
};
use crate::graphql::live::event_page;
use crate::graphql::loaders::must_exist;
use crate::graphql::notification::{AlertConnection, AlertFilter, NotificationAddress, NotificationDefaults, inbox};
use crate::graphql::scalars::{Decimal, LiveCursorText, TimeZone};
use crate::graphql::top_up::{AutoTopUp, PaymentMethod, TopUpConnection, TopUpFilter, TopUpQuote};
use crate::graphql::troubleshooting::{Finding, LastFindings, findings};
use crate::graphql::viewer::of_viewer;
use crate::graphql::webhook_endpoint::WebhookEndpoint;
use crate::primitives::actor::Permission;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::cursor::CursorScope;
use crate::primitives::ids::{AccountId, GlobalId};

#[derive(Clone, Debug)]
pub(crate) struct Account {
    row: member::Account,
    /// The balance if it is already known: right after a command, in the state of that command.
    balance: Option<ledger::Balance>,
    live_cursor: Option<LiveCursor>,
    /// The end of the credit log when the account was read, if it was read with it and the log may end there.
    log_end: Option<LogEnd>,
}

impl Account {
    /// Returns the account as the field of another object.
    pub(in crate::graphql) fn new(scope: &Scope, row: member::Account) -> Self {
        Self {
            live_cursor: scope.live_cursors.get(&row.id).copied(),
            row,
            balance: None,
            log_end: None,
        }
    }

    /// As [`Self::new`], for an account that was read with the end of its log. Its log may be read from a replica, up to there.
    ///
    /// Not where a live cursor may be read after the account: an entry that is posted in between would be neither in the log nor
    /// after the cursor.
    pub(in crate::graphql) fn known(scope: &Scope, known: member::KnownAccount) -> Self {
        let mut account = Self::new(scope, known.account);
        let may_end = account.live_cursor.is_some() || !scope.selects_live_cursor;
        account.log_end = may_end.then_some(known.log_end);
        account
    }

    /// Returns the account of an object that the caller may see, so that the account exists for the caller.
    pub(in crate::graphql) async fn load(ctx: &Context<'_>, account_id: AccountId) -> Result<Self, ApiError> {
        let scope = scope(ctx)?;
        let known = must_exist(scope.loaders.account(account_id).await?, "account")?;
        Ok(Self::known(scope, known))
    }

    /// Returns the account right after a command. Its cursor is the cursor of the command, so that no later event is missed.
    pub(in crate::graphql) async fn after(ctx: &Context<'_>, posted: &Posted) -> Result<Self, ApiError> {
        let mut account = Self::load(ctx, posted.account_id).await?;
        account.live_cursor = Some(posted.live_cursor);
        account.balance = Some(posted.balance.clone());
        Ok(account)
    }

    async fn current_balance(&self, ctx: &Context<'_>) -> Result<ledger::Balance, ApiError> {
        match &self.balance {
            Some(balance) => Ok(balance.clone()),
            None => must_exist(scope(ctx)?.loaders.balance(self.row.id).await?, "balance"),
        }
    }

    /// Returns the balance if the caller may see it. The balance of a command is shown to every caller of the command.
    async fn visible_balance(&self, ctx: &Context<'_>) -> Result<ledger::Balance, ApiError> {
        if self.balance.is_none() {
            scope(ctx)?.actor().require(self.row.id, Permission::ReadOwnUsage)?;
        }
        self.current_balance(ctx).await
    }

    /// Returns the scope of the page cursors of one of this account's lists.
    fn list(&self, name: &str, filter: &str, order: &str) -> CursorScope {
        CursorScope::of(&[name, &self.row.id.number().to_string(), filter, order])
    }
}

/// The prepaid account of a team, with one balance. Fields that name a permission after `auth` are null, without an error, for
/// viewers who do not have it; `viewer.permissions` lists the viewer's permissions. So one document serves all members of a
/// team.
#[Object]
impl Account {
    /// Opaque id, for `node`, arguments and inputs. It is no secret and can be guessed; access depends on the credential alone.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(GlobalId::account(self.row.id))
    }

    /// The platform's own id.
    async fn external_id(&self) -> Option<&str> {
        self.row.external_id.as_deref()
    }

    /// The team's name.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// What the account may do.
    async fn status(&self, ctx: &Context<'_>) -> Result<AccountStatus, ApiError> {
        Ok(self.current_balance(ctx).await?.status.into())
    }

    /// The human-readable reason of the freeze. Null unless FROZEN.
    async fn frozen_reason(&self, ctx: &Context<'_>) -> Nullable<String> {
        nullable(async {
            let balance = self.current_balance(ctx).await?;
            Ok(balance.halt_reason.filter(|_| balance.status == Status::Frozen))
        })
        .await
    }

    /// The time zone of the account's days and months.
    async fn timezone(&self) -> TimeZone {
        TimeZone(self.row.timezone)
    }

    /// Price of one credit.
    async fn credit_price(&self) -> Money {
        Money {
            amount: Decimal(self.row.credit_price.to_decimal()),
            currency: self.row.currency,
        }
    }

    /// The current balance.
    async fn balance(&self, ctx: &Context<'_>) -> Result<Balance, ApiError> {
        self.visible_balance(ctx).await.map(Balance::new)
    }

    /// Whether sessions can be booked and joined.
    async fn eligibility(&self, ctx: &Context<'_>) -> Result<Eligibility, ApiError> {
        Ok(Eligibility::from(&self.visible_balance(ctx).await?))
    }

    /// The credit log, newest first: every credit that was added or deducted, who caused it, and for which session. A member
    /// without `READ_CREDIT_LOG` sees their own entries.
    #[allow(clippy::too_many_arguments, reason = "they are the contract's")]
    async fn credit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries; all when left out.")] filter: Option<CreditLogFilter>,
        #[graphql(desc = "Newest or oldest first.", default_with = "Some(SortOrder::NewestFirst)")] order: Option<
            SortOrder,
        >,
        #[graphql(
            desc = "How many to return from the start of the list, at most 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same filter and order.")] after: Option<String>,
        #[graphql(desc = "How many to return from the end of the list, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor of the same filter and order.")] before: Option<String>,
    ) -> Nullable<CreditEntryConnection> {
        let arguments = PageArguments::both((first, after), (last, before));
        nullable(self.credit_log_page(ctx, filter, order, arguments)).await
    }

    /// Sums over the same filter as creditLog, grouped.
    #[allow(clippy::too_many_arguments, reason = "they are the contract's")]
    async fn credit_usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries; all when left out.")] filter: Option<CreditLogFilter>,
        #[graphql(desc = "What the sums are grouped by: any of MEMBER, KIND, ACTOR, and at most one period.")] group_by: Vec<UsageGrouping>,
        #[graphql(desc = "Where periods begin and end; the account's own time zone when left out.")] timezone: Option<
            TimeZone,
        >,
        #[graphql(desc = "How many groups to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only groups after this cursor of the same filter and grouping.")] after: Option<String>,
    ) -> Nullable<CreditUsageConnection> {
        nullable(async {
            let scope = scope(ctx)?;
            at_most_100("groupBy", Some(&group_by))?;
            let filter = filter.unwrap_or_default().for_account(self.row.id)?;
            let timezone = timezone.map(|zone| zone.0);
            let group_by: Vec<ledger::credit_log::UsageGrouping> = group_by.into_iter().map(Into::into).collect();
            let grouping = key(&(&group_by, timezone.map(chrono_tz::Tz::name)))?;
            let list = self.list("credit_usage", &key(&filter)?, &grouping);
            let request = PageArguments::forward(first, after).request(list)?;
            let log = scope.services.credit_log.up_to(self.log_end);
            let page = log
                .usage(scope.actor(), self.row.id, &filter, &group_by, timezone, &request)
                .await?;
            let page = page.map(|group| CreditUsage::new(self.row.id, group));
            Ok(Some(CreditUsageConnection::new(request.relay(page))))
        })
        .await
    }

    /// A link to the whole filtered log as a file. It is produced during the download, so its size does not matter. Each entry
    /// has its instant in UTC, and the local time in the account's current time zone. Texts of Ledgerbell are in English.
    #[graphql(directive = of_viewer::apply())]
    async fn credit_log_export(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries; all when left out.")] filter: Option<CreditLogFilter>,
        #[graphql(desc = "The format of the file.", default_with = "Some(ExportFormat::Csv)")] format: Option<
            ExportFormat,
        >,
        #[graphql(
            desc = "Whether CSV begins with a byte-order mark, without which Excel garbles letters beyond ASCII. JSONL never does.",
            default_with = "Some(true)"
        )]
        bom: Option<bool>,
    ) -> Nullable<ExportLink> {
        let file = (format.unwrap_or(ExportFormat::Csv), bom.unwrap_or(true));
        export_link(ctx, self.row.id, filter, file).await
    }

    /// Sessions. A member without `READ_CREDIT_LOG` sees their own.
    #[allow(clippy::too_many_arguments, reason = "they are the contract's")]
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sessions; all when left out.")] filter: Option<SessionFilter>,
        #[graphql(
            desc = "The instant that the list is ordered by.",
            default_with = "Some(SessionOrder::BookedAt)"
        )]
        order_by: Option<SessionOrder>,
        #[graphql(desc = "Newest or oldest first.", default_with = "Some(SortOrder::NewestFirst)")] order: Option<
            SortOrder,
        >,
        #[graphql(
            desc = "How many to return from the start of the list, at most 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same filter and order.")] after: Option<String>,
        #[graphql(desc = "How many to return from the end of the list, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor of the same filter and order.")] before: Option<String>,
    ) -> Nullable<SessionConnection> {
        let arguments = PageArguments::both((first, after), (last, before));
        nullable(self.sessions_page(ctx, filter, (order_by, order), arguments)).await
    }

    /// Credit lots, oldest first. [auth: `READ_CREDIT_LOG`]
    async fn credit_lots(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Whether lots without remaining credits are included.",
            default_with = "Some(false)"
        )]
        include_spent: Option<bool>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same list.")] after: Option<String>,
    ) -> Nullable<CreditLotConnection> {
        visible(async {
            let scope = scope(ctx)?;
            let include_spent = include_spent.unwrap_or(false);
            let list = self.list("credit_lots", &include_spent.to_string(), "");
            let request = PageArguments::forward(first, after).request(list)?;
            let lots = &scope.services.lots;
            let page = lots.page(scope.actor(), self.row.id, include_spent, &request).await?;
            let page = page.map(|lot| CreditLot::new(self.row.id, lot));
            Ok(Some(CreditLotConnection::new(request.relay(page))))
        })
        .await
    }

    /// The team, in the order they joined. [auth: `READ_CREDIT_LOG` or `MANAGE_MEMBERS`]
    #[allow(clippy::too_many_arguments, reason = "they are the contract's")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only members whose name has all of these words, each as the beginning of a word, in any case. In scripts without spaces, any part of the name."
        )]
        search: Option<String>,
        #[graphql(desc = "Only members with one of these external ids.")] external_ids: Option<Vec<String>>,
        #[graphql(desc = "Only members with one of these roles.")] roles: Option<Vec<MemberRole>>,
        #[graphql(
            desc = "Whether members who left the team are included.",
            default_with = "Some(false)"
        )]
        include_removed: Option<bool>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same filter.")] after: Option<String>,
    ) -> Nullable<MemberConnection> {
        visible(async {
            let scope = scope(ctx)?;
            let filter = member::MemberFilter {
                search: Given::parse("search", search, Search::parse)?,
                external_ids: AnyOf::new("externalIds", external_ids)?,
                roles: AnyOf::new("roles", roles)?,
                include_removed: include_removed.unwrap_or(false),
            };
            let list = self.list("members", &key(&filter)?, "");
            let request = PageArguments::forward(first, after).request(list)?;
            let members = &scope.services.members;
            let page = members
                .page(scope.actor(), self.row.id, &filter, request.clone())
                .await?;
            Ok(Some(MemberConnection::new(request.relay(page.map(Member::new)))))
        })
        .await
    }

    /// The notifications of members without their own settings. [auth: `MANAGE_SETTINGS`]
    async fn notification_defaults(&self, ctx: &Context<'_>) -> Nullable<NotificationDefaults> {
        visible(async {
            let scope = scope(ctx)?;
            let settings = &scope.services.notification_settings;
            let defaults = settings.defaults(scope.actor(), self.row.id).await?;
            Ok(Some(NotificationDefaults::new(defaults)))
        })
        .await
    }

    /// Addresses that get alerts by e-mail and are no member's, in the order they were added: at most 20. [auth: `MANAGE_SETTINGS`]
    async fn notification_addresses(&self, ctx: &Context<'_>) -> Nullable<Vec<NotificationAddress>> {
        visible(async {
            let scope = scope(ctx)?;
            let addresses = &scope.services.notification_addresses;
            let addresses = addresses.of_account(scope.actor(), self.row.id).await?;
            Ok(Some(addresses.into_iter().map(NotificationAddress::new).collect()))
        })
        .await
    }

    /// Endpoints that get messages about the account's events, in the order of their creation: at most 20. [auth: `MANAGE_SETTINGS`]
    async fn webhook_endpoints(&self, ctx: &Context<'_>) -> Nullable<Vec<WebhookEndpoint>> {
        visible(async {
            let scope = scope(ctx)?;
            let endpoints = &scope.services.webhook_endpoints;
            let endpoints = endpoints.list(scope.actor(), self.row.id).await?;
            Ok(Some(endpoints.into_iter().map(WebhookEndpoint::new).collect()))
        })
        .await
    }

    /// The member with this external id. Null when there is none that the caller may see.
    async fn member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The platform's own id.")] external_id: String,
    ) -> Nullable<Member> {
        nullable(async {
            let scope = scope(ctx)?;
            let members = &scope.services.members;
            let member = members
                .find_by_external_id(scope.actor(), self.row.id, &external_id)
                .await;
            Ok(found(member)?.flatten().map(Member::new))
        })
        .await
    }

    /// The session with this external id: the open one, otherwise the newest.
    async fn session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The platform's own id.")] external_id: String,
    ) -> Nullable<Session> {
        nullable(async {
            let scope = scope(ctx)?;
            let sessions = &scope.services.sessions;
            let newest = sessions
                .newest_by_external_ids(
                    scope.actor(),
                    self.row.id,
                    std::slice::from_ref(&external_id),
                    scope.now(),
                )
                .await;
            let session = found(newest)?.and_then(|mut sessions| sessions.remove(&external_id));
            Ok(session.map(|session| Session::new(self.row.id, session)))
        })
        .await
    }

    /// Purchases of credits. [auth: `READ_CREDIT_LOG`]
    #[allow(clippy::too_many_arguments, reason = "they are the contract's")]
    async fn top_ups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which top-ups; all when left out.")] filter: Option<TopUpFilter>,
        #[graphql(desc = "Newest or oldest first.", default_with = "Some(SortOrder::NewestFirst)")] order: Option<
            SortOrder,
        >,
        #[graphql(
            desc = "How many to return from the start of the list, at most 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same filter and order.")] after: Option<String>,
        #[graphql(desc = "How many to return from the end of the list, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor of the same filter and order.")] before: Option<String>,
    ) -> Nullable<TopUpConnection> {
        let arguments = PageArguments::both((first, after), (last, before));
        visible(self.top_ups_page(ctx, filter, order, arguments)).await
    }

    /// The price of a top-up with this number of credits, and how many can be bought.
    async fn top_up_quote(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number of credits.")] credits: Credits,
    ) -> Nullable<TopUpQuote> {
        nullable(async {
            let scope = scope(ctx)?;
            let quoted = scope.services.top_ups.quote(scope.actor(), self.row.id, credits).await;
            Ok(Some(quoted?.into()))
        })
        .await
    }

    /// The rule by which the account buys credits automatically. [auth: `READ_CREDIT_LOG` or `BUY_CREDITS`]
    async fn auto_top_up(&self, ctx: &Context<'_>) -> Nullable<AutoTopUp> {
        visible(async {
            let scope = scope(ctx)?;
            let view = scope.services.auto_top_ups.view(scope.actor(), self.row.id).await?;
            Ok(Some(AutoTopUp::new(view)))
        })
        .await
    }

    /// The balance at a past instant, and the entries and holds that it consists of; now when at is left out.
    /// [auth: `READ_CREDIT_LOG`]
    async fn explain_balance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The instant; not in the future.")] at: Option<Timestamp>,
    ) -> Nullable<BalanceExplanation> {
        explain_balance(ctx, self.row.id, at).await
    }

    /// How long credits last at the current rate, and when the rule next buys. [auth: `READ_CREDIT_LOG` or `BUY_CREDITS`]
    async fn forecast(&self, ctx: &Context<'_>) -> Nullable<Forecast> {
        forecast::forecast(ctx, self.row.id).await
    }

    /// What these settings of the rule would have done over the last 90 days. Nothing is saved or charged.
    /// [auth: `READ_CREDIT_LOG` or `BUY_CREDITS`]
    async fn simulate_auto_top_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rule buys when available credits are at or below this.")] trigger: Credits,
        #[graphql(desc = "The credits of one amount. One charge buys as many amounts as are needed.")] amount: Credits,
        #[graphql(desc = "The maximum money per calendar month, in the account's currency. No cap when left out.")]
        monthly_cap: Option<Decimal>,
        #[graphql(
            desc = "Whether the manual top-ups of that time are kept. Otherwise the rule has to buy their credits, too.",
            default_with = "Some(true)"
        )]
        with_manual_top_ups: Option<bool>,
    ) -> Nullable<AutoTopUpSimulation> {
        let trial = TrialSettings {
            trigger,
            amount,
            monthly_cap: monthly_cap.map(|cap| cap.0),
            keeps_manual: with_manual_top_ups.unwrap_or(true),
        };
        forecast::simulate(ctx, self.row.id, trial).await
    }

    /// Cards that can be charged, oldest first. [auth: `READ_CREDIT_LOG` or `BUY_CREDITS`]
    async fn payment_methods(&self, ctx: &Context<'_>) -> Nullable<Vec<PaymentMethod>> {
        visible(async {
            let scope = scope(ctx)?;
            let methods = scope.services.payment_methods.list(scope.actor(), self.row.id).await?;
            Ok(Some(methods.into_iter().map(PaymentMethod::new).collect()))
        })
        .await
    }

    /// What is wrong now, why, and which mutation fixes it; most severe first. Empty when nothing is wrong.
    /// [auth: `READ_CREDIT_LOG`]
    #[graphql(directive = of_viewer::apply())]
    async fn troubleshooting(&self, ctx: &Context<'_>) -> Nullable<Vec<Finding>> {
        visible(async { findings(ctx, self.row.id).await.map(Some) }).await
    }

    /// The number of findings when the account was last checked. Null before the first check. An account that a client follows for
    /// findings is checked within seconds of a change. All others are checked in turn: each quarter of an hour, and less often with
    /// more than 9,000 accounts. [auth: `READ_CREDIT_LOG`]
    async fn last_findings(&self, ctx: &Context<'_>) -> Nullable<LastFindings> {
        nullable(async {
            let found = scope(ctx)?.loaders.last_findings(self.row.id).await?;
            Ok(found.map(Into::into))
        })
        .await
    }

    /// The account's API keys, newest first. The team sees its own keys; the platform also sees the keys that it created for
    /// itself in this account.
    /// [auth: `MANAGE_API_KEYS`]
    async fn api_keys(&self, ctx: &Context<'_>) -> Nullable<Vec<ApiKey>> {
        visible(async {
            let scope = scope(ctx)?;
            let api_keys = scope.services.api_keys.list(scope.actor(), self.row.id).await?;
            Ok(Some(api_keys.into_iter().map(ApiKey::new).collect()))
        })
        .await
    }

    /// The viewer's inbox, newest first. An API key sees all of the account's alerts.
    /// [auth: OWN, or for keys `MANAGE_SETTINGS` or `READ_CREDIT_LOG`]
    #[allow(clippy::too_many_arguments, reason = "they are the contract's")]
    #[graphql(directive = of_viewer::apply())]
    async fn alerts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which alerts; all but archived ones when left out.")] filter: Option<AlertFilter>,
        #[graphql(
            desc = "How many to return from the start of the list, at most 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same filter.")] after: Option<String>,
        #[graphql(desc = "How many to return from the end of the list, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor of the same filter.")] before: Option<String>,
    ) -> Nullable<AlertConnection> {
        let arguments = PageArguments::both((first, after), (last, before));
        visible(async {
            let viewer = scope(ctx)?.actor().member_id();
            inbox(ctx, (self.row.id, viewer), filter, arguments).await.map(Some)
        })
        .await
    }

    /// The position in the account's event stream, read before all other data of this response. To follow a list that a cache
    /// stores, use the liveCursor of the list.
    async fn live_cursor(&self, ctx: &Context<'_>) -> Result<LiveCursorText, ApiError> {
        let cursor = if let Some(cursor) = self.live_cursor {
            cursor
        } else {
            let events = &scope(ctx)?.services.events;
            must_exist(events.present(self.row.id).await?, "stream")?
        };
        Ok(LiveCursorText(cursor.encode()))
    }

    /// The events after a cursor, for clients that cannot keep a connection open: the same events as accountUpdated. Null means
    /// from now on: the result has no events, but a cursor for the next call.
    #[graphql(directive = of_viewer::apply())]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only events after this cursor; none when null.")] after: Option<LiveCursorText>,
        #[graphql(
            desc = "The topics to return; all when left out, but ALERTS only where alerts or unreadCount are selected. Topics that the viewer may not see are left out."
        )]
        topics: Option<Vec<LiveTopic>>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
    ) -> Nullable<EventPage> {
        nullable(async {
            let scope = scope(ctx)?;
            let selects_inbox = account_subscription::selects_inbox(&ctx.look_ahead().field("events"));
            let interest = account_subscription::interest(scope, self.row.id, topics.as_deref(), selects_inbox)?;
            let moments = event_page(scope, self.row.id, interest, after.as_ref(), first).await?;
            Ok(Some(EventPage::new(moments)))
        })
        .await
    }

    /// Increases with every change of the account's settings; for expectedVersion.
    async fn version(&self) -> i32 {
        self.row.version
    }

    /// When it was created.
    async fn created_at(&self) -> Timestamp {
        self.row.created_at
    }
}

crate::graphql::connection::connection! {
    /// A page of accounts.
    AccountConnection, AccountEdge of Account
}
