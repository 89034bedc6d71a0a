//! The chart as one release on the cluster: what it is made of, and Helm's verbs.
use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::cluster::Cluster;
use crate::shell;

/// Where the chart is, and the values that bring everything it depends on with it.
const CHART: &str = "helm/roomcast";
const VALUES: [&str; 4] = ["-f", "helm/roomcast/ci/dev-values.yaml", "-f", "k8s/test-values.yaml"];
/// The release, and the namespace of its own.
const NAME: &str = "roomcast";
/// Keycloak alone takes a minute or two to start on two processors.
const READY_TIMEOUT: &str = "8m";

/// A Deployment or a StatefulSet of the release.
pub struct Workload {
    /// As `deployment/roomcast-gateway`.
    pub name: String,
    /// What its pods are found by, as `a=b,c=d`.
    selector: String,
}

/// The release.
pub struct Release<'a> {
    cluster: &'a Cluster<'a>,
    /// One more values file.
    values: Option<&'a str>,
}

impl<'a> Release<'a> {
    /// Installs nothing.
    pub fn new(cluster: &'a Cluster<'a>, values: Option<&'a str>) -> Self {
        Self { cluster, values }
    }

    /// A namespace in which no pod starts that breaks the restricted Pod Security Standard.
    pub fn make_namespace(&self) -> Result<()> {
        let enforced = "pod-security.kubernetes.io/enforce: restricted";
        let manifest = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAME}\n  labels:\n    {enforced}\n"
        );
        self.cluster.apply(&manifest)
    }

    /// Removes the namespace.
    pub fn remove_namespace(&self) -> Result<()> {
        self.kubectl(&["delete", "namespace", NAME, "--timeout=120s"]).map(drop)
    }

    /// The namespace's name.
    pub fn namespace(&self) -> &'static str {
        NAME
    }

    /// All images that the chart would run, its tests' too.
    pub fn images(&self) -> Result<Vec<String>> {
        // No cluster is needed for it, and there may be none yet.
        let rendered = shell::output(self.cluster.helm_here(&self.words(&["template"], &[]))?)?;
        Ok(images_of(&rendered))
    }

    /// Installs the chart and waits until every pod is ready.
    pub fn install(&self) -> Result<()> {
        shell::run(self.helm(&["install"], &["--wait", "--timeout", READY_TIMEOUT])?)
    }

    /// Runs the chart's own tests.
    pub fn test(&self) -> Result<()> {
        let args = ["test", NAME, "--logs", "--timeout", "4m", "-n", NAME];
        shell::run(self.cluster.helm(&args)?)
    }

    /// Upgrades to another tag, and waits until every pod has it and is ready.
    pub fn upgrade(&self, tag: &str) -> Result<()> {
        let tag = format!("image.tag={tag}");
        self.upgrade_with(&["--set-string", &tag])
    }

    /// Upgrades with other values than the usual ones, and waits in the same way.
    pub fn upgrade_with(&self, values: &[&str]) -> Result<()> {
        let further = [&["--wait", "--timeout", READY_TIMEOUT], values].concat();
        shell::run(self.helm(&["upgrade"], &further)?)?;
        // Helm waits for the new pods. The old ones are still handing over what they hold.
        self.wait_for_leaving()
    }

    /// Waits until every pod is gone that has been told to go.
    fn wait_for_leaving(&self) -> Result<()> {
        let list: Value = serde_json::from_str(&self.kubectl(&["get", "pods", "-o", "json"])?)?;
        let pods = list["items"].as_array().context("kubectl gave no list")?;
        let leaving = pods.iter().filter(|pod| !pod["metadata"]["deletionTimestamp"].is_null());
        let mut args = vec!["wait", "--for=delete", "--timeout=120s"];
        let names: Vec<String> = leaving
            .filter_map(|pod| Some(format!("pod/{}", pod["metadata"]["name"].as_str()?)))
            .collect();
        args.extend(names.iter().map(String::as_str));
        if names.is_empty() { Ok(()) } else { self.kubectl(&args).map(drop) }
    }

    /// Removes all of it, and waits for the pods' end.
    pub fn uninstall(&self) -> Result<()> {
        let args = ["uninstall", NAME, "--wait", "--timeout", "4m", "-n", NAME];
        shell::run(self.cluster.helm(&args)?)?;
        self.kubectl(&["wait", "--for=delete", "pod", "--all", "--timeout=120s"]).map(drop)
    }

    /// Every Deployment and StatefulSet, by name.
    pub fn workloads(&self) -> Result<Vec<Workload>> {
        let text = self.kubectl(&["get", "deployments,statefulsets", "-o", "json"])?;
        let list: Value = serde_json::from_str(&text)?;
        let items = list["items"].as_array().context("kubectl gave no list")?;
        items.iter().map(Workload::read).collect()
    }

    /// Deletes one pod of a kind, as an operator or a drained node does, and waits until all are ready again.
    pub fn delete_one_pod(&self, workload: &Workload) -> Result<()> {
        let names = self.kubectl(&["get", "pods", "-l", &workload.selector, "-o", "name"])?;
        let pod = names.lines().next().with_context(|| format!("{}: no pod", workload.name))?;
        eprintln!("deleting {pod}");
        self.kubectl(&["delete", pod, "--timeout=120s"])?;
        self.kubectl(&["rollout", "status", &workload.name, "--timeout=240s"]).map(drop)
    }

    /// The address of a service inside the cluster, which everybody in its network reaches.
    pub fn service(&self, name: &str, port: &str) -> Result<String> {
        let text = self.kubectl(&["get", "service", name, "-o", "json"])?;
        let service: Value = serde_json::from_str(&text)?;
        let address = service["spec"]["clusterIP"].as_str().context("no address")?;
        let ports = service["spec"]["ports"].as_array().context("no ports")?;
        let wanted = ports.iter().find(|given| given["name"] == port);
        let number = wanted.and_then(|found| found["port"].as_u64());
        Ok(format!("{address}:{}", number.with_context(|| format!("{name} has no {port}"))?))
    }

    /// A value of a secret.
    pub fn secret(&self, name: &str, key: &str) -> Result<String> {
        let template = format!("go-template={{{{ index .data \"{key}\" | base64decode }}}}");
        self.kubectl(&["get", "secret", name, "-o", &template])
    }

    /// The images as the node holds them, with their sizes, one a line.
    pub fn image_sizes(&self) -> Result<Vec<String>> {
        let node: Value =
            serde_json::from_str(&self.cluster.kubectl(&["get", "nodes", "-o", "json"])?)?;
        let images = node["items"][0]["status"]["images"].as_array().context("no images")?;
        let mut lines: Vec<String> = images
            .iter()
            .filter_map(|image| {
                let name = image["names"].as_array()?.last()?.as_str()?;
                let megabytes = image["sizeBytes"].as_f64()? / 1e6;
                Some(format!("{name:<50} {megabytes:>6.1} MB"))
            })
            .collect();
        lines.sort();
        Ok(lines)
    }

    /// The image of a workload's first container.
    pub fn running_image(&self, workload: &str) -> Result<String> {
        let path = "jsonpath={.spec.template.spec.containers[0].image}";
        self.kubectl(&["get", workload, "-o", path])
    }

    /// What kubectl prints about the namespace.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.cluster.kubectl(&[&["-n", NAME], args].concat())
    }

    /// A verb of Helm that takes the chart and its values.
    fn helm(&self, verb: &[&str], further: &[&str]) -> Result<Command> {
        self.cluster.helm(&self.words(verb, further))
    }

    fn words<'w>(&'w self, verb: &[&'w str], further: &[&'w str]) -> Vec<&'w str> {
        let given: Vec<&str> = self.values.iter().flat_map(|path| ["-f", path]).collect();
        [verb, &[NAME, CHART, "-n", NAME], &VALUES, &given, further].concat()
    }
}

