//! What rings count, and that all of it goes again.
use bytes::Bytes;
use domain::{
    Body, Envelope, Item, JoinLeave, MessageId, Recovery, RoomBatch, RoomName, RoomSettings, Tags,
};
use wire::Format;

use super::super::reader::{Need, Next};
use super::super::shelf::Shelf;
use super::super::{Handle, Room};
use super::*;
use crate::connection::carrier::Carrier;
use crate::connection::frames::Shape;

const JSON: Shape = Shape::named(Carrier::WebSocket(Format::Json));
const PROTOBUF: Shape = Shape::named(Carrier::WebSocket(Format::Protobuf));
const EVENTS: Shape = Shape::named(Carrier::Events);

fn handle() -> Handle {
    Handle { name: RoomName::parse("general").unwrap(), number: 1, patched: true }
}

fn head() -> Position {
    Position { epoch: Epoch::new("e1"), offset: 0 }
}

fn said(offset: u64, data: String) -> Item {
    let message_id = MessageId::parse(&format!("message-{offset}")).unwrap();
    let (tags, data) = (Tags::default(), Bytes::from(data));
    let body = Body::Message { sender: None, gateway: None, tags, data };
    Item { offset, message_id, time_ms: 1, body, trace: None }
}

/// A ring with items that differ little.
fn ring(shelf: &Arc<Shelf>, items: u64) -> Ring {
    let mut ring = Ring::new(head(), Arc::new(Tally::new(shelf.clone())));
    for n in 1..=items {
        let item = said(n, format!("{{\"text\":\"{}\",\"n\":{n}}}", "so it goes ".repeat(9)));
        assert!(ring.append(Arc::new(RingItem::new(handle(), item))));
    }
    ring
}

#[test]
fn what_is_counted_is_what_was_made() {
    let shelf = Arc::new(Shelf::new(1 << 20, 1 << 20));
    let mut ring = ring(&shelf, 3);
    let items: Vec<_> = (1..=3).map(|n| ring.get(n).unwrap().clone()).collect();
    let plain: usize = items.iter().map(|item| item.answer_bytes()).sum();
    assert_eq!((ring.bytes(), shelf.bytes()), (plain, plain));
    let mut counted = ring.bytes();
    for shape in [JSON, PROTOBUF, EVENTS] {
        let frame = items[1].frame(shape).unwrap();
        assert!(
            ring.bytes() >= counted + frame.len() && ring.bytes() < counted + frame.len() + 200
        );
        counted = ring.bytes();
        assert_eq!(items[1].frame(shape).unwrap(), frame, "made once");
        assert_eq!(ring.bytes(), counted, "and counted once");
    }
    assert!(items[1].patches(items[0].print()));
    assert!(ring.bytes() > counted && ring.bytes() < counted + 60, "a patch is counted too");
    counted = ring.bytes();
    // The oldest goes with all that it took, and takes no more.
    ring.trim(counted - 1);
    assert_eq!((ring.lo(), ring.bytes()), (2, counted - items[0].answer_bytes()));
    assert!(items[0].frame(JSON).is_ok());
    assert_eq!(ring.bytes(), counted - items[0].answer_bytes());
    ring.trim(0);
    assert_eq!((ring.lo(), shelf.bytes()), (4, 0));
    assert!(items[2].frame(JSON).is_ok());
    assert_eq!(shelf.bytes(), 0);
}

#[test]
fn a_ring_that_goes_or_begins_anew_leaves_nothing_on_the_shelf() {
    let shelf = Arc::new(Shelf::new(1 << 20, 1 << 20));
    let mut ring = ring(&shelf, 3);
    let kept = ring.get(3).unwrap().clone();
    assert!(kept.frame(JSON).is_ok());
    ring = ring.anew(head());
    assert_eq!((ring.bytes(), shelf.bytes(), ring.lo()), (0, 0, 1));
    assert!(ring.append(Arc::new(RingItem::new(handle(), said(1, "1".to_owned())))));
    assert!(shelf.bytes() > 0);
    drop(ring);
    assert!(kept.frame(EVENTS).is_ok());
    assert_eq!(shelf.bytes(), 0);
}

#[test]
fn the_account_is_exact_whoever_makes_frames_while_items_go() {
    let shelf = Arc::new(Shelf::new(1 << 20, 1 << 20));
    for _ in 0..50 {
        let mut ring = ring(&shelf, 20);
        let items: Vec<_> = (1..=20).map(|n| ring.get(n).unwrap().clone()).collect();
        std::thread::scope(|scope| {
            for shape in [JSON, PROTOBUF, EVENTS] {
                let items = &items;
                scope.spawn(move || items.iter().for_each(|item| drop(item.frame(shape))));
            }
            scope.spawn(|| (0..10).for_each(|step| ring.trim(ring.bytes() * (9 - step) / 10)));
        });
        assert_eq!((ring.bytes(), shelf.bytes()), (0, 0));
    }
}

#[test]
fn frames_count_against_what_a_room_may_hold() {
    let (room_max, large) = (200 * 1024, "x".repeat(40 * 1024));
    let shelf = Arc::new(Shelf::new(1 << 20, room_max));
    let settings = RoomSettings {
        stored: true,
        presence: true,
        join_leave: JoinLeave::Off,
        envelope: Envelope::None,
        recovery: Recovery::Log,
        delta: false,
        filters: false,
    };
    let room = Room::new(handle(), settings, head(), 64, shelf.clone());
    let items = (1..=4).map(|n| said(n, format!("\"{large}\""))).collect();
    assert_eq!(room.offer(&RoomBatch { epoch: Epoch::new("e1"), items }), Need::Nothing);
    let Next::In(After::Items(items)) = room.after(1, 0) else { panic!("all are there") };
    assert_eq!(items.len(), 4);
    items.iter().for_each(|item| drop(item.frame(JSON)));
    assert!(shelf.bytes() > room_max);
    assert!(matches!(room.after(1, 0), Next::In(After::Behind)));
    assert!(shelf.bytes() <= room_max);
    assert!(matches!(room.after(1, 3), Next::In(After::Items(newest)) if newest.len() == 1));
    drop(room);
    assert_eq!(shelf.bytes(), 0);
}
