//! Alerts about the auto top-up rule of an account: it has paused itself, or a limit was reached.

use crate::domain::database::Transaction;
use crate::domain::event::PurchaseLimit;
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::domain::top_up::cap_window;
use crate::domain::top_up::model::AutoTopUp;
use crate::primitives::clock::{DAY, Timestamp};

use super::model::{AlertKind, Facts, earliest};
use super::new_alerts::{NewAlert, raise, resolve_alert};
use super::reminders::stand;
use super::store::StandingAlert;

/// Compares the rule with its open alerts. Returns when to evaluate it again.
pub(super) async fn look(
    tx: &Transaction,
    locked: &mut LockedAccount,
    rule: Option<&AutoTopUp>,
    standing: &[StandingAlert],
) -> Result<Option<Timestamp>, Fault> {
    let kind = AlertKind::AutoTopUpPaused;
    let rule = rule.filter(|rule| rule.is_enabled);
    let paused = rule.and_then(|rule| Some((rule, rule.pause?)));
    let wanted = paused.map(|(rule, reason)| {
        let key = key_of_pause(rule, reason.as_str(), standing);
        NewAlert {
            facts: Facts {
                code: Some(reason.as_str().to_owned()),
                ..Facts::default()
            },
            ..NewAlert::new(kind, key, locked.now)
        }
    });
    stand(tx, locked, (kind, wanted.as_slice()), standing).await?;
    let mut look_again = None;
    for alert in standing.iter().filter(|alert| alert.kind == AlertKind::CapReached) {
        let ends_at = alert.facts.at.map(Timestamp::from_millis);
        let is_over = ends_at.is_none_or(|at| locked.now >= at);
        if is_over || rule.is_none_or(|rule| rule.updated_at > alert.raised_at) {
            resolve_alert(tx, locked, alert.id).await?;
        } else {
            look_again = earliest(look_again, ends_at);
        }
    }
    Ok(look_again)
}

/// Returns the key of the alert that the rule has paused for this reason. While the pause lasts, it is the key of the open alert,
/// whatever else is changed in the rule meanwhile.
fn key_of_pause(rule: &AutoTopUp, reason: &str, standing: &[StandingAlert]) -> String {
    let kind = AlertKind::AutoTopUpPaused;
    let open = standing
        .iter()
        .find(|alert| alert.kind == kind && alert.facts.code.as_deref() == Some(reason));
    open.map_or_else(
        || format!("{}:{reason}:{}", kind.as_str(), rule.version),
        |alert| alert.key.clone(),
    )
}

/// Raises the alert that the rule could not buy all that it wanted: once per month and cap, and once a day for the operator's
/// ceilings. Returns when the limit allows a purchase again.
pub(super) async fn cap_reached(
    tx: &Transaction,
    locked: &mut LockedAccount,
    rule: Option<&AutoTopUp>,
    (limit, at): (PurchaseLimit, Timestamp),
) -> Result<Option<Timestamp>, Fault> {
    let kind = AlertKind::CapReached;
    let window = cap_window(tx, locked.header.account_id, at).await?;
    let (key, ends_at) = match limit {
        PurchaseLimit::Ceiling => {
            let ends_at = window.ceiling_ends_at.unwrap_or(at.plus_millis(DAY));
            (format!("{}", at.millis() / DAY), ends_at)
        }
        PurchaseLimit::Cap => {
            let cap = rule.and_then(|rule| rule.monthly_cap_minor);
            (format!("{}:{}", window.month, cap.unwrap_or_default()), window.ends_at)
        }
    };
    let limit = limit.as_str();
    let new = NewAlert {
        facts: Facts {
            code: Some(limit.to_owned()),
            at: Some(ends_at.millis()),
            ..Facts::default()
        },
        ..NewAlert::new(kind, format!("{}:{limit}:{key}", kind.as_str()), at)
    };
    let raised = raise(tx, locked, &new).await?;
    Ok(raised.map(|_| ends_at))
}
