//! Looking at a balance: raises and ends what is to be said about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AlertId, MemberId};

use super::model::{AlertKind, Audience, Crossing, Facts, OpenEdges, cross};
use super::raise::{NewAlert, raise, record_resolved, resolve_alert};
use super::store;

/// In place of a member where an edge is the account's.
pub(super) const OF_ACCOUNT: MemberId = MemberId::from_uuid(Uuid::nil());

type Edges = HashMap<(AlertKind, MemberId), AlertId>;

/// Compares what is available now with the thresholds as they are now. `sequence` is the last event that may have changed either.
///
/// What was so between two looks and no longer is, is not told: nobody could do anything about it.
pub(super) async fn look(tx: &Transaction, locked: &mut LockedAccount, sequence: i64) -> Result<(), Fault> {
    if locked.header.balance_version == 0 {
        // An account that has never had anything has not run out of it.
        return Ok(());
    }
    let edges = store::edges(tx, locked.header.account_id).await?;
    let thresholds = thresholds(tx, locked).await?;
    let open = OpenEdges {
        low: edges
            .keys()
            .filter(|(kind, _)| *kind == AlertKind::LowBalance)
            .map(|(_, member)| *member)
            .collect(),
        depleted: edges.contains_key(&(AlertKind::BalanceDepleted, OF_ACCOUNT)),
    };
    let crossing = cross(locked.header.available(), &thresholds, &open);
    if crossing.is_none() {
        return Ok(());
    }
    end(tx, locked, &crossing, &edges).await?;
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
            store::open_edge(tx, locked.header.account_id, edge, alert.id).await?;
        }
    }
    if !crossing.low.is_empty() {
        let low = NewAlert {
            only: Some(crossing.low.clone()),
            ..new(AlertKind::LowBalance, locked)
        };
        // Of several things that one posting brings about, the worst is told.
        let is_worse = crossing.depleted || (open.depleted && !crossing.depleted_ended);
        let alert = if is_worse {
            record_resolved(tx, locked, &low).await?
        } else {
            raise(tx, locked, &low).await?
        };
        if let Some(alert) = alert {
            for member_id in &crossing.low {
                let edge = (AlertKind::LowBalance, *member_id);
                store::open_edge(tx, locked.header.account_id, edge, alert.id).await?;
            }
        }
    }
    if crossing.recovered {
        let recovered = new(AlertKind::BalanceRecovered, locked);
        raise(tx, locked, &recovered).await?;
    }
    Ok(())
}

async fn thresholds(tx: &Transaction, locked: &LockedAccount) -> Result<BTreeMap<MemberId, Credits>, Fault> {
    let admins = store::recipients(tx, locked.header.account_id, Audience::Admins, None).await?;
    let threshold = |admin: store::Recipient| Some((admin.member_id, admin.settings.low_balance_threshold?));
    Ok(admins.into_iter().filter_map(threshold).collect())
}

/// Closes the edges that have ended, and the alerts that none is left of.
async fn end(tx: &Transaction, locked: &mut LockedAccount, crossing: &Crossing, edges: &Edges) -> Result<(), Fault> {
    let low = crossing.low_ended.iter().map(|member| (AlertKind::LowBalance, *member));
    let depleted = crossing
        .depleted_ended
        .then_some((AlertKind::BalanceDepleted, OF_ACCOUNT));
    let ended: BTreeSet<_> = low.chain(depleted).collect();
    for edge in &ended {
        store::close_edge(tx, locked.header.account_id, *edge).await?;
    }
    let is_left = |alert_id: &AlertId| edges.iter().any(|(edge, id)| id == alert_id && !ended.contains(edge));
    let alerts: BTreeSet<AlertId> = ended.iter().filter_map(|edge| edges.get(edge)).copied().collect();
    for alert_id in alerts.into_iter().filter(|id| !is_left(id)) {
        resolve_alert(tx, locked, alert_id).await?;
    }
    Ok(())
}
