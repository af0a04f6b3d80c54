//! Reminders before something expires: credits, and the default card.
//!
//! A reminder stays open until its subject is over: another reminder replaces it, the credits are used or gone, or the
//! card is another one. So the alerts are the only state.

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::domain::ledger::model::AccountStatus;
use crate::domain::top_up::default_card;
use crate::primitives::clock::Timestamp;

use super::model::{AlertKind, Expiring, FIRST_REMINDER_MILLIS, Facts, earliest};
use super::new_alerts::{NewAlert, raise, resolve_alert};
use super::store::StandingAlert;

/// Raises the pending reminders and ends those that are over. Returns when to evaluate them again.
pub(super) async fn look(
    tx: &Transaction,
    locked: &mut LockedAccount,
    standing: &[StandingAlert],
) -> Result<Option<Timestamp>, Fault> {
    // Nothing expires while the account is frozen. Once it is active again, all expiries are later. A closed account stays closed.
    if locked.header.status != AccountStatus::Active {
        return Ok(None);
    }
    let credits = look_at_credits(tx, locked, standing).await?;
    let card = look_at_card(tx, locked, standing).await?;
    Ok(earliest(credits, card))
}

async fn look_at_credits(
    tx: &Transaction,
    locked: &mut LockedAccount,
    standing: &[StandingAlert],
) -> Result<Option<Timestamp>, Fault> {
    let kind = AlertKind::CreditsExpiring;
    if locked.header.next_lot_expiry_at.is_none() && !standing.iter().any(|alert| alert.kind == kind) {
        return Ok(None);
    }
    let now = locked.now;
    let soon = now.plus_millis(FIRST_REMINDER_MILLIS);
    let next = locked.next_expiry(tx, soon).await?;
    let mut look_again = next.map(|at| at.plus_millis(-FIRST_REMINDER_MILLIS));
    let mut wanted = Vec::new();
    for (at, credits) in locked.expiring(tx, soon).await? {
        let expiring = Expiring { at, credits };
        look_again = earliest(look_again, expiring.next_look(now));
        if let Some(name) = expiring.reminder(now) {
            let facts = Facts {
                credits: Some(credits.units()),
                at: Some(at.millis()),
                ..Facts::default()
            };
            wanted.push(NewAlert {
                facts,
                ..NewAlert::new(kind, format!("{}:{name}", kind.as_str()), now)
            });
        }
    }
    stand(tx, locked, (kind, &wanted), standing).await?;
    Ok(look_again)
}

async fn look_at_card(
    tx: &Transaction,
    locked: &mut LockedAccount,
    standing: &[StandingAlert],
) -> Result<Option<Timestamp>, Fault> {
    let (kind, now) = (AlertKind::CardExpiring, locked.now);
    let card = default_card(tx, locked.header.account_id).await?;
    let mut wanted = Vec::new();
    let mut look_again = None;
    if let Some(card) = card {
        let key = format!(
            "{}:{}:{:04}-{:02}",
            kind.as_str(),
            card.id.uuid(),
            card.expiry_year,
            card.expiry_month
        );
        // What is over raises no reminder. An open reminder stays open until there is another card.
        let is_reported = standing.iter().any(|alert| alert.key == key);
        if now < card.expiring_at() {
            look_again = Some(card.expiring_at());
        } else if is_reported || now < card.ends_at() {
            let facts = Facts {
                name: Some(card.last4.clone()),
                at: Some(card.ends_at().millis()),
                ..Facts::default()
            };
            wanted.push(NewAlert {
                facts,
                ..NewAlert::new(kind, key, now)
            });
        }
    }
    stand(tx, locked, (kind, &wanted), standing).await?;
    Ok(look_again)
}

/// Makes exactly these alerts of a kind open: ends those that are no longer wanted and raises the missing ones.
pub(super) async fn stand(
    tx: &Transaction,
    locked: &mut LockedAccount,
    (kind, wanted): (AlertKind, &[NewAlert]),
    standing: &[StandingAlert],
) -> Result<(), Fault> {
    let standing: Vec<&StandingAlert> = standing.iter().filter(|alert| alert.kind == kind).collect();
    for alert in &standing {
        if !wanted.iter().any(|new| new.dedupe_key == alert.key) {
            resolve_alert(tx, locked, alert.id).await?;
        }
    }
    for new in wanted {
        if !standing.iter().any(|alert| alert.key == new.dedupe_key) {
            raise(tx, locked, new).await?;
        }
    }
    Ok(())
}
