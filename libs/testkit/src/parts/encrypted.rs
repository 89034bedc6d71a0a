//! Parts that speak TLS, each with a certificate of a test's own authority.
//!
//! RabbitMQ and Redis do so on a port of its own, beside the plain one; PostgreSQL on its only one.
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::Result;

use super::place::{PartDir, free_port};
use super::postgres::{give, server_user};
use super::{Postgres, Rabbit, Redis};
use crate::authority::Authority;

/// A part that speaks TLS.
#[derive(Debug)]
pub struct Encrypted<P> {
    /// The part.
    pub part: P,
    /// Where it does so, on 127.0.0.1.
    pub port: u16,
    files: PartDir,
}

impl<P> Encrypted<P> {
    /// The PEM file of its authority.
    pub fn authority_file(&self) -> PathBuf {
        self.files.path().join("ca.crt")
    }
}

impl Encrypted<Rabbit> {
    /// Starts one with a certificate for `names`. It asks nobody for a certificate.
    pub async fn start(authority: &Authority, names: &[&str]) -> Result<Self> {
        let (files, port) = (issue(authority, names)?, free_port()?);
        let lines = [
            format!("listeners.ssl.1 = 127.0.0.1:{port}"),
            format!("ssl_options.cacertfile = {}", place(&files, "ca.crt")),
            format!("ssl_options.certfile = {}", place(&files, "tls.crt")),
            format!("ssl_options.keyfile = {}", place(&files, "tls.key")),
        ];
        let part = Rabbit::start_with(&lines.join("\n")).await?;
        Ok(Self { part, port, files })
    }

    /// `amqps://guest:guest@<host>:<port>`, which is the vhost `/`.
    pub fn url(&self, host: &str) -> String {
        format!("amqps://guest:guest@{host}:{}", self.port)
    }
}

impl Encrypted<Redis> {
    /// Starts one with a certificate for `names`. It asks nobody for a certificate.
    pub async fn start(authority: &Authority, names: &[&str]) -> Result<Self> {
        let (files, port) = (issue(authority, names)?, free_port()?);
        let lines = [
            format!("tls-port {port}"),
            "tls-auth-clients no".to_owned(),
            format!("tls-ca-cert-file {}", place(&files, "ca.crt")),
            format!("tls-cert-file {}", place(&files, "tls.crt")),
            format!("tls-key-file {}", place(&files, "tls.key")),
        ];
        let part = Redis::start_with(&lines.join("\n")).await?;
        Ok(Self { part, port, files })
    }

    /// `rediss://<host>:<port>`
    pub fn url(&self, host: &str) -> String {
        format!("rediss://{host}:{}", self.port)
    }
}

impl Encrypted<Postgres> {
    /// Starts one with a certificate for `names`.
    pub async fn start(authority: &Authority, names: &[&str]) -> Result<Self> {
        let files = issue(authority, names)?;
        let key = files.path().join("tls.key");
        // It refuses a key that others may read.
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600))?;
        if let Some(user) = server_user() {
            give(&key, user)?;
        }
        let (certificate, key) = (place(&files, "tls.crt"), place(&files, "tls.key"));
        let settings = [("ssl", "on"), ("ssl_cert_file", &*certificate), ("ssl_key_file", &*key)];
        let part = Postgres::start_with(&settings).await?;
        Ok(Self { port: part.port(), part, files })
    }

    /// A url of its own for an empty database, whose client insists on the name `host`.
    pub async fn new_database(&self, host: &str) -> Result<String> {
        let url = self.part.new_database().await?.replace("@127.0.0.1:", &format!("@{host}:"));
        let authority = self.authority_file();
        Ok(format!("{url}?sslmode=verify-full&sslrootcert={}", authority.display()))
    }
}

/// A folder with a certificate, its key and its authority.
fn issue(authority: &Authority, names: &[&str]) -> Result<PartDir> {
    let files = PartDir::new("encrypted")?;
    authority.issue_for(names, 30)?.write(files.path())?;
    std::fs::write(files.path().join("ca.crt"), authority.pem())?;
    Ok(files)
}

fn place(files: &PartDir, name: &str) -> String {
    files.path().join(name).display().to_string()
}
