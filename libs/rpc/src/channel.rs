//! The endpoints of one service and the order in which a call tries them.
//!
//! One HTTP/2 connection for each resolved address, with a breaker of its own, since a balancer that
//! picks blindly keeps calling a pod that was stopped. Calls for a room prefer the endpoint that a
//! rendezvous hash names, on every gateway the same: batches grow there. It is never needed for
//! correctness, so the next in the order serves as well.
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::{Error, ErrorReason, Result, RoomName};
use http::Uri;
use rand::seq::SliceRandom;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::{Channel, Endpoint};
use xxhash_rust::xxh3::xxh3_64;

use crate::breaker::{Breaker, Standing};
use crate::resolve::{self, Directory};
use crate::tls::{self, Expected};
use crate::{Deadline, Rpc};

/// One address of a service.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    pub(crate) channel: Channel,
    pub(crate) breaker: Breaker,
}

/// The replicas that are known now; `None` before the first look-up succeeded.
pub(crate) type Replicas = Option<Arc<[Arc<Replica>]>>;

/// All replicas of a service, looked up again and again until it is dropped.
#[derive(Debug)]
pub(crate) struct Pool {
    replicas: watch::Receiver<Replicas>,
    _resolving: DropGuard,
}

/// Which replica a call would rather have.
#[derive(Debug, Clone)]
pub(crate) enum Preference {
    /// Any: a random order.
    Any,
    /// The one that the room's name points to.
    Room(RoomName),
    /// Any but this one, if there is another.
    Elsewhere(Option<SocketAddr>),
}

/// A host that stands for one or many addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    /// `host:port`, as the look-up wants it.
    pub(crate) authority: String,
    origin: Uri,
}

impl Host {
    /// Reads `http://host:port` or `https://host:port`. Whether calls go by TLS says `rpc.tls`, not the address.
    pub(crate) fn parse(address: &str) -> std::result::Result<Self, &'static str> {
        let uri: Uri = address.parse().map_err(|_| "not an address like http://host:port")?;
        match (uri.scheme_str(), uri.port_u16(), uri.path()) {
            (Some("http" | "https"), Some(_), "/" | "") if uri.query().is_none() => {}
            _ => return Err("not an address like http://host:port"),
        }
        let authority = uri.authority().ok_or("no host")?.as_str();
        if authority.contains('@') {
            return Err("a user name has no meaning here");
        }
        Ok(Self { authority: authority.to_owned(), origin: uri.clone() })
    }
}

impl Replica {
    /// A replica that connects when it is first called, on the current runtime.
    pub(crate) fn new(
        address: SocketAddr,
        host: &Host,
        expected: &Expected,
        rpc: &Rpc,
    ) -> Option<Self> {
        let config = rpc.config();
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .ok()?
            .origin(host.origin.clone())
            .connect_timeout(Duration::from_millis(config.connect_ms))
            .http2_keep_alive_interval(Duration::from_millis(config.keep_alive_ms))
            .keep_alive_timeout(Duration::from_millis(config.keep_alive_wait_ms))
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        let name = host.origin.host().unwrap_or_default();
        let channel = tls::channel(endpoint, address, name, expected, rpc.tls())?;
        Some(Self { address, channel, breaker: Breaker::new(config.breaker_failures) })
    }
}

impl Pool {
    /// Begins to look the addresses up, on the current runtime.
    pub(crate) fn open(
        service: &'static str,
        addresses: &[String],
        expected: Expected,
        rpc: &Rpc,
    ) -> Result<Self> {
        let bad = |why: &str| Error::new(ErrorReason::InvalidArgument, format!("{service}: {why}"));
        let hosts = addresses
            .iter()
            .map(|address| Host::parse(address).map_err(|why| bad(&format!("{address:?}: {why}"))))
            .collect::<Result<Vec<_>>>()?;
        if hosts.is_empty() {
            return Err(bad("no address"));
        }
        let stop = CancellationToken::new();
        let (directory, replicas) = Directory::new(service, hosts.len(), expected, rpc.clone());
        for (number, host) in hosts.into_iter().enumerate() {
            tokio::spawn(stop.clone().run_until_cancelled_owned(resolve::follow(
                directory.clone(),
                number,
                host,
            )));
        }
        Ok(Self { replicas, _resolving: stop.drop_guard() })
    }

