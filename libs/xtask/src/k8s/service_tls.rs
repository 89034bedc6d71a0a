//! Mutual TLS between the services on the cluster: Secrets as an operator makes them, an upgrade to
//! them, and the chart's own tests over it.
use std::path::Path;

use anyhow::{Context, Result};

use super::cluster::Cluster;
use super::release::Release;
use crate::shell;

const SERVICES: [&str; 4] = ["auth", "gateway", "presence", "rooms"];
const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/// Switches it on, and lets the chart's tests sign in, chat and ask every service how it is.
pub fn play(cluster: &Cluster<'_>, release: &Release<'_>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let subject = ["-x509", "-days", "2", "-subj", "/CN=chat services"];
    let files = [path("ca.key"), path("ca.crt")];
    let out = ["-keyout", &files[0], "-out", &files[1]];
    openssl(cluster, &[&["req"], &KEY[..], &subject, &out].concat())?;
    let mut further = Vec::new();
    for service in SERVICES {
        sign(cluster, folder.path(), service, release.namespace())?;
        let from = |key: &str, name: &str| format!("--from-file={key}={}", path(name));
        let files = [
            from("tls.crt", &format!("{service}.crt")),
            from("tls.key", &format!("{service}.key")),
            from("ca.crt", "ca.crt"),
        ];
        let secret = secret_of(service);
        let words = ["create", "secret", "generic", &secret, &files[0], &files[1], &files[2]];
        release.kubectl(&words)?;
        further.push(format!("serviceTls.existingSecrets.{service}={secret}"));
    }
    let further: Vec<&str> = further.iter().flat_map(|value| ["--set", value]).collect();
    let tested = release.upgrade_with(&further).and_then(|()| release.test());
    // What pods have mounted they keep; nothing shall be left over.
    for service in SERVICES {
        release.kubectl(&["delete", "secret", &secret_of(service)])?;
    }
    tested
}

fn secret_of(service: &str) -> String {
    format!("service-tls-{service}")
}

/// A certificate for a service of the release, which is called as its namespace is.
fn sign(cluster: &Cluster<'_>, folder: &Path, service: &str, release: &str) -> Result<()> {
    let path = |kind: &str| folder.join(format!("{service}.{kind}")).to_string_lossy().into_owned();
    let authority = |kind: &str| folder.join(format!("ca.{kind}")).to_string_lossy().into_owned();
    let (key, request, names) = (path("key"), path("csr"), path("names"));
    let subject = format!("/CN={service}");
    let out = ["-subj", &subject, "-keyout", &key, "-out", &request];
    openssl(cluster, &[&["req"], &KEY[..], &out].concat())?;
    let name = format!("subjectAltName=DNS:{service}.{release}.{release}.internal");
    std::fs::write(&names, name + &format!(",DNS:{release}-admin")).context("names")?;
    let (signer, signer_key, certificate) = (authority("crt"), authority("key"), path("crt"));
    let by = ["-CA", &signer, "-CAkey", &signer_key, "-CAcreateserial", "-days", "1"];
    let files = ["-in", &request, "-extfile", &names, "-out", &certificate];
    openssl(cluster, &[&["x509", "-req"], &by[..], &files].concat())
}

fn openssl(cluster: &Cluster<'_>, words: &[&str]) -> Result<()> {
    shell::output(cluster.shell().command("", "openssl", words)).map(drop)
}
