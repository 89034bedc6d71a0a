//! The chart's Ingress under a real controller: Traefik in the cluster's network, and the chart's own
//! conversation over it.
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::cluster::Cluster;
use super::controller::Controller;
use super::release::Release;
use crate::docker::wait;
use crate::parts::tools;
use crate::shell;

/// The class, and an account that may do anything: the cluster is the test's own.
const OBJECTS: &str = "\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: traefik }
spec: { controller: traefik.io/ingress-controller }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: traefik, namespace: kube-system }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: traefik }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin }
subjects: [{ kind: ServiceAccount, name: traefik, namespace: kube-system }]
";
/// Where it listens, in the cluster's network.
const ADDRESS: &str = "localhost:8000";
/// Until it has read the cluster.
const READ_MAX: Duration = Duration::from_secs(30);

/// Has the chart make its Ingress, and chats over it.
pub fn play(cluster: &Cluster<'_>, release: &Release<'_>) -> Result<()> {
    let program = tools::go_tool(cluster.shell(), "traefik")?;
    cluster.apply(OBJECTS)?;
    let values = "ingress.enabled=true,ingress.className=traefik,ingress.host=localhost";
    let played = release.upgrade_with(&["--set", values]).and_then(|()| {
        let folder = tempfile::tempdir()?;
        let token = cluster.kubectl(&["create", "token", "traefik", "-n", "kube-system"])?;
        let file = folder.path().join("token");
        std::fs::write(&file, token.trim())?;
        let _controller = start(cluster, &program, &file)?;
        chat(cluster, release)
    });
    cluster.kubectl(&["delete", "ingressclass,clusterrolebinding", "traefik"])?;
    cluster.kubectl(&["delete", "serviceaccount", "traefik", "-n", "kube-system"])?;
    played
}

/// Traefik, with a token of its account.
fn start(cluster: &Cluster<'_>, program: &Path, token: &Path) -> Result<Controller> {
    let authority = cluster.shell().target().join("k8s/pki/ca.crt");
    let provider = "--providers.kubernetesingress";
    let words = [
        program.to_string_lossy().into_owned(),
        "--global.checknewversion=false".to_owned(),
        format!("--entrypoints.web.address={ADDRESS}"),
        format!("{provider}=true"),
        format!("{provider}.endpoint=https://127.0.0.1:6443"),
        format!("{provider}.token={}", token.display()),
        format!("{provider}.certauthfilepath={}", authority.display()),
    ];
    Controller::start(cluster, "ingress", &words)
}

/// The page is there, and two sockets talk.
fn chat(cluster: &Cluster<'_>, release: &Release<'_>) -> Result<()> {
    let url = format!("http://{ADDRESS}/");
    let page = ["--silent", "--fail", "--output", "/dev/null", &url];
    wait(READ_MAX, "the page over the Ingress", || {
        Ok(shell::output(cluster.exec("curl", &page)).is_ok())
    })?;
    let mut command = cluster.exec("bash", &["helm/roomcast/files/chat-test.sh"]);
    command.env("GATEWAY", ADDRESS).env("CLIENT_ID", "backend");
    command.env("KEYCLOAK", release.service("roomcast-dev-keycloak", "main")?);
    command.env("CLIENT_SECRET", release.secret("roomcast-dev", "backend-client-secret")?);
    shell::run(command)
}
