//! The chart's Certificates under the real cert-manager: it signs for every service by an authority
//! of the namespace's own, and the chart's tests go over what it signed.
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::cluster::Cluster;
use super::controller::Controller;
use super::release::Release;
use crate::docker::wait;
use crate::parts::tools;

/// As docs/how-to/encrypt-between-services.md has it: something that signs itself, by it an authority,
/// and who signs by that.
const AUTHORITY: &str = "\
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: { name: root }
spec: { selfSigned: {} }
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: chat-services }
spec:
  isCA: true
  commonName: chat services
  secretName: chat-services-ca
  duration: 87600h
  issuerRef: { name: root }
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: { name: chat-services }
spec: { ca: { secretName: chat-services-ca } }
";
/// Its kinds, one a file of its module, which is called after the first word.
const KINDS: [&str; 6] = [
    "certificaterequests.cert-manager.io",
    "certificates.cert-manager.io",
    "challenges.acme.cert-manager.io",
    "clusterissuers.cert-manager.io",
    "issuers.cert-manager.io",
    "orders.acme.cert-manager.io",
];
/// What it signed, and the authority.
const SECRETS: [&str; 5] = [
    ROOMS_SECRET,
    "roomcast-auth-service-tls",
    "roomcast-gateway-service-tls",
    "roomcast-presence-service-tls",
    "chat-services-ca",
];
const ROOMS_SECRET: &str = "roomcast-rooms-service-tls";
/// Until a certificate is signed.
const SIGNED_MAX: Duration = Duration::from_secs(60);

/// Switches it on, and lets the chart's tests go over it; then has one certificate signed anew.
pub fn play(cluster: &Cluster<'_>, release: &Release<'_>) -> Result<()> {
    let program = tools::go_tool(cluster.shell(), "cert-manager")?;
    let folder = tools::go_files(cluster.shell(), "cert-manager")?.join("deploy/crds");
    for kind in KINDS {
        let (name, _group) = kind.split_once('.').context("a kind without a group")?;
        let file = folder.join(format!("crd-{name}.yaml"));
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        // Its own chart fills in labels, which say nothing to anybody here.
        let plain: Vec<&str> = text.lines().filter(|line| !line.contains("{{")).collect();
        cluster.apply(&plain.join("\n"))?;
    }
    let kubeconfig = cluster.state().join("kubeconfig");
    let words = [
        program.to_string_lossy().into_owned(),
        format!("--kubeconfig={}", kubeconfig.display()),
        "--leader-elect=false".to_owned(),
    ];
    let established = ["wait", "crd", "--for=condition=established", "--timeout=60s"];
    cluster.kubectl(&[&established[..], &KINDS].concat())?;
    let _running = Controller::start(cluster, "cert-manager", &words)?;
    cluster.apply_in(release.namespace(), AUTHORITY)?;
    let issuer = "serviceTls.certManager.issuerRef";
    let values = format!("{issuer}.name=chat-services,{issuer}.kind=Issuer");
    release.upgrade_with(&["--set", &values])?;
    release.test()?;
    renew(release)
}

/// Who loses a Secret is given another one, with another certificate for the same names.
fn renew(release: &Release<'_>) -> Result<()> {
    let certificate = || release.secret(ROOMS_SECRET, "tls.crt");
    let before = certificate()?;
    release.kubectl(&["delete", "secret", ROOMS_SECRET])?;
    wait(SIGNED_MAX, "a certificate signed anew", || {
        Ok(certificate().is_ok_and(|after| !after.is_empty()))
    })?;
    ensure!(certificate()? != before, "the same certificate came back");
    Ok(())
}

/// What Helm did not make it does not remove: cert-manager's Secrets, the authority, the kinds. To be
/// called when the release is gone, for Helm must know the kinds of what it removes.
pub fn remove(cluster: &Cluster<'_>, release: &Release<'_>) -> Result<()> {
    let secrets = ["delete", "secret", "--ignore-not-found"];
    release.kubectl(&[&secrets[..], &SECRETS].concat())?;
    let kinds = ["delete", "crd", "--ignore-not-found", "--timeout=60s"];
    cluster.kubectl(&[&kinds[..], &KINDS].concat()).map(drop)
}