    /// The replicas; waits for the first look-up, and no longer than the caller does.
    pub(crate) async fn replicas(&self, deadline: Deadline) -> Result<Arc<[Arc<Replica>]>> {
        let mut replicas = self.replicas.clone();
        let found = tokio::time::timeout_at(deadline.0, replicas.wait_for(Option::is_some)).await;
        match found {
            Ok(Ok(found)) => found.clone().ok_or_else(|| Error::unavailable("no address is known")),
            _ => Err(Error::unavailable("no address could be looked up")),
        }
    }
}

impl Preference {
    /// Those that may be called now, the best first.
    pub(crate) fn order(&self, replicas: &[Arc<Replica>]) -> Vec<Arc<Replica>> {
        let mut order = replicas.to_vec();
        order.shuffle(&mut rand::rng());
        if let Self::Room(room) = self {
            order.sort_by_key(|replica| std::cmp::Reverse(weight(room, replica.address)));
        }
        let rank = |replica: &Arc<Replica>| {
            let left =
                matches!(self, Self::Elsewhere(Some(address)) if *address == replica.address);
            (replica.breaker.standing(), left)
        };
        order.retain(|replica| replica.breaker.standing() != Standing::Open);
        order.sort_by_cached_key(rank);
        order
    }
}

/// How much a room wants a replica. Pinned: all gateways of all versions must find the same favourite.
fn weight(room: &RoomName, address: SocketAddr) -> u64 {
    xxh3_64(format!("{room}@{address}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(count: u8) -> Vec<Arc<Replica>> {
        let host = Host::parse("http://rooms:50051").unwrap();
        let rpc = Rpc::open(crate::RpcConfig::default()).unwrap();
        let expected = Expected::Peer(tls::Peer::Rooms);
        let replica = |n: u8| Replica::new(([10, 0, 0, n], 50051).into(), &host, &expected, &rpc);
        (0..count).map(|n| Arc::new(replica(n).unwrap())).collect()
    }

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    #[tokio::test]
    async fn a_room_always_has_the_same_order_and_rooms_are_spread() {
        let replicas = replicas(3);
        let first = |name: &str| Preference::Room(room(name)).order(&replicas)[0].address;
        let mut counts = std::collections::HashMap::new();
        for n in 0..300 {
            let name = format!("room-{n}");
            assert_eq!(first(&name), first(&name));
            *counts.entry(first(&name)).or_insert(0) += 1;
        }
        assert!(counts.len() == 3 && counts.values().all(|&count| count > 60), "{counts:?}");
    }

    #[tokio::test]
    async fn a_room_moves_only_if_its_own_replica_goes() {
        let all = replicas(4);
        for n in 0..100 {
            let wish = Preference::Room(room(&format!("room-{n}")));
            let before = wish.order(&all);
            assert_eq!(wish.order(&all[1..])[0].address, {
                let stays = before.iter().find(|replica| replica.address != all[0].address);
                stays.unwrap().address
            });
        }
    }

    #[tokio::test]
    async fn the_ejected_come_last_and_the_open_not_at_all() {
        let replicas = replicas(3);
        replicas[0].breaker.failed();
        for _ in 0..5 {
            replicas[1].breaker.failed();
        }
        let order = Preference::Any.order(&replicas);
        let addresses: Vec<_> = order.iter().map(|replica| replica.address).collect();
        assert_eq!(addresses, [replicas[2].address, replicas[0].address]);
    }

    #[tokio::test]
    async fn elsewhere_is_a_wish_and_no_condition() {
        let replicas = replicas(2);
        let wish = Preference::Elsewhere(Some(replicas[0].address));
        assert_eq!(wish.order(&replicas)[0].address, replicas[1].address);
        assert_eq!(wish.order(&replicas[..1])[0].address, replicas[0].address);
    }

    #[test]
    fn hosts_are_plain_addresses() {
        for good in [
            "http://rooms:50051",
            "http://127.0.0.1:1",
            "http://[::1]:50051",
            "http://rooms:50051/",
            "https://rooms:1",
        ] {
            assert!(Host::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "rooms:50051",
            "ftp://rooms:1",
            "http://rooms",
            "http://r:1/x",
            "http://a@r:1",
            "http://r:1?x",
        ] {
            assert!(Host::parse(bad).is_err(), "{bad}");
        }
    }
}
