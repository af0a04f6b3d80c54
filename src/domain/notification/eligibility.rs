//! Whether a mail may go, decided anew: before a person has it sent again, and whenever it is about to be sent.
//!
//! What queued a mail was right when it was queued. By the time it is sent the address may be another one, the member may have
//! switched such mail off, left the team or lost a role, and what the mail is about may have ended.

use crate::domain::member::ContactStatus;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{MemberId, RecipientId};

use super::model::{AlertKind, Case, Channel, LastMail, Verdict, resolve};
use super::store::Addressee;

/// What is known of a mail apart from its recipient.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) kind: AlertKind,
    pub(super) recipient: RecipientId,
    /// The member whom the alert is about.
    pub(super) subject: Option<MemberId>,
    /// Whether what it is about has ended.
    pub(super) has_ended: bool,
    /// The last mail of this kind to the recipient; none where a person has it sent again.
    pub(super) last_mail: Option<LastMail>,
}

/// Decides by the rules that held when the alert was raised, over what is true now.
pub(super) fn decide(mail: &Pending, to: Option<&Addressee>, now: Timestamp) -> Verdict {
    let Some(to) = to else {
        return Verdict::NotAddressed;
    };
    resolve(&Case {
        kind: mail.kind,
        channel: Channel::Email,
        party: to.party,
        is_subject: mail.subject.map(RecipientId::Member) == Some(mail.recipient),
        preference: to.wishes.preference(mail.kind, Channel::Email),
        contact: to.contact,
        has_ended: mail.has_ended,
        last_mail: mail.last_mail,
        quiet_until: to
            .wishes
            .quiet_hours()
            .and_then(|hours| hours.end_after(now, to.timezone)),
        now,
    })
}

impl Addressee {
    /// Whether the recipient is known to receive mail at the address.
    pub(super) fn is_verified(&self) -> bool {
        self.contact == ContactStatus::Verified
    }
}
