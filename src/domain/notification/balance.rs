//! Evaluates a balance: raises and ends the alerts about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::domain::top_up::{TopUps, locked_rule};
use crate::primitives::clock::{MINUTE, Timestamp};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, AlertId, MemberId, RecipientId};

use super::model::{AlertKind, Audience, Crossing, Facts, OpenEdges, cross};
use super::new_alerts::{NewAlert, raise, record_resolved, resolve_alert};
use super::store::{self, Addressed, OpenEdge};

/// Stands for the recipient where an edge belongs to the account.
pub(super) const OF_ACCOUNT: RecipientId = RecipientId::Member(MemberId::from_uuid(Uuid::nil()));

/// How long alerts about the balance wait for credits that are about to come.
const HELD_MILLIS: i64 = MINUTE;

type Edges = HashMap<(AlertKind, RecipientId), OpenEdge>;

/// The values that a balance is compared with.
#[derive(Debug)]
pub(super) struct Levels {
    /// The threshold of each admin, and of each address that chose the kind: their own, or else the trigger of the account's rule
    /// while the rule is on.
    pub(super) thresholds: BTreeMap<RecipientId, Credits>,
    /// Edges that were announced and have not ended.
    pub(super) open: OpenEdges,
    edges: Edges,
}

/// Reads the values that an account's balance is compared with.
pub(super) async fn levels(tx: &Transaction, account_id: AccountId) -> Result<Levels, Fault> {
    let edges = store::edges(tx, account_id).await?;
    let watching = Addressed {
        account_id,
        audience: Audience::Admins,
        subject: None,
        kind: AlertKind::LowBalance,
    };
    let watching = store::recipients(tx, &[watching]).await?.into_iter().flatten();
    let rule = locked_rule(tx, account_id).await?;
    let trigger = rule.and_then(|rule| rule.watched_level());
    let threshold = |recipient: store::Recipient| Some((recipient.id, recipient.wishes.low_level(trigger)?));
    let low = edges.iter().filter(|((kind, _), _)| *kind == AlertKind::LowBalance);
    Ok(Levels {
        thresholds: watching.filter_map(threshold).collect(),
        open: OpenEdges {
            low: low.map(|((_, recipient), edge)| (*recipient, edge.level)).collect(),
            depleted: edges.contains_key(&(AlertKind::BalanceDepleted, OF_ACCOUNT)),
        },
        edges,
    })
}

/// Whether an evaluation would change nothing, for this balance and this number of entries.
pub(super) async fn is_quiet(
    tx: &Transaction,
    account_id: AccountId,
    (available, entries): (Credits, i64),
) -> Result<bool, Fault> {
    Ok(compare(tx, account_id, (available, entries)).await?.is_none())
}

/// Compares the available credits with the thresholds that the transaction sees. Returns `None` where that changes nothing.
async fn compare(
    tx: &Transaction,
    account_id: AccountId,
    (available, entries): (Credits, i64),
) -> Result<Option<(Levels, Crossing)>, Fault> {
    if entries == 0 {
        // An account that has never had credits has not run out of them. A requested top-up does not count yet.
        return Ok(None);
    }
    let levels = levels(tx, account_id).await?;
    let crossing = cross(available, &levels.thresholds, &levels.open);
    Ok((!crossing.is_none()).then_some((levels, crossing)))
}

/// Raises and ends alerts for the balance, compared with the current thresholds. An alert waits while credits are about to come: until
/// they have come or failed, and for at most a minute. `held_until` is the start of that wait; the function returns its new value.
///
/// A state that began and ended between two evaluations raises no alert, because no member could have acted on it.
pub(super) async fn look(
    tx: &Transaction,
    locked: &mut LockedAccount,
    top_ups: &TopUps,
    held_until: Option<Timestamp>,
) -> Result<Option<Timestamp>, Fault> {
    let header = &locked.header;
    let balance = (header.available(), header.entry_sequence);
    let Some((levels, mut crossing)) = compare(tx, header.account_id, balance).await? else {
        return Ok(None);
    };
    let until = held_until.unwrap_or(locked.now.plus_millis(HELD_MILLIS));
    // Credits of a manual payment are about to come, as well as those that the rule would buy.
    let is_worse = crossing.is_worse() && locked.now < until;
    let is_held = is_worse && (locked.header.incoming.is_positive() || top_ups.are_credits_coming(tx, locked).await?);
    if is_held {
        crossing = crossing.held_back();
    }
    end(tx, locked, &crossing, &levels.edges).await?;
    raise_all(tx, locked, &crossing, &levels).await?;
    Ok(is_held.then_some(until))
}

