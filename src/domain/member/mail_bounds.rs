//! Bounds on mail to unverified addresses: anyone can enter any address, so mail to such an address is counted.

use hmac::Hmac;
use serde::Deserialize;
use sha2::Sha256;

use crate::domain::quota::Quota;
use crate::primitives::actor::{Actor, Side};
use crate::primitives::clock::DAY;
use crate::primitives::derived_key;
use crate::primitives::ids::AccountId;
use crate::primitives::mailbox;

/// How many mails go to unverified addresses within a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct UnverifiedMail {
    /// From one account, to all such addresses together.
    #[serde(rename = "unverified_per_account")]
    pub per_account: u32,
    /// To one address, from all accounts together.
    #[serde(rename = "unverified_per_address")]
    pub per_address: u32,
    /// At the request of one member or API key of a team.
    #[serde(rename = "unverified_per_caller")]
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
    /// With a secret that addresses are hashed with, so that the counts reveal none.
    pub fn new(secret: &[u8], most: UnverifiedMail) -> Self {
        Self {
            key: derived_key::derive(secret, "ledgerbell bounds of mail 1"),
            most,
        }
    }

    /// Returns the quotas that a mail of an account to an address uses.
    pub(in crate::domain) fn of_mail(&self, account_id: AccountId, email: &str) -> Vec<Quota> {
        let account = account_id.number().to_be_bytes().to_vec();
        vec![
            daily("UNVERIFIED_ACCOUNT", account, self.most.per_account),
            daily(
                "UNVERIFIED_ADDRESS",
                mailbox::hash(&self.key, email),
                self.most.per_address,
            ),
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
}

fn daily(scope: &'static str, subject: Vec<u8>, most: u32) -> Quota {
    Quota {
        scope,
        subject,
        most,
        millis: DAY,
    }
}
