//! The stream of heads and orders, and the end of a server.
use std::time::{Duration, Instant};

use domain::{Error, ErrorReason};
use futures_util::StreamExt;
use rpc::rooms::{HeldRooms, Publish, RemoteRooms, Rooms, WatchEvent, WatchStart};
use rpc::{Call, Rpc, RpcConfig};
use tokio::sync::mpsc;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use super::answering::Mood;
use super::port::{Port, calling, until};
use super::round_trip::publish;
use super::samples as sample;

fn start() -> WatchStart {
    WatchStart { gateway: sample::gateway(), orders_after: Some(9) }
}

fn held() -> HeldRooms {
    HeldRooms { add: vec![sample::room()], remove: vec![sample::room()] }
}

#[tokio::test]
async fn heads_and_orders_come_as_they_were_sent_and_an_error_ends_the_stream() {
    let port = Port::open();
    let heads = vec![(sample::room(), sample::position())];
    let mut sent = vec![Ok(WatchEvent::Opened { orders_after: 9 }), Ok(WatchEvent::Heads(heads))];
    sent.extend(sample::orders().into_iter().map(|order| Ok(WatchEvent::Order(order))));
    sent.push(Ok(WatchEvent::Heartbeat));
    sent.push(Err(Error::unavailable("the pod goes")));
    *port.service.events.lock() = sent.clone();

    let remote = RemoteRooms::open(&calling(&[port.address])).unwrap();
    let (changes, receiver) = mpsc::channel(4);
    changes.send(held()).await.unwrap();
    let events = remote.watch(start(), receiver).await.unwrap();
    assert_eq!(events.collect::<Vec<_>>().await, sent);
    assert_eq!(port.service.only(), format!("{:?}", start()));
    assert_eq!(*port.service.held.lock(), [held()]);
}

#[tokio::test]
async fn a_stream_that_breaks_says_so_and_the_next_one_goes_elsewhere() {
    let mut ports = [Port::open(), Port::open()];
    for port in &ports {
        *port.service.events.lock() = vec![Ok(WatchEvent::Heartbeat)];
    }
    let remote = RemoteRooms::open(&calling(&[ports[0].address, ports[1].address])).unwrap();
    let (changes, receiver) = mpsc::channel(4);
    changes.send(held()).await.unwrap();
    let mut events = remote.watch(start(), receiver).await.unwrap();
    assert_eq!(events.next().await, Some(Ok(WatchEvent::Heartbeat)));
    let taken = usize::from(ports[0].service.calls() == 0);
    ports[taken].kill();
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!(error.reason, ErrorReason::Unavailable);
    assert!(events.next().await.is_none());

    let (changes, receiver) = mpsc::channel(4);
    changes.send(held()).await.unwrap();
    let mut events = remote.watch(start(), receiver).await.unwrap();
    assert_eq!(events.next().await, Some(Ok(WatchEvent::Heartbeat)));
}

#[tokio::test]
async fn after_a_silent_stream_was_dropped_the_next_one_goes_elsewhere() {
    let ports = [Port::open(), Port::open()];
    let remote = RemoteRooms::open(&calling(&[ports[0].address, ports[1].address])).unwrap();
    for opened in 1..=6 {
        let (changes, receiver) = mpsc::channel(4);
        changes.send(held()).await.unwrap();
        drop(remote.watch(start(), receiver).await.unwrap());
        let calls = [ports[0].service.calls(), ports[1].service.calls()];
        assert_eq!(calls[0] + calls[1], opened);
        assert!(calls[0].abs_diff(calls[1]) <= 1, "twice in a row at the same: {calls:?}");
    }
}

#[tokio::test]
async fn a_server_that_drains_ends_its_streams_finishes_its_calls_and_refuses_new_ones() {
    let mut port = Port::open();
    let remote = RemoteRooms::open(&calling(&[port.address])).unwrap();
    let (changes, receiver) = mpsc::channel(4);
    changes.send(held()).await.unwrap();
    *port.service.events.lock() = vec![Ok(WatchEvent::Heartbeat)];
    let mut events = remote.watch(start(), receiver).await.unwrap();
    assert_eq!(events.next().await, Some(Ok(WatchEvent::Heartbeat)));

    let began = Instant::now();
    port.shutdown.cancel();
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!(error.reason, ErrorReason::Unavailable);
    let ended = &mut port.ended;
    tokio::time::timeout(Duration::from_secs(5), ended).await.expect("it drains").unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    let error =
        remote.publish(Call::within(Duration::from_millis(300)), publish()).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::Unavailable);
}

#[tokio::test]
async fn a_drain_waits_no_longer_than_its_bound() {
    let bound = RpcConfig { server_drain_ms: 300, ..RpcConfig::default() };
    let bound = Rpc::open(bound).unwrap();
    let mut port = Port::on(([127, 0, 0, 1], 0).into(), &bound);
    port.service.set(Mood::Hang);
    let remote = RemoteRooms::open(&calling(&[port.address])).unwrap();
    let call = tokio::spawn(async move {
        remote.publish(Call::within(Duration::from_secs(20)), publish()).await
    });
    until("the call is there", || async { port.service.calls() == 1 }).await;
    port.shutdown.cancel();
    let ended = &mut port.ended;
    tokio::time::timeout(Duration::from_secs(5), ended).await.expect("bounded").unwrap().unwrap();
    call.abort();
}

#[tokio::test]
async fn health_says_not_serving_until_it_is_told() {
    let port = Port::open();
    let client = HealthClient::new(port.channel());
    let state = |service: &'static str| {
        let mut client = client.clone();
        async move {
            let request = HealthCheckRequest { service: service.into() };
            client.check(request).await.unwrap().into_inner().status()
        }
    };
    for service in ["", "roomcast.rooms.v1.RoomsService", "roomcast.auth.v1.AuthService"] {
        until("not serving yet", || async { state(service).await == ServingStatus::NotServing })
            .await;
    }
    port.health.set(true).await;
    for service in ["", "roomcast.rooms.v1.RoomsService"] {
        assert_eq!(state(service).await, ServingStatus::Serving, "{service}");
    }
}

#[tokio::test]
async fn calls_over_the_limit_are_refused_at_once_and_health_still_answers() {
    let narrow = RpcConfig { server_calls_max: 1, ..RpcConfig::default() };
    let narrow = Rpc::open(narrow).unwrap();
    let port = Port::on(([127, 0, 0, 1], 0).into(), &narrow);
    port.service.set(Mood::Hang);
    let remote = RemoteRooms::open(&calling(&[port.address])).unwrap();
    let long = Call::within(Duration::from_secs(20));
    let first = remote.publish(long, publish());
    let rest = async {
        until("the first call is there", || async { port.service.calls() == 1 }).await;
        let error = remote
            .unsubscribe(Call::within(Duration::from_secs(5)), super::round_trip::unsubscribe())
            .await
            .unwrap_err();
        assert_eq!(error, Error::unavailable("too many calls"));
        let mut health = HealthClient::new(port.channel());
        health.check(HealthCheckRequest { service: String::new() }).await.unwrap();
    };
    tokio::select! {
        outcome = first => panic!("{outcome:?}"),
        () = rest => {}
    }
    assert_eq!(port.service.calls(), 1);
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_is_no_transient_error() {
    let port = Port::open();
    let remote = RemoteRooms::open(&calling(&[port.address])).unwrap();
    let data = bytes::Bytes::from(vec![0; 5 * 1024 * 1024]);
    let big = Publish { data, ..publish() };
    let error = remote.publish(Call::within(Duration::from_secs(5)), big).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::LimitExceeded);
    assert_eq!(port.service.calls(), 0);
}
