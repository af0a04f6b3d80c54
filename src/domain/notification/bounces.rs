//! Mail that came back.

use std::sync::Arc;

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member::{self, ContactStatus};

use super::error::BounceError;
use super::model::{AlertKind, Facts};
use super::outbox::Person;
use super::raise::{NewAlert, raise, resolve_alert};
use super::store;

/// Notes that mail to a member's address came back, and tells that member and the admins. An address that was changed since is
/// not to blame.
pub(super) async fn record(
    ledger: &Ledger,
    (account_id, member_id): Person,
    email: String,
    message: String,
) -> Result<(), Fault> {
    let report = Arc::new((email, message));
    let recorded = ledger.change(account_id, move |tx, locked| {
        let report = Arc::clone(&report);
        Box::pin(async move {
            let (email, message) = (&report.0, &report.1);
            let person = member::locked_person(tx, account_id, member_id).await?;
            let Some((member, contact)) = person else {
                return Ok(());
            };
            if contact.email.as_ref() != Some(email) || contact.email_status == ContactStatus::Bouncing {
                return Ok(());
            }
            let contact = contact.with_status(ContactStatus::Bouncing, Some(message.clone()));
            member::record_contact(tx, locked, &contact).await?;
            let key = format!(
                "{}:{}:{}",
                AlertKind::ContactBouncing.as_str(),
                member_id.uuid(),
                contact.version
            );
            let new = NewAlert {
                subject: Some(member_id),
                facts: Facts {
                    name: Some(member.name),
                    reason: Some(message.clone()),
                    ..Facts::default()
                },
                ..NewAlert::new(AlertKind::ContactBouncing, key, locked.now)
            };
            if let Some(alert) = raise(tx, locked, &new).await? {
                let edge = (AlertKind::ContactBouncing, member_id);
                store::open_edge(tx, account_id, edge, alert.id).await?;
            }
            Ok::<(), BounceError>(())
        })
    });
    match recorded.await {
        Ok(()) | Err(BounceError::Access(_)) => Ok(()),
        Err(BounceError::Fault(fault)) => Err(fault),
    }
}

/// Ends what was told of bounces of members whose contact is good again, or at least another one.
pub(super) async fn look(tx: &Transaction, locked: &mut LockedAccount) -> Result<(), Fault> {
    let account_id = locked.header.account_id;
    let edges = store::edges(tx, account_id).await?;
    for ((kind, member_id), alert_id) in edges {
        if kind != AlertKind::ContactBouncing {
            continue;
        }
        let person = member::locked_person(tx, account_id, member_id).await?;
        let bounces = person.is_some_and(|(member, contact)| {
            member.removed_at.is_none() && contact.email_status == ContactStatus::Bouncing
        });
        if !bounces {
            store::close_edge(tx, account_id, (kind, member_id)).await?;
            resolve_alert(tx, locked, alert_id).await?;
        }
    }
    Ok(())
}
