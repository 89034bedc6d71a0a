//! Mutual TLS over real connections: who gets in, who does not, and what a renewal does.
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::{Credential, Error, ErrorReason};
use rpc::admin::{Admin, Guard, RemoteAdmin};
use rpc::auth::{Auth, RemoteAuth};
use rpc::rooms::{RemoteRooms, Rooms};
use rpc::server::Routes;
use rpc::{Call, Peer, Rpc, RpcConfig, RpcTlsConfig};
use tempfile::TempDir;
use testkit::authority::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answering::Answering;
use super::port::{Port, config, until};
use super::round_trip::{publish, unsubscribe};
use super::samples as sample;

const DOMAIN: &str = "chat.test";

/// A service's files, and the authority that signed.
struct Holder {
    folder: TempDir,
    tls: RpcTlsConfig,
}

impl Holder {
    /// A certificate with these names; `believed` are the authorities of the others.
    fn named(names: &[&str], days: i64, by: &Authority, believed: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Some(folder.path().join(name));
        let tls = RpcTlsConfig {
            certificate_file: path("tls.crt"),
            key_file: path("tls.key"),
            authority_file: path("ca.crt"),
            domain: DOMAIN.to_owned(),
            reload_ms: 100,
            ..RpcTlsConfig::default()
        };
        let holder = Self { folder, tls };
        holder.hold(names, days, by, believed);
        holder
    }

    fn of(peer: Peer, by: &Authority) -> Self {
        Self::named(&[&peer.name(DOMAIN), "localhost"], 30, by, &by.pem())
    }

    /// Puts other files in the place of those that it has.
    fn hold(&self, names: &[&str], days: i64, by: &Authority, believed: &str) {
        std::fs::write(self.folder.path().join("ca.crt"), believed).unwrap();
        by.issue_for(names, days).unwrap().write(self.folder.path()).unwrap();
    }

    fn config(&self, addresses: &[SocketAddr]) -> RpcConfig {
        RpcConfig { tls: self.tls.clone(), ..config(addresses) }
    }

    fn rpc(&self, addresses: &[SocketAddr]) -> Rpc {
        Rpc::open(self.config(addresses)).unwrap()
    }
}

/// Serves rooms for gateways alone.
fn rooms_port(holder: &Holder) -> Port {
    let service = Arc::new(Answering::default());
    let routes = Routes::new().with(rpc::rooms::server(service.clone()));
    let routes = routes.for_callers(&[Peer::Gateway]);
    Port::serving_with(service, routes, || holder.rpc(&[]))
}

fn soon() -> Call {
    Call::within(Duration::from_secs(5))
}

/// Why a call got nowhere.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// By the handshake.
    Unknown,
    /// By the port, which knows who it is.
    Stranger,
}

fn refused(error: &Error) -> Refused {
    // Whoever it is, no client must be told for good that it may not.
    assert_eq!(error.reason, ErrorReason::Unavailable, "{error}");
    let known = error.message.contains("names no service that may call this one");
    if known { Refused::Stranger } else { Refused::Unknown }
}

/// What becomes of a call that this holder makes.
async fn called(holder: &Holder, port: &Port) -> Result<(), Refused> {
    let remote = RemoteRooms::open(&holder.rpc(&[port.address])).unwrap();
    let answer = remote.unsubscribe(soon(), unsubscribe()).await;
    answer.map(|_| ()).map_err(|error| refused(&error))
}

#[tokio::test]
async fn who_has_business_there_gets_in_and_nobody_else() {
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let port = rooms_port(&Holder::of(Peer::Rooms, &authority));
    assert_eq!(called(&Holder::of(Peer::Gateway, &authority), &port).await, Ok(()));
    assert_eq!(port.service.calls(), 1);
    let both = [&*Peer::Auth.name(DOMAIN), &*Peer::Gateway.name(DOMAIN)];
    let two = Holder::named(&both, 30, &authority, &authority.pem());
    assert_eq!(called(&two, &port).await, Ok(()));

    let named = |name: &str| Holder::named(&[name], 30, &authority, &authority.pem());
    for (what, holder, expected) in [
        ("another service", Holder::of(Peer::Auth, &authority), Refused::Stranger),
        ("no service", named("page.chat.test"), Refused::Stranger),
        ("a gateway elsewhere", named("gateway.other.test"), Refused::Stranger),
        ("any gateway", named("*.chat.test.evil"), Refused::Stranger),
        (
            "another authority",
            Holder::named(&[&Peer::Gateway.name(DOMAIN)], 30, &stranger, &authority.pem()),
            Refused::Unknown,
        ),
        (
            "one that has ended",
            Holder::named(&[&Peer::Gateway.name(DOMAIN)], -1, &authority, &authority.pem()),
            Refused::Unknown,
        ),
    ] {
        assert_eq!(called(&holder, &port).await, Err(expected), "{what}");
    }
    assert_eq!(port.service.calls(), 2, "none of these came to the service");
}

