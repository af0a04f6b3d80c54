//! Reports of a mail system about sent mail, and their effect.
//!
//! Reports come late, twice and in any order, and meanwhile the mail may be sent again. So a report is a fact and not a step from
//! one status to the next. Facts have ranks: a bounce outranks an arrival, and an arrival outranks a temporary refusal.

use super::alert::DeliveryStatus;
use super::retry::next_try;
use crate::primitives::timestamp::Timestamp;

crate::text_enum! {
    /// The kind of a report about mail.
    ReportKind {
        /// The mail is in the mailbox.
        Delivered = "DELIVERED",
        /// The mail system has given up for a reason that may pass, such as a full mailbox.
        SoftBounce = "SOFT_BOUNCE",
        /// The mail can never arrive, for example because the mailbox does not exist.
        HardBounce = "HARD_BOUNCE",
        /// The recipient marked the mail as spam.
        Complaint = "COMPLAINT",
    }
}

impl ReportKind {
    /// Returns whether mail to the address is held back from now on.
    pub const fn is_against_address(self) -> bool {
        matches!(self, Self::HardBounce | Self::Complaint)
    }

    /// Returns whether the mail was in the mailbox.
    pub const fn tells_of_arrival(self) -> bool {
        matches!(self, Self::Delivered | Self::Complaint)
    }
}

/// A report about one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The mail system's id of the report. A repeated report has the same id.
    pub id: String,
    /// The kind of the report.
    pub kind: ReportKind,
    /// The part of the mail's Message-ID before the @.
    pub message_id: String,
    /// The address that the mail was sent to.
    pub address: String,
    /// The mail system's message.
    pub reason: Option<String>,
}

/// The state of a mail when a report about it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// The progress of the delivery.
    pub status: DeliveryStatus,
    /// The number of attempts.
    pub attempts: i32,
    /// Whether an earlier report contained its arrival.
    pub has_arrived: bool,
    /// When the alert was raised.
    pub created_at: Timestamp,
}

/// The effect of a report on a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportEffect {
    /// No change.
    Unchanged,
    /// It was sent, even if its status differs.
    Sent,
    /// It is sent again at this time.
    Again(Timestamp),
    /// It was given up after the last attempt.
    GivenUp,
    /// It bounced.
    CameBack,
}

/// Decides the effect of a report on a mail.
pub fn fate(kind: ReportKind, mail: &Reported, now: Timestamp) -> ReportEffect {
    use DeliveryStatus::{Bounced, Failed, Queued, Sending, Sent, Suppressed};
    // A mail that is queued again was not sent yet: the report is about an earlier attempt.
    let is_untried = mail.status == Queued && mail.attempts == 0;
    if is_untried || matches!(mail.status, Bounced | Suppressed) {
        return ReportEffect::Unchanged;
    }
    match (kind, mail.status) {
        (ReportKind::HardBounce, _) => ReportEffect::CameBack,
        (ReportKind::Delivered | ReportKind::Complaint, Queued | Sending | Failed) => ReportEffect::Sent,
        (ReportKind::SoftBounce, Sending | Sent) if !mail.has_arrived => {
            next_try(mail.attempts, mail.created_at, now).map_or(ReportEffect::GivenUp, ReportEffect::Again)
        }
        (ReportKind::Delivered | ReportKind::SoftBounce | ReportKind::Complaint, _) => ReportEffect::Unchanged,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::primitives::timestamp::HOUR;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn mail(status: DeliveryStatus) -> Reported {
        Reported {
            status,
            attempts: 1,
            has_arrived: false,
            created_at: NOW,
        }
    }

    fn after(mail: Reported, kind: ReportKind) -> Reported {
        let status = match fate(kind, &mail, NOW) {
            ReportEffect::Unchanged => mail.status,
            ReportEffect::Sent => DeliveryStatus::Sent,
            ReportEffect::Again(_) => DeliveryStatus::Queued,
            ReportEffect::GivenUp => DeliveryStatus::Failed,
            ReportEffect::CameBack => DeliveryStatus::Bounced,
        };
        let has_arrived = mail.has_arrived || kind.tells_of_arrival();
        Reported {
            status,
            has_arrived,
            ..mail
        }
    }

    #[test]
    fn a_mail_that_was_not_taken_for_now_is_sent_again_for_a_day() {
        let sent = mail(DeliveryStatus::Sent);
        let soft = ReportKind::SoftBounce;
        assert_eq!(fate(soft, &sent, NOW), ReportEffect::Again(NOW.plus_millis(60_000)));
        assert_eq!(fate(soft, &sent, NOW.plus_millis(24 * HOUR)), ReportEffect::GivenUp);
    }

    #[test]
    fn what_is_to_be_sent_anew_and_what_was_not_sent_is_let_be() {
        let anew = Reported {
            attempts: 0,
            ..mail(DeliveryStatus::Queued)
        };
        for kind in ReportKind::ALL {
            assert_eq!(fate(*kind, &anew, NOW), ReportEffect::Unchanged);
            assert_eq!(
                fate(*kind, &mail(DeliveryStatus::Suppressed), NOW),
                ReportEffect::Unchanged
            );
        }
    }

    #[test]
    fn a_mail_whose_arrival_is_reported_is_not_sent_again() {
        for status in [DeliveryStatus::Queued, DeliveryStatus::Sending, DeliveryStatus::Failed] {
            assert_eq!(fate(ReportKind::Delivered, &mail(status), NOW), ReportEffect::Sent);
        }
    }

    fn kinds() -> impl Strategy<Value = Vec<ReportKind>> {
        prop::collection::vec(prop::sample::select(ReportKind::ALL), 1..6)
    }

    proptest! {
        #[test]
        fn any_order_of_reports_comes_to_the_same(
            (one, other) in kinds().prop_flat_map(|kinds| (Just(kinds.clone()), Just(kinds).prop_shuffle())),
            status in prop::sample::select(vec![DeliveryStatus::Sent, DeliveryStatus::Sending]),
            age in prop::sample::select(vec![0, 30 * HOUR]),
        ) {
            let begin = Reported { created_at: NOW.plus_millis(-age), ..mail(status) };
            let end = |kinds: &[ReportKind]| kinds.iter().fold(begin, |mail, kind| after(mail, *kind));
            prop_assert_eq!(end(&one), end(&other), "{:?} {:?}", one, other);
        }
    }
}
