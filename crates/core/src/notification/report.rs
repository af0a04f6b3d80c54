//! What a mail system reports of a mail later on, and what that makes of it.
//!
//! Reports come late, twice and in any order, and beside them the mail may be sent again. So a report is not a step from one status
//! to the next but a fact, and the facts have ranks: that it came back outdoes that it arrived, which outdoes that it was not
//! taken for now.

use super::alert::DeliveryStatus;
use super::retry::next_try;
use crate::primitives::timestamp::Timestamp;

crate::text_enum! {
    /// What a mail system reports of a mail.
    ReportKind {
        /// It is in the mailbox.
        Delivered = "DELIVERED",
        /// It is not, and the mail system has given it up, for a reason that may pass: the mailbox is full.
        SoftBounce = "SOFT_BOUNCE",
        /// It is not and will never be: there is no such mailbox.
        HardBounce = "HARD_BOUNCE",
        /// Whoever got it calls it spam.
        Complaint = "COMPLAINT",
    }
}

impl ReportKind {
    /// Whether mail to the address is held back from now on.
    pub const fn is_against_address(self) -> bool {
        matches!(self, Self::HardBounce | Self::Complaint)
    }

    /// Whether the mail was in the mailbox.
    pub const fn tells_of_arrival(self) -> bool {
        matches!(self, Self::Delivered | Self::Complaint)
    }
}

/// A report of one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The mail system's id of it: the same when it comes again.
    pub id: String,
    /// What it says.
    pub kind: ReportKind,
    /// The part before the @ of the Message-ID that the mail had.
    pub message_id: String,
    /// Where the mail went.
    pub address: String,
    /// The mail system's words.
    pub reason: Option<String>,
}

/// A mail as it stands when a report of it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// How far it is.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: i32,
    /// Whether a report before this one told of its arrival.
    pub has_arrived: bool,
    /// When the alert was raised.
    pub created_at: Timestamp,
}

/// What becomes of a mail by a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing new.
    Unchanged,
    /// It was sent, whatever we thought.
    Sent,
    /// It is sent again at this time.
    Again(Timestamp),
    /// It was tried for long enough.
    GivenUp,
    /// It came back.
    CameBack,
}

/// Decides what a report makes of a mail.
pub fn fate(kind: ReportKind, mail: &Reported, now: Timestamp) -> Fate {
    use DeliveryStatus::{Bounced, Failed, Queued, Sending, Sent, Suppressed};
    // What is to be sent anew has not been sent: reports tell of the time before.
    let is_untried = mail.status == Queued && mail.attempts == 0;
    if is_untried || matches!(mail.status, Bounced | Suppressed) {
        return Fate::Unchanged;
    }
    match (kind, mail.status) {
        (ReportKind::HardBounce, _) => Fate::CameBack,
        (ReportKind::Delivered | ReportKind::Complaint, Queued | Sending | Failed) => Fate::Sent,
        (ReportKind::SoftBounce, Sending | Sent) if !mail.has_arrived => {
            next_try(mail.attempts, mail.created_at, now).map_or(Fate::GivenUp, Fate::Again)
        }
        (ReportKind::Delivered | ReportKind::SoftBounce | ReportKind::Complaint, _) => Fate::Unchanged,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const HOUR: i64 = 3_600_000;

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
            Fate::Unchanged => mail.status,
            Fate::Sent => DeliveryStatus::Sent,
            Fate::Again(_) => DeliveryStatus::Queued,
            Fate::GivenUp => DeliveryStatus::Failed,
            Fate::CameBack => DeliveryStatus::Bounced,
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
        assert_eq!(fate(soft, &sent, NOW), Fate::Again(NOW.plus_millis(60_000)));
        assert_eq!(fate(soft, &sent, NOW.plus_millis(24 * HOUR)), Fate::GivenUp);
    }

    #[test]
    fn what_is_to_be_sent_anew_and_what_was_not_sent_is_let_be() {
        let anew = Reported {
            attempts: 0,
            ..mail(DeliveryStatus::Queued)
        };
        for kind in ReportKind::ALL {
            assert_eq!(fate(*kind, &anew, NOW), Fate::Unchanged);
            assert_eq!(fate(*kind, &mail(DeliveryStatus::Suppressed), NOW), Fate::Unchanged);
        }
    }

    #[test]
    fn a_mail_whose_arrival_is_reported_is_not_sent_again() {
        for status in [DeliveryStatus::Queued, DeliveryStatus::Sending, DeliveryStatus::Failed] {
            assert_eq!(fate(ReportKind::Delivered, &mail(status), NOW), Fate::Sent);
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
