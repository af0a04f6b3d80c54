//! An issuer of tokens: a key pair made for the test.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::domain::fault::Fault;
use crate::domain::member::KeySetSource;
use crate::primitives::clock::Clock;

pub(crate) struct Issuer {
    pub(crate) algorithm: Algorithm,
    pub(crate) id: &'static str,
    key: EncodingKey,
}

impl Issuer {
    pub(crate) fn new(algorithm: Algorithm, id: &'static str) -> Self {
        let random = SystemRandom::new();
        let key = match algorithm {
            Algorithm::RS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
                let der: Pkcs8V1Der<'_> = pair.as_der().expect("a key");
                let base64 = data_encoding::BASE64.encode(der.as_ref());
                let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
                EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key")
            }
            Algorithm::ES256 => {
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
                EncodingKey::from_ec_der(pkcs8.as_ref())
            }
            Algorithm::EdDSA => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&random).expect("a key");
                EncodingKey::from_ed_der(pkcs8.as_ref())
            }
            _ => EncodingKey::from_secret(b"a secret that is long enough for hmac"),
        };
        Self { algorithm, id, key }
    }

    /// The public half, as a key set publishes it.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a public key");
        jwk.common.key_id = Some(self.id.to_owned());
        serde_json::to_value(jwk).expect("JSON")
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).expect("signs")
    }
}

/// The claims of a token for this member, valid for a minute.
pub(crate) fn claims(clock: &Clock, account: &str, member: &str) -> Value {
    json!({ "acct": account, "sub": member, "exp": clock.now().millis() / 1_000 + 60 })
}

/// A key set that can be changed, counts its fetches and can fail.
#[derive(Debug, Default)]
pub(crate) struct Published {
    keys: Mutex<Option<Vec<Value>>>,
    fetches: AtomicUsize,
}

impl Published {
    pub(crate) fn new(keys: Vec<Value>) -> Arc<Self> {
        let published = Self::default();
        published.publish(Some(keys));
        Arc::new(published)
    }

    /// Publishes other keys. With `None` the issuer is unreachable.
    pub(crate) fn publish(&self, keys: Option<Vec<Value>>) {
        *self.keys.lock().expect("not poisoned") = keys;
    }

    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

impl KeySetSource for Published {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<String, Fault>> + Send + '_>> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let keys = self.keys.lock().expect("not poisoned").clone();
        Box::pin(async move {
            keys.map(|keys| json!({ "keys": keys }).to_string())
                .ok_or_else(|| Fault::Unavailable("down".to_owned()))
        })
    }
}
