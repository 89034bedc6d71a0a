//! A certificate authority of a test's own: real certificates for this machine, real TLS clients.
//!
//! Its clients believe this authority and nobody else, so that a handshake that succeeds proves
//! which certificate was shown.
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use time::{Duration, OffsetDateTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What its certificates are for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// See the file's head.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub struct Issued {
    /// The certificate as PEM.
    pub certificate_pem: String,
    /// Its key as PEM (PKCS#8).
    pub key_pem: String,
    /// The certificate's bytes, as a client sees them.
    pub der: CertificateDer<'static>,
    /// When it ends, Unix seconds.
    pub ends_at_s: i64,
}

impl Authority {
    /// An authority that nobody else believes.
    pub fn new() -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate for self-signed whose issuer has the name of its subject.
        params.distinguished_name.push(DnType::CommonName, "an authority of tests");
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Its own certificate as PEM, for clients.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this machine with a fresh key, that ends in `days`.
    pub fn issue(&self, days: i64) -> anyhow::Result<Issued> {
        self.issue_for(&NAMES, days)
    }

    /// A certificate for DNS names and addresses with a fresh key, that ends in `days`.
    pub fn issue_for(&self, names: &[&str], days: i64) -> anyhow::Result<Issued> {
        let key = KeyPair::generate()?;
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        let now = OffsetDateTime::now_utc();
        let end = now + Duration::days(days);
        (params.not_before, params.not_after) = (now.min(end) - Duration::days(1), end);
        let certificate = params.signed_by(&key, &self.0)?;
        Ok(Issued {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().clone(),
            ends_at_s: end.unix_timestamp(),
        })
    }

    /// What a client agrees to that believes this authority alone; `alpn` may be empty.
    pub fn client(&self, alpn: &[&str]) -> anyhow::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let mut config = builder
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        // Each connection is to see a certificate.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }

    /// A TLS connection to this machine, after its handshake.
    pub async fn connect(
        &self,
        address: SocketAddr,
        alpn: &[&str],
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let connector = TlsConnector::from(Arc::new(self.client(alpn)?));
        connector.connect(ServerName::try_from("localhost")?, stream).await.context("handshake")
    }
}

impl Issued {
    /// Writes `tls.crt` and `tls.key` into a folder.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::write(folder.join("tls.crt"), &self.certificate_pem)?;
        std::fs::write(folder.join("tls.key"), &self.key_pem)
    }
}
