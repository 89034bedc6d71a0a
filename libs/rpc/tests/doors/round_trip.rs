//! Every field of every call survives the way there, and every field of its answer the way back.
use std::time::Duration;

use bytes::Bytes;
use domain::*;
use rpc::Call;
use rpc::auth::{Auth, NewKey, RemoteAuth};
use rpc::gateway::{Gateway, RemoteGateway};
use rpc::presence::{LeaseState, Presence, RemotePresence};
use rpc::rooms::*;

use super::answering::Mood;
use super::port::{Port, calling, mute};
use super::samples as sample;

fn soon() -> Call {
    Call::within(Duration::from_secs(5))
}

pub fn publish() -> Publish {
    Publish {
        room: sample::room(),
        principal: sample::principal("user"),
        sender: Some(sample::sender()),
        message_id: sample::message_id(),
        gateway: Some(sample::gateway()),
        tags: sample::tags(),
        data: Bytes::from_static(b"\0\xff{}"),
    }
}

pub fn unsubscribe() -> Unsubscribe {
    Unsubscribe {
        by: sample::principal("admin"),
        target: sample::id("bob"),
        room: sample::room(),
        reason: "r".into(),
    }
}

#[tokio::test]
async fn rooms() {
    let port = Port::open();
    let remote = RemoteRooms::open(&calling(&[port.address])).unwrap();
    let (heard, room) = (&port.service, sample::room());

    let join = Join { principal: sample::principal("admin"), room: room.clone() };
    assert_eq!(remote.join(soon(), join.clone()).await.unwrap(), sample::joined());
    assert_eq!(heard.only(), format!("{join:?}"));

    for message in [publish(), Publish { sender: None, gateway: None, ..publish() }] {
        assert_eq!(remote.publish(soon(), message.clone()).await.unwrap(), sample::published());
        assert_eq!(heard.only(), format!("{message:?}"));
    }

    for since in [Some(sample::position()), None] {
        let principal = sample::principal("user");
        let history = History { principal, room: room.clone(), since, limit: 7, reverse: true };
        assert_eq!(remote.history(soon(), history.clone()).await.unwrap(), sample::page());
        assert_eq!(heard.only(), format!("{history:?}"));
    }

    let range =
        FetchRange { room: room.clone(), epoch: Epoch::new("e"), after: 3, until: u64::MAX };
    let ranges = vec![range.clone(), range];
    let fetched = remote.fetch(soon(), ranges.clone()).await.unwrap();
    assert_eq!(fetched, [sample::fetched(), sample::fetched()]);
    assert_eq!(heard.only(), format!("{ranges:?}"));

    let (by, target) = (sample::principal("admin"), sample::id("bob"));
    let disconnect = Disconnect { by, target, reason: "r".into(), reconnect: true };
    remote.disconnect(soon(), disconnect.clone()).await.unwrap();
    assert_eq!(heard.only(), format!("{disconnect:?}"));

    remote.unsubscribe(soon(), unsubscribe()).await.unwrap();
    assert_eq!(heard.only(), format!("{:?}", unsubscribe()));
    let (by, target, room) = (sample::principal("admin"), sample::id("bob"), sample::room());
    let subscribe = Subscribe { by, target, room, data: sample::told() };
    remote.subscribe(soon(), subscribe.clone()).await.unwrap();
    assert_eq!(heard.only(), format!("{subscribe:?}"));
}

