//! Requests of members and integrations: start a top-up, retry it, cancel it. Each request is stored and answered; a worker
//! calls the gateway later.

use crate::primitives::clock::DAY;
use std::sync::Arc;

use crate::domain::fault::{Fault, InvalidInput, QueryError, Refused, UseCaseError};
use crate::domain::ledger;
use crate::domain::ledger::model::{AccountStatus, Binding, Canonical, KeyRecord, KeyRefusal, Origin, Outcome};
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId, PaymentMethodId, TopUpAttemptId, TopUpId};
use crate::primitives::money::Money;

use super::AccountTerms;
use super::TopUps;
use super::context::AccountTransaction;
use super::error::TopUpRefusal;
use super::model::{
    CancelRefusal, MAX_DECLINES, NewPurchase, PaymentMethod, Purchase, RetryFacts, RetryRefusal, TopUp, TopUpOrigin,
    next_card,
};
use super::store;

/// The period in which declines of a card count, in milliseconds.
pub(super) const DECLINES_SINCE: i64 = 30 * DAY;

/// A top-up to start.
#[derive(Clone, Debug)]
pub struct NewTopUp {
    /// The credits to buy.
    pub credits: Credits,
    /// The card; the default card if `None`.
    pub payment_method_id: Option<PaymentMethodId>,
    /// The member on whose behalf an API key acts.
    pub acting: Option<MemberId>,
    /// The idempotency key: the same key starts one top-up.
    pub key: String,
}

/// A retry of a top-up.
#[derive(Clone, Debug)]
pub struct TopUpRetry {
    /// The top-up to retry.
    pub top_up_id: TopUpId,
    /// A different card; if `None`, the last one if it still exists.
    pub payment_method_id: Option<PaymentMethodId>,
    /// The member on whose behalf an API key acts.
    pub acting: Option<MemberId>,
    /// The idempotency key: the same key makes one attempt.
    pub key: String,
}

/// The price of a top-up, and the limits of its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpQuote {
    /// The price of the requested credits, or why they cannot be bought.
    pub price: Result<Money, String>,
    /// The smallest number of credits that the gateway charges for.
    pub minimum: Credits,
    /// The largest number of credits.
    pub maximum: Credits,
    /// Amounts must be multiples of this.
    pub step: Credits,
}

/// The top-up, with the position in the account's stream directly after the change.
pub type ChangedTopUp = (TopUp, crate::domain::event::LiveCursor);

impl TopUps {
    /// Starts a top-up; it is charged within seconds. The same key of an account starts one top-up.
    pub async fn create(
        &self,
        actor: &Actor,
        account_id: AccountId,
        new: NewTopUp,
    ) -> Result<ChangedTopUp, UseCaseError<TopUpRefusal>> {
        actor.require(account_id, Permission::BuyCredits)?;
        ledger::check_key(&new.key)?;
        let asked = Arc::new((actor.clone(), new));
        self.context
            .transact(account_id, move |account| {
                let asked = Arc::clone(&asked);
                Box::pin(async move { create(account, &asked.0, &asked.1).await })
            })
            .await
    }

    /// Retries a top-up. Many requests, with one key or with several, make one attempt: the others find it in progress.
    pub async fn retry(
        &self,
        actor: &Actor,
        account_id: AccountId,
        again: TopUpRetry,
    ) -> Result<ChangedTopUp, UseCaseError<TopUpRefusal>> {
        actor.require(account_id, Permission::BuyCredits)?;
        ledger::check_key(&again.key)?;
        let asked = Arc::new((actor.clone(), again));
        self.context
            .transact(account_id, move |account| {
                let asked = Arc::clone(&asked);
                Box::pin(async move { retry(account, &asked.0, &asked.1).await })
            })
            .await
    }

    /// Cancels a top-up: at once if it can no longer be charged, otherwise as soon as the gateway has confirmed it.
    pub async fn cancel(
        &self,
        actor: &Actor,
        account_id: AccountId,
        top_up_id: TopUpId,
    ) -> Result<ChangedTopUp, UseCaseError<TopUpRefusal>> {
        actor.require(account_id, Permission::BuyCredits)?;
        self.context
            .transact(account_id, move |account| {
                Box::pin(async move { cancel(account, top_up_id).await })
            })
            .await
    }

