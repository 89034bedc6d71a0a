//! Whatever bytes come from the bus: an event, nothing, or an error, and never a panic.
use bus::{
    Undecodable, decode_direct, decode_room, decode_system, encode_direct, encode_room,
    encode_system,
};
use bytes::Bytes;
use domain::{
    Body, ConnectionId, Epoch, Item, MessageId, Notice, NoticeLevel, Order, OrderAct, PrincipalId,
    RoomBatch, RoomEvent, RoomName, RoomTraffic, Sender, SystemEvent, Tags,
};
use proptest::prelude::*;

#[expect(clippy::unwrap_used, reason = "a test may fail by it")]
fn event(offsets: &[u64], data: Vec<u8>) -> RoomEvent {
    let sender = Sender {
        id: PrincipalId::new("issuer", "subject"),
        name: "name".into(),
        info: Bytes::from_static(b"{\"age\":7}"),
        room_info: Bytes::from_static(b"[1]"),
        connection: Some(ConnectionId::random()),
    };
    let items = offsets
        .iter()
        .map(|&offset| Item {
            offset,
            message_id: MessageId::random(),
            time_ms: 5,
            body: Body::Message {
                sender: Some(sender.clone()),
                gateway: None,
                tags: Tags::new([("k".to_owned(), "v".to_owned())].into()).unwrap(),
                data: data.clone().into(),
            },
            trace: None,
        })
        .collect();
    RoomEvent {
        room: RoomName::parse("chat:a").unwrap(),
        traffic: RoomTraffic::Items(RoomBatch { epoch: Epoch::random(), items }),
    }
}

fn room_bytes(offsets: &[u64], data: Vec<u8>) -> Bytes {
    encode_room(event(offsets, data)).into()
}

#[test]
fn offsets_that_are_not_dense_are_refused() {
    assert!(decode_room(room_bytes(&[1, 2, 3], vec![1])).is_ok());
    assert!(decode_room(room_bytes(&[u64::MAX], vec![1])).is_ok());
    for bad in [&[0, 1][..], &[1, 3], &[2, 1], &[5, 5], &[u64::MAX, 0]] {
        let refused = decode_room(room_bytes(bad, vec![1]));
        assert_eq!(refused, Err(Undecodable::Field("offset")), "{bad:?}");
    }
}

#[test]
fn an_empty_batch_and_an_oversized_message_are_refused() {
    assert_eq!(decode_room(room_bytes(&[], vec![])), Err(Undecodable::Field("items")));
    let large = vec![0; domain::MESSAGE_BYTES_MAX + 1];
    assert_eq!(decode_room(room_bytes(&[1], large)), Err(Undecodable::Field("data")));
}

#[test]
fn an_author_who_shows_too_much_is_refused() {
    for (info, room_info) in [(1, 0), (0, 1)] {
        let json = |more| Bytes::from(vec![b'1'; domain::INFO_BYTES_MAX + more]);
        let mut much = event(&[1], vec![1]);
        if let RoomTraffic::Items(batch) = &mut much.traffic
            && let Body::Message { sender: Some(sender), .. } = &mut batch.items[0].body
        {
            (sender.info, sender.room_info) = (json(info), json(room_info));
        }
        assert_eq!(decode_room(encode_room(much).into()), Err(Undecodable::Field("info")));
    }
}

#[test]
fn tags_that_no_author_may_set_are_refused() {
    // An item of kind message with the tag "gateway", as no sender of ours writes it.
    let tag = b"\x52\x0c\x0a\x07gateway\x12\x01g";
    let item = [b"\x08\x01\x1a\x08message1\x20\x01".as_slice(), tag].concat();
    let batch = [b"\x0a\x01e\x12".as_slice(), &[item.len() as u8], &item].concat();
    let event = [b"\x0a\x01a\x12".as_slice(), &[batch.len() as u8], &batch].concat();
    assert_eq!(decode_room(event.into()), Err(Undecodable::Field("tags")));
}

#[test]
fn what_a_newer_sender_added_is_passed_over() {
    // Field 1 (the room) and an unknown field 15, as a later version might write it.
    let newer = [b"\x0a\x01a".as_slice(), b"\x7a\x02hi"].concat();
    assert_eq!(decode_room(newer.into()), Ok(None));
    assert_eq!(decode_system(Bytes::from_static(b"\x7a\x02hi")), Ok(None));
    assert_eq!(decode_direct(Bytes::new()), Ok(None));
}

#[test]
fn names_that_could_be_patterns_are_refused() {
    for name in ["", "*", "#", "a.b", "a b"] {
        let mut bytes = vec![0x0a, name.len() as u8];
        bytes.extend(name.as_bytes());
        assert_eq!(decode_room(bytes.into()), Err(Undecodable::Field("room")), "{name:?}");
    }
}

proptest! {
    // A failure prints its bytes; those that matter become tests of their own above.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = Bytes::from(bytes);
        let _ = decode_room(bytes.clone());
        let _ = decode_system(bytes.clone());
        let _ = decode_direct(bytes);
    }

    #[test]
    fn no_damage_to_a_good_body_makes_a_decoder_panic(
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        cut in any::<prop::sample::Index>(),
        data in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let notice = Notice { id: "n".into(), text: "t".into(), level: NoticeLevel::Info };
        let order = Order { number: 1, time_ms: 2, act: OrderAct::Notice(notice) };
        let disconnect = bus::DirectEvent::Disconnect {
            connection: ConnectionId::random(),
            reason: "r".into(),
        };
        for good in [
            encode_room(event(&[7, 8], data)),
            encode_system(SystemEvent::Order(order)),
            encode_direct(disconnect),
        ] {
            let mut bad = good.clone();
            bad[at.index(good.len())] = to;
            bad.truncate(cut.index(good.len() + 1));
            let bad = Bytes::from(bad);
            let _ = decode_room(bad.clone());
            let _ = decode_system(bad.clone());
            let _ = decode_direct(bad);
        }
    }

    #[test]
    fn a_batch_comes_back_as_it_was(first in 1..u64::MAX - 9, count in 1..9_u64, data in prop::collection::vec(any::<u8>(), 0..99)) {
        let sent = event(&(first..first + count).collect::<Vec<_>>(), data);
        prop_assert_eq!(decode_room(encode_room(sent.clone()).into()), Ok(Some(sent)));
    }
}