impl Workload {
    fn read(item: &Value) -> Result<Self> {
        let kind = item["kind"].as_str().context("no kind")?.to_lowercase();
        let name = item["metadata"]["name"].as_str().context("no name")?;
        let labels = item["spec"]["selector"]["matchLabels"].as_object().context("no selector")?;
        let pairs =
            labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")));
        let selector = pairs.collect::<Vec<_>>().join(",");
        Ok(Self { name: format!("{kind}/{name}"), selector })
    }
}

/// What stands behind `image:` in rendered manifests.
fn images_of(rendered: &str) -> Vec<String> {
    let mut images = BTreeSet::new();
    for line in rendered.lines() {
        let line = line.trim_start().trim_start_matches("- ");
        if let Some(image) = line.strip_prefix("image:") {
            images.insert(image.trim().trim_matches(['"', '\'']).to_owned());
        }
    }
    images.into_iter().filter(|image| !image.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_once_each_however_they_are_written() {
        let rendered = "      - image: redis:8\n        image: \"roomcast/gateway:1\"\n  image: redis:8\n\
                        # image of a comment\n  imagePullPolicy: Never\n";
        assert_eq!(images_of(rendered), ["redis:8", "roomcast/gateway:1"]);
    }

    #[test]
    fn a_workload_is_known_by_its_kind_name_and_labels() {
        let item = serde_json::json!({
            "kind": "StatefulSet",
            "metadata": { "name": "rabbitmq" },
            "spec": { "selector": { "matchLabels": { "a": "b", "c": "d" } } },
        });
        let workload = Workload::read(&item).unwrap();
        assert_eq!(
            (workload.name.as_str(), workload.selector.as_str()),
            ("statefulset/rabbitmq", "a=b,c=d")
        );
        assert!(Workload::read(&serde_json::json!({ "kind": "Pod" })).is_err());
    }
}
