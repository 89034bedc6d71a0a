//! A certificate with its key, proved to belong together, and the authorities that it believes.
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::Place;
use crate::files::{Files, Problem};

/// A pair that serves.
#[derive(Debug)]
pub struct Pair {
    /// What handshakes are made with.
    pub certified: Arc<CertifiedKey>,
    /// Whose certificates the other side may show; `None` if no file says so.
    pub authorities: Option<Arc<RootCertStore>>,
    /// When the first certificate of the chain ends, Unix seconds.
    pub ends_at_s: u64,
}

impl Pair {
    /// Proves that the files hold a chain, the key of its first certificate, and authorities.
    pub(crate) fn parse(files: &Files) -> Result<Self, Problem> {
        let chain = certificates(&files.certificate).map_err(Problem::of_certificate)?;
        let ends: Result<Vec<_>, _> = chain.iter().map(end_of).collect();
        let ends = ends
            .map_err(|error| Problem::of_certificate(format!("holds no certificate: {error}")))?;
        let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|_| {
            let why = "holds no private key (PKCS#8, PKCS#1 or SEC1, not encrypted)";
            Problem::of_key(why.to_owned())
        })?;
        let certified = CertifiedKey::from_der(chain, key, &crate::provider()).map_err(
            |error| match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Problem::of_key(
                    "is not the key of the certificate in certificate_file".to_owned(),
                ),
                Error::InvalidCertificate(error) => Problem::of_certificate(error.to_string()),
                other => Problem::of_key(other.to_string()),
            },
        )?;
        let authorities = files.authority.as_deref().map(authorities).transpose();
        Ok(Self {
            certified: Arc::new(certified),
            authorities: authorities.map_err(Problem::of_authority)?.map(Arc::new),
            ends_at_s: ends.into_iter().min().unwrap_or_default(),
        })
    }

    /// Notes that it is shown from now on.
    pub(crate) fn tell(&self, place: Place, what: &'static str) {
        metrics::gauge!(place.expiry()).set(self.ends_at_s as f64);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left_s = self.ends_at_s.saturating_sub(now.as_secs());
        if left_s > 0 {
            tracing::info!(days_left = left_s / 86_400, "{what}");
        } else {
            tracing::warn!("{what}, with a certificate that has ended: it will be refused");
        }
    }
}

/// At least one, from PEM.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| format!("is not PEM: {error}"))?;
    if found.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(found) }
}

pub(crate) fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| format!("holds no certificate: {error}"))?;
    }
    Ok(roots)
}

/// When a certificate ends, Unix seconds.
fn end_of(certificate: &CertificateDer<'_>) -> x509_cert::der::Result<u64> {
    let parsed = Certificate::from_der(certificate)?;
    Ok(parsed.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
}
