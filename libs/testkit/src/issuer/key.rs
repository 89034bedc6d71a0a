//! A signing key of the test issuer, and its public half as a JWK.
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256.
    Es256,
    /// RSA with PKCS #1 v1.5 padding, 2,048 bits.
    Rs256,
    /// RSA with PSS padding, 2,048 bits.
    Ps256,
    /// Ed25519.
    EdDsa,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A signing key.
pub struct TestKey {
    /// Its id.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    pair: Pair,
}

impl TestKey {
    /// A new key with a random id.
    pub fn generate(algorithm: Algorithm) -> anyhow::Result<Self> {
        Self::with_kid(algorithm, uuid::Uuid::new_v4().simple().to_string())
    }

    /// A new key with that id.
    pub fn with_kid(algorithm: Algorithm, kid: impl Into<String>) -> anyhow::Result<Self> {
        let pair = match algorithm {
            Algorithm::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Ec)
            }
            Algorithm::Rs256 | Algorithm::Ps256 => {
                RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa)
            }
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::Ed),
        };
        let pair = pair.map_err(|_| anyhow::anyhow!("no key could be made"))?;
        Ok(Self { kid: kid.into(), algorithm, pair })
    }

    /// The algorithm as a header writes it.
    pub fn alg(&self) -> &'static str {
        match self.algorithm {
            Algorithm::Es256 => "ES256",
            Algorithm::Rs256 => "RS256",
            Algorithm::Ps256 => "PS256",
            Algorithm::EdDsa => "EdDSA",
        }
    }

    /// Its public half.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
            }
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let n = encode(public.modulus().big_endian_without_leading_zero());
                let e = encode(public.exponent().big_endian_without_leading_zero());
                json!({ "kty": "RSA", "n": n, "e": e })
            }
            Pair::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.alg());
        jwk
    }

    /// Its public half in the encodings that the confusion of a public key with an HMAC secret
    /// is tried with: the DER structure, and the raw point or modulus.
    pub fn public_bytes(&self) -> Vec<Vec<u8>> {
        match &self.pair {
            Pair::Ec(pair) => {
                use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
                let der = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key());
                let mut all = vec![pair.public_key().as_ref().to_vec()];
                all.extend(der.into_iter().map(|der| der.as_ref().to_vec()));
                all
            }
            Pair::Rsa(pair) => vec![
                pair.public_key().as_ref().to_vec(),
                pair.public_key().modulus().big_endian_without_leading_zero().to_vec(),
            ],
            Pair::Ed(pair) => vec![pair.public_key().as_ref().to_vec()],
        }
    }

    /// Signs bytes, in the form that a token carries.
    pub fn sign(&self, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
        let failed = |_| anyhow::anyhow!("the key does not sign");
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => Ok(pair.sign(&random, bytes).map_err(failed)?.as_ref().to_vec()),
            Pair::Ed(pair) => Ok(pair.sign(bytes).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding =
                    if self.algorithm == Algorithm::Ps256 {
                        &RSA_PSS_SHA256
                    } else {
                        &RSA_PKCS1_SHA256
                    };
                pair.sign(padding, &random, bytes, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

/// Never shows the private half.
impl std::fmt::Debug for TestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TestKey({} {})", self.alg(), self.kid)
    }
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
