//! The chart's NetworkPolicies under a real enforcer, kube-router in the cluster's network: from inside
//! each pod's own network every port of every other pod is tried. Where an arrow leads to answers, and
//! nothing else.
use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::cluster::Cluster;
use super::controller::Controller;
use super::release::Release;
use crate::docker::wait;
use crate::parts::tools;
use crate::shell;

/// Whom each component may open a connection to, as docs/ARCHITECTURE.md has it.
const ARROWS: [(&str, &[(&str, u16)]); 8] = [
    (
        "gateway",
        &[
            ("gateway", 50053),
            ("auth", 50051),
            ("rooms", 50051),
            ("presence", 50051),
            ("dev-rabbitmq", 5672),
        ],
    ),
    ("auth", &[("dev-postgres", 5432), ("dev-keycloak", 8080)]),
    (
        "rooms",
        &[("auth", 50051), ("presence", 50051), ("dev-postgres", 5432), ("dev-rabbitmq", 5672)],
    ),
    ("presence", &[("dev-redis", 6379), ("dev-rabbitmq", 5672)]),
    ("dev-front", &[("gateway", 8080), ("page", 8080)]),
    // As `k8s/test-values.yaml` names who comes from outside.
    ("visitor", &[("gateway", 8080), ("page", 8080), ("dev-front", 8080), ("dev-keycloak", 8080)]),
    ("monitor", &[("gateway", 9090), ("auth", 9090), ("rooms", 9090), ("presence", 9090)]),
    ("operator", &[("rooms", 50052)]),
];
/// Pods of another namespace, which no policy keeps from going wherever they like. The last one nobody
/// lets in.
const OUTSIDERS: [&str; 4] = ["visitor", "monitor", "operator", STRANGER];
const STRANGER: &str = "stranger";
/// Prints those of its arguments, `address:port`, that take a connection.
const TRY: &str = r#"for to in "$@"; do
  (timeout 3 bash -c "exec 3<>/dev/tcp/${to/://}" 2>/dev/null && echo "$to") &
done; wait"#;
/// Until the enforcer has read the cluster, or what changed in it.
const ENFORCED_MAX: Duration = Duration::from_secs(60);

/// A pod with a network of its own.
struct Pod {
    component: String,
    name: String,
    address: String,
    /// The name of its network on the node.
    network: String,
    ports: Vec<u16>,
}

/// Starts the enforcer, after a look at what is open without it.
pub fn enforce(cluster: &Cluster<'_>, release: &Release<'_>) -> Result<Controller> {
    let program = tools::go_tool(cluster.shell(), "kube-router")?;
    cluster.apply(&outsiders())?;
    let ready = ["wait", "--for=condition=Ready", "--timeout=60s", "pod"];
    cluster.kubectl(&[&ready[..], &OUTSIDERS].concat())?;
    // A port that nobody listens on would be closed to everybody, policies or not.
    let pods = pods(cluster, release)?;
    let stranger = pods.iter().find(|pod| pod.component == STRANGER).context("no stranger")?;
    let all = others(&pods, stranger);
    let open = reached(cluster, stranger, &all)?;
    ensure!(open.len() == all.len(), "closed before anything is enforced: {:?}", &all - &open);
    let kubeconfig = cluster.state().join("kubeconfig");
    let words = [
        program.to_string_lossy().into_owned(),
        format!("--kubeconfig={}", kubeconfig.display()),
        "--hostname-override=node-1".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--run-firewall=true".to_owned(),
        "--run-router=false".to_owned(),
        "--run-service-proxy=false".to_owned(),
        "--run-loadbalancer=false".to_owned(),
    ];
    Controller::start(cluster, "kube-router", &words)
}

/// Tries every connection between any two pods; gives a line with how many there were.
pub fn check(cluster: &Cluster<'_>, release: &Release<'_>) -> Result<String> {
    let pods = pods(cluster, release)?;
    let (mut wrong, mut tried, mut open) = (Vec::new(), 0, 0);
    let ended = wait(ENFORCED_MAX, "policies enforced", || {
        (wrong, tried, open) = (Vec::new(), 0, 0);
        for from in &pods {
            let others = others(&pods, from);
            let reached = reached(cluster, from, &others)?;
            tried += others.len();
            open += reached.len();
            let wanted = wanted(&pods, from);
            wrong.extend(reached.difference(&wanted).map(|to| format!("{} > {to}", from.name)));
            wrong.extend(wanted.difference(&reached).map(|to| format!("{} ≯ {to}", from.name)));
        }
        Ok(wrong.is_empty())
    });
    ended.with_context(|| format!("open or closed by mistake: {wrong:?}"))?;
    Ok(format!("{tried} connections tried between {} pods: {open} open", pods.len()))
}

/// Removes the outsiders.
pub fn remove(cluster: &Cluster<'_>) -> Result<()> {
    cluster.delete(&outsiders())
}

