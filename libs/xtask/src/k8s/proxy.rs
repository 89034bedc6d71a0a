//! The chart's Ingress and its HTTPRoute under a real controller: Traefik in the cluster's network, and
//! the chart's own conversation over each.
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::cluster::Cluster;
use super::controller::Controller;
use super::release::Release;
use crate::docker::wait;
use crate::parts::tools;
use crate::shell;

/// What the chart may make for a proxy that is there.
pub struct Way {
    /// What Traefik calls whoever reads it.
    provider: &'static str,
    /// What a cluster's operator makes first.
    objects: &'static str,
    /// The chart's values.
    values: &'static str,
}

/// An Ingress, of a class.
pub const INGRESS: Way = Way {
    provider: "kubernetesingress",
    objects: "\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: traefik }
spec: { controller: traefik.io/ingress-controller }
",
    values: "ingress.enabled=true,ingress.className=traefik,ingress.host=localhost",
};
/// An HTTPRoute, on a Gateway of another namespace.
pub const HTTP_ROUTE: Way = Way {
    provider: "kubernetesgateway",
    objects: "\
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: traefik }
spec: { controllerName: traefik.io/gateway-controller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public, namespace: kube-system }
spec:
  gatewayClassName: traefik
  listeners:
    - { name: web, protocol: HTTP, port: 8000, allowedRoutes: { namespaces: { from: All } } }
",
    values: "gatewayApi.enabled=true,gatewayApi.hostnames[0]=localhost,\
             gatewayApi.parentRefs[0].name=public,gatewayApi.parentRefs[0].namespace=kube-system",
};
/// An account that may do anything: the cluster is the test's own.
const ACCOUNT: &str = "\
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

/// Has the chart make what the way wants, and chats over it.
pub fn play(cluster: &Cluster<'_>, release: &Release<'_>, way: &Way) -> Result<()> {
    let program = tools::go_tool(cluster.shell(), "traefik")?;
    cluster.apply(ACCOUNT)?;
    let played = cluster.apply(way.objects).and_then(|()| {
        release.upgrade_with(&["--set", way.values])?;
        let folder = tempfile::tempdir()?;
        let token = cluster.kubectl(&["create", "token", "traefik", "-n", "kube-system"])?;
        let file = folder.path().join("token");
        std::fs::write(&file, token.trim())?;
        let _controller = start(cluster, &program, &file, way.provider)?;
        chat(cluster, release)
    });
    cluster.delete(way.objects)?;
    cluster.delete(ACCOUNT)?;
    played
}

/// The kinds of the Gateway API, which a cluster does not have by itself.
pub fn add_kinds(cluster: &Cluster<'_>) -> Result<()> {
    let files = kinds(cluster)?;
    // They are larger than what the client's own way of applying can note of them.
    cluster.kubectl(&["apply", "--server-side", "-f", &files])?;
    let established = ["wait", "--for=condition=established", "--timeout=60s", "-f", &files];
    cluster.kubectl(&established).map(drop)
}

/// To be called when the release is gone, for Helm must know the kinds of what it removes.
pub fn remove_kinds(cluster: &Cluster<'_>) -> Result<()> {
    let files = kinds(cluster)?;
    cluster.kubectl(&["delete", "--ignore-not-found", "--timeout=60s", "-f", &files]).map(drop)
}

/// The folder of their definitions, as published.
fn kinds(cluster: &Cluster<'_>) -> Result<String> {
    let (module, version, folder) = tools::GATEWAY_API;
    let folder = tools::go_module(cluster.shell(), module, version)?.join(folder);
    Ok(folder.to_string_lossy().into_owned())
}

/// Traefik, with a token of its account.
fn start(
    cluster: &Cluster<'_>,
    program: &Path,
    token: &Path,
    provider: &'static str,
) -> Result<Controller> {
    let authority = cluster.state().join("pki/ca.crt");
    let words = [
        program.to_string_lossy().into_owned(),
        "--global.checknewversion=false".to_owned(),
        format!("--entrypoints.web.address={ADDRESS}"),
        format!("--providers.{provider}=true"),
        format!("--providers.{provider}.endpoint=https://127.0.0.1:6443"),
        format!("--providers.{provider}.token={}", token.display()),
        format!("--providers.{provider}.certauthfilepath={}", authority.display()),
    ];
    Controller::start(cluster, provider, &words)
}

/// The page is there, and two sockets talk.
fn chat(cluster: &Cluster<'_>, release: &Release<'_>) -> Result<()> {
    let url = format!("http://{ADDRESS}/");
    let page = ["--silent", "--fail", "--output", "/dev/null", &url];
    wait(READ_MAX, "the page over the proxy", || {
        Ok(shell::output(cluster.exec("curl", &page)).is_ok())
    })?;
    let mut command = cluster.exec("bash", &["helm/roomcast/files/chat-test.sh"]);
    command.env("GATEWAY", ADDRESS).env("CLIENT_ID", "backend");
    command.env("KEYCLOAK", release.service("roomcast-dev-keycloak", "main")?);
    command.env("CLIENT_SECRET", release.secret("roomcast-dev", "backend-client-secret")?);
    shell::run(command)
}
