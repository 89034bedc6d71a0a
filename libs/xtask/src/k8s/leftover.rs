//! What there is in a cluster, by name: taken before and after, to see what somebody left behind.
use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::cluster::Cluster;

/// Kinds that tell what happened, not what is there.
const TALES: [&str; 2] = ["events", "events.events.k8s.io"];

/// The names of all objects outside of namespaces, and of those in one namespace.
pub struct Inventory(BTreeSet<String>);

impl Inventory {
    /// Of all kinds that the API server knows.
    pub fn take(cluster: &Cluster<'_>, namespace: &str) -> Result<Self> {
        let mut names = BTreeSet::new();
        for namespaced in ["true", "false"] {
            let scope = format!("--namespaced={namespaced}");
            let kinds =
                cluster.kubectl(&["api-resources", "--verbs=list", "-o", "name", &scope])?;
            let kinds: Vec<&str> = kinds.lines().filter(|kind| !TALES.contains(kind)).collect();
            let kinds = kinds.join(",");
            let args = ["get", &kinds, "-n", namespace, "-o", "name", "--ignore-not-found"];
            names.extend(cluster.kubectl(&args)?.lines().map(str::to_owned));
        }
        Ok(Self(names))
    }

    /// Fails if there is anything that was not there before.
    pub fn nothing_new_since(&self, before: &Self) -> Result<()> {
        let new: Vec<&str> = self.0.difference(&before.0).map(String::as_str).collect();
        if new.is_empty() { Ok(()) } else { bail!("left behind: {}", new.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_left_behind() {
        let inventory = |names: &[&str]| Inventory(names.iter().map(|&n| n.to_owned()).collect());
        let before = inventory(&["node/node-1", "configmap/kube-root-ca.crt"]);
        assert!(inventory(&["node/node-1"]).nothing_new_since(&before).is_ok());
        let after = inventory(&["node/node-1", "secret/x", "clusterrole/y"]);
        let error = after.nothing_new_since(&before).unwrap_err().to_string();
        assert_eq!(error, "left behind: clusterrole/y, secret/x");
    }
}