#[tokio::test]
async fn auth() {
    let port = Port::open();
    *port.service.role.lock() = "admin".into();
    let remote = RemoteAuth::open(&calling(&[port.address])).unwrap();
    let (heard, by) = (&port.service, sample::principal("admin"));

    for credential in
        [Credential::Bearer("t".into()), Credential::ApiKey("k".into()), Credential::Anonymous]
    {
        assert_eq!(remote.verify(soon(), credential).await.unwrap(), sample::verified("admin"));
        heard.only();
    }
    assert_eq!(*heard.shown.lock(), ["bearer t", "key k", "anonymous "]);

    let (id, room) = (sample::id("alice"), sample::room());
    let granted = remote.verify_subscription(soon(), id.clone(), room.clone(), "t".into()).await;
    assert_eq!(granted.unwrap(), sample::grant());
    assert_eq!(heard.only(), format!("{:?}", (id, room, "t")));

    for admission in [sample::admission(), Admission::default()] {
        let admitted = remote.admit(soon(), admission.clone()).await.unwrap();
        assert_eq!(admitted, Decision::Granted(sample::admitted()));
        assert_eq!(heard.only(), format!("{admission:?}"));
    }
    assert_eq!(heard.shown.lock()[3..], ["t \0\u{fffd}{} {\"a\": \"b\"}", "  {}"]);
    let ask = || remote.authorise(soon(), by.clone(), sample::room(), Bytes::from_static(b"d"));
    assert_eq!(ask().await.unwrap(), Decision::Granted(sample::grant()));
    assert_eq!(heard.only(), format!("{:?}", (&by, sample::room(), Bytes::from_static(b"d"))));
    for refusal in sample::refusals() {
        *port.service.refusal.lock() = Some(refusal.clone());
        let admitted = remote.admit(soon(), Admission::default()).await.unwrap();
        assert_eq!(admitted, Decision::Refused(refusal.clone()));
        heard.only();
        assert_eq!(ask().await.unwrap(), Decision::Refused(refusal));
        heard.only();
    }

    let new = NewKey { name: "n".into(), roles: vec!["user".into()], ttl_ms: Some(9) };
    let created = remote.create_key(soon(), by.clone(), new.clone()).await.unwrap();
    assert!(created == sample::created_key());
    assert_eq!(heard.only(), format!("{:?}", (&by, new)));
    assert_eq!(remote.list_keys(soon(), by.clone()).await.unwrap(), [sample::key()]);
    assert_eq!(heard.only(), format!("{by:?}"));
    remote.revoke_key(soon(), by.clone(), "k1".into()).await.unwrap();
    assert_eq!(heard.only(), format!("{:?}", (by, "k1")));
}

#[tokio::test]
async fn presence() {
    let port = Port::open();
    let remote = RemotePresence::open(&calling(&[port.address])).unwrap();
    let (heard, room, lease) = (&port.service, sample::room(), sample::lease_id());

    for peer_url in [Some("http://10.0.0.7:50053".to_owned()), None] {
        let (id, life) = (sample::gateway(), sample::incarnation());
        let opened = remote.open_lease(soon(), id.clone(), life, peer_url.clone()).await.unwrap();
        assert_eq!(opened, sample::lease());
        assert_eq!(heard.only(), format!("{:?}", (id, life, peer_url)));
    }
    assert_eq!(remote.renew_lease(soon(), lease).await.unwrap(), LeaseState::Lost);
    assert_eq!(heard.only(), format!("{lease:?}"));
    remote.close_lease(soon(), lease).await.unwrap();
    assert_eq!(heard.only(), format!("{lease:?}"));

    let entered =
        |join_leave| PresenceChange::Entered { room: room.clone(), who: sample::who(), join_leave };
    let left = |departure| PresenceChange::Left {
        room: room.clone(),
        connection: sample::connection(),
        departure,
    };
    let changes = vec![
        PresenceChange::Connected(sample::who()),
        entered(JoinLeave::Off),
        entered(JoinLeave::Connection),
        entered(JoinLeave::User),
        left(Departure::Clean),
        left(Departure::Lost),
        PresenceChange::Disconnected(sample::connection()),
    ];
    let batch = PresenceBatch { number: 5, announce: true, changes };
    assert_eq!(remote.apply(soon(), lease, batch.clone()).await.unwrap(), LeaseState::Held);
    assert_eq!(heard.only(), format!("{:?}", (lease, batch)));

    assert_eq!(remote.room(soon(), room.clone(), 3).await.unwrap(), [sample::entry()]);
    assert_eq!(heard.only(), format!("{:?}", (&room, 3)));
    assert_eq!(remote.room_counts(soon(), room).await.unwrap(), sample::counts());
    assert_eq!(remote.totals(soon()).await.unwrap(), sample::totals());
    assert_eq!(remote.gateways(soon()).await.unwrap(), [sample::gateway_info()]);
    heard.heard.lock().clear();
    assert_eq!(remote.connections(soon(), sample::id("bob")).await.unwrap(), [sample::entry()]);
    assert_eq!(heard.only(), format!("{:?}", sample::id("bob")));
}

