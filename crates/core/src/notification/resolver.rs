//! Decides who gets which alert by which channel. No other code decides that.

use super::kind::{AlertKind, Audience, Channel, Pace};
use crate::member::ContactStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::timestamp::{HOUR, MINUTE, Timestamp};

/// The minimum time between two mails about a balance to one member about one account, while the previous condition lasts.
pub const COOLDOWN_MILLIS: i64 = 24 * HOUR;
/// The minimum time even if that condition has ended: swings of a balance about a threshold share one mail.
pub const LEAST_INTERVAL_MILLIS: i64 = HOUR;
/// The minimum time between two tests by mail: a requester must not be able to flood an address that may belong
/// to another person.
const TEST_INTERVAL_MILLIS: i64 = MINUTE;

crate::text_enum! {
    /// Why an alert was not sent to a recipient by a channel.
    SuppressionReason {
        /// The recipient does not want it.
        PreferenceOff = "PREFERENCE_OFF",
        /// Its condition ended before the member's quiet hours did. Only in deliveries from before `ENDED` existed.
        QuietHours = "QUIET_HOURS",
        /// Its condition ended before it was sent.
        Ended = "ENDED",
        /// Before it was sent, the member left the team or changed roles, or the address was removed.
        NotRecipient = "NOT_A_RECIPIENT",
        /// Mail of this kind went to the recipient recently, and this condition does not last until the next mail may be sent.
        Cooldown = "COOLDOWN",
        /// Mail to the recipient bounces. Critical mail to members is sent nevertheless.
        ContactBouncing = "CONTACT_BOUNCING",
        /// The recipient has no address.
        NoContact = "NO_CONTACT",
        /// The address is not verified by a code, and the platform does not vouch for it. Critical mail to members is sent nevertheless.
        ContactUnverified = "CONTACT_UNVERIFIED",
        /// The limit of mail to unverified addresses is reached, for this account or this address.
        UnverifiedLimit = "UNVERIFIED_LIMIT",
    }
}

/// The role in which a recipient gets alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// A member of the team, with this role.
    Member(MemberRole),
    /// An address that belongs to no member.
    Address,
}

/// The last mail of a kind to a recipient, sent or scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastMail {
    /// The time at which it was or will be sent.
    pub at: Timestamp,
    /// Whether its condition has ended since.
    pub has_ended: bool,
}

/// All that matters for one alert, one recipient and one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The kind of the alert.
    pub kind: AlertKind,
    /// The channel in question.
    pub channel: Channel,
    /// The recipient's role; `None` if the member left the team, or the address was removed.
    pub party: Option<Party>,
    /// Whether the alert is about this member.
    pub is_subject: bool,
    /// The recipient's preference for this kind and channel.
    pub preference: Option<bool>,
    /// The verification status of the address.
    pub contact: ContactStatus,
    /// Whether the condition of the alert has ended.
    pub has_ended: bool,
    /// The last mail of this kind to the recipient.
    pub last_mail: Option<LastMail>,
    /// The end of the member's current quiet hours; `None` outside of them.
    pub quiet_until: Option<Timestamp>,
    /// The current time.
    pub now: Timestamp,
}

/// The decision about one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The alert is not for this recipient by this channel: there is no delivery.
    NotAddressed,
    /// It is sent at this time, which may be now.
    Send(Timestamp),
    /// It is not sent, for this reason.
    Suppress(SuppressionReason),
}

/// Decides one case. Called when the alert is raised, when a member has it sent again, and directly before it is sent.
pub fn resolve(case: &Case) -> Verdict {
    let rule = case.kind.rule();
    if !is_addressed(rule.audience(case.channel), case) {
        return Verdict::NotAddressed;
    }
    if !is_on(case) {
        return Verdict::Suppress(SuppressionReason::PreferenceOff);
    }
    match case.channel {
        Channel::InApp => Verdict::Send(case.now),
        Channel::Email => resolve_mail(case, case.kind.is_urgent()),
    }
}

fn is_on(case: &Case) -> bool {
    if case.party == Some(Party::Address) {
        // Recipients outside the team get only what they have chosen.
        return case.preference == Some(true);
    }
    // A test must show the requested channel itself.
    case.kind == AlertKind::Test
        || case.kind.is_locked(case.channel)
        || case
            .preference
            .unwrap_or_else(|| case.kind.is_on_by_default(case.channel))
}

/// Decides about mail. Urgent mail also goes to unverified or bouncing addresses, and ignores quiet hours.
fn resolve_mail(case: &Case, is_urgent: bool) -> Verdict {
    if case.has_ended {
        return Verdict::Suppress(SuppressionReason::Ended);
    }
    // An unverified or bouncing address outside the team gets nothing. Members get urgent mail there.
    let is_tried = is_urgent && case.party != Some(Party::Address);
    let unreachable = match case.contact {
        ContactStatus::None => Some(SuppressionReason::NoContact),
        ContactStatus::Unverified if !is_tried => Some(SuppressionReason::ContactUnverified),
        ContactStatus::Bouncing if !is_tried => Some(SuppressionReason::ContactBouncing),
        ContactStatus::Unverified | ContactStatus::Bouncing | ContactStatus::Verified => None,
    };
    if let Some(reason) = unreachable {
        return Verdict::Suppress(reason);
    }
    let held_until = case.last_mail.and_then(|last| held_until(case.kind, last, case.now));
    // A condition that still lasts is mailed after the pause. A fact would be out of date by then.
    if held_until.is_some() && !case.kind.is_condition() {
        return Verdict::Suppress(SuppressionReason::Cooldown);
    }
    let quiet_until = case.quiet_until.filter(|_| !is_urgent);
    Verdict::Send(held_until.max(quiet_until).unwrap_or(case.now))
}

fn is_addressed(audience: Audience, case: &Case) -> bool {
    let role = match case.party {
        None => return false,
        Some(Party::Address) => return case.channel == Channel::Email && case.kind.is_for_addresses(),
        Some(Party::Member(role)) => role,
    };
    let is_admin = matches!(role, MemberRole::Owner | MemberRole::Admin);
    match audience {
        Audience::Owners => role == MemberRole::Owner,
        Audience::Admins => is_admin,
        Audience::Everybody => true,
        Audience::Subject => case.is_subject,
        Audience::SubjectAndAdmins => case.is_subject || is_admin,
    }
}

/// Returns until when another mail of this kind must wait; `None` if it may be sent.
fn held_until(kind: AlertKind, last: LastMail, now: Timestamp) -> Option<Timestamp> {
    let pause = match kind.pace() {
        Pace::Each if kind == AlertKind::Test => TEST_INTERVAL_MILLIS,
        Pace::Each => return None,
        Pace::Swinging if !last.has_ended => COOLDOWN_MILLIS,
        Pace::Swinging | Pace::Gathered => LEAST_INTERVAL_MILLIS,
    };
    let until = if last.at > now {
        // That mail has not gone yet, and takes this alert with it.
        last.at
    } else {
        last.at.plus_millis(pause)
    };
    (until > now).then_some(until)
}
