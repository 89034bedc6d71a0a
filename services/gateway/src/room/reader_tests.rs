//! Whatever the bus does to the items, a member sees each offset once and in order.
use bytes::Bytes;
use domain::{Body, Item, MessageId, RoomName, Tags};
use proptest::prelude::*;

use super::super::shelf::Shelf;
use super::*;

fn epoch(name: &str) -> Epoch {
    Epoch::new(name)
}

fn item(offset: u64) -> Item {
    item_of(offset, "message")
}

fn item_of(offset: u64, author: &str) -> Item {
    Item {
        offset,
        message_id: MessageId::parse(&format!("{author}-{offset:06}")).unwrap(),
        time_ms: 0,
        body: Body::Message {
            sender: None,
            gateway: None,
            tags: Tags::default(),
            data: Bytes::from_static(b"{}"),
        },
        trace: None,
    }
}

fn batch(offsets: impl IntoIterator<Item = u64>) -> RoomBatch {
    RoomBatch { epoch: epoch("e1"), items: offsets.into_iter().map(item).collect() }
}

fn reader_at(offset: u64) -> Reader {
    let room = Handle { name: RoomName::parse("general").unwrap(), number: 1, patched: true };
    let tally = Arc::new(Tally::new(Arc::new(Shelf::new(1 << 20, 1 << 20))));
    Reader::new(room, Position { epoch: epoch("e1"), offset }, tally, 64)
}

fn answer(head: u64, oldest: u64, items: impl IntoIterator<Item = u64>) -> Fetched {
    let head = Position { epoch: epoch("e1"), offset: head };
    Fetched { head, oldest, items: items.into_iter().map(item).collect() }
}