    /// Returns the price of a number of credits.
    pub async fn quote(
        &self,
        actor: &Actor,
        account_id: AccountId,
        credits: Credits,
    ) -> Result<TopUpQuote, QueryError> {
        actor.require(account_id, Permission::ReadOwnUsage)?;
        let terms = store::account_terms(self.context.database.read(), account_id).await?;
        let least = self.context.gateway.minimum(terms.currency);
        Ok(TopUpQuote {
            price: price(&terms, credits, least),
            minimum: fewest(least, |credits| terms.price_of(credits)).unwrap_or(Credits::MAX),
            maximum: Credits::MAX,
            step: Credits::from_units(1),
        })
    }
}

/// Returns the price of a number of credits, or why they cannot be bought. A quote and a purchase have the same result.
fn price(terms: &AccountTerms, credits: Credits, least_minor: i64) -> Result<Money, String> {
    if !credits.is_positive() || credits > Credits::MAX {
        return Err(format!(
            "must be greater than 0 and at most {}; got {credits}",
            Credits::MAX
        ));
    }
    let price = terms.price_of(credits);
    let price = price.ok_or_else(|| "cost more than can be charged".to_owned())?;
    if price.minor >= least_minor {
        return Ok(price);
    }
    let least = terms.money(least_minor);
    let Some(fewest) = fewest(least_minor, |credits| terms.price_of(credits)) else {
        return Err(format!(
            "cost less than the minimum charge of {} {}, whatever their number: grant credits to this account instead",
            least.to_decimal(),
            least.currency
        ));
    };
    Err(format!(
        "cost less than the minimum charge of {} {}: buy at least {fewest}",
        least.to_decimal(),
        least.currency
    ))
}

/// Returns the smallest number of credits that cost at least `least_minor`; `None` if no number does.
fn fewest(least_minor: i64, price_of: impl Fn(Credits) -> Option<Money>) -> Option<Credits> {
    let is_enough = |units: i64| price_of(Credits::from_units(units)).is_none_or(|price| price.minor >= least_minor);
    let (mut low, mut high) = (0, Credits::MAX.units());
    // Invariant: `low` is too few or zero credits; `high` is enough or the maximum.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(Credits::from_units(high)).filter(|_| is_enough(high))
}

impl AccountTransaction<'_> {
    /// Returns the result of a known key, if the key is bound to this input and has not expired. Older versions computed other
    /// digests.
    pub(super) async fn replay(
        &self,
        key: &(Origin, String),
        digests: &[[u8; 32]],
    ) -> Result<Option<Purchase>, UseCaseError<TopUpRefusal>> {
        let Some(known) = self.locked.known_key(self.tx, key).await? else {
            return Ok(None);
        };
        let refused = |refusal| Refused(TopUpRefusal::IdempotencyKey(refusal));
        let outcome = known.replay(digests).map_err(refused)?;
        let top_up_id = outcome.top_up_id.ok_or(refused(KeyRefusal::Reused))?;
        Ok(store::purchase(self.tx, self.account_id, top_up_id).await?)
    }

    pub(super) async fn bind(
        &self,
        key: (Origin, String),
        operation: &'static str,
        digest: [u8; 32],
        top_up_id: TopUpId,
    ) -> Result<(), UseCaseError<TopUpRefusal>> {
        let outcome = Outcome {
            top_up_id: Some(top_up_id),
            ..Outcome::default()
        };
        let record = KeyRecord {
            binding: Binding::Input(digest),
            outcome,
            used_at: self.now,
        };
        Ok(self.locked.store_key(self.tx, key, operation, record).await?)
    }

    pub(super) async fn require_acting(&self, acting: Option<MemberId>) -> Result<(), UseCaseError<TopUpRefusal>> {
        let Some(member_id) = acting else {
            return Ok(());
        };
        match self.locked.member_standing(self.tx, member_id).await? {
            None => Err(Refused(TopUpRefusal::MemberNotFound)),
            Some(status) if status.is_removed => Err(Refused(TopUpRefusal::MemberRemoved)),
            Some(_) => Ok(()),
        }
    }

    pub(super) fn halted(&self) -> TopUpRefusal {
        TopUpRefusal::Halted {
            status: self.locked.header.status,
            reason: self.locked.header.halt_reason.clone(),
        }
    }

    pub(super) fn answer(&self, top_up: TopUp) -> ChangedTopUp {
        (top_up, self.locked.live_cursor())
    }

    pub(super) fn attempt_id(&mut self) -> TopUpAttemptId {
        TopUpAttemptId::from_uuid(self.ids.next_uuid())
    }
}

