//! The story that the chart goes through, each part a step that is timed; a later one needs the earlier.
use anyhow::{Context, Result};

use super::Wish;
use super::certificates;
use super::cluster::Cluster;
use super::leftover::Inventory;
use super::load::{Crowd, Target};
use super::policies;
use super::proxy;
use super::release::Release;
use super::service_tls;
use crate::report::Report;

/// Connections in the crowd.
const CONNECTIONS: u64 = 300;

/// Goes through all of it, or through its short form.
pub fn play(cluster: &Cluster<'_>, wish: &Wish, report: &mut Report) {
    let done = acts(cluster, wish, report);
    if wish.keep {
        report.skip("cluster down", "it is to be kept; `cargo xtask k8s down`");
    } else {
        if done.is_none() {
            eprintln!("the cluster's logs:");
            let _shown = cluster.script(&["logs"]);
        }
        report.step("cluster down", || cluster.script(&["down"]));
    }
}

/// `None` as soon as a step failed.
fn acts(cluster: &Cluster<'_>, wish: &Wish, report: &mut Report) -> Option<()> {
    let release = Release::new(cluster, wish.values.as_deref());
    let must = |passed: bool| passed.then_some(());
    must(report.step("cluster up", || cluster.script(&["up"])))?;
    must(report.step("images loaded", || cluster.load(&release.images()?)))?;
    let mut before = None;
    must(report.step("namespace", || {
        release.make_namespace()?;
        before = Some(Inventory::take(cluster, release.namespace())?);
        Ok(())
    }))?;
    must(report.noted_step("helm install", || {
        let installed = release.install();
        (release.image_sizes().unwrap_or_default(), installed)
    }))?;
    must(report.step("helm test", || release.test()))?;
    // Stays to the end: whatever comes is not hindered by any policy.
    let mut enforcer = None;
    if !wish.short {
        must(report.noted_step("network policies", || {
            noted(policies::enforce(cluster, &release).and_then(|started| {
                enforcer = Some(started);
                policies::check(cluster, &release)
            }))
        }))?;
        must(report.step("helm test, policies enforced", || release.test()))?;
    }
    must(under_load(cluster, &release, wish.short, report))?;
    if !wish.short {
        must(report.noted_step("network policies, other pods", || {
            noted(policies::check(cluster, &release))
        }))?;
        must(report.step("ingress", || proxy::play(cluster, &release, &proxy::INGRESS)))?;
        must(report.step("Gateway API", || {
            proxy::add_kinds(cluster)?;
            proxy::play(cluster, &release, &proxy::HTTP_ROUTE)
        }))?;
        must(report.step("service TLS", || service_tls::play(cluster, &release)))?;
        must(report.step("cert-manager", || certificates::play(cluster, &release)))?;
    }
    must(report.step("helm uninstall", || {
        release.uninstall()?;
        if !wish.short {
            certificates::remove(cluster, &release)?;
            proxy::remove_kinds(cluster)?;
            policies::remove(cluster)?;
        }
        match &before {
            Some(before) => {
                Inventory::take(cluster, release.namespace())?.nothing_new_since(before)?;
            }
            None => anyhow::bail!("nothing to compare with"),
        }
        release.remove_namespace()
    }))
}

/// What a step saw, as its note.
fn noted(seen: Result<String>) -> (Vec<String>, Result<()>) {
    match seen {
        Ok(line) => (vec![line], Ok(())),
        Err(error) => (vec![], Err(error)),
    }
}

fn under_load(
    cluster: &Cluster<'_>,
    release: &Release<'_>,
    short: bool,
    report: &mut Report,
) -> bool {
    let (mut crowd, mut workloads) = (None, Vec::new());
    let begun = report.step("300 connections", || {
        workloads = release.workloads()?;
        crowd = Some(Crowd::start(cluster, &target(release)?, CONNECTIONS)?);
        Ok(())
    });
    let Some(mut crowd) = crowd.filter(|_| begun) else { return false };
    let mut step = |name: &str, moved: u64, work: &dyn Fn() -> Result<()>| {
        report.noted_step(name, || {
            let ended = work().and_then(|()| crowd.mark(name)).and_then(|seen| seen.moved(moved));
            noted(ended.map(|figures| figures.line()))
        })
    };
    let mut passed =
        step("helm upgrade", CONNECTIONS, &|| release.upgrade(&next_tag(cluster, release)?));
    if !short {
        for workload in workloads {
            // The throw-away database keeps nothing: with its pod goes the log, and all that was promised.
            if workload.name.ends_with("-dev-postgres") {
                continue;
            }
            let name = format!("delete {}", workload.name);
            // Only a gateway holds anybody's socket.
            let moved = u64::from(workload.name.ends_with("-gateway"));
            passed &= step(&name, moved, &|| release.delete_one_pod(&workload));
        }
    }
    passed
}

/// Where the crowd goes: the chart's own service, as the client `backend` of the Keycloak that came with it.
fn target(release: &Release<'_>) -> Result<Target> {
    let gateway = release.service("roomcast-gateway", "http")?;
    let keycloak = release.service("roomcast-dev-keycloak", "main")?;
    let form = serde_json::json!([{
        "grant_type": "client_credentials",
        "client_id": "backend",
        "client_secret": release.secret("roomcast-dev", "backend-client-secret")?,
    }]);
    Ok(Target {
        url: format!("ws://{gateway}/ws"),
        token_url: format!("http://{keycloak}/realms/chat/protocol/openid-connect/token"),
        token_forms: form.to_string(),
    })
}

/// The same images under another tag: what is under test is the rolling update, and a build of
/// another version would take its minutes without showing more.
fn next_tag(cluster: &Cluster<'_>, release: &Release<'_>) -> Result<String> {
    let image = release.running_image("deployment/roomcast-gateway")?;
    let (repository, tag) = image.rsplit_once(':').context("an image without a tag")?;
    let (owner, _) = repository.rsplit_once('/').context("an image without an owner")?;
    let next = format!("{tag}-next");
    let mut ours = release.images()?;
    ours.retain(|one| one.starts_with(&format!("{owner}/")) && one.ends_with(&format!(":{tag}")));
    cluster.tag(&ours, &next)?;
    Ok(next)
}
