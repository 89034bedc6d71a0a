//! A certificate with its key: read from two files, proved to belong together, or told why not.
//!
//! Texts of problems begin with the config's key and never hold what stands in a file.
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::PairPaths;

/// A file larger than this is no certificate but a mistake, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// How often the pair is read anew because it changed meanwhile.
const READS: usize = 3;

/// What both files held at one time.
#[derive(Default, PartialEq, Eq)]
pub(super) struct PairFiles {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A pair that serves.
pub(super) struct Pair {
    /// What handshakes are made with.
    pub certified: CertifiedKey,
    /// When the first certificate of the chain ends, Unix seconds.
    pub ends_at_s: u64,
}

impl std::fmt::Debug for PairFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Why a pair is of no use: the key of the config, and a sentence.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub(super) struct PairProblem {
    key: &'static str,
    why: String,
}

impl PairFiles {
    /// Reads both. A folder that is swapped below us between the two reads is read again.
    pub fn read(paths: &PairPaths) -> Result<Self, PairProblem> {
        let certificate = || read(&paths.certificate).map_err(of_certificate);
        let mut before = certificate()?;
        for _ in 1..READS {
            let key = read(&paths.key).map_err(of_key)?;
            let after = certificate()?;
            if before == after {
                return Ok(Self { certificate: after, key });
            }
            before = after;
        }
        Ok(Self { certificate: before, key: read(&paths.key).map_err(of_key)? })
    }
}

impl Pair {
    /// Proves that the files hold a chain and the key of its first certificate.
    pub fn parse(files: &PairFiles, provider: &Arc<CryptoProvider>) -> Result<Self, PairProblem> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&files.certificate).collect();
        let chain = chain.map_err(|error| of_certificate(format!("is not PEM: {error}")))?;
        if chain.is_empty() {
            return Err(of_certificate("holds no certificate".to_owned()));
        }
        let ends: Result<Vec<_>, _> = chain.iter().map(end_of).collect();
        let ends =
            ends.map_err(|error| of_certificate(format!("holds no certificate: {error}")))?;
        let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|_| {
            of_key("holds no private key (PKCS#8, PKCS#1 or SEC1, not encrypted)".to_owned())
        })?;
        let certified =
            CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    of_key("is not the key of the certificate in certificate_file".to_owned())
                }
                Error::InvalidCertificate(error) => of_certificate(error.to_string()),
                other => of_key(other.to_string()),
            })?;
        let ends_at_s = ends.into_iter().min().unwrap_or_default();
        Ok(Self { certified, ends_at_s })
    }

    /// Notes that it is shown from now on.
    pub fn tell(&self, what: &'static str) {
        metrics::gauge!("roomcast_gateway_certificate_expiry_seconds").set(self.ends_at_s as f64);
        let left_s = self.ends_at_s as i64 - crate::clock::now_ms() / 1_000;
        if left_s > 0 {
            tracing::info!(days_left = left_s / 86_400, "{what}");
        } else {
            tracing::warn!("{what}, with a certificate that has ended: clients will refuse it");
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("{shown}: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{shown}: larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}

/// When a certificate ends, Unix seconds.
fn end_of(certificate: &CertificateDer<'_>) -> x509_cert::der::Result<u64> {
    let parsed = Certificate::from_der(certificate)?;
    Ok(parsed.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
}

fn of_certificate(why: String) -> PairProblem {
    PairProblem { key: "certificate_file", why }
}

fn of_key(why: String) -> PairProblem {
    PairProblem { key: "key_file", why }
}
