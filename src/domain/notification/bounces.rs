//! Mail that bounced.

use std::sync::Arc;

use crate::domain::database::Transaction;
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member::{self, ContactStatus, Holder};
use crate::primitives::ids::{AccountId, RecipientId};

use super::model::{AlertKind, Facts, MailFailure};
use super::new_alerts::{NewAlert, raise, resolve_alert};
use super::store::{self, Claimed, Ended, OpenEdge};

/// Records tries that ended with a permanent refusal, and that mail to the address bounces. One transaction writes both. Otherwise a
/// process that dies between them would leave the recipient without mail and without a warning.
pub(super) async fn record(
    ledger: &Ledger,
    (account_id, recipient): (AccountId, RecipientId),
    ended: Vec<(Claimed, Ended)>,
    (email, failure): (String, MailFailure),
) -> Result<(), Fault> {
    let report = Arc::new((ended, email, failure));
    let recorded = ledger.change(account_id, move |tx, locked| {
        let report = Arc::clone(&report);
        Box::pin(async move {
            let (ended, email, failure) = &*report;
            store::end_attempts(tx, ended).await?;
            mark(tx, locked, recipient, (email, *failure)).await?;
            Ok::<(), QueryError>(())
        })
    });
    match recorded.await {
        Ok(()) | Err(QueryError::Access(_)) => Ok(()),
        Err(error) => Err(error.into_fault()),
    }
}

/// Returns the recipient if this is still their address. An address that has replaced it is not marked.
pub(super) async fn holder_of(
    tx: &Transaction,
    (account_id, recipient): (AccountId, RecipientId),
    email: &str,
) -> Result<Option<Holder>, Fault> {
    let holder = member::locked_holder(tx, account_id, recipient).await?;
    let is_theirs = |holder: &Holder| {
        let own = holder.contact.email.as_ref();
        own.is_some_and(|own| own.eq_ignore_ascii_case(email))
    };
    Ok(holder.filter(is_theirs))
}

/// Marks the address of a recipient as bouncing, and notifies the admins and the member whose address it is.
pub(super) async fn mark(
    tx: &Transaction,
    locked: &mut LockedAccount,
    recipient: RecipientId,
    (email, failure): (&str, MailFailure),
) -> Result<(), Fault> {
    let account_id = locked.header.account_id;
    let Some(holder) = holder_of(tx, (account_id, recipient), email).await? else {
        return Ok(());
    };
    if holder.email().is_none() || holder.contact.email_status == ContactStatus::Bouncing {
        return Ok(());
    }
    let name = match (&holder.member, recipient) {
        (Some(member), _) => Some(member.name.clone()),
        (None, RecipientId::Address(id)) => store::label_of(tx, account_id, id).await?,
        (None, RecipientId::Member(_)) => None,
    };
    let failed = Some(failure.as_str().to_owned());
    let contact = holder.contact.with_status(ContactStatus::Bouncing, failed);
    member::record_contact(tx, locked, &contact).await?;
    let key = format!(
        "{}:{}:{}",
        AlertKind::ContactBouncing.as_str(),
        recipient.uuid(),
        contact.version
    );
    let new = NewAlert {
        subject: recipient.member(),
        facts: Facts {
            name,
            reason: Some(failure.in_words().to_owned()),
            code: Some(failure.as_str().to_owned()),
            ..Facts::default()
        },
        ..NewAlert::new(AlertKind::ContactBouncing, key, locked.now)
    };
    if let Some(alert) = raise(tx, locked, &new).await? {
        let edge = (AlertKind::ContactBouncing, recipient);
        store::open_edge(tx, account_id, edge, OpenEdge::of(alert.id)).await?;
    }
    Ok(())
}

/// Ends the bounce alerts of recipients whose contact works again or has changed.
pub(super) async fn look(tx: &Transaction, locked: &mut LockedAccount) -> Result<(), Fault> {
    let account_id = locked.header.account_id;
    let edges = store::edges(tx, account_id).await?;
    for ((kind, recipient), open) in edges {
        if kind != AlertKind::ContactBouncing {
            continue;
        }
        let holder = member::locked_holder(tx, account_id, recipient).await?;
        let bounces = holder
            .is_some_and(|holder| holder.email().is_some() && holder.contact.email_status == ContactStatus::Bouncing);
        if !bounces {
            store::close_edge(tx, account_id, (kind, recipient)).await?;
            resolve_alert(tx, locked, open.alert_id).await?;
        }
    }
    Ok(())
}