/// Returns the digests that a key is bound to: of the input and of the member on whose behalf the key acts. The last digest is
/// the one of older versions, which left the member out.
fn digests(operation: &str, acting: Option<MemberId>, input: impl Fn(&mut Canonical)) -> [[u8; 32]; 2] {
    let begin = |version| {
        let mut digest = Canonical::new(version, operation);
        input(&mut digest);
        digest
    };
    let mut digest = begin(2);
    digest.optional_id(acting.map(MemberId::uuid));
    [digest.finish(), begin(1).finish()]
}

/// Returns the named card, else the card that was charged last, else the default card.
fn choose_card(
    cards: &[PaymentMethod],
    named: Option<PaymentMethodId>,
    last: Option<PaymentMethodId>,
) -> Result<Option<&PaymentMethod>, UseCaseError<TopUpRefusal>> {
    let Some(named) = named else {
        return Ok(next_card(cards, last));
    };
    let mut present = cards.iter().filter(|card| card.removed_at.is_none());
    let card = present.find(|card| card.id == named);
    card.map(Some).ok_or(Refused(TopUpRefusal::CardNotFound))
}

async fn create(
    account: &mut AccountTransaction<'_>,
    actor: &Actor,
    new: &NewTopUp,
) -> Result<ChangedTopUp, UseCaseError<TopUpRefusal>> {
    let digests = digests("createTopUp", new.acting, |digest| {
        digest.number(new.credits.units());
        digest.optional_id(new.payment_method_id.map(PaymentMethodId::uuid));
    });
    let key = (Origin::of(actor), new.key.clone());
    if let Some(made) = account.replay(&key, &digests).await? {
        return Ok(account.answer(made.top_up));
    }
    account.require_acting(new.acting).await?;
    if account.locked.header.status != AccountStatus::Active {
        return Err(Refused(account.halted()));
    }
    let terms = store::account_terms(account.tx, account.account_id).await?;
    let least = account.minimum(terms.currency);
    let price = price(&terms, new.credits, least).map_err(|message| InvalidInput::new("credits", message))?;
    let cards = store::payment_methods(account.tx, account.account_id).await?;
    let card = choose_card(&cards, new.payment_method_id, None)?.ok_or(Refused(TopUpRefusal::CardMissing))?;
    if !card.may_be_charged_by_hand() {
        return Err(Refused(TopUpRefusal::CardSuspended));
    }
    let since = account.now.plus_millis(-DECLINES_SINCE);
    let declines = store::recent_declines(account.tx, account.account_id, since).await?;
    if declines
        .get(&card.fingerprint)
        .is_some_and(|declines| *declines >= MAX_DECLINES)
    {
        return Err(Refused(TopUpRefusal::TooManyDeclines(None)));
    }
    let cause = actor.cause(new.acting);
    let id = TopUpId::from_uuid(account.ids.next_uuid());
    let top_up = TopUp::new(
        (account.account_id, id),
        TopUpOrigin::Manual,
        (new.credits, price),
        cause,
        account.now,
    );
    let attempt = NewPurchase {
        attempt_id: account.attempt_id(),
        card,
        month: None,
        actor: cause,
    };
    let made = account.keep(None, Purchase::new(top_up, attempt), &[]).await?;
    account.bind(key, "createTopUp", digests[0], id).await?;
    Ok(account.answer(made.top_up))
}

