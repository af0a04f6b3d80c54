//! Bounds on mail to unverified addresses: anyone can enter any address, so mail to such an address is counted.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::quota::Quota;
use crate::primitives::actor::{Actor, Side};
use crate::primitives::ids::AccountId;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// How many mails go to unverified addresses within a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnverifiedMail {
    /// From one account, to all such addresses together.
    pub per_account: u32,
    /// To one address, from all accounts together.
    pub per_address: u32,
    /// At the request of one member or API key of a team.
    pub per_caller: u32,
}

/// Counts such mail. Cloning is cheap.
#[derive(Clone)]
pub struct MailBounds {
    key: Hmac<Sha256>,
    most: UnverifiedMail,
}

impl std::fmt::Debug for MailBounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailBounds")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

impl MailBounds {
    /// Hashes addresses with a key derived from `secret`, so that the counts reveal none.
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes keys of any length")]
    pub fn new(secret: &[u8], most: UnverifiedMail) -> Self {
        Self {
            key: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"),
            most,
        }
    }

    /// Returns the quotas that a mail of an account to an address uses.
    pub(in crate::domain) fn of_mail(&self, account_id: AccountId, email: &str) -> Vec<Quota> {
        let account = account_id.number().to_be_bytes().to_vec();
        vec![
            daily("UNVERIFIED_ACCOUNT", account, self.most.per_account),
            daily("UNVERIFIED_ADDRESS", self.hash(email), self.most.per_address),
        ]
    }

    /// Returns the quota that a request for such a mail uses. The platform is not bounded: it vouches for
    /// addresses.
    pub(in crate::domain) fn of_caller(&self, actor: &Actor) -> Option<Quota> {
        if actor.side() == Side::Platform {
            return None;
        }
        let subject = match actor {
            Actor::Member { member_id, .. } => member_id.uuid(),
            Actor::ApiKey { api_key_id, .. } => api_key_id.uuid(),
            Actor::System => return None,
        };
        let subject = subject.as_bytes().to_vec();
        Some(daily("UNVERIFIED_CALLER", subject, self.most.per_caller))
    }

    /// The keyed hash of a mailbox: the same for each capitalization of the address, and without the part
    /// from `+` on.
    fn hash(&self, email: &str) -> Vec<u8> {
        let email = email.to_lowercase();
        let (local, domain) = email.rsplit_once('@').unwrap_or((&email, ""));
        let mailbox = local.split('+').next().unwrap_or(local);
        let mut mac = self.key.clone();
        mac.update(b"mailbox\0");
        mac.update(mailbox.as_bytes());
        mac.update(b"@");
        mac.update(domain.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

fn daily(scope: &'static str, subject: Vec<u8>, most: u32) -> Quota {
    Quota {
        scope,
        subject,
        most,
        millis: DAY_MILLIS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_counts_as_one_however_it_is_written_and_differs_by_key() {
        let most = UnverifiedMail {
            per_account: 1,
            per_address: 1,
            per_caller: 1,
        };
        let (one, other) = (MailBounds::new(b"key", most), MailBounds::new(b"other", most));
        let hash = one.hash("ada@example.com");
        assert_eq!(hash, one.hash("Ada+7@EXAMPLE.com"));
        assert_ne!(hash, one.hash("bob@example.com"));
        assert_ne!(hash, one.hash("ada@example.org"));
        assert_ne!(hash, other.hash("ada@example.com"));
    }
}
