//! Decides whether a mail may go: before a person has it sent again, and each time before it is sent.
//!
//! The reasons for queueing it may be gone. By then the address may have changed. The member may have switched such mail off,
//! left the team or lost a role. The subject of the mail may have ended.

use crate::domain::member::ContactStatus;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{MemberId, RecipientId};

use super::model::{AlertKind, Case, Channel, LastMail, Verdict, resolve};
use super::store::Addressee;

/// The facts about a mail apart from its recipient.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) kind: AlertKind,
    pub(super) recipient: RecipientId,
    /// The member who is the subject of the alert.
    pub(super) subject: Option<MemberId>,
    /// Whether the alert has ended.
    pub(super) has_ended: bool,
    /// The last mail of this kind to the recipient. None where a person has it sent again.
    pub(super) last_mail: Option<LastMail>,
}

/// Applies the rules that held when the alert was raised to the current facts.
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
    /// Whether the address is known to receive the recipient's mail.
    pub(super) fn is_verified(&self) -> bool {
        self.contact == ContactStatus::Verified
    }
}
