//! Mail that came back.

use std::sync::Arc;

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member::{self, Contact, ContactStatus, Member};
use crate::primitives::ids::{AccountId, MemberId};

use super::error::BounceError;
use super::model::{AlertKind, Facts, MailFailure};
use super::raise::{NewAlert, raise, resolve_alert};
use super::store::{self, Claimed, Ended, OpenEdge};

/// Writes down tries that ended with a lasting refusal, and that mail to the address comes back: together, or a process that dies between
/// the two would leave the member without either mail or warning.
pub(super) async fn record(
    ledger: &Ledger,
    (account_id, member_id): (AccountId, MemberId),
    ended: Vec<(Claimed, Ended)>,
    (email, failure): (String, MailFailure),
) -> Result<(), Fault> {
    let report = Arc::new((ended, email, failure));
    let recorded = ledger.change(account_id, move |tx, locked| {
        let report = Arc::clone(&report);
        Box::pin(async move {
            let (ended, email, failure) = &*report;
            store::end_attempts(tx, ended).await?;
            mark(tx, locked, member_id, (email, *failure)).await?;
            Ok::<(), BounceError>(())
        })
    });
    match recorded.await {
        Ok(()) | Err(BounceError::Access(_)) => Ok(()),
        Err(BounceError::Fault(fault)) => Err(fault),
    }
}

/// The member, if this is their address: one that was changed since is not to blame.
pub(super) async fn person_at(
    tx: &Transaction,
    (account_id, member_id): (AccountId, MemberId),
    email: &str,
) -> Result<Option<(Member, Contact)>, Fault> {
    let person = member::locked_person(tx, account_id, member_id).await?;
    let is_theirs = |contact: &Contact| {
        let own = contact.email.as_ref();
        own.is_some_and(|own| own.eq_ignore_ascii_case(email))
    };
    Ok(person.filter(|(_, contact)| is_theirs(contact)))
}

/// Notes that mail to a member's address comes back, and tells that member and the admins.
pub(super) async fn mark(
    tx: &Transaction,
    locked: &mut LockedAccount,
    member_id: MemberId,
    (email, failure): (&str, MailFailure),
) -> Result<(), Fault> {
    let account_id = locked.header.account_id;
    let Some((member, contact)) = person_at(tx, (account_id, member_id), email).await? else {
        return Ok(());
    };
    if member.removed_at.is_some() || contact.email_status == ContactStatus::Bouncing {
        return Ok(());
    }
    let contact = contact.with_status(ContactStatus::Bouncing, Some(failure.as_str().to_owned()));
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
            reason: Some(failure.in_words().to_owned()),
            code: Some(failure.as_str().to_owned()),
            ..Facts::default()
        },
        ..NewAlert::new(AlertKind::ContactBouncing, key, locked.now)
    };
    if let Some(alert) = raise(tx, locked, &new).await? {
        let edge = (AlertKind::ContactBouncing, member_id);
        store::open_edge(tx, account_id, edge, OpenEdge::of(alert.id)).await?;
    }
    Ok(())
}

/// Ends what was told of bounces of members whose contact is good again, or at least another one.
pub(super) async fn look(tx: &Transaction, locked: &mut LockedAccount) -> Result<(), Fault> {
    let account_id = locked.header.account_id;
    let edges = store::edges(tx, account_id).await?;
    for ((kind, member_id), open) in edges {
        if kind != AlertKind::ContactBouncing {
            continue;
        }
        let person = member::locked_person(tx, account_id, member_id).await?;
        let bounces = person.is_some_and(|(member, contact)| {
            member.removed_at.is_none() && contact.email_status == ContactStatus::Bouncing
        });
        if !bounces {
            store::close_edge(tx, account_id, (kind, member_id)).await?;
            resolve_alert(tx, locked, open.alert_id).await?;
        }
    }
    Ok(())
}