fn outsiders() -> String {
    let pod = |name: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: default\n  \
             labels: {{ app.kubernetes.io/component: {name} }}\nspec:\n  \
             terminationGracePeriodSeconds: 0\n  containers:\n  \
             - {{ name: pause, image: \"roomcast.test/pause:1\", imagePullPolicy: Never }}\n"
        )
    };
    OUTSIDERS.map(pod).concat()
}

/// All that run, and the outsiders.
fn pods(cluster: &Cluster<'_>, release: &Release<'_>) -> Result<Vec<Pod>> {
    let running = ["get", "pods", "--field-selector=status.phase=Running", "-o", "json"];
    let mut pods = Vec::new();
    for text in [release.kubectl(&running)?, cluster.kubectl(&running)?] {
        let list: Value = serde_json::from_str(&text)?;
        let items = list["items"].as_array().context("kubectl gave no list")?;
        let stay = items.iter().filter(|item| item["metadata"]["deletionTimestamp"].is_null());
        for item in stay {
            pods.push(Pod::read(cluster, item)?);
        }
    }
    Ok(pods)
}

/// `address:port` of every port of every other pod.
fn others(pods: &[Pod], from: &Pod) -> BTreeSet<String> {
    let others = pods.iter().filter(|pod| pod.address != from.address);
    others.flat_map(|pod| pod.ports.iter().map(|port| pod.at(*port))).collect()
}

/// Those of [`others`] that an arrow leads to.
fn wanted(pods: &[Pod], from: &Pod) -> BTreeSet<String> {
    let arrows = ARROWS.iter().find(|(component, _)| *component == from.component);
    let ends = arrows.map_or(&[][..], |(_, ends)| ends);
    let others = pods.iter().filter(|pod| pod.address != from.address);
    let led_to = others.flat_map(|pod| {
        let mine = ends.iter().filter(|(component, _)| *component == pod.component);
        mine.map(|(_, port)| pod.at(*port))
    });
    led_to.collect()
}

/// Those that take a connection from this pod.
fn reached(
    cluster: &Cluster<'_>,
    from: &Pod,
    others: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let begin = ["netns", "exec", &from.network, "bash", "-c", TRY, "try"];
    let mut command = cluster.shell().command("", "ip", &begin);
    command.args(others);
    Ok(shell::output(command)?.lines().map(str::to_owned).collect())
}

/// The name of the network that has this address.
fn network(cluster: &Cluster<'_>, address: &str) -> Result<String> {
    let ip = |words: &[&str]| shell::output(cluster.shell().command("", "ip", words));
    let names = ip(&["netns", "list"])?;
    let names = names.lines().filter_map(|line| line.split(' ').next());
    let has = |name: &&str| {
        // Pods come and go while this looks.
        let shown = ip(&["-n", name, "-4", "-o", "addr", "show", "eth0"]).unwrap_or_default();
        shown.contains(&format!(" {address}/"))
    };
    let mut pods = names.filter(|name| name.starts_with("cni-"));
    pods.find(has).map(str::to_owned).with_context(|| format!("no network has {address}"))
}

impl Pod {
    fn read(cluster: &Cluster<'_>, item: &Value) -> Result<Self> {
        let text = |value: &Value| {
            value.as_str().map(str::to_owned).context("a pod without a component or an address")
        };
        let containers = item["spec"]["containers"].as_array().context("a pod of nothing")?;
        let ports = containers.iter().filter_map(|container| container["ports"].as_array());
        let numbers = ports.flatten().filter_map(|port| port["containerPort"].as_u64());
        let address = text(&item["status"]["podIP"])?;
        Ok(Self {
            component: text(&item["metadata"]["labels"]["app.kubernetes.io/component"])?,
            name: text(&item["metadata"]["name"])?,
            network: network(cluster, &address)?,
            address,
            ports: numbers.filter_map(|number| number.try_into().ok()).collect(),
        })
    }

    fn at(&self, port: u16) -> String {
        format!("{}:{port}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_leads_to_one_port_of_every_pod_but_oneself() {
        let pod = |component: &str, name: &str, last: u8, ports: &[u16]| Pod {
            component: component.to_owned(),
            name: name.to_owned(),
            address: format!("10.0.0.{last}"),
            network: String::new(),
            ports: ports.to_vec(),
        };
        let pods = [
            pod("gateway", "gateway-a", 1, &[8080, 50053]),
            pod("gateway", "gateway-b", 2, &[8080, 50053]),
            pod("dev-redis", "redis", 3, &[6379]),
        ];
        let list = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>();
        assert_eq!(
            list(others(&pods, &pods[0])),
            ["10.0.0.2:50053", "10.0.0.2:8080", "10.0.0.3:6379"]
        );
        assert_eq!(list(wanted(&pods, &pods[0])), ["10.0.0.2:50053"]);
        assert!(wanted(&pods, &pods[2]).is_empty());
    }
}