/// Raises the alerts of an evaluation.
async fn raise_all(
    tx: &Transaction,
    locked: &mut LockedAccount,
    crossing: &Crossing,
    Levels { thresholds, open, .. }: &Levels,
) -> Result<(), Fault> {
    let account_id = locked.header.account_id;
    // Every alert appends an event, so no two alerts of a kind have this number.
    let sequence = locked.header.event_sequence;
    let new = |kind: AlertKind, locked: &LockedAccount| NewAlert {
        facts: Facts {
            available: Some(locked.header.available().units()),
            ..Facts::default()
        },
        ..NewAlert::new(kind, format!("{}:{sequence}", kind.as_str()), locked.now)
    };
    if crossing.depleted {
        let depleted = new(AlertKind::BalanceDepleted, locked);
        if let Some(alert) = raise(tx, locked, &depleted).await? {
            let edge = (AlertKind::BalanceDepleted, OF_ACCOUNT);
            store::open_edge(tx, account_id, edge, OpenEdge::of(alert.id)).await?;
        }
    }
    if !crossing.low.is_empty() {
        let low = NewAlert {
            only: Some(crossing.low.clone()),
            ..new(AlertKind::LowBalance, locked)
        };
        // If one posting crosses several edges, only the worst one is announced.
        let is_worse = crossing.depleted || (open.depleted && !crossing.depleted_ended);
        let alert = if is_worse {
            record_resolved(tx, locked, &low).await?
        } else {
            raise(tx, locked, &low).await?
        };
        if let Some(alert) = alert {
            for recipient in &crossing.low {
                let edge = (AlertKind::LowBalance, *recipient);
                let level = thresholds.get(recipient).copied();
                let open = OpenEdge {
                    level,
                    ..OpenEdge::of(alert.id)
                };
                store::open_edge(tx, account_id, edge, open).await?;
            }
        }
    }
    if crossing.recovered {
        let recovered = new(AlertKind::BalanceRecovered, locked);
        raise(tx, locked, &recovered).await?;
    }
    Ok(())
}

/// Closes the edges that have ended, and the alerts that have no open edge left.
async fn end(tx: &Transaction, locked: &mut LockedAccount, crossing: &Crossing, edges: &Edges) -> Result<(), Fault> {
    let low = crossing.low_ended.iter();
    let low = low.map(|recipient| (AlertKind::LowBalance, *recipient));
    let depleted = crossing
        .depleted_ended
        .then_some((AlertKind::BalanceDepleted, OF_ACCOUNT));
    let ended: BTreeSet<_> = low.chain(depleted).collect();
    for edge in &ended {
        store::close_edge(tx, locked.header.account_id, *edge).await?;
        if let (Some(open), (AlertKind::LowBalance, recipient)) = (edges.get(edge), *edge) {
            // The alert may continue for other recipients, whose thresholds differ.
            store::end_for(tx, locked.header.account_id, (open.alert_id, recipient), locked.now).await?;
        }
    }
    let is_left = |alert_id: &AlertId| {
        let mut edges = edges.iter();
        edges.any(|(edge, open)| open.alert_id == *alert_id && !ended.contains(edge))
    };
    let alerts: BTreeSet<AlertId> = ended
        .iter()
        .filter_map(|edge| edges.get(edge))
        .map(|open| open.alert_id)
        .collect();
    for alert_id in alerts.into_iter().filter(|id| !is_left(id)) {
        resolve_alert(tx, locked, alert_id).await?;
    }
    Ok(())
}