#[test]
fn a_certificate_that_names_no_service_is_a_mistake_of_the_config() {
    let authority = Authority::new().unwrap();
    let problems = |name: &str| {
        let holder = Holder::named(&[name], 30, &authority, &authority.pem());
        holder.config(&[SocketAddr::from(([127, 0, 0, 1], 50_051))]).problems()
    };
    for serving in ["rooms.chat.test", "gateway.chat.test", "*.chat.test"] {
        assert_eq!(problems(serving), Vec::<String>::new(), "{serving}");
    }
    for nobody in ["rooms.other.test", "localhost", "page.chat.test", "chat.test"] {
        let expected = "tls.certificate_file: names none of auth.chat.test, gateway.chat.test, \
                        presence.chat.test, rooms.chat.test";
        assert_eq!(problems(nobody), [expected], "{nobody}");
    }
}

#[tokio::test]
async fn callers_without_a_certificate_and_without_tls_get_nothing() {
    let authority = Authority::new().unwrap();
    let port = rooms_port(&Holder::of(Peer::Rooms, &authority));
    // With TLS 1.3 the refusal comes after the client's own handshake.
    let mut stream = authority.connect(port.address, &["h2"]).await.unwrap();
    let _may_break = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let mut answer = Vec::new();
    assert!(stream.read_to_end(&mut answer).await.is_err() && answer.is_empty(), "{answer:?}");
    let plain = RemoteRooms::open(&Rpc::open(config(&[port.address])).unwrap()).unwrap();
    let refused = plain.publish(soon(), publish()).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::Unavailable);
    assert_eq!(port.service.calls(), 0);
}

#[tokio::test]
async fn a_caller_says_nothing_to_who_is_not_the_service() {
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let gateway = Holder::of(Peer::Gateway, &authority);
    for wrong in [Holder::of(Peer::Presence, &authority), Holder::of(Peer::Rooms, &stranger)] {
        let port = rooms_port(&wrong);
        assert_eq!(called(&gateway, &port).await, Err(Refused::Unknown));
        assert_eq!(port.service.calls(), 0);
    }
}

#[tokio::test]
async fn the_doctor_asks_by_tls_and_says_what_is_wrong() {
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let port = rooms_port(&Holder::of(Peer::Rooms, &authority));
    port.health.set(true).await;
    let asked = |holder: &Holder| {
        let own = RpcConfig { auth: vec![], presence: vec![], ..holder.config(&[port.address]) };
        let rpc = Rpc::open(own).unwrap();
        async move { rpc::doctor::check(&rpc).await.remove(0).1 }
    };
    // Health is for all whom the authority knows.
    assert_eq!(asked(&Holder::of(Peer::Auth, &authority)).await, Ok("1 ready".to_owned()));
    let wrong = asked(&Holder::of(Peer::Gateway, &stranger)).await.unwrap_err();
    assert!(wrong.contains("certificate"), "{wrong}");
}

