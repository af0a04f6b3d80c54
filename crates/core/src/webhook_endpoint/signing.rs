//! Secrets of endpoints, and signatures by the Standard Webhooks specification.

use std::fmt;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::primitives::derived_key;
use crate::primitives::ids::{AccountId, WebhookEndpointId};
use crate::primitives::timestamp::{DAY, Timestamp};

/// How long messages are also signed with the secret before, after a new one was made.
pub const SECRET_OVERLAP_MILLIS: i64 = DAY;

/// Makes the secrets of all endpoints. A secret follows from the secret of the installation, the endpoint and its generation. So none
/// is stored, and a copy of the database reveals none.
#[derive(Clone)]
pub struct SigningKeys(Hmac<Sha256>);

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys(***)")
    }
}

impl SigningKeys {
    /// Derives the keys from the secret of the installation.
    pub fn derive(secret: &[u8]) -> Self {
        Self(derived_key::derive(secret, "ledgerbell webhook signing secret 1"))
    }

    /// Returns the bytes of a secret.
    fn key(&self, (account_id, id): (AccountId, WebhookEndpointId), generation: i32) -> [u8; 32] {
        let mac = self.0.clone().chain_update(account_id.number().to_be_bytes());
        let mac = mac.chain_update(id.uuid()).chain_update(generation.to_be_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Returns a secret as its receiver gets it: `whsec_` and base64.
    pub fn text(&self, endpoint: (AccountId, WebhookEndpointId), generation: i32) -> String {
        format!("whsec_{}", BASE64.encode(&self.key(endpoint, generation)))
    }

    /// Returns the value of `webhook-signature`: one signature for each of these generations, with spaces between them.
    pub fn signatures(
        &self,
        endpoint: (AccountId, WebhookEndpointId),
        generations: &[i32],
        message: (&str, Timestamp, &str),
    ) -> String {
        let signatures = generations.iter().map(|generation| {
            let key = self.key(endpoint, *generation);
            sign(&key, message)
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

/// Returns the signature of a message: of its id, the time of the attempt and the body.
fn sign(key: &[u8], (id, at, body): (&str, Timestamp, &str)) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{}.{body}", at.millis() / 1_000).as_bytes());
    format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn a_message_is_signed_as_the_specification_says() {
        let key = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let message = (
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            Timestamp::from_millis(1_614_265_330_000),
            "{\"test\": 2432232314}",
        );
        assert_eq!(sign(&key, message), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_endpoint_and_generation_has_its_own_secret() {
        let keys = SigningKeys::derive(b"a secret of the installation");
        let endpoint = |account, id| {
            let id = WebhookEndpointId::from_uuid(Uuid::from_u128(id));
            (AccountId::from_number(account), id)
        };
        let one = keys.text(endpoint(1, 1), 1);
        assert_eq!(one.len(), "whsec_".len() + 44);
        assert_eq!(one, keys.text(endpoint(1, 1), 1));
        assert_ne!(one, keys.text(endpoint(1, 1), 2));
        assert_ne!(one, keys.text(endpoint(1, 2), 1));
        assert_ne!(one, keys.text(endpoint(2, 1), 1));
        assert_ne!(one, SigningKeys::derive(b"another secret").text(endpoint(1, 1), 1));
    }
}
