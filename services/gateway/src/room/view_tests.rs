//! Who is shown what, and that a patch is made of what its client holds.
use std::sync::Arc;

use bytes::Bytes;
use domain::{Body, Envelope, Item, JoinLeave, MessageId, Recovery, RoomName, Tags};
use wire::{FilterNode, Format};

use super::super::Handle;
use super::*;

const JSON: Carrier = Carrier::WebSocket(Format::Json);
const PROTOBUF: Carrier = Carrier::Stream(Format::Protobuf);

fn kind(delta: bool, filters: bool) -> RoomSettings {
    let (join_leave, envelope, recovery) = (JoinLeave::Off, Envelope::None, Recovery::Log);
    RoomSettings { stored: true, presence: true, join_leave, envelope, recovery, delta, filters }
}

fn said(offset: u64, data: impl Into<Bytes>, team: &str) -> RingItem {
    let tags = Tags::new([("team".to_owned(), team.to_owned())].into()).unwrap();
    let body = Body::Message { sender: None, gateway: None, tags, data: data.into() };
    let message_id = MessageId::parse(&format!("message-{offset}")).unwrap();
    let room = Handle { name: RoomName::parse("general").unwrap(), number: 7, patched: true };
    RingItem::new(room, Item { offset, message_id, time_ms: 1, body, trace: None })
}

/// A log whose payloads differ little.
fn log(until: u64) -> Vec<Arc<RingItem>> {
    let text = |n: u64| format!("{{\"of\":\"a match that goes on and on\",\"é\":{n}}}");
    let team = |n: u64| if n.is_multiple_of(2) { "red" } else { "blue" };
    let items: Vec<_> = (1..=until).map(|n| Arc::new(said(n, text(n), team(n)))).collect();
    for pair in items.windows(2) {
        pair[1].follow(&pair[0]);
    }
    items
}

fn red() -> Box<FilterNode> {
    let (key, cmp, val) = ("team".to_owned(), "eq".to_owned(), "red".to_owned());
    Box::new(FilterNode { key, cmp, val, ..FilterNode::default() })
}

fn show(view: &View, items: &[Arc<RingItem>], carrier: Carrier) -> Shown {
    view.show(items.iter().map(Arc::as_ref), 0, carrier, usize::MAX)
}

#[test]
fn wishes_are_granted_where_the_kind_allows_them() {
    let ask = |delta: &str, tf: Option<Box<FilterNode>>, flag: i64| SubscribeRequest {
        delta: delta.to_owned(),
        tf,
        flag,
        ..SubscribeRequest::default()
    };
    let agree = |request: &SubscribeRequest, filters, patched, numbers| {
        View::agree(request, kind(patched, filters), numbers)
    };
    let view = agree(&ask("fossil", None, 3), true, true, true).unwrap();
    assert_eq!((view.numbered, view.patched, view.filter.is_some()), (true, true, false));
    let view = agree(&ask("fossil", None, 1), true, false, false).unwrap();
    assert_eq!((view.numbered, view.patched), (false, false));
    let view = agree(&ask("", Some(red()), 2), true, true, true).unwrap();
    assert_eq!((view.numbered, view.patched, view.filter.is_some()), (false, false, true));
    let view = agree(&ask("fossil", Some(red()), 0), true, true, true).unwrap();
    assert_eq!((view.patched, view.filter.is_some()), (false, true), "a part has no patches");
    assert!(agree(&ask("", Some(red()), 0), false, true, true).is_err());
    let nonsense = Some(Box::new(FilterNode { cmp: "like".to_owned(), ..*red() }));
    assert!(agree(&ask("", nonsense, 0), true, true, true).is_err());
}

#[test]
fn the_first_is_whole_and_the_others_are_patches() {
    let (items, view) = (log(4), View { patched: true, ..View::default() });
    for carrier in [JSON, PROTOBUF] {
        let shown = show(&view, &items, carrier);
        let patches: Vec<_> = shown.publications.iter().map(|one| one.delta).collect();
        assert_eq!((patches, shown.until), (vec![false, true, true, true], 4));
        assert_eq!(shown.base, Base::Holds(items[3].print()));
        for (one, item) in shown.publications.iter().zip(&items) {
            let plain = show(&View::default(), std::slice::from_ref(item), carrier);
            let plain = &plain.publications[0];
            assert!(!plain.delta && (one.delta == (one.data.len() < plain.data.len())));
            if carrier == JSON {
                let text: String = serde_json::from_slice(&one.data).expect("a JSON string");
                assert!(one.delta || text.as_bytes() == &plain.data[..]);
            }
        }
    }
    let shown = show(&View::default(), &items, JSON);
    assert!(shown.publications.iter().all(|one| !one.delta) && shown.base == Base::Never);
}

#[test]
fn a_patch_is_made_of_what_the_client_holds_or_not_at_all() {
    let items = log(3);
    assert_eq!(Base::Never.payload(&items[1]), Payload::Plain);
    assert_eq!(Base::Nothing.payload(&items[1]), Payload::Whole);
    assert_eq!(Base::Holds(items[0].print()).payload(&items[1]), Payload::Patch);
    assert_eq!(Base::Holds(items[0].print()).payload(&items[2]), Payload::Whole);
    assert_eq!(Base::Holds(items[2].print()).payload(&items[1]), Payload::Whole);
    // One whose predecessor is not known, or has gone before anybody needed the patch.
    let mut orphans = log(2);
    let print = orphans[0].print();
    assert_eq!(Base::Holds(print).payload(&orphans[0]), Payload::Whole);
    orphans.remove(0);
    assert_eq!(Base::Holds(print).payload(&orphans[0]), Payload::Whole);
    // The same place in another life of the log.
    let other = said(1, "{\"of\":\"a match that goes on and on\",\"é\":8}", "red");
    assert_eq!(Base::Holds(other.print()).payload(&items[1]), Payload::Whole);
}

#[test]
fn a_filter_leaves_out_and_goes_past() {
    let (items, filter) = (log(5), Filter::new(&red()).map(Box::new));
    let view = View { filter, ..View::default() };
    let shown = show(&view, &items, JSON);
    let offsets: Vec<_> = shown.publications.iter().map(|one| one.offset).collect();
    assert_eq!((offsets, shown.until), (vec![2, 4], 5));
    let shown = show(&view, &items[..1], JSON);
    assert!(shown.publications.is_empty() && shown.until == 1);
}

#[test]
fn an_answer_has_room_for_so_much_and_for_one_at_least() {
    let (items, view) = (log(5), View { patched: true, ..View::default() });
    let show = |bytes_max| view.show(items.iter().map(Arc::as_ref), 0, JSON, bytes_max);
    let one = show(1);
    assert_eq!((one.publications.len(), one.until), (1, 1));
    assert_eq!(one.base, Base::Holds(items[0].print()), "what follows goes on from there");
    let some = show(3 * items[0].answer_bytes());
    assert_eq!((some.publications.len(), some.until), (3, 3));
}
