//! Sends the code that verifies an address.

use crate::domain::fault::{Refused, UseCaseError};
use crate::domain::member::{Contact, Contacts};
use crate::primitives::actor::Actor;
use crate::primitives::clock::{Clock, MINUTE};
use crate::primitives::ids::{AccountId, RecipientId};

use super::error::SendVerificationRefusal;
use super::mailer::{Mail, MailError};
use super::outbox::Post;
use super::wording::{CodeSent, Reader};

/// Sends codes. Cloning is cheap.
#[derive(Clone)]
pub struct Verification {
    contacts: Contacts,
    clock: Clock,
    post: Post,
}

impl Verification {
    /// Sends codes to these contacts.
    pub fn new(contacts: Contacts, clock: Clock, post: Post) -> Self {
        Self { contacts, clock, post }
    }

    /// Makes a code and sends it to the recipient's address at once. The code is not stored, so it cannot be sent later. No
    /// transaction is open meanwhile. A notification address gets a link as well, because its readers need not be able to sign in.
    pub async fn send(
        &self,
        actor: &Actor,
        account_id: AccountId,
        recipient: impl Into<RecipientId>,
    ) -> Result<Contact, UseCaseError<SendVerificationRefusal>> {
        let recipient = recipient.into();
        let new = self.contacts.start_verification(actor, account_id, recipient).await;
        let new = new.map_err(|error| error.map(SendVerificationRefusal::Start))?;
        let Some(email) = new.contact.email.clone() else {
            return Ok(new.contact);
        };
        let sent = CodeSent {
            code: &new.code,
            is_to_member: recipient.member().is_some(),
            link: self.post.confirming.make(&new.contact, new.made_at),
            minutes: (new.expires_at.millis() - self.clock.now().millis()) / MINUTE,
        };
        let reader = Reader {
            locale: new.contact.locale.clone(),
            timezone: new.contact.timezone,
        };
        let mail = Mail {
            to: email,
            name: None,
            message_id: message_id_of_code(account_id, recipient),
            letter: self.post.wording.code_sent(&sent, &reader)?,
            thread: None,
            unsubscribe: None,
        };
        match self.post.mailer.send(&mail).await {
            Ok(()) => Ok(new.contact),
            Err(MailError::Rejected(message)) => Err(Refused(SendVerificationRefusal::Rejected(message))),
            Err(MailError::Deferred(message) | MailError::Unwritten(message)) => {
                let fault = format!("no code was sent: {message}");
                Err(crate::domain::fault::Fault::Unavailable(fault).into())
            }
        }
    }
}

/// Names the recipient, so that a report of the mail finds the address. The id is unique to this mail.
fn message_id_of_code(account_id: AccountId, recipient: RecipientId) -> String {
    let recipient = recipient.global(account_id);
    format!("{recipient}.{}", uuid::Uuid::new_v4().simple())
}
