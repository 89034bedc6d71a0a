//! What happens to calls when an endpoint dies, falls silent, refuses, and comes back.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use domain::{Error, ErrorReason, Result, RoomName};
use rpc::rooms::{Publish, RemoteRooms, Rooms, Unsubscribe};
use rpc::{Call, Rpc, RpcConfig};

use super::answering::Mood;
use super::port::{Port, calling, config, mute, plain, until};
use super::round_trip::{publish, unsubscribe};

fn soon() -> Call {
    Call::within(Duration::from_secs(3))
}

fn rooms(addresses: &[SocketAddr]) -> RemoteRooms {
    RemoteRooms::open(&calling(addresses)).unwrap()
}

/// A room that prefers the first of the ports, found by asking.
async fn room_of(first: &Port, all: &[SocketAddr]) -> RoomName {
    let remote = rooms(all);
    for n in 0..200 {
        let room = RoomName::parse(&format!("room-{n}")).unwrap();
        let before = first.service.calls();
        remote.publish(soon(), Publish { room: room.clone(), ..publish() }).await.unwrap();
        if first.service.calls() > before {
            return room;
        }
    }
    panic!("no room prefers {}", first.address);
}

async fn publish_to(remote: &RemoteRooms, room: &RoomName) -> Result<()> {
    remote.publish(soon(), Publish { room: room.clone(), ..publish() }).await.map(|_| ())
}

async fn unsubscribe_from(remote: &RemoteRooms, room: &RoomName) -> Result<()> {
    remote.unsubscribe(soon(), Unsubscribe { room: room.clone(), ..unsubscribe() }).await
}

#[tokio::test]
async fn a_room_has_a_favourite_and_all_callers_agree_on_it() {
    let (one, two) = (Port::open(), Port::open());
    let room = room_of(&one, &[one.address, two.address]).await;
    let before = (one.service.calls(), two.service.calls());
    for order in [[one.address, two.address], [two.address, one.address]] {
        let remote = rooms(&order);
        for _ in 0..5 {
            publish_to(&remote, &room).await.unwrap();
        }
    }
    assert_eq!((one.service.calls(), two.service.calls()), (before.0 + 10, before.1));
}

#[tokio::test]
async fn when_an_endpoint_is_killed_every_call_is_answered_by_another() {
    let (mut one, two) = (Port::open(), Port::open());
    let all = [one.address, two.address];
    let (room, remote) = (room_of(&one, &all).await, rooms(&all));
    publish_to(&remote, &room).await.unwrap();
    one.kill();
    let before = two.service.calls();
    for _ in 0..20 {
        publish_to(&remote, &room).await.unwrap();
        // What surely was not sent may go elsewhere, though it is not idempotent.
        unsubscribe_from(&remote, &room).await.unwrap();
    }
    assert_eq!(two.service.calls(), before + 40);
}

#[tokio::test]
async fn a_call_under_way_on_a_killed_endpoint_is_repeated_if_it_is_idempotent_and_else_is_not() {
    let (mut one, two) = (Port::open(), Port::open());
    let all = [one.address, two.address];
    let room = room_of(&one, &all).await;
    // More patient than the test: only the death of the endpoint ends an attempt.
    let patient = Rpc::open(RpcConfig { attempt_ms: 60_000, ..config(&all) }).unwrap();
    let remote = RemoteRooms::open(&patient).unwrap();
    one.service.set(Mood::Hang);
    let before = (one.service.calls(), two.service.calls());
    let killing = async {
        until("both calls are there", || async { one.service.calls() == before.0 + 2 }).await;
        one.kill();
    };
    let (published, unsubscribed, ()) =
        tokio::join!(publish_to(&remote, &room), unsubscribe_from(&remote, &room), killing);
    assert_eq!(published, Ok(()));
    assert_eq!(unsubscribed.unwrap_err().reason, ErrorReason::Unavailable);
    assert_eq!(two.service.calls(), before.1 + 1, "only the publish came a second time");
}

#[tokio::test]
async fn a_silent_endpoint_costs_one_attempt_and_is_then_avoided() {
    let (mut one, two) = (Port::open(), Port::open());
    let all = [one.address, two.address];
    let room = room_of(&one, &all).await;
    // The same address, but now nobody answers there.
    one.kill();
    let mut listener = None;
    until("the port is free", || {
        listener = std::net::TcpListener::bind(one.address).ok();
        let bound = listener.is_some();
        async move { bound }
    })
    .await;

    let remote = rooms(&all);
    let began = Instant::now();
    publish_to(&remote, &room).await.unwrap();
    let first = began.elapsed();
    assert!(first >= Duration::from_millis(700) && first < Duration::from_secs(2), "{first:?}");
    let began = Instant::now();
    publish_to(&remote, &room).await.unwrap();
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "it was asked again: {:?}",
        began.elapsed()
    );
    drop(two);
}

