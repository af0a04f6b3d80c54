//! The mailbox that an e-mail address leads to. It identifies addresses in comparisons and limits.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Returns the keyed hash of an address's mailbox. It ignores case, and what follows a `+`. All these addresses lead to the same reader.
#[must_use]
pub fn hash(key: &Hmac<Sha256>, email: &str) -> Vec<u8> {
    let email = email.to_lowercase();
    let (local, domain) = email.rsplit_once('@').unwrap_or((&email, ""));
    let mailbox = local.split('+').next().unwrap_or(local);
    let hash = key.clone().chain_update(b"mailbox\0").chain_update(mailbox);
    hash.chain_update(b"@")
        .chain_update(domain)
        .finalize()
        .into_bytes()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::derived_key::derive;

    #[test]
    fn a_mailbox_is_one_however_it_is_written_and_differs_by_key() {
        let (one, other) = (derive(b"secret", "one"), derive(b"secret", "other"));
        let ada = hash(&one, "ada@example.com");
        assert_eq!(ada, hash(&one, "Ada+7@EXAMPLE.com"));
        for different in ["bob@example.com", "ada@example.org", "ada"] {
            assert_ne!(ada, hash(&one, different), "{different}");
        }
        assert_ne!(ada, hash(&other, "ada@example.com"));
    }
}
