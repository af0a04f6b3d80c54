//! Checks of commands: lengths and characters of their texts, and the permissions of the actor.

use crate::primitives::actor::{AccessError, Actor, Permission};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, resembles_id};
use crate::primitives::line;

use super::model::{Command, MemberRef, Refusal, SessionRef};

/// Longest title of a session, in characters.
const MAX_TITLE: usize = 200;
/// Longest description or reason, in characters.
const MAX_DESCRIPTION: usize = 500;
/// Longest idempotency key or external id, in characters.
const MAX_ID: usize = 255;
/// Longest JSON that a caller may store with a session, in characters.
const MAX_METADATA: usize = 4_096;

/// Refuses unless `actor` may send this command in `account_id`.
pub(super) fn authorise(actor: &Actor, account_id: AccountId, command: &Command) -> Result<(), AccessError> {
    let permission = match command {
        Command::Book { .. } | Command::Reschedule { .. } => Permission::BookSessions,
        Command::Cancel { fee, no_show, .. } => {
            let is_free = !no_show && fee.is_none_or(|fee| fee == Credits::ZERO);
            if is_free {
                Permission::BookSessions
            } else {
                Permission::SettleSessions
            }
        }
        Command::Complete { .. } | Command::Refund { .. } => Permission::SettleSessions,
        Command::Grant { .. } | Command::Adjust { .. } => Permission::ManageCredits,
        Command::Freeze { .. } | Command::Unfreeze | Command::Close { .. } => Permission::ManageAccounts,
        // Facts that Ledgerbell determines: no caller may claim them.
        Command::CreditTopUp { .. }
        | Command::TakeBack { .. }
        | Command::HoldTopUp { .. }
        | Command::HoldRefund { .. }
        | Command::Sweep => {
            actor.require(account_id, Permission::ManageCredits)?;
            return match actor {
                Actor::System => Ok(()),
                Actor::Member { .. } | Actor::ApiKey { .. } => Err(AccessError::Forbidden(Permission::ManageCredits)),
            };
        }
    };
    actor.require(account_id, permission)
}

/// Refuses a key that could not be stored or compared.
pub(super) fn check_key(key: &str) -> Result<(), Refusal> {
    check("idempotencyKey", key, MAX_ID)
}

/// Refuses a description or a reason that is empty, too long, or contains control characters.
pub(super) fn check_description(field: &'static str, text: &str) -> Result<(), Refusal> {
    check(field, text, MAX_DESCRIPTION)
}

/// Refuses texts that are empty, too long, or contain control characters.
pub(super) fn check_texts(command: &Command) -> Result<(), Refusal> {
    match command {
        Command::Book {
            member,
            external_id,
            title,
            metadata,
            ..
        } => {
            if let MemberRef::ExternalId(id) = member {
                check("memberExternalId", id, MAX_ID)?;
            }
            if let Some(id) = external_id {
                check_new_external_id(id)?;
            }
            if let Some(metadata) = metadata {
                check("metadata", metadata, MAX_METADATA)?;
            }
            check("title", title, MAX_TITLE)?;
            check_line("title", title)
        }
        Command::Reschedule { session, .. } | Command::Complete { session, .. } => check_session(session),
        Command::Cancel { session, reason, .. } => {
            check_session(session)?;
            reason
                .as_ref()
                .map_or(Ok(()), |reason| check("reason", reason, MAX_DESCRIPTION))
        }
        Command::Refund { session, reason, .. } => {
            check_session(session)?;
            check("reason", reason, MAX_DESCRIPTION)
        }
        Command::Grant { description, .. }
        | Command::Adjust { description, .. }
        | Command::TakeBack { description, .. } => check("description", description, MAX_DESCRIPTION),
        Command::Freeze { reason } | Command::Close { reason } => check("reason", reason, MAX_DESCRIPTION),
        Command::CreditTopUp { .. }
        | Command::HoldTopUp { .. }
        | Command::HoldRefund { .. }
        | Command::Unfreeze
        | Command::Sweep => Ok(()),
    }
}

/// Refuses a new external id that could be read as one of our ids.
fn check_new_external_id(id: &str) -> Result<(), Refusal> {
    check("externalId", id, MAX_ID)?;
    if resembles_id(id) {
        return Err(Refusal::Invalid {
            field: "externalId",
            message: "must not have the form of an id of this service, such as ses_…".to_owned(),
        });
    }
    Ok(())
}

/// Checks a text that appears in mail and in other users' logs: see [`line::flaw`].
fn check_line(field: &'static str, text: &str) -> Result<(), Refusal> {
    line::flaw(text).map_or(Ok(()), |flaw| {
        let message = flaw.to_owned();
        Err(Refusal::Invalid { field, message })
    })
}

fn check_session(session: &SessionRef) -> Result<(), Refusal> {
    match session {
        SessionRef::Id(_) => Ok(()),
        SessionRef::ExternalId(id) => check("externalId", id, MAX_ID),
    }
}

fn check(field: &'static str, text: &str, longest: usize) -> Result<(), Refusal> {
    let message = if text.trim().is_empty() {
        "must not be empty".to_owned()
    } else if text.chars().count() > longest {
        format!("must have at most {longest} characters")
    } else if text.chars().any(char::is_control) {
        // Postgres stores no NUL, and none of the others belongs in a line of text.
        "must not contain control characters".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::Invalid { field, message })
}