#[tokio::test]
async fn nobody_shows_more_than_the_limit() {
    let port = Port::open();
    let remote = RemoteRooms::open(&calling(&[port.address])).unwrap();
    let json = |bytes: usize| Bytes::from(vec![b'1'; bytes]);
    let showing = |info, room_info| {
        let sender = Sender { info, room_info, ..sample::sender() };
        Publish { sender: Some(sender), ..publish() }
    };
    let most = showing(json(INFO_BYTES_MAX), json(INFO_BYTES_MAX));
    assert_eq!(remote.publish(soon(), most).await.unwrap(), sample::published());
    for much in [
        showing(json(INFO_BYTES_MAX + 1), Bytes::new()),
        showing(Bytes::new(), json(INFO_BYTES_MAX + 1)),
    ] {
        let refused = remote.publish(soon(), much).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::InvalidArgument);
    }
}

#[tokio::test]
async fn gateway() {
    let port = Port::open();
    let remote = RemoteGateway::open(&format!("http://{}", port.address), &calling(&[])).unwrap();
    let (heard, session) = (&port.service, Session::from_bytes(*b"0123456789abcdef"));
    let frame = Bytes::from_static(b"\0\xff{}");
    remote.emulate(soon(), session, frame.clone()).await.unwrap();
    assert_eq!(heard.only(), format!("{:?}", (session.reveal(), frame.clone())));

    // Whether a lost answer means a lost frame nobody knows, so it is not sent again.
    heard.set(Mood::Fail(Error::unavailable("busy")));
    remote.emulate(soon(), session, frame).await.unwrap_err();
    heard.only();
    assert!(RemoteGateway::open("not an address", &calling(&[])).is_err());
}

#[tokio::test]
async fn errors_keep_their_reason_and_their_sentence() {
    let port = Port::open();
    // One endpoint and no patience for repetitions: each reason as it comes.
    let remote = RemoteRooms::open(&calling(&[port.address])).unwrap();
    for &reason in ErrorReason::ALL {
        let error = Error::new(reason, "because — of this");
        port.service.set(Mood::Fail(error.clone()));
        assert_eq!(remote.unsubscribe(soon(), unsubscribe()).await, Err(error));
    }
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_own_call_only() {
    let port = Port::open();
    let remote = RemoteRooms::open(&calling(&[port.address])).unwrap();
    port.service.set(Mood::Hang);
    let waiting = remote.unsubscribe(soon(), unsubscribe());
    let panicking = async {
        super::port::until("the first call is there", || async { port.service.calls() == 1 }).await;
        port.service.set(Mood::Panic);
        let error = remote.unsubscribe(soon(), unsubscribe()).await.unwrap_err();
        assert_eq!(error.reason, ErrorReason::Internal);
        port.service.set(Mood::Answer);
        remote.unsubscribe(soon(), unsubscribe()).await.unwrap();
    };
    tokio::select! {
        outcome = waiting => panic!("the other call on the connection ended: {outcome:?}"),
        () = panicking => {}
    }
}

#[tokio::test]
async fn the_deadline_goes_along() {
    let port = Port::open();
    let (silent, _listener) = mute();
    let alone = RemoteRooms::open(&calling(&[port.address])).unwrap();
    alone.publish(Call::within(Duration::from_secs(2)), publish()).await.unwrap();
    let left = port.service.left.lock().pop().unwrap();
    assert!(left <= Duration::from_secs(2) && left > Duration::from_secs(1), "{left:?}");

    // With another endpoint to turn to, an attempt has less than the whole.
    let two = RemoteRooms::open(&calling(&[port.address, silent])).unwrap();
    let room = |n| RoomName::parse(&format!("room-{n}")).unwrap();
    for n in 0..20 {
        let call = Call::within(Duration::from_secs(5));
        two.publish(call, Publish { room: room(n), ..publish() }).await.unwrap();
    }
    let least = port.service.left.lock().iter().copied().min().unwrap();
    assert!(least <= Duration::from_millis(800), "{least:?}");
}

#[tokio::test]
async fn a_caller_never_waits_longer_than_it_said() {
    let port = Port::open();
    port.service.set(Mood::Hang);
    let remote = RemoteRooms::open(&calling(&[port.address])).unwrap();
    let began = std::time::Instant::now();
    let error =
        remote.publish(Call::within(Duration::from_millis(300)), publish()).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::DeadlineExceeded);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