#[tokio::test]
async fn a_call_that_is_not_idempotent_is_never_repeated_after_silence() {
    let two = Port::open();
    let (silent, _listener) = mute();
    // Any room whose call goes to the silent one first.
    let short = || Call::within(Duration::from_millis(600));
    let (mut late, mut well) = (0, 0);
    for n in 0..60 {
        if late > 0 && well > 0 {
            return;
        }
        // A door that knows nothing of the silence yet.
        let remote = rooms(&[silent, two.address]);
        let room = RoomName::parse(&format!("room-{n}")).unwrap();
        let before = two.service.calls();
        match remote.unsubscribe(short(), Unsubscribe { room, ..unsubscribe() }).await {
            Ok(()) => {
                assert_eq!(two.service.calls(), before + 1);
                well += 1;
            }
            Err(error) => {
                assert_eq!(error.reason, ErrorReason::DeadlineExceeded);
                assert_eq!(two.service.calls(), before, "it was repeated");
                late += 1;
            }
        }
    }
    panic!("not both kinds were seen: {late} late, {well} well");
}

#[tokio::test]
async fn a_refusal_is_repeated_elsewhere_only_if_it_is_transient() {
    let (one, two) = (Port::open(), Port::open());
    let all = [one.address, two.address];
    let (room, remote) = (room_of(&one, &all).await, rooms(&all));
    let before = two.service.calls();
    one.service.set(Mood::Fail(Error::unavailable("the database is away")));
    publish_to(&remote, &room).await.unwrap();
    assert_eq!(two.service.calls(), before + 1);
    one.service.set(Mood::Fail(Error::denied()));
    assert_eq!(publish_to(&remote, &room).await.unwrap_err().reason, ErrorReason::PermissionDenied);
    one.service.set(Mood::Fail(Error::unavailable("the database is away")));
    assert!(unsubscribe_from(&remote, &room).await.is_err());
    assert_eq!(two.service.calls(), before + 1);
}

#[tokio::test]
async fn the_breaker_opens_on_a_silent_endpoint_and_closes_when_it_speaks_again() {
    let (address, listener) = mute();
    let rpc = Rpc::open(RpcConfig { attempt_ms: 200, ..config(&[address]) }).unwrap();
    let remote = RemoteRooms::open(&rpc).unwrap();
    let hurried = || Call::within(Duration::from_millis(200));
    for _ in 0..5 {
        let error = remote.publish(hurried(), publish()).await.unwrap_err();
        assert_eq!(error.reason, ErrorReason::DeadlineExceeded);
    }
    let began = Instant::now();
    let error = remote.publish(hurried(), publish()).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::Unavailable);
    assert!(began.elapsed() < Duration::from_millis(150), "it was asked: {:?}", began.elapsed());

    // The connection that hangs is reset with the listener; a real server takes its place.
    drop(listener);
    let _port = Port::on(address, &plain());
    until("calls go through again", || async { remote.publish(soon(), publish()).await.is_ok() })
        .await;
}

#[tokio::test]
async fn a_service_that_is_down_for_a_moment_is_waited_for() {
    let mut one = Port::open();
    let remote = rooms(&[one.address]);
    remote.publish(soon(), publish()).await.unwrap();
    let address = one.address;
    one.kill();
    let coming_back = async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        Port::on(address, &plain())
    };
    let (published, _port) = tokio::join!(remote.publish(soon(), publish()), coming_back);
    published.unwrap();
}

#[tokio::test]
async fn connections_that_reach_their_age_cost_no_call() {
    let brief = RpcConfig { server_connection_age_ms: 100, ..RpcConfig::default() };
    let brief = Rpc::open(brief).unwrap();
    let port = Port::on(([127, 0, 0, 1], 0).into(), &brief);
    let remote = rooms(&[port.address]);
    let began = Instant::now();
    // Not idempotent: no repetition hides a loss.
    while began.elapsed() < Duration::from_millis(1_500) {
        remote.unsubscribe(soon(), unsubscribe()).await.unwrap();
    }
}

fn at(rooms: Vec<String>) -> Rpc {
    Rpc::open(RpcConfig { rooms, ..RpcConfig::default() }).unwrap()
}

#[tokio::test]
async fn hosts_are_looked_up() {
    let port = Port::open();
    let list = vec![format!("http://localhost:{}", port.address.port())];
    let remote = RemoteRooms::open(&at(list)).unwrap();
    remote.publish(soon(), publish()).await.unwrap();

    let list = vec!["http://no-such-host.invalid:50051".to_owned()];
    let remote = RemoteRooms::open(&at(list)).unwrap();
    let error =
        remote.publish(Call::within(Duration::from_millis(300)), publish()).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::Unavailable);
}
