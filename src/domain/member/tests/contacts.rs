use chrono_tz::Tz;

use super::super::{Change, Contact, ContactStatus, Vouch};
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, MemberId};

#[test]
fn a_vouch_is_for_one_address_and_changes_nothing_where_it_is_verified() {
    let vouch = Some(Vouch {
        by: Cause::System,
        at: Timestamp::from_millis(7),
    });
    let (account_id, member_id) = (AccountId::from_number(1), MemberId::from_uuid(uuid::Uuid::nil()));
    let email = || Some("ada@example.com".to_owned());
    let contact = Contact::new(account_id, member_id, (email(), vouch, None), Tz::UTC);
    assert_eq!((contact.email_status, contact.version), (ContactStatus::Verified, 1));
    let later = Some(Vouch {
        by: Cause::System,
        at: Timestamp::from_millis(8),
    });
    assert_eq!(contact.clone().vouched_for(later), contact);
    let bouncing = contact.with_status(ContactStatus::Bouncing, Some("REFUSED".to_owned()));
    let again = bouncing.clone().vouched_for(later);
    assert_eq!(
        (again.email_status, again.bounce_message.as_ref(), again.vouched),
        (ContactStatus::Verified, None, later)
    );
    let other = bouncing.with_email(Change::Set("bob@example.com".to_owned()));
    assert_eq!((other.email_status, other.vouched), (ContactStatus::Unverified, None));
    let nowhere = Contact::new(account_id, member_id, (None, vouch, None), Tz::UTC);
    assert_eq!((nowhere.email_status, nowhere.vouched), (ContactStatus::None, None));
}