fn offsets(reader: &Reader, after: u64) -> Vec<u64> {
    match reader.after(reader.generation(), after, usize::MAX) {
        Next::In(After::Items(items)) => items.iter().map(|item| item.offset()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_head_above_its_place_is_how_far_it_is_behind() {
    let mut reader = reader_at(5);
    assert_eq!(reader.behind(), 0);
    let head = Position { epoch: epoch("e1"), offset: 8 };
    assert_eq!(reader.note_head(&head), Outcome { news: false, need: Need::Soon });
    assert_eq!(reader.behind(), 3);
    reader.offer(&batch([6, 7, 8]));
    assert_eq!(reader.behind(), 0);
}

#[test]
fn the_next_item_is_news_and_an_old_one_is_not() {
    let mut reader = reader_at(5);
    assert_eq!(reader.offer(&batch([6])), Outcome { news: true, need: Need::Nothing });
    assert_eq!(reader.offer(&batch([6])), Outcome { news: false, need: Need::Nothing });
    assert_eq!(reader.offer(&batch([3])), Outcome { news: false, need: Need::Nothing });
    assert_eq!(offsets(&reader, 5), [6]);
}

#[test]
fn a_hole_is_waited_for_then_fetched_up_to_what_is_held() {
    let mut reader = reader_at(5);
    assert_eq!(reader.offer(&batch([8, 9])), Outcome { news: false, need: Need::Soon });
    let asked = reader.missing().unwrap();
    assert_eq!((asked.after, asked.until), (5, 7));
    let outcome = reader.fetched(&asked, answer(9, 1, [6, 7]));
    assert_eq!(outcome, Outcome { news: true, need: Need::Nothing });
    assert_eq!(offsets(&reader, 5), [6, 7, 8, 9]);
    assert_eq!(reader.missing(), None);
}

#[test]
fn a_head_tells_of_a_lost_tail() {
    let mut reader = reader_at(5);
    let head = Position { epoch: epoch("e1"), offset: 7 };
    assert_eq!(reader.note_head(&head).need, Need::Soon);
    let asked = reader.missing().unwrap();
    // Answered in part: the rest is asked for again.
    assert_eq!(reader.fetched(&asked, answer(7, 1, [6])).need, Need::Soon);
    assert_eq!(reader.missing().unwrap().after, 6);
    // A head that is read late says nothing new.
    let late = Position { epoch: epoch("e1"), offset: 2 };
    assert_eq!(reader.note_head(&late), Outcome { news: false, need: Need::Soon });
}

#[test]
fn another_epoch_is_asked_about_and_never_believed() {
    let mut reader = reader_at(5);
    let foreign = RoomBatch { epoch: epoch("e2"), items: vec![item(6)] };
    assert_eq!(reader.offer(&foreign), Outcome { news: false, need: Need::Now });
    let asked = reader.missing().unwrap();
    // The primary still has the old one: nothing happened.
    let outcome = reader.fetched(&asked, answer(5, 1, []));
    assert_eq!(outcome, Outcome { news: false, need: Need::Nothing });
    assert_eq!(reader.generation(), 1);
    // The primary has the new one: nobody goes on across it.
    reader.offer(&foreign);
    let asked = reader.missing().unwrap();
    let head = Position { epoch: epoch("e2"), offset: 6 };
    reader.fetched(&asked, Fetched { head: head.clone(), oldest: 1, items: Vec::new() });
    assert_eq!((reader.position(), reader.generation()), (head, 2));
    assert!(matches!(reader.after(1, 5, 10), Next::Gone));
}

#[test]
fn a_log_that_lost_what_was_seen_is_begun_anew() {
    let mut reader = reader_at(5);
    let foreign = RoomBatch { epoch: epoch("e2"), items: vec![item(1)] };
    reader.offer(&foreign);
    let asked = reader.missing().unwrap();
    reader.fetched(&asked, answer(3, 1, []));
    assert_eq!((reader.position().offset, reader.generation()), (3, 2));
}

#[test]
fn the_same_place_with_another_item_raises_suspicion() {
    let mut reader = reader_at(5);
    let _news = reader.offer(&batch([6]));
    let other = RoomBatch { epoch: epoch("e1"), items: vec![item_of(6, "another")] };
    assert_eq!(reader.offer(&other).need, Need::Now);
}

#[test]
fn retention_that_overtook_a_hole_is_skipped_for_new_members_only() {
    let mut reader = reader_at(5);
    let _need = reader.note_head(&Position { epoch: epoch("e1"), offset: 30 });
    let asked = reader.missing().unwrap();
    assert!(reader.fetched(&asked, answer(30, 20, [])).news);
    assert_eq!(reader.position().offset, 19);
    // A member behind finds its next item gone; history will tell it so.
    assert!(matches!(reader.after(1, 5, 10), Next::In(After::Behind)));
    let asked = reader.missing().unwrap();
    assert_eq!((asked.after, asked.until), (19, 30));
}

#[test]
fn what_is_held_back_is_bounded() {
    let mut reader = reader_at(0);
    let _need = reader.offer(&batch(2..1_000));
    assert_eq!(reader.held.len(), 64);
    let asked = reader.missing().unwrap();
    assert_eq!((asked.after, asked.until), (0, 1));
    let _need = reader.fetched(&asked, answer(999, 1, [1]));
    // The rest was dropped and is asked for.
    assert_eq!(reader.position().offset, 65);
    assert_eq!(reader.missing().unwrap().until, 999);
}

/// What a broker, a heads stream and a filler may do.
#[derive(Debug, Clone)]
enum Step {
    /// Some of the committed items come, in this order.
    Bus(Vec<u64>),
    Head(u64),
    Fetch {
        items_max: usize,
    },
    Trim(usize),
    /// The member takes so many items.
    Read(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(1_u64..200, 0..8).prop_map(Step::Bus),
        2 => (1_u64..200).prop_map(Step::Head),
        2 => (1_usize..20).prop_map(|items_max| Step::Fetch { items_max }),
        1 => (0_usize..20_000).prop_map(Step::Trim),
        3 => (1_usize..10).prop_map(Step::Read),
    ]
}

proptest! {
    #[test]
    fn a_member_sees_each_offset_once_and_in_order(
        start in 0_u64..50, steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut reader = reader_at(start);
        let mut committed = start;
        let (mut cursor, mut seen) = (start, Vec::new());
        let fetch = |reader: &mut Reader, committed: u64, items_max: usize| {
            if let Some(asked) = reader.missing() {
                let last = asked.until.min(committed);
                let items = (asked.after + 1..=last).take(items_max);
                let _outcome = reader.fetched(&asked, answer(committed, 1, items));
            }
        };
        let read = |reader: &Reader, committed: u64, cursor: &mut u64, seen: &mut Vec<u64>, most| {
            match reader.after(1, *cursor, most) {
                Next::In(After::Items(items)) => for item in items {
                    prop_assert_eq!(item.offset(), *cursor + 1);
                    *cursor += 1;
                    seen.push(*cursor);
                },
                // From history, which has everything that is committed.
                Next::In(After::Behind) => {
                    prop_assert!(*cursor < committed);
                    *cursor += 1;
                    seen.push(*cursor);
                }
                Next::In(After::Head) => {}
                Next::Gone => prop_assert!(false, "a new generation out of nothing"),
            }
            Ok(())
        };
        for step in steps {
            match step {
                Step::Bus(offsets) => {
                    committed = committed.max(offsets.iter().copied().max().unwrap_or(0));
                    let _outcome = reader.offer(&batch(offsets));
                }
                Step::Head(offset) => {
                    committed = committed.max(offset);
                    let head = Position { epoch: epoch("e1"), offset };
                    let _outcome = reader.note_head(&head);
                }
                Step::Fetch { items_max } => fetch(&mut reader, committed, items_max),
                Step::Trim(bytes) => reader.trim(bytes),
                Step::Read(most) => read(&reader, committed, &mut cursor, &mut seen, most)?,
            }
        }
        // Nothing more comes but heads and fetches: the member gets to the head.
        let _outcome = reader.note_head(&Position { epoch: epoch("e1"), offset: committed });
        while reader.missing().is_some() {
            fetch(&mut reader, committed, 7);
        }
        while cursor < reader.position().offset {
            read(&reader, committed, &mut cursor, &mut seen, 5)?;
        }
        let all: Vec<u64> = (start + 1..=committed).collect();
        prop_assert_eq!(seen, all);
    }
}
