//! Reacts to events and to the time, under the account's lock: raises and ends alerts, and then evaluates the current state.

use std::time::Duration;

use crate::domain::database::Transaction;
use crate::domain::event::PurchaseLimit;
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::domain::ledger::model::AccountStatus;
use crate::domain::top_up::{TopUps, locked_rule};
use crate::primitives::clock::Timestamp;

use super::balance::{self, OF_ACCOUNT};
use super::bounces;
use super::broken_endpoints;
use super::causes::{Cause, Causes};
use super::model::{AlertKind, Due, Facts, earliest};
use super::new_alerts::{NewAlert, raise, raise_all, resolve_alert};
use super::store::OpenEdge;
use super::{reminders, rule, store};

/// Maximum limits that one transaction announces. Each needs its own statements.
const MOST_LIMITS: usize = 3;

/// Raises and ends alerts for causes, in their order, and then evaluates what they may have changed. It continues with the next
/// event until it has held the account's lock for `most_held`. If events are left for the next transaction, it returns the last
/// event that it processed.
pub(super) async fn handle(
    tx: &Transaction,
    locked: &mut LockedAccount,
    top_ups: &TopUps,
    (causes, most_held): (&Causes, Duration),
) -> Result<Option<i64>, Fault> {
    let mut limits = Vec::new();
    let mut has_changed = false;
    let mut news = Vec::new();
    let mut stopped_at = None;
    let mut done = None;
    for (sequence, cause) in &causes.list {
        // The causes of one event stay together.
        let is_next = done.is_some_and(|done| done < *sequence);
        if is_next && (locked.locked_since().elapsed() >= most_held || limits.len() >= MOST_LIMITS) {
            stopped_at = done;
            break;
        }
        done = Some(*sequence);
        match cause {
            // Consecutive alerts are raised by the same statements.
            Cause::Raise(new) => {
                news.push(NewAlert::clone(new));
                continue;
            }
            Cause::Limit { limit, at } => {
                limits.push((*limit, *at));
                continue;
            }
            Cause::Changed => {
                has_changed = true;
                continue;
            }
            _ => raise_each(tx, locked, &mut news).await?,
        }
        match cause {
            Cause::TopUpFailed { first, gave_up } => {
                let is_first = raise(tx, locked, first).await?.is_some();
                if let Some(gave_up) = gave_up.as_ref().filter(|_| !is_first) {
                    raise(tx, locked, gave_up).await?;
                }
            }
            Cause::TopUpOver { top_up_id, ended } => {
                for (alert_id, kind) in store::open_of_top_up(tx, locked.header.account_id, *top_up_id).await? {
                    if ended.contains(&kind) {
                        resolve_alert(tx, locked, alert_id).await?;
                    }
                }
            }
            Cause::SessionOver(alert_id) => resolve_alert(tx, locked, *alert_id).await?,
            Cause::Status { status, sequence, at } => status_changed(tx, locked, *status, (*sequence, *at)).await?,
            Cause::Raise(_) | Cause::Limit { .. } | Cause::Changed => {}
        }
    }
    raise_each(tx, locked, &mut news).await?;
    if causes.members {
        bounces::look(tx, locked).await?;
    }
    let before = store::due(tx, locked.header.account_id).await?;
    let mut due = before;
    let is_time = before.remind_at.is_some_and(|at| locked.now >= at);
    // Credits that were about to expire may have been used.
    has_changed |= causes.balance && store::are_credits_expiring(tx, locked.header.account_id).await?;
    if has_changed || is_time || !limits.is_empty() {
        due.remind_at = look_ahead(tx, locked, &limits, causes.endpoints).await?;
    }
    if causes.balance {
        due.held_until = balance::look(tx, locked, top_ups, before.held_until).await?;
    }
    if due != before {
        store::save_due(tx, locked.header.account_id, due).await?;
    }
    Ok(stopped_at)
}

/// Raises consecutive alerts and empties the list.
async fn raise_each(tx: &Transaction, locked: &mut LockedAccount, news: &mut Vec<NewAlert>) -> Result<(), Fault> {
    if !news.is_empty() {
        raise_all(tx, &mut [(locked, news.as_slice())]).await?;
        news.clear();
    }
    Ok(())
}

/// Evaluates the rule, the card and the expiring credits, and webhook endpoints that may have changed. Returns when to evaluate them again.
async fn look_ahead(
    tx: &Transaction,
    locked: &mut LockedAccount,
    limits: &[(PurchaseLimit, Timestamp)],
    endpoints_changed: bool,
) -> Result<Option<Timestamp>, Fault> {
    let account_id = locked.header.account_id;
    let standing = store::standing(tx, account_id).await?;
    if endpoints_changed {
        broken_endpoints::look(tx, locked, &standing).await?;
    }
    let found = locked_rule(tx, account_id).await?;
    let mut again = rule::look(tx, locked, found.as_ref(), &standing).await?;
    for limit in limits {
        again = earliest(again, rule::cap_reached(tx, locked, found.as_ref(), *limit).await?);
    }
    Ok(earliest(again, reminders::look(tx, locked, &standing).await?))
}

/// Evaluates an account at its scheduled time. Does nothing if another process has done so meanwhile.
pub(super) async fn check_again(tx: &Transaction, locked: &mut LockedAccount, top_ups: &TopUps) -> Result<(), Fault> {
    let due: Due = store::due(tx, locked.header.account_id).await?;
    if due.at().is_none_or(|at| locked.now < at) {
        return Ok(());
    }
    let causes = Causes {
        balance: due.held_until.is_some(),
        ..Causes::default()
    };
    // There are no events, so none is left.
    handle(tx, locked, top_ups, (&causes, Duration::MAX)).await?;
    Ok(())
}

/// Freezing is an edge of the account. Events carry the status also where something else has changed.
async fn status_changed(
    tx: &Transaction,
    locked: &mut LockedAccount,
    status: AccountStatus,
    (sequence, at): (i64, Timestamp),
) -> Result<(), Fault> {
    let account_id = locked.header.account_id;
    let edge = (AlertKind::AccountFrozen, OF_ACCOUNT);
    let open = store::edges(tx, account_id).await?.get(&edge).map(|open| open.alert_id);
    let new = |kind: AlertKind| NewAlert::new(kind, format!("{}:{sequence}", kind.as_str()), at);
    match (status, open) {
        (AccountStatus::Frozen, None) => {
            let frozen = NewAlert {
                facts: Facts {
                    reason: locked.header.halt_reason.clone(),
                    ..Facts::default()
                },
                ..new(AlertKind::AccountFrozen)
            };
            if let Some(alert) = raise(tx, locked, &frozen).await? {
                store::open_edge(tx, account_id, edge, OpenEdge::of(alert.id)).await?;
            }
        }
        (AccountStatus::Active, Some(alert_id)) => {
            store::close_edge(tx, account_id, edge).await?;
            resolve_alert(tx, locked, alert_id).await?;
            raise(tx, locked, &new(AlertKind::AccountUnfrozen)).await?;
        }
        (AccountStatus::Closed, Some(alert_id)) => {
            store::close_edge(tx, account_id, edge).await?;
            resolve_alert(tx, locked, alert_id).await?;
        }
        (AccountStatus::Frozen, Some(_)) | (AccountStatus::Active | AccountStatus::Closed, None) => {}
    }
    Ok(())
}