#[tokio::test]
async fn a_new_authority_takes_the_place_of_the_old_one_while_calls_go_on() {
    let (old, new) = (Authority::new().unwrap(), Authority::new().unwrap());
    let (rooms, gateway) = (Holder::of(Peer::Rooms, &old), Holder::of(Peer::Gateway, &old));
    let port = rooms_port(&rooms);
    let remote = Arc::new(RemoteRooms::open(&gateway.rpc(&[port.address])).unwrap());
    let calling = {
        let remote = remote.clone();
        tokio::spawn(async move {
            for _ in 0..2_000 {
                remote.unsubscribe(soon(), unsubscribe()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    };
    // Both believe both, then each gets a new certificate, then nobody believes the old one.
    let both = old.pem() + &new.pem();
    let names = [Peer::Rooms.name(DOMAIN), Peer::Gateway.name(DOMAIN)];
    for (by, believed) in [(&old, both.clone()), (&new, both), (&new, new.pem())] {
        rooms.hold(&[&names[0], "localhost"], 30, by, &believed);
        gateway.hold(&[&names[1]], 30, by, &believed);
        let (shown, old_one) = (Holder::of(Peer::Gateway, by), Holder::of(Peer::Gateway, &old));
        std::fs::write(shown.folder.path().join("ca.crt"), &believed).unwrap();
        until("the port takes and shows what it was given", async || {
            called(&shown, &port).await.is_ok()
        })
        .await;
        if believed == new.pem() {
            let refused = async || called(&old_one, &port).await.is_err();
            until("the old authority is believed no more", refused).await;
        }
    }
    calling.await.unwrap();
    // Files of no use change nothing.
    std::fs::write(rooms.folder.path().join("tls.key"), "no key").unwrap();
    let fresh = RemoteRooms::open(&gateway.rpc(&[port.address])).unwrap();
    fresh.unsubscribe(soon(), unsubscribe()).await.unwrap();
}

#[tokio::test]
async fn who_connects_and_says_nothing_holds_others_up_for_a_while_only() {
    let authority = Authority::new().unwrap();
    let mut rooms = Holder::of(Peer::Rooms, &authority);
    (rooms.tls.handshakes_in_flight_max, rooms.tls.handshake_timeout_ms) = (2, 200);
    let port = rooms_port(&rooms);
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(TcpStream::connect(port.address).await.unwrap());
    }
    let gateway = Holder::of(Peer::Gateway, &authority);
    until("it is let in", async || called(&gateway, &port).await.is_ok()).await;
    for mut stream in silent {
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "closed without a word");
    }
}

#[tokio::test]
async fn the_admin_port_asks_for_a_key_and_shows_a_certificate() {
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let rooms = Holder::of(Peer::Rooms, &authority);
    let auth = Arc::new(Answering::default());
    *auth.role.lock() = "admin".to_owned();
    let service = Arc::new(Answering::default());
    let routes = Routes::new().with(rpc::admin::server(service.clone()));
    let routes = routes.guarded(Guard::new(auth)).unwrap();
    let port = Port::serving_with(service, routes, || rooms.rpc(&[]));
    let addresses = [format!("https://localhost:{}", port.address.port())];
    let stats = async |believed: &Path| {
        let rpc = Rpc::of_caller(RpcConfig::default(), Some(believed)).unwrap();
        let key = Credential::ApiKey("key".to_owned());
        let admin = RemoteAdmin::open(&addresses, &key, &rpc).unwrap();
        admin.stats(soon(), sample::principal("admin")).await.map_err(|error| error.reason)
    };
    let file = rooms.folder.path().join("believed.crt");
    std::fs::write(&file, authority.pem()).unwrap();
    assert!(stats(&file).await.is_ok());
    std::fs::write(&file, stranger.pem()).unwrap();
    assert_eq!(stats(&file).await.map(|_| ()), Err(ErrorReason::Unavailable));
}

#[tokio::test]
async fn auth_behind_tls_says_who_calls() {
    let authority = Authority::new().unwrap();
    let service = Arc::new(Answering::default());
    let routes = Routes::new().with(rpc::auth::server(service.clone()));
    let routes = routes.for_callers(&[Peer::Gateway, Peer::Rooms]);
    let own = Holder::of(Peer::Auth, &authority);
    let port = Port::serving_with(service, routes, || own.rpc(&[]));
    for peer in [Peer::Gateway, Peer::Rooms, Peer::Presence] {
        let remote = RemoteAuth::open(&Holder::of(peer, &authority).rpc(&[port.address])).unwrap();
        let answer = remote.verify(soon(), Credential::ApiKey("key".to_owned())).await;
        let denied = answer.is_err_and(|error| refused(&error) == Refused::Stranger);
        assert_eq!(denied, peer == Peer::Presence, "{peer:?}");
    }
}
