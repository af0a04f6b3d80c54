//! Who gets which alert by which channel: the one place that decides.

use super::kind::{AlertKind, Audience, Channel, Pace};
use crate::domain::member::ContactStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::clock::Timestamp;

const HOUR_MILLIS: i64 = 3_600_000;
/// For so long no second mail about a balance goes to a member about one account, unless what the first was about has ended.
pub const COOLDOWN_MILLIS: i64 = 24 * HOUR_MILLIS;
/// For so long none goes even then: a balance that swings about a threshold is one thing to tell.
pub const LEAST_INTERVAL_MILLIS: i64 = HOUR_MILLIS;
/// Between two tests by mail: whoever asks for them must not be able to flood an address that may not be theirs.
const TEST_INTERVAL_MILLIS: i64 = 60_000;

crate::text_enum! {
    /// Why an alert was not sent to a recipient by a channel.
    SuppressionReason {
        /// The recipient does not want it.
        PreferenceOff = "PREFERENCE_OFF",
        /// It waited for the end of the member's quiet hours, and what it was about had ended by then. Of deliveries that were written
        /// before `ENDED` existed.
        QuietHours = "QUIET_HOURS",
        /// What it was about had ended before it was sent.
        Ended = "ENDED",
        /// The member had left the team or had another role, or the address was removed, before it was sent.
        NotRecipient = "NOT_A_RECIPIENT",
        /// Mail of this kind went to the recipient not long ago, and what this one is about does not last until the next may go.
        Cooldown = "COOLDOWN",
        /// Mail to the recipient comes back. Critical mail to members is tried all the same.
        ContactBouncing = "CONTACT_BOUNCING",
        /// There is no address.
        NoContact = "NO_CONTACT",
        /// No code has come back from the address, and the platform does not vouch for it. Critical mail to members is sent all the same.
        ContactUnverified = "CONTACT_UNVERIFIED",
        /// Enough mail went to addresses of this account, or to this address, that are not verified.
        UnverifiedLimit = "UNVERIFIED_LIMIT",
    }
}

/// As what somebody is a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// A member of the team, in this role.
    Member(MemberRole),
    /// An address that is no member's.
    Address,
}

/// The last mail of a kind that went, or is on its way, to a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastMail {
    /// When it was sent, or will be.
    pub at: Timestamp,
    /// Whether what it told of has ended since.
    pub has_ended: bool,
}

/// All that matters for one alert, one recipient and one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What the alert is.
    pub kind: AlertKind,
    /// The way it would go.
    pub channel: Channel,
    /// As what the recipient gets it; `None` when they left the team, or the address was removed.
    pub party: Option<Party>,
    /// Whether the alert is about this member.
    pub is_subject: bool,
    /// What the recipient has said about this kind and channel.
    pub preference: Option<bool>,
    /// How far the address is to be trusted.
    pub contact: ContactStatus,
    /// Whether what the alert is about has ended.
    pub has_ended: bool,
    /// The last mail of this kind to the recipient.
    pub last_mail: Option<LastMail>,
    /// When the member's quiet hours end, while they last.
    pub quiet_until: Option<Timestamp>,
    /// The present.
    pub now: Timestamp,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The recipient is none of those whom this alert is for by this channel: there is no delivery.
    NotAddressed,
    /// It goes out, at once or from this instant on.
    Send(Timestamp),
    /// It does not.
    Suppress(SuppressionReason),
}

/// Decides one case: when the alert is raised, when a person wants it sent again, and at last when it is about to be sent.
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
        // Nothing is forced upon who is not of the team.
        return case.preference == Some(true);
    }
    // Whoever asks for a test wants to see this very channel at work.
    case.kind == AlertKind::Test
        || case.kind.is_locked(case.channel)
        || case
            .preference
            .unwrap_or_else(|| case.kind.is_on_by_default(case.channel))
}

/// Urgent is what goes to addresses that are in doubt and does not wait for the morning.
fn resolve_mail(case: &Case, is_urgent: bool) -> Verdict {
    if case.has_ended {
        return Verdict::Suppress(SuppressionReason::Ended);
    }
    // An address that is no member's gets nothing while it is in doubt: members get what is urgent.
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
    // What goes on is mailed when the pause is over; of what does not there is nothing to say then.
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

/// Until when another mail of this kind has to wait, if it has to.
fn held_until(kind: AlertKind, last: LastMail, now: Timestamp) -> Option<Timestamp> {
    let pause = match kind.pace() {
        Pace::Each if kind == AlertKind::Test => TEST_INTERVAL_MILLIS,
        Pace::Each => return None,
        Pace::Swinging if !last.has_ended => COOLDOWN_MILLIS,
        Pace::Swinging | Pace::Gathered => LEAST_INTERVAL_MILLIS,
    };
    let until = last.at.plus_millis(pause);
    (until > now).then_some(until)
}
