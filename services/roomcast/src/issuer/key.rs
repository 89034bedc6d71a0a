//! The issuer's signing key: ES256, kept as PEM in the data directory, readable by its owner alone.
//!
//! The command line and the server share it, so a token made by one is good for the other. Of two
//! processes that make it at the same moment one wins, and both use that one.
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::Value;

/// Only the owner may read it.
const MODE: u32 = 0o600;

/// A signing key and its public half.
pub(super) struct IssuerKey {
    signing: EncodingKey,
    verifying: DecodingKey,
    jwk: Jwk,
    kid: String,
}

impl IssuerKey {
    /// Reads the key at `path`; makes it, and its directory, if there is none.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        if !path.try_exists().with_context(|| shown.to_string())? {
            make(path).with_context(|| format!("{shown}: the key cannot be made"))?;
        }
        let mode = fs::metadata(path).with_context(|| shown.to_string())?.permissions().mode();
        anyhow::ensure!(
            mode & 0o077 == 0,
            "{shown}: others may read the key (mode {:o}): chmod 600 it, or delete it for a new one",
            mode & 0o777
        );
        let pem = fs::read(path).with_context(|| shown.to_string())?;
        Self::from_pem(&pem).with_context(|| format!("{shown}: is no ES256 key"))
    }

    fn from_pem(pem: &[u8]) -> anyhow::Result<Self> {
        let signing = EncodingKey::from_ec_pem(pem)?;
        let mut jwk = Jwk::from_encoding_key(&signing, Algorithm::ES256)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { signing, verifying: DecodingKey::from_jwk(&jwk)?, jwk, kid })
    }

    /// Its public half.
    pub(super) fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// A token with these claims.
    pub(super) fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        Ok(jsonwebtoken::encode(&header, claims, &self.signing)?)
    }

    /// The claims of a token of our own, ended or not.
    pub(super) fn read(&self, token: &str, issuer: &str, audience: &str) -> Option<Value> {
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[audience]);
        rules.validate_exp = false;
        let read = jsonwebtoken::decode::<Value>(token, &self.verifying, &rules);
        read.ok().map(|token| token.claims)
    }
}

fn make(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().context("it has no directory")?;
    fs::create_dir_all(folder)?;
    let failed = |_| anyhow::anyhow!("the key generator failed");
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
    let document = pair.to_pkcs8v1().map_err(failed)?;
    let draft = folder.join(format!(".{}", super::random_word()?));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&draft)?;
    file.write_all(pem(document.as_ref()).as_bytes())?;
    file.sync_all()?;
    // A link is made or not, never over an older key; a half-written one is never seen.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (index, letter) in text.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    lines + "\n-----END PRIVATE KEY-----\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/issuer-key.pem");
        let first = IssuerKey::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(IssuerKey::open(&path).unwrap().kid, first.kid);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = IssuerKey::open(&path).err().unwrap().to_string();
        assert!(error.contains("mode 644"), "{error}");
    }

    #[test]
    fn those_who_make_it_at_once_share_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer-key.pem");
        let kids: Vec<String> = std::thread::scope(|scope| {
            let all = (0..8).map(|_| scope.spawn(|| IssuerKey::open(&path).unwrap().kid));
            all.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(kids.iter().all(|kid| *kid == kids[0]), "{kids:?}");
    }

    #[test]
    fn nonsense_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer-key.pem");
        fs::write(&path, "no key").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(MODE)).unwrap();
        assert!(IssuerKey::open(&path).is_err());
    }
}
