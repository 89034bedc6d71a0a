//! Looks hosts up again and again, and keeps the set of replicas in step.
//!
//! One task a host, one look-up at a time. A look-up that fails changes nothing: better a pod that may be
//! gone, and which its breaker ejects, than none at all. A replica whose address stays keeps its
//! connection and its breaker; one whose address went ends with its last call.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::Rpc;
use crate::channel::{Host, Replica, Replicas};
use crate::tls::Expected;

/// Most addresses that one service may have; more is a mistake in the name server.
const REPLICAS_MAX: usize = 256;
/// The longest pause after a look-up that failed.
const FAILED_PAUSE_MAX: Duration = Duration::from_secs(1);

/// What the look-ups of a service's hosts found.
pub(crate) struct Directory {
    service: &'static str,
    expected: Expected,
    rpc: Rpc,
    /// By host, since each is looked up by itself.
    found: Mutex<Vec<Vec<(SocketAddr, Host)>>>,
    replicas: watch::Sender<Replicas>,
}

impl Directory {
    pub(crate) fn new(
        service: &'static str,
        hosts: usize,
        expected: Expected,
        rpc: Rpc,
    ) -> (Arc<Self>, watch::Receiver<Replicas>) {
        let (replicas, receiver) = watch::channel(None);
        let found = Mutex::new(vec![Vec::new(); hosts]);
        (Arc::new(Self { service, expected, rpc, found, replicas }), receiver)
    }

    /// Takes the addresses that a host has now.
    fn update(&self, number: usize, host: &Host, addresses: Vec<SocketAddr>) {
        let mut found = self.found.lock();
        if let Some(entry) = found.get_mut(number) {
            *entry = addresses.into_iter().map(|address| (address, host.clone())).collect();
        }
        let wanted: BTreeMap<SocketAddr, Host> = found.iter().flatten().cloned().collect();
        self.replicas.send_if_modified(|replicas| {
            let old: BTreeMap<_, _> = replicas
                .iter()
                .flat_map(|known| known.iter())
                .map(|known| (known.address, known.clone()))
                .collect();
            if replicas.is_some() && old.keys().eq(wanted.keys().take(REPLICAS_MAX)) {
                return false;
            }
            let kept_or_new = |(address, host): (&SocketAddr, &Host)| {
                let kept = old.get(address).cloned();
                let new = || Replica::new(*address, host, &self.expected, &self.rpc);
                kept.or_else(|| new().map(Arc::new))
            };
            let now: Vec<_> = wanted.iter().take(REPLICAS_MAX).filter_map(kept_or_new).collect();
            tracing::info!(peer = self.service, replicas = now.len(), "the addresses changed");
            metrics::gauge!("roomcast_rpc_replicas", "service" => self.service)
                .set(now.len() as f64);
            *replicas = Some(now.into());
            true
        });
    }
}

/// Looks one host up for ever.
pub(crate) async fn follow(directory: Arc<Directory>, number: usize, host: Host) {
    let pause = Duration::from_millis(directory.rpc.config().resolve_ms);
    let mut failing = false;
    loop {
        let looked_up = tokio::net::lookup_host(&host.authority).await;
        let addresses: Vec<_> = looked_up.map(Iterator::collect).unwrap_or_default();
        let failed = addresses.is_empty();
        if failed {
            metrics::counter!("roomcast_rpc_lookup_failures_total", "service" => directory.service)
                .increment(1);
            if !failing {
                tracing::warn!(
                    peer = directory.service,
                    host = host.authority,
                    "the look-up fails"
                );
            }
        } else {
            directory.update(number, &host, addresses);
        }
        failing = failed;
        tokio::time::sleep(if failed { pause.min(FAILED_PAUSE_MAX) } else { pause }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_replica_that_stays_keeps_its_breaker_and_one_that_went_is_gone() {
        let rpc = Rpc::open(crate::RpcConfig::default()).unwrap();
        let expected = Expected::Peer(crate::Peer::Rooms);
        let (directory, replicas) = Directory::new("rooms", 2, expected, rpc);
        let (one, two) = (Host::parse("http://a:1").unwrap(), Host::parse("http://b:1").unwrap());
        let address = |n: u8| SocketAddr::from(([10, 0, 0, n], 1));
        directory.update(0, &one, vec![address(1), address(2)]);
        directory.update(1, &two, vec![address(2), address(3)]);
        let known = |replicas: &watch::Receiver<Replicas>| -> Vec<Arc<Replica>> {
            replicas.borrow().clone().unwrap().to_vec()
        };
        let before = known(&replicas);
        assert_eq!(
            before.iter().map(|r| r.address).collect::<Vec<_>>(),
            [address(1), address(2), address(3)]
        );

        directory.update(0, &one, vec![address(1)]);
        directory.update(1, &two, vec![address(4)]);
        let after = known(&replicas);
        assert_eq!(after.iter().map(|r| r.address).collect::<Vec<_>>(), [address(1), address(4)]);
        assert!(Arc::ptr_eq(&before[0], &after[0]));
    }
}