async fn retry(
    account: &mut AccountTransaction<'_>,
    actor: &Actor,
    again: &TopUpRetry,
) -> Result<ChangedTopUp, UseCaseError<TopUpRefusal>> {
    let digests = digests("retryTopUp", again.acting, |digest| {
        digest.bytes(again.top_up_id.uuid().as_bytes());
        digest.optional_id(again.payment_method_id.map(PaymentMethodId::uuid));
    });
    let key = (Origin::of(actor), again.key.clone());
    if let Some(made) = account.replay(&key, &digests).await? {
        return Ok(account.answer(made.top_up));
    }
    account.require_acting(again.acting).await?;
    let found = store::purchase(account.tx, account.account_id, again.top_up_id).await?;
    let before = found.ok_or(Refused(TopUpRefusal::NotFound))?;
    let cards = store::payment_methods(account.tx, account.account_id).await?;
    let last = before.attempts.last().map(|attempt| attempt.payment_method_id);
    let card = choose_card(&cards, again.payment_method_id, last)?;
    let since = account.now.plus_millis(-DECLINES_SINCE);
    let declines = store::recent_declines(account.tx, account.account_id, since).await?;
    let facts = RetryFacts {
        status: account.locked.header.status,
        card,
        recent_declines: card
            .and_then(|card| declines.get(&card.fingerprint))
            .copied()
            .unwrap_or(0),
        open_automatic: store::open_automatic(account.tx, account.account_id).await?,
    };
    let mut after = before.clone();
    let attempt_id = account.attempt_id();
    let result = match facts.card {
        Some(card) => {
            let attempt = NewPurchase {
                attempt_id,
                card,
                month: None,
                actor: actor.cause(again.acting),
            };
            after.retry(&facts, attempt, account.now)
        }
        None => before.may_retry(&facts),
    };
    if let Err(refusal) = result {
        return Err(Refused(not_retried(account, before.top_up, refusal).await?));
    }
    let made = account.keep(Some(&before), after, &[]).await?;
    account.bind(key, "retryTopUp", digests[0], again.top_up_id).await?;
    Ok(account.answer(made.top_up))
}

async fn not_retried(
    account: &AccountTransaction<'_>,
    top_up: TopUp,
    refusal: RetryRefusal,
) -> Result<TopUpRefusal, Fault> {
    Ok(match refusal {
        RetryRefusal::InProgress(id) if id == top_up.id => TopUpRefusal::InProgress(Box::new(top_up)),
        RetryRefusal::InProgress(id) => {
            let other = store::find(account.tx, account.account_id, id).await?;
            TopUpRefusal::InProgress(Box::new(other.unwrap_or(top_up)))
        }
        RetryRefusal::Over(_) => TopUpRefusal::Over(Box::new(top_up)),
        RetryRefusal::Halted(_) => account.halted(),
        RetryRefusal::CardMissing => TopUpRefusal::CardMissing,
        RetryRefusal::CardSuspended => TopUpRefusal::CardSuspended,
        RetryRefusal::TooManyDeclines => TopUpRefusal::TooManyDeclines(Some(Box::new(top_up))),
    })
}

async fn cancel(
    account: &mut AccountTransaction<'_>,
    top_up_id: TopUpId,
) -> Result<ChangedTopUp, UseCaseError<TopUpRefusal>> {
    let found = store::purchase(account.tx, account.account_id, top_up_id).await?;
    let before = found.ok_or(Refused(TopUpRefusal::NotFound))?;
    let mut after = before.clone();
    match after.cancel(account.now) {
        Ok(()) => {}
        Err(CancelRefusal::InProgress | CancelRefusal::Over(_)) => {
            return Err(Refused(TopUpRefusal::NotCancelable(Box::new(before.top_up))));
        }
    }
    let made = account.keep(Some(&before), after, &[]).await?;
    Ok(account.answer(made.top_up))
}
