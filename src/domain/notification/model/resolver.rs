//! Who gets which alert by which channel: the one place that decides.

use super::kind::{AlertKind, Audience, Channel};
use crate::domain::member::ContactStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::clock::Timestamp;

const HOUR_MILLIS: i64 = 3_600_000;
/// For so long no second mail of a kind goes to a member about one account, unless what it told of has ended.
pub const COOLDOWN_MILLIS: i64 = 24 * HOUR_MILLIS;
/// For so long none goes even then: a balance that swings about a threshold is one thing to tell.
pub const LEAST_INTERVAL_MILLIS: i64 = HOUR_MILLIS;
/// Between two tests by mail: whoever asks for them must not be able to flood an address that may not be theirs.
const TEST_INTERVAL_MILLIS: i64 = 60_000;

crate::text_enum! {
    /// Why an alert was not sent to a member by a channel.
    SuppressionReason {
        /// The member does not want it.
        PreferenceOff = "PREFERENCE_OFF",
        /// It waited for the end of the member's quiet hours, and by then there was nothing left to tell.
        QuietHours = "QUIET_HOURS",
        /// Mail of this kind went to the member not long ago.
        Cooldown = "COOLDOWN",
        /// Mail to the member comes back. Critical mail is tried all the same.
        ContactBouncing = "CONTACT_BOUNCING",
        /// There is no address, or none that is known to be the member's. Critical mail goes to the latter all the same.
        NoContact = "NO_CONTACT",
    }
}

/// The last mail of a kind that went, or is on its way, to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastMail {
    /// When it was written down.
    pub at: Timestamp,
    /// Whether what it told of has ended since.
    pub has_ended: bool,
}

/// All that matters for one alert, one member and one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What the alert is.
    pub kind: AlertKind,
    /// The way it would go.
    pub channel: Channel,
    /// The member's standing.
    pub role: MemberRole,
    /// Whether the alert is about this member.
    pub is_subject: bool,
    /// What the member has said about this kind and channel.
    pub preference: Option<bool>,
    /// How far the member's address is to be trusted.
    pub contact: ContactStatus,
    /// The last mail of this kind to the member.
    pub last_mail: Option<LastMail>,
    /// When the member's quiet hours end, while they last.
    pub quiet_until: Option<Timestamp>,
    /// The present.
    pub now: Timestamp,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The member is none of those whom this alert is for by this channel: there is no delivery.
    NotAddressed,
    /// It goes out, at once or from this instant on.
    Send(Timestamp),
    /// It does not.
    Suppress(SuppressionReason),
}

/// Decides one case.
pub fn resolve(case: &Case) -> Verdict {
    let rule = case.kind.rule();
    if !is_addressed(rule.audience(case.channel), case) {
        return Verdict::NotAddressed;
    }
    // Whoever asks for a test wants to see this very channel at work.
    let is_test = case.kind == AlertKind::Test;
    let is_on = is_test
        || case.kind.is_locked(case.channel)
        || case
            .preference
            .unwrap_or_else(|| case.kind.is_on_by_default(case.channel));
    if !is_on {
        return Verdict::Suppress(SuppressionReason::PreferenceOff);
    }
    match case.channel {
        Channel::InApp => Verdict::Send(case.now),
        Channel::Email => resolve_mail(case, case.kind.is_urgent(), is_test),
    }
}

/// Urgent is what goes to addresses that are in doubt and does not wait for the morning.
fn resolve_mail(case: &Case, is_urgent: bool, is_test: bool) -> Verdict {
    let unreachable = match case.contact {
        ContactStatus::None => Some(SuppressionReason::NoContact),
        ContactStatus::Unverified if !is_urgent => Some(SuppressionReason::NoContact),
        ContactStatus::Bouncing if !is_urgent => Some(SuppressionReason::ContactBouncing),
        ContactStatus::Unverified | ContactStatus::Bouncing | ContactStatus::Verified => None,
    };
    if let Some(reason) = unreachable {
        return Verdict::Suppress(reason);
    }
    if case.last_mail.is_some_and(|last| is_too_soon(last, case.now, is_test)) {
        return Verdict::Suppress(SuppressionReason::Cooldown);
    }
    match case.quiet_until {
        Some(end) if !is_urgent => Verdict::Send(end),
        _ => Verdict::Send(case.now),
    }
}

fn is_addressed(audience: Audience, case: &Case) -> bool {
    let is_admin = matches!(case.role, MemberRole::Owner | MemberRole::Admin);
    match audience {
        Audience::Owners => case.role == MemberRole::Owner,
        Audience::Admins => is_admin,
        Audience::Everybody => true,
        Audience::Subject => case.is_subject,
        Audience::SubjectAndAdmins => case.is_subject || is_admin,
    }
}

fn is_too_soon(last: LastMail, now: Timestamp, is_test: bool) -> bool {
    let since = now.millis() - last.at.millis();
    if is_test {
        return since < TEST_INTERVAL_MILLIS;
    }
    since < LEAST_INTERVAL_MILLIS || (since < COOLDOWN_MILLIS && !last.has_ended)
}
